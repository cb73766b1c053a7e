"""Handles messages about parcels, from warehouses and carriers.

    order is               shipment.book                       shipment.update
    ---------------------  ----------------------------------  ----------------------------------------------------
    placing, awaiting pay  retried                             retried
    paid                   booked, if the units are left;      the parcel moves; the last unit out: order.shipped
                           else shipment.booking_failed
    shipped                shipment.booking_failed             all arrived or failed: order.delivered (receipt timer);
                                                               all failed: order.delivery_failed
    delivery failed        shipment.booking_failed             all back or confirmed lost: order.cancelled
    split                  shipment.booking_failed: its children have the goods
    otherwise              shipment.booking_failed             recorded; a parcel that moves nevertheless: alert
    unknown                retried, at last a dead letter

A parcel's state is the highest of its facts: late ones are recorded and change nothing. If a parcel will not arrive,
its lines are refunded, and the points that paid for them come back in proportion; if it comes back, its units are
restocked; if it is lost, no stock changes. If it arrives after all, an alert is raised: the money is on its way back.
If the order's policy says so, its stock is deducted when its first parcel leaves. The same parcel or the same fact
again changes nothing; the same carrier event with another status, or a parcel of another order, is a dead letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.shipments import (
    ShipmentBook,
    ShipmentBooked,
    ShipmentBookingFailed,
    ShipmentLine,
    ShipmentUpdate,
    ShipmentUpdated,
)
from messages.stock import RestockLine, StockCommit, StockRestock
from workers import shop
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import CancelType, Effect, Order, State, Trigger
from workers.domain.refund_amounts import BoughtLine, RefundLine, refund_units
from workers.domain.shipping import DELAYED, Parcel, ParcelState, advance, next_trigger, unpacked
from workers.domain.shop import DeductOn
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, order_events, refunds
from workers.store import ids, orders, payments, shipments, timers
from workers.store import refunds as refund_rows
from workers.store.refunds import RefundDue

ParcelMessage: TypeAlias = ShipmentBook | ShipmentUpdate
Item: TypeAlias = Envelope[ParcelMessage]
EARLY = (State.PLACING, State.AWAITING_PAYMENT)
REFUNDING = (State.PAID, State.SHIPPED)


@dataclass
class ShipmentContext:
    """What one batch reads and decides with: orders, lines and parcels as its facts change them, and the effects."""

    book: Book[Item]
    lines: dict[int, list[BoughtLine]]
    parcels: dict[shipments.ParcelKey, Parcel]
    seen: dict[shipments.FactKey, str]
    warehouses: dict[int, str | None] = field(default_factory=dict)
    booked: list[shipments.ParcelKey] = field(default_factory=list)
    moved: set[shipments.ParcelKey] = field(default_factory=set)
    facts: list[shipments.ParcelFact] = field(default_factory=list)
    failures: list[tuple[Item, Parcel, list[RefundLine]]] = field(default_factory=list)
    news: list[outbox.Announcement] = field(default_factory=list)

    def units(self, order: Order) -> dict[int, int]:
        """Line number -> units bought."""
        return {line.line_no: line.qty for line in self.lines[order.id]}

    def of(self, order: Order) -> list[Parcel]:
        """Return the order's parcels, as the batch has changed them."""
        return [parcel for parcel in self.parcels.values() if parcel.order_id == order.id]


async def move_parcels(tx: Transaction, batch: Batch[ParcelMessage]) -> None:
    """Lock every order once, apply the facts in order of arrival, write each table once."""
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in batch}))
    owners = await shipments.owners(tx, [key_of(item.body) for item in batch])
    updates = [item.body for item in batch.of(ShipmentUpdate)]
    parcels = {key_of(p): p for found in (await shipments.of_orders(tx, book.before)).values() for p in found}
    context = ShipmentContext(
        book, await orders.lines(tx, book.before), parcels, await shipments.known_facts(tx, updates)
    )
    new_ids = iter(await ids.take(tx, [user_of(item, book) for item in batch.of(ShipmentBook)]))

    for item in batch:
        order = book.get(item.body.order_id)
        if order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif owner_of(context, owners, item.body) != order.id:
            batch.dead(item, Reason.PARCEL_OF_ANOTHER_ORDER, "the carrier's number belongs to another order")
        elif contradicts(context, item.body):
            batch.dead(item, Reason.FACT_DIFFERS, "this carrier event was reported before with another status")
        elif order.state in EARLY:
            batch.retry(item, Reason.ORDER_NOT_PAID, "its order is not paid yet")
        elif isinstance(item.body, ShipmentBook):
            book_parcel(context, order, item, item.body, next(new_ids))
        elif key_of(item.body) not in context.parcels:
            batch.retry(item, Reason.PARCEL_UNKNOWN, "the parcel is not booked yet")
        else:
            update_parcel(context, order, item, item.body, batch.now)

    await write(tx, context, batch.now)


