"""What orders hold, use and give back: coupons, points, units at a limited price. Locked in this order, by key."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import outbox
from db.pool import Transaction
from db.statements import SQL
from messages.benefits import CouponChanged, PointsChanged, PointsGrant
from messages.envelope import Envelope
from workers.domain.benefits import Account, Benefits, Worth, all_cancelled, due_back, still_earned
from workers.domain.book import Book, Step
from workers.domain.order import Effect, Order, State
from workers.domain.pricing.coupons import Coupon
from workers.store.refunds import Opened

Item: TypeAlias = Envelope[Any]
COUPON_STATES: dict[str, Literal["locked", "used", "released", "returned"]] = {
    "lock": "locked",
    "use": "used",
    "release": "released",
    "return": "returned",
}
"""Ledger op -> what the event calls it; one that comes back too late is expired."""


async def lock(
    tx: Transaction, coupon_ids: Iterable[str], user_ids: Iterable[str], promo_ids: Iterable[str] = ()
) -> Benefits:
    """What these coupons, accounts and limited promotions have, locked until commit. Asks for nothing without need."""
    return Benefits(
        await _lock_coupons(tx, sorted(set(coupon_ids))),
        await _lock_accounts(tx, sorted(set(user_ids))),
        await _lock_quotas(tx, sorted(set(promo_ids))),
    )


async def _lock_coupons(tx: Transaction, ids: Sequence[str]) -> dict[str, Coupon]:
    rows = await tx.fetch(SQL["benefits.lock_coupons"], ids) if ids else []
    return {row["coupon_id"]: _coupon(row) for row in rows}


def _coupon(row: Any) -> Coupon:
    sets = {name: frozenset(row[name]) for name in ("scope_ids", "channels", "member_levels")}
    return Coupon(**dict(row) | sets)


async def _lock_accounts(tx: Transaction, users: Sequence[str]) -> dict[str, Account]:
    rows = await tx.fetch(SQL["benefits.lock_accounts"], users) if users else []
    return {row["user_id"]: Account(row["balance"], row["held"], row["growth"]) for row in rows}


async def _lock_quotas(tx: Transaction, promos: Sequence[str]) -> dict[str, int]:
    rows = await tx.fetch(SQL["benefits.lock_quotas"], promos) if promos else []
    return {row["promo_id"]: row["units_left"] for row in rows}


async def quota_used(tx: Transaction, user_ids: Iterable[str], promo_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """User -> promotion -> units bought and not given back. The users are locked."""
    promos, used = sorted(set(promo_ids)), dict[str, dict[str, int]]()
    if promos:
        for row in await tx.fetch(SQL["benefits.quota_used"], sorted(set(user_ids)), promos):
            used.setdefault(row["user_id"], {})[row["promo_id"]] = row["units"]
    return used


@dataclass(frozen=True)
class Owing:
    """What a batch owes to benefits: roots that are paid or end, orders that are complete, or partly went back."""

    used: dict[int, Item]
    ended: dict[int, Item]
    awarded: dict[int, Item]
    reduced: dict[int, Item]

    def __bool__(self) -> bool:
        return bool(self.used or self.ended or self.awarded or self.reduced)

    def causes(self, book: Book[Item]) -> dict[int, Item]:
        """Order id -> the message that caused what is owed."""
        roots = {book[order_id].root_id: item for order_id, item in self.reduced.items()}
        return {**roots, **self.reduced, **self.awarded, **self.ended, **self.used}


def owing(book: Book[Item], opened: Sequence[Opened], given: Mapping[int, Item]) -> Owing:
    """Who owes what. Orders without benefits owe nothing, so most batches cost nothing here."""
    ends = [*book.owing(Effect.BENEFITS_RETURNED), *_last_children(book)]
    reduced = {due.due.order_id: due.due.because for due in opened if not due.due.stray} | dict(given)
    awards = [s for s in book.owing(Effect.POINTS_AWARDED) if s.order.gift_points or s.order.gift_growth]
    return Owing(
        used={s.order.id: s.because for s in book.owing(Effect.BENEFITS_USED) if s.order.has_benefits},
        ended={s.order.root_id: s.because for s in ends if book[s.order.root_id].has_benefits},
        awarded={s.order.id: s.because for s in awards},
        reduced={key: item for key, item in reduced.items() if _moves_points(book, key)},
    )


def _last_children(book: Book[Item]) -> list[Step[Item]]:
    """Steps that ended the last child of a split order."""
    ends = [
        s for s in book.steps if s.order.is_child and s.order.paid_at and s.order.state is State.CANCELLED != s.previous
    ]
    return [step for step in ends if all_cancelled(book.family(step.order.root_id))]


def _moves_points(book: Book[Item], order_id: int) -> bool:
    order = book[order_id]
    earns = order.state is State.COMPLETED and (order.gift_points > 0 or order.gift_growth > 0)
    return book[order.root_id].use_points > 0 or earns


async def settle(
    tx: Transaction,
    book: Book[Item],
    now: datetime,
    opened: Sequence[Opened] = (),
    given: Mapping[int, Item] | None = None,
) -> list[outbox.Announcement]:
    """Everything that a batch's steps and refunds owe, once refunds and lines are written; what is announced of it.

    `given` is order id -> message, of orders of which units went back, be they worth money or not.
    """
    owes = owing(book, opened, given or {})
    if not owes:
        return []
    has = await _locked(tx, book, owes)
    worths = await _worths(tx, {book[key].root_id for key in (*owes.reduced, *owes.awarded)})
    for order_id in owes.used:
        has.use(book[order_id])
    for order_id, item in owes.reduced.items():
        _reduce(has, book, book[order_id], item, worths)
    for order_id in owes.ended:
        has.give_back(book[order_id], now, "end")
    for order_id in owes.awarded:
        has.award(book[order_id], *still_earned(book[order_id], worths.get(order_id, Worth())))
    await save(tx, has)
    return announcements(has, owes.causes(book))


async def _locked(tx: Transaction, book: Book[Item], owes: Owing) -> Benefits:
    refunded = [book[key] for key in owes.reduced]
    roots = [book[key] for key in {*owes.used, *owes.ended, *(order.root_id for order in refunded)}]
    awarded = [book[key] for key in owes.awarded]
    earning = sorted({order.user_id for order in (*awarded, *refunded)})
    if awarded:
        await tx.execute(SQL["benefits.create_accounts"], earning)
    spending = {order.user_id for order in roots if order.use_points}
    has = await lock(tx, [order.coupon_id for order in roots if order.coupon_id], [*spending, *earning])
    rows = await tx.fetch(SQL["benefits.booked"], sorted({order.id for order in (*roots, *refunded)}))
    has.booked = {(row["order_id"], row["op"]): (row["points"], row["growth"]) for row in rows}
    return has


async def _worths(tx: Transaction, roots: Iterable[int]) -> dict[int, Worth]:
    """Order id -> what of it went back, of the orders of these families that carry goods."""
    wanted = sorted(set(roots))
    rows = await tx.fetch(SQL["benefits.worth"], wanted) if wanted else []
    return {row["order_id"]: Worth(*tuple(row)[2:]) for row in rows}


def _reduce(has: Benefits, book: Book[Item], order: Order, item: Item, worths: Mapping[int, Worth]) -> None:
    root = book[order.root_id]
    if root.use_points:
        family = [worths[member.id] for member in book.family(root.id) if member.id in worths]
        has.return_points(root, due_back(root, family), item.id)
    if order.state is State.COMPLETED:
        has.revoke(order, still_earned(order, worths[order.id]), item.id)


async def save(tx: Transaction, has: Benefits) -> None:
    """Write every coupon and account once, and every step to its ledger."""
    if has.coupon_moves:
        coupons = has.changed_coupons
        ids, states = [c.coupon_id for c in coupons], [c.state for c in coupons]
        await tx.execute(SQL["benefits.save_coupons"], ids, states, [c.order_id for c in coupons])
        moves = has.coupon_moves
        await tx.execute(
            SQL["benefits.log_coupons"],
            [m.coupon_id for m in moves],
            [m.order_id for m in moves],
            [m.op for m in moves],
        )
    if has.points_moves:
        await _save_points(tx, has)
    await _save_quotas(tx, has)


async def _save_points(tx: Transaction, has: Benefits) -> None:
    accounts, moves = has.changed_accounts, has.points_moves
    columns = [[getattr(account, name) for account in accounts.values()] for name in ("balance", "held", "growth")]
    await tx.execute(SQL["benefits.save_accounts"], list(accounts), *columns)
    names = ("user_id", "op", "ref", "order_id", "points", "growth")
    await tx.execute(SQL["benefits.log_points"], *([getattr(move, name) for move in moves] for name in names))


async def _save_quotas(tx: Transaction, has: Benefits) -> None:
    uses, back = has.quota_uses, sorted(has.quotas_returned)
    if uses:
        promos, units = [use.promo_id for use in uses], [use.units for use in uses]
        await tx.execute(SQL["benefits.take_quotas"], promos, units)
        order_ids, users = [use.order_id for use in uses], [use.user_id for use in uses]
        await tx.execute(SQL["benefits.insert_uses"], promos, order_ids, users, units)
    if back:
        await tx.execute(SQL["benefits.lock_quotas_of"], back)
        await tx.execute(SQL["benefits.return_quotas"], back)


def announcements(has: Benefits, because: Mapping[int, Item]) -> list[outbox.Announcement]:
    """coupon.changed and points.changed for each step. `because` is order -> the message that caused it."""
    coupons = [
        (
            move.order_id,
            CouponChanged(
                coupon_id=move.coupon_id,
                user_id=move.user_id,
                order_id=move.order_id,
                state="expired" if move.state == "expired" else COUPON_STATES[move.op],
            ),
        )
        for move in has.coupon_moves
    ]
    points = [
        (
            move.order_id,
            PointsChanged(
                user_id=move.user_id,
                op=move.op,
                points=move.points,
                growth=move.growth,
                balance=move.after.balance,
                held=move.after.held,
                order_id=move.order_id,
            ),
        )
        for move in has.points_moves
    ]
    return [outbox.event(event, because=because[order_id]) for order_id, event in (*coupons, *points)]


async def lock_or_create_accounts(tx: Transaction, user_ids: Iterable[str]) -> dict[str, Account]:
    """User -> account, for every user given: locked in id order, also where there were no points yet."""
    users = sorted(set(user_ids))
    await tx.execute(SQL["benefits.create_accounts"], users)
    rows = await tx.fetch(SQL["benefits.lock_accounts"], users)
    return {row["user_id"]: Account(row["balance"], row["held"], row["growth"]) for row in rows}


async def save_grants(tx: Transaction, accounts: Mapping[str, Account], grants: Sequence[PointsGrant]) -> None:
    """Write each account once and each grant to the ledger. A request id that the user's ledger has is an error."""
    if not grants:
        return
    columns = [[getattr(account, name) for account in accounts.values()] for name in ("balance", "held", "growth")]
    await tx.execute(SQL["benefits.save_accounts"], list(accounts), *columns)
    users, refs, points = [g.user_id for g in grants], [g.request_id for g in grants], [g.points for g in grants]
    count = len(grants)
    await tx.execute(SQL["benefits.log_points"], users, ["grant"] * count, refs, [None] * count, points, [0] * count)
