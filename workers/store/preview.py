"""Reads what the preview of an order needs: what its creation reads, without locks, and what a confirm page shows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.orders import LINES_MAX
from messages.queries import OrderPreview, PreviewAddress
from workers.domain.buying_groups import BuyingGroup, GroupOrder
from workers.domain.masking import masked
from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.promotions import Promotion
from workers.domain.pricing.quote import Buyer, Rules
from workers.store import benefits, buying_groups, catalogue_entries, orders, promotions, skus

ADDRESSES_MAX = 5
ORDERS_MAX = 20  # the newest orders of a user, among which different addresses are looked for
COUPONS_MAX = 50  # per user: a confirm page shows no more


class Member(NamedTuple):
    """A user's level, None for one who is no member, and the points that are not held for an order."""

    level: str | None
    blocked: bool
    points: int


@dataclass(frozen=True)
class PreviewContext:
    """What one batch of previews reads and decides with, by user. `wanted` has the named coupons by id, of any user."""

    rules: Rules
    policies: Mapping[str, Mapping[str, Any]]
    members: Mapping[str, Member]
    carts: Mapping[str, Sequence[tuple[str, int]]]
    coupons: Mapping[str, Sequence[Coupon]]
    wanted: Mapping[str, Coupon]
    addresses: Mapping[str, Sequence[PreviewAddress]]
    quota_used: Mapping[str, Mapping[str, int]]
    groups: Mapping[str, tuple[BuyingGroup, Sequence[GroupOrder]]]

    def buyer(self, user_id: str, coupon_id: str | None) -> Buyer:
        """Return the user as the price computation sees them."""
        member, used = self.members[user_id], self.quota_used.get(user_id, {})
        return Buyer(user_id, member.level, member.points, self.wanted.get(coupon_id or ""), used)


async def read(tx: Transaction, bodies: Sequence[OrderPreview], at: datetime) -> PreviewContext:
    """Read one statement per table, whatever the number of previews."""
    users = sorted({body.user_id for body in bodies})
    carts = await _carts(tx, {body.user_id for body in bodies if body.from_cart})
    lines = {line.sku_id for body in bodies for line in body.items} | {
        sku for cart in carts.values() for sku, _ in cart
    }
    catalogue = await skus.read(tx, lines)
    valid = await promotions.for_skus(tx, catalogue.values(), at)
    coupons, wanted = await _coupons(tx, users, {body.coupon_id for body in bodies if body.coupon_id is not None})
    return PreviewContext(
        Rules(catalogue, valid, await _quota_left(tx, valid)),
        await catalogue_entries.read_policies(tx),
        await _members(tx, users),
        carts,
        coupons,
        wanted,
        await _addresses(tx, users),
        await benefits.quota_used(tx, users, [promotion.promo_id for promotion in valid if promotion.counted]),
        await buying_groups.read(tx, {body.group_id for body in bodies if body.group_id is not None}),
    )


async def _members(tx: Transaction, users: list[str]) -> dict[str, Member]:
    rows = await tx.fetch(SQL["preview.users"], users)
    return {row["user_id"]: Member(row["level"], row["blocked"], row["points"]) for row in rows}


async def _carts(tx: Transaction, users: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {user: [] for user in users}
    rows = await tx.fetch(SQL["preview.carts"], sorted(found), LINES_MAX + 1) if found else []
    for row in rows:
        found[row["user_id"]].append((row["sku_id"], row["qty"]))
    return found


async def _quota_left(tx: Transaction, valid: Sequence[Promotion]) -> dict[str, int]:
    limited = [promotion.promo_id for promotion in valid if promotion.quantity is not None]
    rows = await tx.fetch(SQL["preview.quotas"], limited) if limited else []
    return {row["promo_id"]: row["units_left"] for row in rows}


async def _coupons(
    tx: Transaction, users: Sequence[str], named: Iterable[str]
) -> tuple[dict[str, list[Coupon]], dict[str, Coupon]]:
    """(user id -> coupons that the user holds, coupon id -> coupon that a preview names)"""
    wanted = sorted(named)
    held, found = defaultdict[str, list[Coupon]](list), dict[str, Coupon]()
    for row in await tx.fetch(SQL["preview.coupons"], users, COUPONS_MAX, wanted):
        coupon = benefits.coupon_of(row)
        if row["wanted"]:
            found[coupon.coupon_id] = coupon
        else:
            held[coupon.user_id].append(coupon)
    return held, found


async def _addresses(tx: Transaction, users: Sequence[str]) -> dict[str, list[PreviewAddress]]:
    """Return the newest different addresses of each user, masked. Those without a configured key are left out."""
    seen, shown = set[tuple[str, bytes]](), defaultdict[str, list[PreviewAddress]](list)
    for row in await tx.fetch(SQL["preview.addresses"], users, ORDERS_MAX):
        user, order_id = row["user_id"], row["order_id"]
        if len(shown[user]) == ADDRESSES_MAX:
            continue
        try:
            plain = orders.decrypt_address(order_id, row)
        except cipher.CipherError:
            continue
        if (user, plain) not in seen:
            seen.add((user, plain))
            shown[user].append(_masked(order_id, row["country"], plain))
    return shown


def _masked(order_id: int, country: str, plain: bytes) -> PreviewAddress:
    address = masked(orjson.loads(plain))
    shown = {name: address[name] for name in ("receiver", "phone", "detail")}
    return PreviewAddress(order_id=order_id, country=country, **shown)
