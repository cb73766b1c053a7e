"""Buyers: their level, their recent orders, and the coupons, points and limited prices that they may use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.benefits import MemberUpsert
from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.user_shards import shard_of_user
from workers.domain.benefits import Benefits
from workers.domain.ids import make_id
from workers.domain.pricing.promotions import Promotion, PromotionKind
from workers.store import benefits, catalogue_entries


@dataclass
class User:
    """A user; `level` is None for one who is no member.

    `accepted_at` has the times at which the newest accepted orders were placed, newest first. `key` encrypts what
    belongs to the user.
    """

    level: str | None
    blocked: bool
    accepted_at: list[datetime]
    key: cipher.Sealer


async def lock(tx: Transaction, user_ids: Iterable[str]) -> None:
    """Take a lock per user, so that orders of one user are placed one after the other and each sees the one before."""
    wanted = sorted(set(user_ids))
    if wanted:
        await tx.execute(SQL["users.lock"], wanted)


async def lock_and_take_ids(tx: Transaction, user_ids: Sequence[str]) -> list[int]:
    """Take the same locks for the users of new orders. Returns an id for each order, in the same order."""
    if not user_ids:
        return []
    rows = await tx.fetch(SQL["users.lock_and_take_ids"], user_ids)
    shards = map(shard_of_user, user_ids)
    return [make_id(row["at_ms"], shard, row["sequence"]) for row, shard in zip(rows, shards, strict=True)]


async def take_ids(tx: Transaction, user_ids: Sequence[str]) -> list[tuple[int, cipher.Sealer]]:
    """Return, for each user id given, an id and what encrypts for the user: the user's key, or the shop's."""
    if not user_ids:
        return []
    rows = zip(await tx.fetch(SQL["users.take_ids"], user_ids), user_ids, strict=True)
    seal = cipher.current().sealer
    return [
        (make_id(row["at_ms"], shard_of_user(user), row["sequence"]), seal(cipher.Wrapped.of(row)))
        for row, user in rows
    ]


async def keys(tx: Transaction, user_ids: Iterable[str]) -> dict[str, cipher.Sealer]:
    """User id -> the user's key, for users who have one."""
    wanted = sorted(set(user_ids))
    rows = await tx.fetch(SQL["users.keys"], wanted) if wanted else []
    return {row["user_id"]: cipher.current().sealer(cipher.Wrapped.of(row)) for row in rows}


async def read(tx: Transaction, user_ids: Iterable[str], since: datetime, orders_max: int) -> dict[str, User]:
    """User id -> user, for every id given. The caller has locked the users. A user without a data key gets one."""
    wanted = sorted(set(user_ids))
    if not wanted:
        return {}
    shop_cipher = cipher.current()
    new = {user: shop_cipher.new_user_key() for user in wanted}
    key_ids, _, wrapped = columns(new.values())
    rows = await tx.fetch(SQL["users.read"], wanted, since, orders_max, key_ids, shop_cipher.current, wrapped)
    return {
        row["user_id"]: User(
            row["level"],
            row["blocked"],
            list(row["accepted_at"]),
            shop_cipher.unwrap(cipher.Wrapped.of(row) or new[row["user_id"]]),
        )
        for row in rows
    }


async def benefits_for(
    tx: Transaction, items: Sequence[Envelope[OrderCreate]], promotions: Sequence[Promotion]
) -> Benefits:
    """Lock the coupons and points that these commands want to use and the limited promotions, until commit."""
    users = {item.body.user_id for item in items}
    coupons = {item.body.coupon_id for item in items if item.body.coupon_id is not None}
    spenders = {item.body.user_id for item in items if item.body.use_points > 0}
    counted = [promotion for promotion in promotions if promotion.counted]
    limited = {promotion.promo_id for promotion in counted if promotion.kind is PromotionKind.FLASH}
    has = await benefits.lock(tx, coupons, spenders, limited)
    has.quota_used = await benefits.quota_used(tx, users, {promotion.promo_id for promotion in counted})
    return has


async def issued_numbers(tx: Transaction, items: Sequence[Envelope[OrderCreate]]) -> dict[str, tuple[str, int | None]]:
    """Order number -> (its user, its order or None), locked until commit, for the numbers that these commands name."""
    wanted = sorted({item.body.order_no for item in items if item.body.order_no is not None})
    rows = await tx.fetch(SQL["ids.lock_issued_numbers"], wanted) if wanted else []
    return {row["order_no"]: (row["user_id"], row["order_id"]) for row in rows}


async def use_numbers(tx: Transaction, used: Sequence[tuple[str, int]]) -> None:
    """Give each issued number its order: (number, order id)."""
    if used:
        await tx.execute(SQL["ids.use_issued_numbers"], *columns(used))


async def upsert_members(tx: Transaction, newest: Sequence[MemberUpsert]) -> None:
    """Write each member once; see catalogue_entries.write."""
    rows = [(member.user_id, member.revision, member.level, member.blocked) for member in newest]
    await catalogue_entries.write(tx, "members.upsert", rows)
