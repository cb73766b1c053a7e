"""Inserts new orders: a sale, or a parent with its children, with lines, addresses, snapshots and the first log row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from messages.orders import OrderCreate
from workers.domain.order import OrderKind
from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.quote import PricedLine, Quote
from workers.domain.pricing.totals import Totals, totals
from workers.domain.shop import Policy, Shop
from workers.store.orders import encrypt_address

SNAPSHOT_COUPON, SNAPSHOT_RULES = 1, 5
OPTIONAL = 13
"""The columns of a line from here on are empty or 0 for most lines. One that is so for all lines is not sent."""
UNWRITTEN = {
    "on_payment_failure": "keep_open",
    "deduct_on": "pay",
    "payment_window_seconds": 1800,
    "on_shortage": "ship_rest",
    "on_late_payment": "refund",
    "shortage_window_seconds": 86_400,
    "captcha_window_seconds": 0,
    "capture_on": "payment",
    "complete_on": "receipt",
    "cancel_paid": "until_handed_over",
    "ship_within_seconds": 0,
    "ship_cutoff": "",
    "discount_rounding": "half_even",
    "tax_rounding": "half_up",
}
"""What readers take for a rule that an order's policy does not name. Never change it: orders were written with it."""


@dataclass(frozen=True)
class Placed:
    """A new root order: its command, its price and the rules it was placed under.

    `groups` are the lines of each order that carries goods; with more than one the order is split, and `children` has
    the ids of its parts. `key` encrypts what belongs to its user. `others` maps a SKU whose lines name no warehouse to
    those that the stock may choose in place of the lines' own. `hours` are those of warehouses, as they are stored.
    `group_key` is that of the group of buyers that the order joins.
    """

    id: int
    item: Envelope[OrderCreate]
    quote: Quote
    shop: Shop
    policy: Policy
    groups: tuple[tuple[PricedLine, ...], ...]
    key: cipher.Sealer
    coupon: Coupon | None = None
    children: tuple[int, ...] = ()
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hours: Mapping[str, Any] = field(default_factory=dict)
    group_key: int | None = None

    @property
    def parts(self) -> list["OrderPart"]:
        """The rows of the order; the root's comes first."""
        if not self.children:
            return [OrderPart(self, self.id, OrderKind.SALE, self.groups[0], totals(self.quote.lines))]
        return [
            OrderPart(self, self.id, OrderKind.SPLIT_PARENT, (), totals(self.quote.lines)),
            *(
                OrderPart(self, key, OrderKind.SPLIT_CHILD, lines, totals(lines))
                for key, lines in zip(self.children, self.groups, strict=True)
            ),
        ]

    def held_lines(self) -> Iterator[tuple[int, PricedLine]]:
        """Return (id of the order that holds the stock, line), for every line."""
        return ((part.id, line) for part in self.parts for line in part.lines)


@dataclass(frozen=True)
class OrderPart:
    """One row of orders. A parent has no lines, but the amounts of all its children."""

    of: Placed
    id: int
    kind: OrderKind
    lines: tuple[PricedLine, ...]
    totals: Totals

    @property
    def body(self) -> OrderCreate:
        """The order.create that placed it."""
        return self.of.item.body

    @property
    def is_root(self) -> bool:
        return self.kind is not OrderKind.SPLIT_CHILD


async def insert_with_saga_timers(tx: Transaction, placed: Sequence[Placed], now: datetime, deadline: datetime) -> None:
    """Insert new orders in state placing, with lines, addresses and log, and what else they keep, if they keep it.

    A saga timer for each root order, due at `deadline`, is started by the same statement.
    """
    parts = [part for order in placed for part in order.parts]
    if not parts:
        return
    lines = columns(_item(part, line) for part in parts for line in part.lines)
    lines[OPTIONAL:] = [column if any(column) else [] for column in lines[OPTIONAL:]]
    await tx.execute(SQL["orders.insert"], now, *columns(_row(part, now) for part in parts), *lines, deadline)
    rows = [(part.id, type_, orjson.dumps(data).decode()) for part in parts for type_, data in _snapshots(part)]
    if rows:
        await tx.execute(SQL["orders.insert_snapshots"], *columns(rows))


def _row(part: OrderPart, now: datetime) -> tuple[Any, ...]:
    body, order, sums, root = part.body, part.of, part.totals, part.is_root
    actor = body.actor
    return (
        part.id,
        order.id,
        None if root else order.id,
        part.kind,
        body.order_no if root else None,
        body.request_id,
        body.business_type,
        body.order_type,
        body.business_order_id,
        body.channel,
        body.source,
        body.seller_id if root else part.lines[0].sku.seller_id,
        body.user_id,
        order.quote.currency,
        sums.origin,
        sums.promotion,
        sums.coupon,
        sums.points,
        sums.shipping,
        sums.tax,
        sums.payable,
        order.quote.coupon_id if root else None,
        order.quote.points_used if root else 0,
        sums.gift_points,
        sums.gift_growth,
        sum(order.quote.quota_uses.values()) if root else 0,
        *_sealed_remark(order.key, part.id, body.remark if root else None),
        _frozen(order),
        now + timedelta(seconds=order.policy.payment_window_seconds),
        order.item.correlation_id,
        *((None, None, None) if body.address is None else encrypt_address(order.key, part.id, body.address)[1:]),
        actor.type,
        actor.id,
        order.item.id,
    )


