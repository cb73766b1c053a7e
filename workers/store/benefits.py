"""Coupons, points accounts and units at limited prices. Every transaction locks them in this order, each by key."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.benefits import Account, Benefits, ReturnedValue
from workers.domain.pricing.coupons import Coupon, CouponScope, CouponState


async def lock(
    tx: Transaction, coupon_ids: Iterable[str], user_ids: Iterable[str], promo_ids: Iterable[str] = ()
) -> Benefits:
    """Read these coupons, accounts and limited promotions, locked until commit. No statement runs for an empty list."""
    return Benefits(
        await _lock_coupons(tx, sorted(set(coupon_ids))),
        await _lock_accounts(tx, sorted(set(user_ids))),
        await _lock_quotas(tx, sorted(set(promo_ids))),
    )


async def _lock_coupons(tx: Transaction, ids: Sequence[str]) -> dict[str, Coupon]:
    rows = await tx.fetch(SQL["benefits.lock_coupons"], ids) if ids else []
    return {row["coupon_id"]: coupon_of(row) for row in rows}


def coupon_of(row: Any) -> Coupon:
    """Return the coupon that a row holds."""
    return Coupon(
        coupon_id=row["coupon_id"],
        user_id=row["user_id"],
        state=CouponState(row["state"]),
        order_id=row["order_id"],
        name=row["name"],
        amount=row["amount"],
        currency=row["currency"],
        min_amount=row["min_amount"],
        scope=CouponScope(row["scope"]),
        scope_ids=frozenset(row["scope_ids"]),
        channels=frozenset(row["channels"]),
        member_levels=frozenset(row["member_levels"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )


async def _lock_accounts(tx: Transaction, users: Sequence[str]) -> dict[str, Account]:
    rows = await tx.fetch(SQL["benefits.lock_accounts"], users) if users else []
    return {row["user_id"]: Account(row["balance"], row["held"], row["growth"]) for row in rows}


async def _lock_quotas(tx: Transaction, promos: Sequence[str]) -> dict[str, int]:
    rows = await tx.fetch(SQL["benefits.lock_quotas"], promos) if promos else []
    return {row["promo_id"]: row["units_left"] for row in rows}


async def quota_used(tx: Transaction, user_ids: Iterable[str], promo_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """User -> promotion -> units bought and not given back. The caller has locked the users."""
    promos, used = sorted(set(promo_ids)), dict[str, dict[str, int]]()
    if promos:
        for row in await tx.fetch(SQL["benefits.quota_used"], sorted(set(user_ids)), promos):
            used.setdefault(row["user_id"], {})[row["promo_id"]] = row["units"]
    return used


async def create_accounts(tx: Transaction, user_ids: Iterable[str]) -> None:
    """Give each of these users a points account, where there is none yet."""
    await tx.execute(SQL["benefits.create_accounts"], sorted(set(user_ids)))


async def booked(tx: Transaction, order_ids: Iterable[int]) -> dict[tuple[int, str], tuple[int, int]]:
    """(order id, operation) -> (points, growth) that the ledger holds for the order already."""
    rows = await tx.fetch(SQL["benefits.booked"], sorted(set(order_ids)))
    return {(row["order_id"], row["op"]): (row["points"], row["growth"]) for row in rows}


async def returned_values(tx: Transaction, roots: Iterable[int]) -> dict[int, ReturnedValue]:
    """Order id -> how much of it was given back, for the orders of these families that carry goods."""
    wanted = sorted(set(roots))
    rows = await tx.fetch(SQL["benefits.worth"], wanted) if wanted else []
    return {row["order_id"]: ReturnedValue(*tuple(row)[2:]) for row in rows}


async def save(tx: Transaction, has: Benefits) -> None:
    """Write every changed coupon, account and quota once, and every change to its ledger."""
    if has.coupon_moves:
        coupons = [(coupon.coupon_id, coupon.state, coupon.order_id) for coupon in has.changed_coupons]
        await tx.execute(SQL["benefits.save_coupons"], *columns(coupons))
        moves = [(move.coupon_id, move.order_id, move.op) for move in has.coupon_moves]
        await tx.execute(SQL["benefits.log_coupons"], *columns(moves))
    if has.points_moves:
        await _save_points(tx, has)
    await _save_quotas(tx, has)


async def _save_points(tx: Transaction, has: Benefits) -> None:
    await _save_accounts(tx, has.changed_accounts)
    moves = [(m.user_id, m.op, m.ref, m.order_id, m.points, m.growth, m.short) for m in has.points_moves]
    await tx.execute(SQL["benefits.log_points"], *columns(moves))


async def _save_accounts(tx: Transaction, accounts: Mapping[str, Account]) -> None:
    rows = [(user, account.balance, account.held, account.growth) for user, account in accounts.items()]
    await tx.execute(SQL["benefits.save_accounts"], *columns(rows))


async def _save_quotas(tx: Transaction, has: Benefits) -> None:
    uses, back = has.quota_uses, sorted(has.quotas_returned)
    if uses:
        await tx.execute(SQL["benefits.take_quotas"], *columns((use.promo_id, use.units) for use in uses))
        rows = [(use.promo_id, use.order_id, use.user_id, use.units) for use in uses]
        await tx.execute(SQL["benefits.insert_uses"], *columns(rows))
    if back:
        await tx.execute(SQL["benefits.lock_quotas_of"], back)
        await tx.execute(SQL["benefits.return_quotas"], back)


async def lock_or_create_accounts(tx: Transaction, user_ids: Iterable[str]) -> dict[str, Account]:
    """User -> account, for every user given, created where there was none. Locked in id order until commit."""
    users = sorted(set(user_ids))
    await create_accounts(tx, users)
    rows = await tx.fetch(SQL["benefits.lock_accounts"], users)
    return {row["user_id"]: Account(row["balance"], row["held"], row["growth"]) for row in rows}


class Booking(NamedTuple):
    """A change of a user's points outside of orders, with the request that caused it. `op` says in which direction."""

    user_id: str
    op: str
    ref: str
    points: int


async def save_bookings(tx: Transaction, accounts: Mapping[str, Account], bookings: Sequence[Booking]) -> None:
    """Write each account once and each booking to the ledger. Fails if the ledger has its ref already."""
    if not bookings:
        return
    await _save_accounts(tx, accounts)
    rows = [(one.user_id, one.op, one.ref, None, one.points, 0, 0) for one in bookings]
    await tx.execute(SQL["benefits.log_points"], *columns(rows))
