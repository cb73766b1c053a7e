"""Handles messages about parcels, from warehouses and carriers.

    order is               shipment.book                       shipment.update
    ---------------------  ----------------------------------  ----------------------------------------------------
    placing, awaiting pay  retried                             retried
    paid, fulfilling       booked, if the units are left and   the parcel moves; the last unit out: order.shipped
                           no hold is open; otherwise
                           shipment.booking_failed
    cancelling             the same                            the same; once a parcel is out: order.cancel_refused
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

A parcel may hold goods of several orders of one user: they are booked together, or one by one while the parcel has not
failed; its facts move all of them in one transaction. Once it has ended, its number can be booked again. If any of the
orders cannot be booked, none is, and each gets shipment.booking_failed, whose details name the order at fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import outbox
from db.pool import Transaction
from messages.reasons import Reason
from messages.shipments import (
    ShipmentBook,
    ShipmentBooked,
    ShipmentBookingFailed,
    ShipmentLine,
    ShipmentUpdate,
)
from workers import shop
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import IN_WAREHOUSE, Effect, Order, State
from workers.domain.rests import pick
from workers.domain.shipping import UNDER_WAY, Parcel, ParcelState, unpacked
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, order_events, parcels, refunds
from workers.services.parcels import Box, Item, ParcelMessage, ShipmentContext, key_of
from workers.store import ids, orders, shipments, timers
from workers.store import refunds as refund_rows

UnitsByLine = Mapping[int, int]
"""Line number -> units"""
EARLY = (State.PLACING, State.AWAITING_PAYMENT)
BOOKABLE = IN_WAREHOUSE | {State.CANCELLING}


async def move_parcels(tx: Transaction, batch: Batch[ParcelMessage]) -> None:
    """Lock every order once, apply the facts in order of arrival, write each table once."""
    named = {order_id for item in batch for order_id in order_ids(item.body)}
    numbers = [(key_of(item.body), order_ids(item.body)) for item in batch]
    sharing = await shipments.owners(tx, [(*key, order_id) for key, found in numbers for order_id in (*found, None)])
    book = Book[Item](await orders.lock(tx, named | sharing))
    context = await parcels.read(tx, book, [item.body for item in batch.of(ShipmentUpdate)])
    new_ids = iter(await ids.take(tx, [user_of(item.body, book) for item in batch.of(ShipmentBook)]))

    for item in batch:
        found = [book.get(order_id) for order_id in order_ids(item.body)]
        wanted = [order for order in found if order is not None]
        box = context.find(item.body, order_ids(item.body)) or context.find(item.body, ())
        if len(wanted) < len(found):
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif box is not None and not context.locked(box):
            batch.retry(item, Reason.PARCEL_UNKNOWN, "the parcel was booked at this moment")
        elif box is not None and of_others(context, box, item.body, wanted):
            batch.dead(item, Reason.PARCEL_OF_ANOTHER_ORDER, "the carrier's number belongs to another order")
        elif contradicts(context, box, item.body):
            batch.dead(item, Reason.FACT_DIFFERS, "this carrier event was reported before with another status")
        elif any(order.state in EARLY for order in wanted):
            batch.retry(item, Reason.ORDER_NOT_PAID, "its order is not paid yet")
        elif isinstance(item.body, ShipmentBook):
            book_parcel(context, box, item, item.body, next(new_ids), batch.now)
        elif box is None:
            batch.retry(item, Reason.PARCEL_UNKNOWN, "the parcel is not booked yet")
        else:
            parcels.update_parcel(context, box, item, item.body, batch.now)

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
    added = [context.boxes[parcel_id][order_id] for parcel_id, order_id in context.added]
    await shipments.insert(tx, [live(context.boxes[key]) for key in sorted(context.booked)], added, context.warehouses)
    await shipments.save(tx, [live(context.boxes[key]) for key in sorted(context.moved - context.booked)])
    await shipments.give_up(tx, [parcel for _, parcel, _ in context.failures])
    await shipments.record_facts(tx, context.facts)
    await timers.start(tx, [timers.Timer(timers.TimerKind.RECEIPT, key, now + window) for key in delivered])
    await outbox.append(
        tx,
        [
            *context.news,
            *order_events.steps(book),
            *order_events.hand_overs(book),
            *refunds.announcements(opened),
            *benefits.announcements(applied),
        ],
    )


def live(box: Box) -> Parcel:
    """Return the parcel as an order has it that did not withdraw its goods, so with the parcel's own state."""
    return next((part for part in box.values() if part.state is not ParcelState.CANCELLED), next(iter(box.values())))


def order_ids(body: ParcelMessage) -> list[int]:
    """Return the orders that a message names."""
    if isinstance(body, ShipmentUpdate):
        return [] if body.order_id is None else [body.order_id]
    named = (body.order_id, *body.order_ids, *(line.order_id or body.order_id for line in body.lines))
    return sorted(set(named))