def _frozen(order: Placed) -> str:
    """Return the rules that the order keeps as they are now, without those that `UNWRITTEN` has."""
    rules: dict[str, Any] = {
        "on_payment_failure": order.policy.on_payment_failure,
        "deduct_on": order.policy.deduct_on,
        "payment_window_seconds": order.policy.payment_window_seconds,
        "on_shortage": order.policy.on_shortage,
        "on_late_payment": order.policy.on_late_payment,
        "shortage_window_seconds": order.policy.shortage_window_seconds,
        "captcha_window_seconds": order.shop.captcha_window_seconds if order.shop.risk_check else 0,
        "capture_on": order.policy.capture_on,
        "complete_on": order.policy.complete_on,
        "cancel_paid": order.policy.cancel_paid,
        "ship_within_seconds": order.policy.ship_within_seconds,
        "ship_cutoff": order.policy.ship_cutoff,
        "discount_rounding": order.shop.discount_rounding,
        "tax_rounding": order.shop.tax_rounding,
    }
    written = {name: rule for name, rule in rules.items() if rule != UNWRITTEN[name]}
    if order.policy.ship_cutoff:
        written["ship_time_zone"] = order.shop.business_time_zone
    if hours := _ship_hours(order):
        written["ship_hours"] = hours
    if after_sale := order.policy.after_sale.written():
        written["after_sale"] = after_sale
    if order.group_key is not None:
        written["buying_group"] = order.group_key
    if order.others:
        # A risk verdict, requested or not, reserves by them as well, and a late payment does so once more. The best one
        # is among them, because the stock may have moved the lines from it.
        own = {line.sku.sku_id: line.warehouse for _, line in order.held_lines()}
        written["other_warehouses"] = {sku_id: (own[sku_id], *others) for sku_id, others in order.others.items()}
    return orjson.dumps(written).decode()


def _ship_hours(order: Placed) -> dict[str, Any]:
    """Return the hours of all warehouses that the order may come from, as they are now: its promise counts by them."""
    if not (order.hours and order.policy.ship_within_seconds):
        return {}
    own = {line.warehouse for _, line in order.held_lines()}
    names = own.union(*order.others.values())
    return {name: order.hours[name] for name in sorted(names) if name in order.hours}


def _sealed_remark(key: cipher.Sealer, order_id: int, remark: str | None) -> tuple[str | None, bytes | None]:
    """Encrypt the remark, because buyers write names and phone numbers into it."""
    return key.encrypt(remark.encode(), remark_aad(order_id)) if remark else (None, None)


def remark_aad(order_id: int) -> bytes:
    """The place that the ciphertext of a remark is bound to."""
    return b"order_remark:%d" % order_id


def _item(part: OrderPart, line: PricedLine) -> tuple[Any, ...]:
    sku, address = line.sku, part.body.address
    country = None if address is None else address.country
    return (
        part.id,
        line.line_no,
        sku.sku_id,
        line.warehouse,
        sku.spu_id,
        sku.name,
        sku.product_type,
        line.qty,
        sku.price,
        line.origin_amount,
        line.payable_amount,
        sku.specs,
        sku.purchase_price,
        sku.seller_id,
        sku.category_id,
        sku.image_url,
        sku.unit,
        part.of.shop.tax_basis_points(sku.tax_class, country) or None,
        line.promotion_id,
        line.promotion_revision,
        line.promotion_text,
        line.promotion_amount,
        line.coupon_amount,
        line.points_amount,
        line.tax_amount,
        line.shipping_share,
        line.quota_units,
        line.gift_points,
        line.gift_growth,
    )


def _snapshots(part: OrderPart) -> Iterator[tuple[int, Any]]:
    """Yield the order's own copy of coupon and rules: later changes do not reach it (S3-30, S3-40).

    Its amounts and its lines are columns of orders and order_items, which the database does not let anyone change.
    """
    quote, root = part.of.quote, part.is_root
    if root and (coupon := part.of.coupon) is not None:
        yield (
            SNAPSHOT_COUPON,
            {
                "coupon_id": coupon.coupon_id,
                "name": coupon.name,
                "face": coupon.amount,
                "min_amount": coupon.min_amount,
                "scope": coupon.scope,
                "scope_ids": sorted(coupon.scope_ids),
                "amount": quote.coupon_amount,
            },
        )
    if root and quote.rules_used:
        names = ("promo_id", "revision", "kind", "text", "amount")
        yield SNAPSHOT_RULES, [dict(zip(names, rule, strict=True)) for rule in quote.rules_used]