async def write(tx: Transaction, context: ShipmentContext, now: datetime) -> None:
    """Write each table once, and announce what changed."""
    book, window = context.book, timedelta(seconds=shop.current().receipt_window_seconds)
    opened = await refund_rows.open_all(tx, await parcel_refunds(tx, context))
    delivered = [key for key in book.ids(Effect.RECEIPT_TIMER_STARTS) if book[key].state is State.DELIVERED]
    await orders.save(tx, book)
    await orders.give_back_lines(tx, [(p.order_id, part) for _, p, parts in context.failures for part in parts])
    given = {parcel.order_id: item for item, parcel, _ in context.failures}
    applied = await benefits.apply(tx, book, now, opened, given)
    await shipments.insert(tx, [context.parcels[key] for key in context.booked], context.warehouses)
    await shipments.save(tx, [context.parcels[key] for key in sorted(context.moved - set(context.booked))])
    await shipments.record_facts(tx, context.facts)
    await timers.start(tx, [timers.Timer(timers.TimerKind.RECEIPT, key, now + window) for key in delivered])
    await outbox.append(
        tx, [*context.news, *order_events.steps(book), *refunds.announcements(opened), *benefits.announcements(applied)]
    )


def key_of(body: ParcelMessage | Parcel) -> shipments.ParcelKey:
    """Return (carrier, tracking number), by which the carrier knows the parcel."""
    return body.carrier, body.tracking_no


def owner_of(context: ShipmentContext, owners: Mapping[shipments.ParcelKey, int], body: ParcelMessage) -> int:
    """Return the order that owns the parcel: from this batch, else the database, else the message."""
    parcel = context.parcels.get(key_of(body))
    return parcel.order_id if parcel else owners.get(key_of(body), body.order_id)


def contradicts(context: ShipmentContext, body: ParcelMessage) -> bool:
    """True if the same carrier event was reported before with another status."""
    return isinstance(body, ShipmentUpdate) and context.seen.get(shipments.fact_key(body), body.status) != body.status


def user_of(item: Item, book: Book[Item]) -> str:
    """Return the order's user, whose shard the parcel's id carries; empty if the order is unknown."""
    order = book.get(item.body.order_id)
    return order.user_id if order else ""


def book_parcel(context: ShipmentContext, order: Order, item: Item, body: ShipmentBook, parcel_id: int) -> None:
    """Book a parcel, once, or announce why it cannot be booked."""
    key = key_of(body)
    if key in context.parcels:
        return
    left = unpacked(context.units(order), context.of(order))
    units = pick(context.lines[order.id], left, body.lines)
    about: dict[str, Any] = {"order_id": order.id, "carrier": body.carrier, "tracking_no": body.tracking_no}
    if order.state is not State.PAID or not units:
        code = Code.LOGISTICS_BOOKING_FAILED if order.state is State.PAID else Code.ORDER_STATE_INVALID
        details = {"state": order.state.value, "units_left": sum(left.values())}
        failed = ShipmentBookingFailed(**about, shipment_id=None, code=code, details=details)
        context.news.append(outbox.event(failed, because=item, stream=order.root_id))
        return
    context.parcels[key] = Parcel(parcel_id, order.id, body.carrier, body.tracking_no, ParcelState.BOOKED, False, units)
    context.warehouses[parcel_id] = body.warehouse
    context.booked.append(key)
    skus = {line.line_no: line.sku_id for line in context.lines[order.id]}
    lines = tuple(ShipmentLine(sku_id=skus[line_no], qty=qty) for line_no, qty in units.items())
    news = ShipmentBooked(**about, shipment_id=parcel_id, lines=lines)
    context.news.append(outbox.event(news, because=item, stream=order.root_id))


def pick(lines: list[BoughtLine], left: Mapping[int, int], wanted: tuple[ShipmentLine, ...]) -> dict[int, int]:
    """Line number -> units for the parcel: those named, or all that are left; none if not all of them are left."""
    if not wanted:
        return dict(left)
    remaining = dict(left)
    units: dict[int, int] = {}
    for want in wanted:
        missing = want.qty
        for line in lines:
            taken = min(missing, remaining.get(line.line_no, 0)) if line.sku_id == want.sku_id else 0
            if taken:
                units[line.line_no] = units.get(line.line_no, 0) + taken
                remaining[line.line_no] -= taken
                missing -= taken
        if missing:
            return {}
    return units