def user_of(body: ShipmentBook, book: Book[Item]) -> str:
    """Return the order's user, whose shard the parcel's id carries; empty if the order is unknown."""
    order = book.get(body.order_id)
    return order.user_id if order else ""


def of_others(context: ShipmentContext, box: Box, body: ParcelMessage, wanted: Sequence[Order]) -> bool:
    """True if the message names an order that has nothing to do with the parcel.

    A fact must name an order in the parcel. A booking may add orders of the same user; once the parcel has ended, its
    number is free.
    """
    if isinstance(body, ShipmentUpdate):
        return any(order.id not in box for order in wanted)
    user_id = context.book[next(iter(box))].user_id
    return not live(box).ended and any(order.user_id != user_id for order in wanted)


def contradicts(context: ShipmentContext, box: Box | None, body: ParcelMessage) -> bool:
    """True if the same carrier event was reported before with another status."""
    if not isinstance(body, ShipmentUpdate) or box is None:
        return False
    fact = context.known.get(live(box).id, {}).get(body.event_id)
    return fact is not None and fact.status != body.status


def book_parcel(  # noqa: PLR0917 (the parcel as it is, and the booking with its id)
    context: ShipmentContext, box: Box | None, item: Item, body: ShipmentBook, parcel_id: int, now: datetime
) -> None:
    """Book a parcel, once, for all its orders or for none of them; or announce why it cannot be booked."""
    wanted = [context.book[order_id] for order_id in order_ids(body)]
    if box is not None and any(order.id in box for order in wanted):
        wanted = [order for order in wanted if order.id not in box]
    elif box is not None and live(box).ended:
        box = None
    left = {order.id: unpacked(context.units(order), context.of(order)) for order in wanted}
    picked = {order.id: pick(context.lines[order.id], left[order.id], lines_of(body, order)) for order in wanted}
    if (why := unbookable(wanted, left, picked, box)) is not None:
        context.news += [
            outbox.event(refused(body, order, *why), because=item, stream=order.root_id) for order in wanted
        ]
        return
    if box is None:
        base = Parcel(parcel_id, 0, body.carrier, body.tracking_no, ParcelState.BOOKED, False, {})
        box = context.open_box(parcel_id, key_of(body))
        context.warehouses[parcel_id] = body.warehouse
        context.booked.add(parcel_id)
    else:
        base = live(box)
    for order in wanted:
        part = box[order.id] = replace(base, order_id=order.id, units=picked[order.id], given_up=False)
        context.added.append((part.id, order.id))
        context.news.append(outbox.event(booked(context, part), because=item, stream=order.root_id))
        parcels.leave(context, order, item, None, part)
        parcels.advance_order(context.book, order.id, context.units(order), context.of(order), item, now)


def lines_of(body: ShipmentBook, order: Order) -> list[tuple[str, int]]:
    """Return (SKU, units) of the lines of a booking that name units of this order."""
    return [(line.sku_id, line.qty) for line in body.lines if (line.order_id or body.order_id) == order.id]


def unbookable(
    wanted: Sequence[Order], left: Mapping[int, UnitsByLine], picked: Mapping[int, UnitsByLine], box: Box | None
) -> tuple[Code, dict[str, Any]] | None:
    """Return (code, details) if these orders cannot share the parcel, or None. No I/O."""
    for order in wanted:
        about = {"order_id": str(order.id), "state": order.state.value, "units_left": sum(left[order.id].values())}
        if order.state not in BOOKABLE:
            return Code.ORDER_STATE_INVALID, about
        if order.held:
            return Code.ORDER_HELD, about
        if not picked[order.id]:
            return Code.LOGISTICS_BOOKING_FAILED, about | {"field": "lines"}
        if order.user_id != wanted[0].user_id:
            return Code.LOGISTICS_BOOKING_FAILED, about | {"field": "order_ids"}
    if wanted and box is not None and live(box).state not in UNDER_WAY:
        return Code.LOGISTICS_BOOKING_FAILED, {"field": "tracking_no", "parcel": live(box).state.value}
    return None


def refused(body: ShipmentBook, order: Order, code: Code, details: Mapping[str, Any]) -> ShipmentBookingFailed:
    """Build shipment.booking_failed: nothing is booked, for any of the orders."""
    return ShipmentBookingFailed(
        order_id=order.id,
        carrier=body.carrier,
        tracking_no=body.tracking_no,
        shipment_id=None,
        code=code,
        details=dict(details),
    )


def booked(context: ShipmentContext, part: Parcel) -> ShipmentBooked:
    """Build shipment.booked: these units of the order are in the parcel."""
    skus = {line.line_no: line.sku_id for line in context.lines[part.order_id]}
    lines = tuple(ShipmentLine(sku_id=skus[line_no], qty=qty) for line_no, qty in part.units.items())
    return ShipmentBooked(
        order_id=part.order_id, carrier=part.carrier, tracking_no=part.tracking_no, shipment_id=part.id, lines=lines
    )


ROUTE = Route(queue="shipping-updates", handler=move_parcels)
