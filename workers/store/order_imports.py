"""Orders of other systems: what is known of them, and how they are inserted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from messages.order_imports import OrderImport
from workers.store.new_orders import remark_aad
from workers.store.orders import encrypt_address

KnownName = tuple[Literal["order", "payment"], str, str]
"""A number that is here: of an order, with the name of its system, or of a payment, with its provider."""


@dataclass(frozen=True)
class TakenOrder:
    """An order of another system with the id and the number that it gets here, and the ids of its intent and refunds.

    `key` encrypts what belongs to its user. `returned` is line number -> (units, money) that went back.
    """

    id: int
    order_no: str
    item: Envelope[OrderImport]
    intent_id: int
    refund_ids: Sequence[int]
    key: cipher.Sealer
    warehouse: str
    returned: dict[int, tuple[int, int]]

    @property
    def body(self) -> OrderImport:
        """The command that brought it."""
        return self.item.body


async def known(tx: Transaction, bodies: Sequence[OrderImport]) -> set[KnownName]:
    """Return which of these orders, and of the payments that they name, are here."""
    if not bodies:
        return set()
    payments = [(body.payment.provider, body.payment.trade_no) for body in bodies if body.payment is not None]
    names = [(body.source, body.external_no) for body in bodies]
    rows = await tx.fetch(SQL["order_imports.known"], *columns(names), *columns(payments, 2))
    return {(row["what"], row["name"], row["number"]) for row in rows}


async def insert(tx: Transaction, taken: Sequence[TakenOrder], now: datetime) -> None:
    """Insert these orders of users, who are locked, with lines, address, log row, payment and refunds."""
    if not taken:
        return
    await tx.execute(SQL["order_imports.insert"], now, OrderImport.TYPE, *columns(map(_row, taken)))
    await tx.execute(SQL["order_imports.insert_lines"], *columns(row for one in taken for row in _lines(one)))
    payments = [row for one in taken for row in _payment(one)]
    if payments:
        await tx.execute(SQL["order_imports.insert_payments"], *columns(payments))
    refunds = [row for one in taken for row in _refunds(one)]
    if refunds:
        lines = columns(row for one in taken for row in _refund_lines(one))
        await tx.execute(SQL["order_imports.insert_refunds"], *columns(refunds), *lines)


def _row(one: TakenOrder) -> tuple[Any, ...]:
    body, lines = one.body, one.body.lines
    sealed = (None, None) if body.remark is None else one.key.encrypt(body.remark.encode(), remark_aad(one.id))
    return (
        one.id,
        one.order_no,
        one.intent_id,
        body.source,
        body.external_no,
        body.channel,
        body.user_id,
        body.state,
        body.currency,
        lines[0].seller_id if len({line.seller_id for line in lines}) == 1 else None,
        sum(line.qty * line.unit_price for line in lines),
        sum(line.promotion for line in lines),
        sum(line.coupon for line in lines),
        sum(line.points for line in lines),
        sum(line.shipping for line in lines),
        sum(line.tax for line in lines),
        sum(line.payable for line in lines),
        0 if body.payment is None else body.payment.amount,
        sum(amount for _, amount in one.returned.values()),
        *sealed,
        body.created_at,
        body.paid_at,
        body.shipped_at,
        body.delivered_at,
        body.completed_at,
        body.cancelled_at,
        one.item.correlation_id,
        *((None, None, None) if body.address is None else encrypt_address(one.key, one.id, body.address)[1:]),
        body.actor.type,
        body.actor.id,
        one.item.id,
    )


def _lines(one: TakenOrder) -> Iterator[tuple[Any, ...]]:
    for number, line in enumerate(one.body.lines, start=1):
        yield (
            one.id,
            number,
            line.sku_id,
            line.warehouse or one.warehouse,
            line.spu_id or line.sku_id,
            line.name,
            line.product_type,
            line.seller_id,
            line.qty,
            line.unit_price,
            line.qty * line.unit_price,
            line.promotion,
            line.coupon,
            line.points,
            line.tax,
            line.shipping,
            line.payable,
            *one.returned.get(number, (0, 0)),
        )


def _payment(one: TakenOrder) -> Iterator[tuple[Any, ...]]:
    if (payment := one.body.payment) is not None:
        paid = (payment.amount, one.body.currency, one.body.paid_at)
        yield payment.provider, payment.trade_no, one.id, one.intent_id, *paid


def _refunds(one: TakenOrder) -> Iterator[tuple[Any, ...]]:
    for refund_id, refund in zip(one.refund_ids, one.body.refunds, strict=True):
        assert one.body.payment is not None, "without a payment nothing goes back"
        paid = (one.body.payment.provider, one.body.payment.trade_no)
        amount = sum(line.amount for line in refund.lines)
        numbers = (refund_id, f"R{refund_id}", refund.refund_no)
        yield *numbers, one.id, one.intent_id, *paid, amount, one.body.currency, refund.refunded_at


def _refund_lines(one: TakenOrder) -> Iterator[tuple[Any, ...]]:
    for refund_id, refund in zip(one.refund_ids, one.body.refunds, strict=True):
        for line in refund.lines:
            yield refund_id, one.id, line.line_no, line.qty, line.amount
