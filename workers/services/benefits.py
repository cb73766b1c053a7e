"""Writes and announces what a batch's steps and refunds do to coupons, points and limited prices.

workers/domain/benefits.py has the table of which step holds, uses and gives back which benefit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import outbox
from db.pool import Transaction
from messages.benefits import CouponChanged, PointsChanged
from messages.envelope import Envelope
from workers.domain.benefits import Benefits, CouponOp, ReturnedValue, all_cancelled, due_back, still_earned
from workers.domain.book import Book, Step
from workers.domain.order import Effect, Order, State
from workers.domain.pricing.coupons import CouponState
from workers.store import benefits
from workers.store.refunds import OpenedRefund

Item: TypeAlias = Envelope[Any]
COUPON_STATES: dict[CouponOp, Literal["locked", "used", "released", "returned"]] = {
    CouponOp.LOCK: "locked",
    CouponOp.USE: "used",
    CouponOp.RELEASE: "released",
    CouponOp.RETURN: "returned",
    CouponOp.RELOCK: "locked",
    CouponOp.RERELEASE: "released",
}
"""Operation in the ledger -> state in the event. A coupon that comes back too late is expired instead."""


@dataclass
class Applied:
    """Benefits after a batch, and the message that caused each change of a coupon and of an account, in their order."""

    benefits: Benefits
    coupon_causes: list[Item] = field(default_factory=list)
    points_causes: list[Item] = field(default_factory=list)

    @classmethod
    def by_order(cls, benefits: Benefits, causes: Mapping[int, Item]) -> "Applied":
        """Benefits that one message changed for each order: order id -> message."""
        coupons = [causes[move.order_id] for move in benefits.coupon_moves]
        return cls(benefits, coupons, [causes[move.order_id] for move in benefits.points_moves])

    def caused_by(self, item: Item) -> None:
        """Note that `item` caused the changes since the last call."""
        self.coupon_causes += [item] * (len(self.benefits.coupon_moves) - len(self.coupon_causes))
        self.points_causes += [item] * (len(self.benefits.points_moves) - len(self.points_causes))


@dataclass(frozen=True)
class Owing:
    """Orders that change benefits, each with its message: roots that are paid or end, orders completed or refunded.

    `again` are the roots that end while they are being reinstated.
    """

    used: dict[int, Item]
    ended: dict[int, Item]
    awarded: dict[int, Item]
    reduced: dict[int, Item]
    again: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.used or self.ended or self.awarded or self.reduced)


def owing(book: Book[Item], opened: Sequence[OpenedRefund], given: Mapping[int, Item]) -> Owing:
    """Find the orders that change benefits. Orders without benefits are left out, so most batches cost nothing here."""
    ends = [*book.owing(Effect.BENEFITS_RETURNED), *_last_children(book)]
    reduced = {due.due.order_id: due.due.because for due in opened if not due.due.stray} | dict(given)
    awards = [s for s in book.owing(Effect.POINTS_AWARDED) if s.order.gift_points or s.order.gift_growth]
    return Owing(
        used={s.order.id: s.because for s in book.owing(Effect.BENEFITS_USED) if s.order.has_benefits},
        ended={s.order.root_id: s.because for s in ends if book[s.order.root_id].has_benefits},
        awarded={s.order.id: s.because for s in awards},
        reduced={key: item for key, item in reduced.items() if _moves_points(book, key)},
        again=frozenset(s.order.root_id for s in book.steps if s.previous is State.REINSTATING),
    )


def _last_children(book: Book[Item]) -> list[Step[Item]]:
    """Return the steps that ended the last child of a split order."""
    cancelled = [s for s in book.steps if s.order.state is State.CANCELLED and s.previous is not State.CANCELLED]
    ends = [s for s in cancelled if s.order.is_child and s.order.paid_at]
    return [step for step in ends if all_cancelled(book.family(step.order.root_id))]


def _moves_points(book: Book[Item], order_id: int) -> bool:
    order = book[order_id]
    earns = order.state is State.COMPLETED and (order.gift_points > 0 or order.gift_growth > 0)
    return book[order.root_id].use_points > 0 or earns


async def apply(
    tx: Transaction,
    book: Book[Item],
    now: datetime,
    opened: Sequence[OpenedRefund] = (),
    given: Mapping[int, Item] | None = None,
) -> Applied:
    """Write what a batch's steps and refunds do to benefits. Call it after refunds, their states and lines are written.

    `given` is order id -> message, for orders of which units went back, also units that are worth no money, and for
    orders with a refund that begins or ceases to count.
    """
    owes = owing(book, opened, given or {})
    if not owes:
        return Applied(Benefits())
    has = await _locked(tx, book, owes)
    applied = Applied(has)
    returned = await benefits.returned_values(tx, {book[key].root_id for key in (*owes.reduced, *owes.awarded)})
    for order_id, item in owes.used.items():
        has.use(book[order_id])
        applied.caused_by(item)
    for order_id, item in owes.reduced.items():
        _follow_refunds(has, book, book[order_id], item, returned)
        applied.caused_by(item)
    for order_id, item in owes.ended.items():
        has.give_back(book[order_id], now, "end", second=order_id in owes.again)
        applied.caused_by(item)
    for order_id, item in owes.awarded.items():
        has.award(book[order_id], *still_earned(book[order_id], returned.get(order_id, ReturnedValue())))
        applied.caused_by(item)
    await benefits.save(tx, has)
    return applied


async def _locked(tx: Transaction, book: Book[Item], owes: Owing) -> Benefits:
    refunded = [book[key] for key in owes.reduced]
    roots = [book[key] for key in {*owes.used, *owes.ended, *(order.root_id for order in refunded)}]
    awarded = [book[key] for key in owes.awarded]
    earning = sorted({order.user_id for order in (*awarded, *refunded)})
    if awarded:
        await benefits.create_accounts(tx, earning)
    spending = {order.user_id for order in roots if order.use_points}
    has = await benefits.lock(tx, [order.coupon_id for order in roots if order.coupon_id], [*spending, *earning])
    has.booked = await benefits.booked(tx, {order.id for order in (*roots, *refunded)})
    return has


def _follow_refunds(
    has: Benefits, book: Book[Item], order: Order, item: Item, returned: Mapping[int, ReturnedValue]
) -> None:
    """Make the points that are back and the points that are earned what they should be after all that has gone back."""
    root = book[order.root_id]
    if root.use_points and root.paid_at is not None:
        family = book.family(root.id)
        values = [returned[member.id] for member in family if member.id in returned]
        has.return_points(root, root.use_points if all_cancelled(family) else due_back(root, values), item.id)
    if order.state is State.COMPLETED:
        has.earn(order, still_earned(order, returned[order.id]), item.id)


def announcements(applied: Applied) -> list[outbox.Announcement]:
    """Build coupon.changed and points.changed, one for each change of a coupon or an account."""
    has = applied.benefits
    coupons = [
        CouponChanged(
            coupon_id=move.coupon_id,
            user_id=move.user_id,
            order_id=move.order_id,
            state="expired" if move.state is CouponState.EXPIRED else COUPON_STATES[move.op],
        )
        for move in has.coupon_moves
    ]
    points = [
        PointsChanged(
            user_id=move.user_id,
            op=move.op,
            points=move.points,
            growth=move.growth,
            balance=move.after.balance,
            held=move.after.held,
            order_id=move.order_id,
        )
        for move in has.points_moves
    ]
    causes = [*applied.coupon_causes, *applied.points_causes]
    return [outbox.event(event, because=item) for event, item in zip([*coupons, *points], causes, strict=True)]