def update_parcel(context: ShipmentContext, order: Order, item: Item, body: ShipmentUpdate, now: datetime) -> None:
    """Apply one carrier fact: to the parcel, its money, its stock, then its order."""
    if (fact := shipments.fact_key(body)) in context.seen:
        return
    context.seen[fact] = body.status
    before = context.parcels[key_of(body)]
    after = moved(before, body)
    context.facts.append(shipments.ParcelFact(body, before.id, stale=after == before))
    if before.state == ParcelState.CANCELLED and body.status != DELAYED:
        context.news.append(outbox.event(alert(order, before, "moves although its order was cancelled"), because=item))
    if before.failed and body.status == "delivered":
        context.news.append(
            outbox.event(alert(order, before, "arrived after it was given up and refunded"), because=item)
        )
    if after == before:
        return
    context.parcels[key_of(body)] = after
    context.moved.add(key_of(body))
    context.news.append(outbox.event(updated(before, after), because=item, stream=order.root_id))
    if after.out and not before.out and order.deduct_on == DeductOn.SHIP:
        context.news.append(outbox.internal(StockCommit(holder_id=order.id), because=item))
    if after.failed and not before.failed:
        fail(context, order, item, after)
    if after.state == ParcelState.RETURNED:
        context.news.append(outbox.internal(restock(context, after), because=item))
    advance_order(context, order.id, item, now)


def moved(parcel: Parcel, body: ShipmentUpdate) -> Parcel:
    """Return the parcel as it is after the carrier's fact."""
    if parcel.state == ParcelState.CANCELLED:
        return parcel
    state = advance(parcel.state, body.status)
    after = replace(parcel, state=state, delayed=parcel.delayed or body.status == DELAYED)
    if after.out and after.outbound_at is None:
        after = replace(after, outbound_at=body.occurred_at)
    if state is ParcelState.DELIVERED and parcel.state is not ParcelState.DELIVERED:
        return replace(after, delivered_at=body.occurred_at)
    return after


def updated(before: Parcel, after: Parcel) -> ShipmentUpdated:
    """Build shipment.updated: the parcel's state now, and the one before."""
    return ShipmentUpdated(
        order_id=after.order_id,
        shipment_id=after.id,
        carrier=after.carrier,
        tracking_no=after.tracking_no,
        status=after.state,
        previous=before.state,
        delayed=after.delayed,
    )


def fail(context: ShipmentContext, order: Order, item: Item, parcel: Parcel) -> None:
    """Refund the lines of a parcel that will not arrive, or raise an alert if its order is closed (received, say)."""
    if order.state not in REFUNDING:
        closed = alert(order, parcel, f"is {parcel.state} after its order was closed")
        context.news.append(outbox.event(closed, because=item))
        return
    parts = refund_units(context.lines[order.id], parcel.units)
    given = {part.line_no: part for part in parts}
    context.lines[order.id] = [
        replace(
            line,
            refunded_qty=line.refunded_qty + given[line.line_no].qty,
            refunded_amount=line.refunded_amount + given[line.line_no].amount,
        )
        if line.line_no in given
        else line
        for line in context.lines[order.id]
    ]
    context.failures.append((item, parcel, parts))


def restock(context: ShipmentContext, parcel: Parcel) -> StockRestock:
    """Build stock.restock: the units of a parcel that came back are sellable again."""
    where = {line.line_no: line for line in context.lines[parcel.order_id]}
    lines = tuple(
        RestockLine(sku_id=where[line_no].sku_id, warehouse=where[line_no].warehouse, qty=qty)
        for line_no, qty in sorted(parcel.units.items())
    )
    return StockRestock(holder_id=parcel.order_id, ref=f"parcel:{parcel.id}", lines=lines)


def advance_order(context: ShipmentContext, order_id: int, item: Item, now: datetime) -> None:
    """Take every step that the parcels call for: delivered implies shipped, in one transaction."""
    order = context.book[order_id]
    units, parcels = context.units(order), context.of(order)
    while (trigger := next_trigger(context.book[order_id], units, parcels)) is not None:
        cancelled: dict[str, Any] = {"cancel_type": CancelType.DELIVERY_FAILED, "reason": "no parcel arrived"}
        fields = cancelled if trigger is Trigger.FAILURE_SETTLED else {}
        context.book.move(order_id, trigger, because=item, at=now, **fields)


async def parcel_refunds(tx: Transaction, context: ShipmentContext) -> list[RefundDue]:
    """Return the refunds of parcels that failed, never more than is left of the order's capture."""
    kept = await payments.kept(tx, [parcel.order_id for _, parcel, _ in context.failures])
    dues = []
    for item, parcel, parts in context.failures:
        order, capture = context.book[parcel.order_id], kept.get(parcel.order_id)
        if capture is None:
            continue
        whole = sum(part.amount for part in parts)
        amount = min(whole, capture.left)  # an operator may have refunded some of it already
        kept[order.id] = replace(capture, owed=capture.owed + amount)
        cause, lines = f"parcel:{parcel.id}", parts if amount == whole else ()
        dues.append(refunds.due(order, capture, cause, amount, because=item, lines=lines))
    return dues


def alert(order: Order, parcel: Parcel, what: str) -> AlertRaised:
    """Build alert.raised: the parcel contradicts its order, and an operator must look."""
    content = f"parcel {parcel.carrier} {parcel.tracking_no} {what}"
    return AlertRaised(
        title="parcel against its order",
        content=content,
        level="MEDIUM",
        code=Code.LOGISTICS_EVENT_STALE,
        order_id=order.id,
    )


ROUTE = Route(queue="shipping-updates", handler=move_parcels)
