"""Inserts new orders: a sale, or a parent with its children, with lines, addresses, snapshots and the first log row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from messages.orders import OrderCreate
from workers.domain.order import OrderKind, State
from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.quote import PricedLine, Quote
from workers.domain.pricing.totals import Totals, totals
from workers.domain.shop import Policy, Shop
from workers.store.orders import encrypt_address

SNAPSHOT_COUPON, SNAPSHOT_AMOUNT, SNAPSHOT_ITEM, SNAPSHOT_RULES = 1, 2, 3, 5
STAGES = ("promotion", "coupon", "points", "shipping", "tax")


@dataclass(frozen=True)
class Placed:
    """A new root order: its command, its price and the rules it was placed under.

    `groups` are the lines of each order that carries goods; with more than one the order is split, and `children` has
    the ids of its parts.
    """

    id: int
    item: Envelope[OrderCreate]
    quote: Quote
    shop: Shop
    policy: Policy
    groups: tuple[tuple[PricedLine, ...], ...]
    coupon: Coupon | None = None
    children: tuple[int, ...] = ()

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


async def insert(tx: Transaction, placed: Sequence[Placed], now: datetime) -> None:
    """Insert new orders in state placing, with one statement per table."""
    parts = [part for order in placed for part in order.parts]
    if not parts:
        return
    await tx.execute(SQL["orders.insert"], *columns(_row(part, now) for part in parts), now)
    await tx.execute(
        SQL["orders.insert_items"], *columns(_item(part.id, line) for part in parts for line in part.lines)
    )
    addresses = [encrypt_address(part.id, part.body.address) for part in parts if part.body.address is not None]
    if addresses:
        await tx.execute(SQL["orders.insert_addresses"], *columns(addresses))
    await _insert_snapshots(tx, parts)
    await _insert_logs(tx, parts)


def _row(part: OrderPart, now: datetime) -> tuple[Any, ...]:
    body, order, sums, root = part.body, part.of, part.totals, part.is_root
    policy = order.policy
    frozen = {
        "on_payment_failure": policy.on_payment_failure,
        "deduct_on": policy.deduct_on,
        "payment_window_seconds": policy.payment_window_seconds,
    }
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
        *_sealed_remark(part.id, body.remark if root else None),
        orjson.dumps(frozen).decode(),
        now + timedelta(seconds=policy.payment_window_seconds),
        order.item.correlation_id,
    )


def _sealed_remark(order_id: int, remark: str | None) -> tuple[str | None, bytes | None]:
    """Encrypt the remark, because buyers write names and phone numbers into it."""
    return cipher.current().encrypt(remark.encode(), b"order_remark:%d" % order_id) if remark else (None, None)


def _item(order_id: int, line: PricedLine) -> tuple[Any, ...]:
    sku = line.sku
    return (
        order_id,
        line.line_no,
        sku.sku_id,
        line.warehouse,
        sku.spu_id,
        sku.name,
        sku.product_type,
        sku.seller_id,
        sku.category_id,
        line.qty,
        sku.price,
        line.origin_amount,
        line.promotion_amount,
        line.coupon_amount,
        line.points_amount,
        line.tax_amount,
        line.shipping_share,
        line.payable_amount,
        line.promotion_id,
        line.promotion_revision,
        line.promotion_text,
        line.quota_units,
        line.gift_points,
        line.gift_growth,
    )


async def _insert_snapshots(tx: Transaction, parts: Sequence[OrderPart]) -> None:
    rows = [(part.id, type_, orjson.dumps(data).decode()) for part in parts for type_, data in _snapshots(part)]
    await tx.execute(SQL["orders.insert_snapshots"], *columns(rows))


def _snapshots(part: OrderPart) -> Iterator[tuple[int, Any]]:
    """Yield the order's own copy of coupon, amounts, lines and rules: later changes do not reach it (S3-30, S3-40)."""
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
    rounding = {"discount": part.of.shop.discount_rounding, "tax": part.of.shop.tax_rounding}
    amounts = {"currency": quote.currency, **part.totals.amounts(), "stages": STAGES, "rounding": rounding}
    yield SNAPSHOT_AMOUNT, amounts
    yield SNAPSHOT_ITEM, [_sold(line, part.of.shop) for line in (part.lines or quote.lines)]
    if root and quote.rules_used:
        names = ("promo_id", "revision", "kind", "text", "amount")
        yield SNAPSHOT_RULES, [dict(zip(names, rule, strict=True)) for rule in quote.rules_used]


def _sold(line: PricedLine, shop: Shop) -> dict[str, object]:
    sku = line.sku
    sold: dict[str, object] = {
        "line_no": line.line_no,
        "sku_id": sku.sku_id,
        "name": sku.name,
        "qty": line.qty,
        "unit_price": sku.price,
        "payable": line.payable_amount,
        "specs": orjson.Fragment(sku.specs),
        "category_id": sku.category_id,
        "image_url": sku.image_url,
        "unit": sku.unit,
    }
    if rate := shop.tax_basis_points(sku.tax_class):
        sold |= {"tax": line.tax_amount, "tax_basis_points": rate}
    if line.promotion_id is not None:
        sold |= {
            "promotion_id": line.promotion_id,
            "promotion": line.promotion_amount,
            "promotion_text": line.promotion_text,
        }
    return sold


async def _insert_logs(tx: Transaction, parts: Sequence[OrderPart]) -> None:
    rows = [
        (
            part.id,
            1,
            10,
            "",
            State.PLACING,
            part.body.actor.type,
            part.body.actor.id,
            part.body.TYPE,
            part.of.item.id,
            "created",
        )
        for part in parts
    ]
    await tx.execute(SQL["orders.log"], *columns(rows))
