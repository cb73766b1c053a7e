"""Orders, their lines, addresses, snapshots and operate log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.envelope import Envelope
from messages.orders import Address, OrderCreate
from workers.domain.book import Book, Step
from workers.domain.order import Order, State
from workers.domain.pricing import Quote
from workers.domain.refunding import BoughtLine, RefundLine
from workers.domain.shop import Shop

SNAPSHOT_AMOUNT = 2
SNAPSHOT_ITEM = 3


@dataclass(frozen=True)
class Placed:
    """A new order: its id, the command that asked for it, and its price."""

    id: int
    item: Envelope[OrderCreate]
    quote: Quote


async def lock(tx: Transaction, ids: Iterable[int]) -> dict[int, Order]:
    """Order id -> order, locked until commit; unknown ids are missing."""
    rows = await tx.fetch(SQL["orders.lock"], sorted(set(ids)))
    return {row["id"]: _order(row) for row in rows}


def _order(row: Any) -> Order:
    return Order(**dict(row) | {"state": State(row["state"])})


async def save(tx: Transaction, book: Book[Envelope[Any]]) -> None:
    """Write every changed order once, guarded by the version and state that were read, and log every step."""
    changed = book.changed
    if changed:
        before = [book.before[order.id] for order in changed]
        rows = await tx.fetch(SQL["orders.save"], *_guards(before), *_columns(changed))
        assert len(rows) == len(changed), "a locked order was changed by somebody else"
    await log(tx, book.steps)


def _guards(before: Sequence[Order]) -> tuple[list[Any], ...]:
    return [o.id for o in before], [o.version for o in before], [o.state for o in before]


def _columns(orders: Sequence[Order]) -> list[list[Any]]:
    names = (
        "version", "state", "order_no", "intent_id", "expire_at", "cancel_type", "reason", "deleted", "captured_amount",
        "refunded_amount", "paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at",
    )  # fmt: skip
    return [[getattr(order, name) for order in orders] for name in names]


async def log(tx: Transaction, steps: Sequence[Step[Envelope[Any]]]) -> None:
    """One operate-log row per step (requirements 10.6)."""
    if not steps:
        return
    await tx.execute(
        SQL["orders.log"],
        [s.order.id for s in steps],
        [s.order.version for s in steps],
        [s.trigger.operate_type for s in steps],
        [s.previous for s in steps],
        [s.order.state for s in steps],
        [s.who.type for s in steps],
        [s.who.id for s in steps],
        [s.because.body.TYPE for s in steps],
        [s.because.id for s in steps],
        [s.trigger for s in steps],
    )


async def insert(tx: Transaction, placed: Sequence[Placed], shop: Shop, now: datetime) -> None:
    """New orders in placing with their lines, addresses, snapshots and first log row: one statement per table."""
    if not placed:
        return
    await _insert_rows(tx, placed, shop, now)
    await _insert_items(tx, placed)
    await _insert_addresses(tx, placed)
    await _insert_snapshots(tx, placed)
    await _insert_logs(tx, placed)


async def _insert_rows(tx: Transaction, placed: Sequence[Placed], shop: Shop, now: datetime) -> None:
    bodies = [p.item.body for p in placed]
    remarks = [_sealed_remark(p.id, p.item.body.remark) for p in placed]
    policy = {"on_payment_failure": shop.on_payment_failure}
    await tx.execute(
        SQL["orders.insert"],
        [p.id for p in placed],
        [b.request_id for b in bodies],
        [b.business_type for b in bodies],
        [b.channel for b in bodies],
        [b.source for b in bodies],
        [b.seller_id for b in bodies],
        [b.user_id for b in bodies],
        [b.currency for b in bodies],
        [p.quote.origin_amount for p in placed],
        [p.quote.shipping_fee for p in placed],
        [p.quote.payable_amount for p in placed],
        [key_id for key_id, _ in remarks],
        [ciphertext for _, ciphertext in remarks],
        orjson.dumps(policy).decode(),
        now,
        now + timedelta(seconds=shop.payment_window_seconds),
    )


def _sealed_remark(order_id: int, remark: str | None) -> tuple[str | None, bytes | None]:
    """Buyers write names and phone numbers into remarks."""
    return cipher.current().encrypt(remark.encode(), b"order_remark:%d" % order_id) if remark else (None, None)


async def _insert_items(tx: Transaction, placed: Sequence[Placed]) -> None:
    lines = [(p.id, line) for p in placed for line in p.quote.lines]
    await tx.execute(
        SQL["orders.insert_items"],
        [order_id for order_id, _ in lines],
        [line.line_no for _, line in lines],
        [line.sku.sku_id for _, line in lines],
        [line.warehouse for _, line in lines],
        [line.sku.spu_id for _, line in lines],
        [line.sku.name for _, line in lines],
        [line.sku.product_type for _, line in lines],
        [line.sku.seller_id for _, line in lines],
        [line.qty for _, line in lines],
        [line.sku.price for _, line in lines],
        [line.origin_amount for _, line in lines],
        [line.shipping_share for _, line in lines],
        [line.payable_amount for _, line in lines],
    )


async def _insert_addresses(tx: Transaction, placed: Sequence[Placed]) -> None:
    given = [(p.id, p.item.body.address) for p in placed if p.item.body.address is not None]
    await tx.execute(SQL["orders.insert_addresses"], *_sealed(given))


def _sealed(addresses: Sequence[tuple[int, Address]]) -> tuple[list[Any], ...]:
    sealed = [cipher.current().encrypt(a.model_dump_json().encode(), _aad(order_id)) for order_id, a in addresses]
    ids, countries = [order_id for order_id, _ in addresses], [a.country for _, a in addresses]
    return ids, countries, [key_id for key_id, _ in sealed], [ciphertext for _, ciphertext in sealed]


def _aad(order_id: int) -> bytes:
    return b"order_address:%d" % order_id


async def _insert_snapshots(tx: Transaction, placed: Sequence[Placed]) -> None:
    amounts = [orjson.dumps(_amount_snapshot(p.quote)).decode() for p in placed]
    items = [orjson.dumps(_item_snapshot(p.quote)).decode() for p in placed]
    ids, count = [p.id for p in placed], len(placed)
    types = [SNAPSHOT_AMOUNT] * count + [SNAPSHOT_ITEM] * count
    await tx.execute(SQL["orders.insert_snapshots"], ids + ids, types, amounts + items)


def _amount_snapshot(quote: Quote) -> dict[str, object]:
    return {
        "currency": quote.currency,
        "origin": quote.origin_amount,
        "shipping": quote.shipping_fee,
        "payable": quote.payable_amount,
        "stages": ["promotion", "coupon", "points", "shipping", "tax"],
    }


def _item_snapshot(quote: Quote) -> list[dict[str, object]]:
    return [
        {
            "line_no": line.line_no,
            "sku_id": line.sku.sku_id,
            "name": line.sku.name,
            "qty": line.qty,
            "unit_price": line.sku.price,
            "payable": line.payable_amount,
            "specs": orjson.Fragment(line.sku.specs),
            "category_id": line.sku.category_id,
            "image_url": line.sku.image_url,
            "unit": line.sku.unit,
        }
        for line in quote.lines
    ]


async def _insert_logs(tx: Transaction, placed: Sequence[Placed]) -> None:
    count, bodies = len(placed), [p.item.body for p in placed]
    await tx.execute(
        SQL["orders.log"],
        [p.id for p in placed],
        [1] * count,
        [10] * count,
        [""] * count,
        [State.PLACING] * count,
        [b.actor.type for b in bodies],
        [b.actor.id for b in bodies],
        [b.TYPE for b in bodies],
        [p.item.id for p in placed],
        ["created"] * count,
    )


async def item_snapshots(tx: Transaction, ids: Iterable[int]) -> dict[int, bytes]:
    """Order id -> its lines as sold, as JSON."""
    rows = await tx.fetch(SQL["orders.item_snapshots"], sorted(ids))
    return {row["order_id"]: row["data"].encode() for row in rows}


async def lines(tx: Transaction, ids: Iterable[int]) -> dict[int, list[BoughtLine]]:
    """Order id -> its lines; the orders are locked."""
    wanted = sorted(set(ids))
    found: dict[int, list[BoughtLine]] = {order_id: [] for order_id in wanted}
    if wanted:
        for row in await tx.fetch(SQL["orders.lines"], wanted):
            found[row["order_id"]].append(BoughtLine(*tuple(row)[1:]))
    return found


async def give_back_lines(tx: Transaction, parts: Sequence[tuple[int, RefundLine]]) -> None:
    """Count units and money of lines as given back: (order id, part)."""
    if parts:
        await tx.execute(
            SQL["orders.give_back_lines"],
            [order_id for order_id, _ in parts],
            [part.line_no for _, part in parts],
            [part.qty for _, part in parts],
            [part.amount for _, part in parts],
        )


async def address_changes(tx: Transaction, ids: Iterable[int]) -> dict[int, int]:
    """Order id -> how often its address was changed."""
    rows = await tx.fetch(SQL["orders.address_changes"], sorted(set(ids)))
    return {row["order_id"]: row["modify_count"] for row in rows}


async def change_addresses(tx: Transaction, addresses: Mapping[int, Address]) -> None:
    """Replace the ciphertext of each order's address."""
    if addresses:
        rows = await tx.fetch(SQL["orders.change_addresses"], *_sealed(sorted(addresses.items(), key=lambda kv: kv[0])))
        assert len(rows) == len(addresses), "an order without an address got another"
