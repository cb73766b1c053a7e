"""Gives back all that is left of paid orders that are cancelled: money, units in waiting parcels, stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.stock import StockCommit, StockRelease, StockRestock
from workers.domain.book import Book
from workers.domain.order import Effect, Order
from workers.domain.refund_amounts import BoughtLine, RefundLine, refund_units, remaining_units
from workers.domain.rests import not_left
from workers.domain.shipping import Parcel, ParcelState
from workers.domain.shop import DeductOn
from workers.services import refunds
from workers.services.order_events import restock_lines
from workers.store import orders, payments, shipments
from workers.store import refunds as refund_rows
from workers.store.refunds import OpenedRefund, RefundDue

Item: TypeAlias = Envelope[Any]
Parcels: TypeAlias = Mapping[int, Sequence[Parcel]]
"""Order id -> what the order has in parcels."""


@dataclass(frozen=True)
class GivenBack:
    """The refunds that were opened, the message that cancelled each order, and the messages to the stock."""

    opened: Sequence[OpenedRefund]
    causes: Mapping[int, Item]
    restocks: Sequence[outbox.Announcement]


NOTHING = GivenBack((), {}, ())
"""What a batch gives back that cancels no paid order."""


async def give_back(tx: Transaction, book: Book[Item], parcels: Parcels) -> GivenBack:
    """Open the refunds that cancellations owe, give their lines back, and take their units out of waiting parcels.

    Write the orders and apply benefits after it, and announce the restocks.
    """
    refunded = book.ids(Effect.REFUND_ALL)
    lines = await orders.lines(tx, refunded)
    back = {key: refund_units(lines[key], remaining_units(lines[key])) for key in refunded}
    opened = await refund_rows.open_all(tx, whole_refunds(book, await payments.kept(tx, refunded), back))
    await orders.give_back_lines(tx, [(key, part) for key in refunded for part in back[key]])
    await shipments.withdraw(tx, still_booked(parcels, refunded))
    restocks = [
        outbox.internal(message, because=step.because)
        for step in book.owing(Effect.STOCK_RESTOCK)
        if step.order.paid_at is not None
        for message in restock(step.order, lines[step.order.id], parcels.get(step.order.id, ()))
    ]
    causes = {step.order.id: step.because for step in book.owing(Effect.REFUND_ALL)}
    return GivenBack(opened, causes, restocks)


def whole_refunds(
    book: Book[Item], kept: Mapping[int, payments.Kept], back: Mapping[int, Sequence[RefundLine]]
) -> list[RefundDue]:
    """Refund all that is left of each cancelled order's capture. A free order has no capture."""
    dues = []
    for owing in book.owing(Effect.REFUND_ALL):
        order, capture = owing.order, kept.get(owing.order.id)
        if capture is not None:
            cause, parts = f"cancel:{order.id}", back[order.id]
            whole = sum(part.amount for part in parts) == capture.left  # False if an operator refunded a part before
            lines = parts if whole else ()
            dues.append(refunds.due(order, capture, cause, capture.left, because=owing.because, lines=lines))
    return dues


def still_booked(parcels: Parcels, order_ids: Sequence[int]) -> list[shipments.KeptUnits]:
    """Return what stays of the units that cancelled orders have in parcels which have not left: nothing."""
    parts = [part for key in order_ids for part in parcels.get(key, ()) if part.state is ParcelState.BOOKED]
    return [kept for part in parts for kept in shipments.kept_units(replace(part, units=dict.fromkeys(part.units, 0)))]


def restock(
    order: Order, lines: Sequence[BoughtLine], parcels: Sequence[Parcel]
) -> list[StockCommit | StockRestock | StockRelease]:
    """Return the messages that make the units sellable again that never left the warehouse.

    The units of a failed parcel come back with the parcel, or not at all; units that were short are not there. Stock
    that is deducted on shipping is only reserved until a parcel leaves: then the reservation is released, or, if units
    were short, deducted and what is there put back.
    """
    reserved = order.deduct_on == DeductOn.SHIP and not any(parcel.out for parcel in parcels)
    if reserved and not any(line.dropped_qty for line in lines):
        return [StockRelease(holder_id=order.id)]
    back = restock_lines(lines, not_left(lines, parcels))
    restocks = [StockRestock(holder_id=order.id, ref="cancel", lines=back)] if back else []
    return [*([StockCommit(holder_id=order.id)] if reserved else []), *restocks]
