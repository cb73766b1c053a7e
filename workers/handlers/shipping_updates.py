"""Handles messages about parcels, from warehouses and carriers.

    order is               shipment.book                       shipment.update
    ---------------------  ----------------------------------  ----------------------------------------------------
    placing, awaiting pay  retried                             retried
    paid                   booked, if the units are left;      the parcel moves; the last unit out: order.shipped
                           else shipment.booking_failed
    shipped                shipment.booking_failed             all arrived or failed: order.delivered (receipt timer);
                                                               all failed: order.delivery_failed
    delivery failed        shipment.booking_failed             one arrives after all: order.delivered (receipt timer);
                                                               all back or confirmed lost: order.cancelled
    split                  shipment.booking_failed: its children have the goods
    otherwise              shipment.booking_failed             recorded; a parcel that moves nevertheless: alert
    unknown                retried, at last a dead letter

A parcel's state follows from all its facts, by when they happened: a fact that comes late is recorded, and changes
nothing if a later one is known. If a parcel will not arrive, its lines are refunded, and the points that paid for them
come back in proportion; if it comes back, its units are restocked; if it is lost, no stock changes. If it arrives after
all, an alert is raised: the money is on its way back. If it is refused, lost or comes back after it arrived, an alert
is raised, too, and neither money nor stock moves: a person inspects the goods and decides. If the order's policy says
so, its stock is deducted when its first parcel leaves. The same parcel or the same fact again changes nothing; the same
carrier event with another status, or a parcel of another order, is a dead letter.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import outbox
from db.pool import Transaction
from messages.reasons import Reason
from messages.shipments import ShipmentBook, ShipmentBooked, ShipmentBookingFailed, ShipmentLine, ShipmentUpdate
from workers import shop
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Effect, Order, State
from workers.domain.refund_amounts import BoughtLine
from workers.domain.shipping import Parcel, ParcelState, unpacked
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, order_events, parcels, refunds
from workers.services.parcels import Item, ParcelMessage, ShipmentContext, key_of
from workers.store import ids, orders, shipments, timers
from workers.store import refunds as refund_rows

EARLY = (State.PLACING, State.AWAITING_PAYMENT)


async def move_parcels(tx: Transaction, batch: Batch[ParcelMessage]) -> None:
    """Lock every order once, apply the facts in order of arrival, write each table once."""
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in batch}))
    owners = await shipments.owners(tx, [key_of(item.body) for item in batch])
    booked = {key_of(p): p for found in (await shipments.of_orders(tx, book.before)).values() for p in found}
    updated_keys = {key_of(item.body) for item in batch.of(ShipmentUpdate)}
    known = await shipments.facts(tx, [booked[key].id for key in updated_keys if key in booked])
    context = ShipmentContext(book, await orders.lines(tx, book.before), booked, known)
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
            parcels.update_parcel(context, order, item, item.body, batch.now)

    await write(tx, context, batch.now)


async def write(tx: Transaction, context: ShipmentContext, now: datetime) -> None:
    """Write each table once, and announce what changed."""
    book, window = context.book, timedelta(seconds=shop.current().receipt_window_seconds)
    opened = await refund_rows.open_all(tx, await parcels.parcel_refunds(tx, context))
    delivered = [key for key in book.ids(Effect.RECEIPT_TIMER_STARTS) if book[key].state is State.DELIVERED]
    await orders.save(tx, book)
    await orders.give_back_lines(tx, [(p.order_id, part) for _, p, parts in context.failures for part in parts])
    given = {parcel.order_id: item for item, parcel, _ in context.failures}
    applied = await benefits.apply(tx, book, now, opened, given)
    await shipments.insert(tx, [context.parcels[key] for key in context.booked], context.warehouses)
    await shipments.save(tx, [context.parcels[key] for key in sorted(context.moved - set(context.booked))])
    await shipments.give_up(tx, sorted(parcel.id for _, parcel, _ in context.failures))
    await shipments.record_facts(tx, context.facts)
    await timers.start(tx, [timers.Timer(timers.TimerKind.RECEIPT, key, now + window) for key in delivered])
    await outbox.append(
        tx, [*context.news, *order_events.steps(book), *refunds.announcements(opened), *benefits.announcements(applied)]
    )


def owner_of(context: ShipmentContext, owners: Mapping[shipments.ParcelKey, int], body: ParcelMessage) -> int:
    """Return the order that owns the parcel: from this batch, else the database, else the message."""
    parcel = context.parcels.get(key_of(body))
    return parcel.order_id if parcel else owners.get(key_of(body), body.order_id)


def contradicts(context: ShipmentContext, body: ParcelMessage) -> bool:
    """True if the same carrier event was reported before with another status."""
    if not isinstance(body, ShipmentUpdate) or key_of(body) not in context.parcels:
        return False
    fact = context.known.get(context.parcels[key_of(body)].id, {}).get(body.event_id)
    return fact is not None and fact.status != body.status


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


ROUTE = Route(queue="shipping-updates", handler=move_parcels)
