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
so, its stock is deducted when its first parcel leaves, and authorised money is captured (payment.capture_requested).
The same parcel or the same fact again changes nothing; the same carrier event with another status, or a parcel of
another order, is a dead letter. So is a booking of goods of a warehouse whose users OMS_FULFILMENT_WAREHOUSES names, by
another user; its shipment.create is rejected. A fact from a broker user of another carrier is a dead letter, too
(untrusted_user).

A parcel may hold goods of several orders of one user that go from one warehouse to one address: they are booked
together, or one by one until the parcel leaves (then LOGISTICS_PARCEL_LEFT); its facts move all of them in one
transaction. A booking that names the warehouse takes its lines only. One that names neither the warehouse nor the lines
fails with LOGISTICS_WAREHOUSE_AMBIGUOUS if units are left in several. Once a parcel has ended, its number can be booked
again. If any of the orders cannot be booked, none is, and each gets shipment.booking_failed, whose details name the
order at fault.

shipment.create books at a carrier of OMS_CARRIERS, which gives the parcel its number: carrier.book goes to the carrier,
and nothing else changes before its answer (carrier_calls.py). Then, by waybill.answered:

    booked           the parcel is booked, as by shipment.book; if its orders do not allow it any more, or its warehouse
                     stopped or refused meanwhile, shipment.booking_failed, and the waybill is cancelled
    refused          shipment.booking_failed, and the orders stay as they are
    booked, after the waybill was refused, unused or cancelled: the waybill is unused, so the carrier is made to cancel
                     it; a cancellation that was sent before this answer does not count

An order whose last unit leaves later than its policy promised raises an alert (ORDER_SHIPPED_LATE), and its event has
`on_time` false.

If the order's policy completes it with its delivery (S1-34), order.completed follows order.delivered at once, and
points are awarded. While a hold or a case is open, it waits for its receipt like any other.

What a poll of the carrier shows, shipment.observed, has the effect of shipment.update.
"""

from collections.abc import Sequence
from datetime import datetime

import outbox
from db.pool import Transaction
from messages.carriers import WaybillAnswered
from messages.reasons import Reason
from messages.shipments import ParcelPlan, ShipmentBook, ShipmentCreate, ShipmentUpdate
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import (
    authorization,
    benefits,
    bookings,
    commands,
    deliveries,
    order_events,
    parcels,
    payment_authorizations,
    refunds,
)
from workers.services.parcel_plans import order_ids_of
from workers.services.parcels import Box, CarrierReport, Item, ParcelMessage, ShipmentContext, key_of, live
from workers.store import ids, orders, shipments, timers, waybills
from workers.store import refunds as refund_rows
from workers.store.ids import NewIds

EARLY = (State.PLACING, State.AWAITING_PAYMENT)


async def move_parcels(tx: Transaction, batch: Batch[ParcelMessage]) -> None:
    """Lock every order once, apply the messages in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(ShipmentCreate))
    fresh = {id(item) for item in claims.fresh}  # two copies of a message have the same message id
    named = {order_id for item in batch for order_id in order_ids(item.body)}
    numbers = [(key_of(item.body), order_ids(item.body)) for item in batch if key_of(item.body)[1]]
    sharing = await shipments.owners(tx, [(*key, order_id) for key, found in numbers for order_id in (*found, None)])
    book = Book[Item](await orders.lock(tx, named | sharing))
    context = await parcels.read(tx, book, [item.body for item in batch])
    plans = [item.body for item in batch if isinstance(item.body, ShipmentBook | ShipmentCreate)]
    await bookings.read_addresses(tx, context, [item.body for item in batch if isinstance(item.body, ParcelPlan)])
    new_ids = await ids.reserve(tx, len(plans))

    for item in batch:
        if of_another_carrier(item):
            batch.dead(item, Reason.UNTRUSTED_USER, "this broker user reports for another carrier")
        elif not isinstance(item.body, ShipmentCreate):
            move_parcel(context, batch, item, new_ids)
        elif id(item) in fresh:
            create(context, item, item.body, new_ids.next(user_of(item.body, book)), batch.now)

    await write(tx, context, claims, batch.now)


def move_parcel(context: ShipmentContext, batch: Batch[ParcelMessage], item: Item, new_ids: NewIds) -> None:
    """Apply one message about a parcel that has its number, or say why not."""
    found = [context.book.get(order_id) for order_id in order_ids(item.body)]
    wanted = [order for order in found if order is not None]
    box = parcel_of(context, item.body)
    if len(wanted) < len(found):
        batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
    elif box is not None and not context.locked(box):
        batch.retry(item, Reason.PARCEL_UNKNOWN, "the parcel was booked at this moment")
    elif isinstance(item.body, WaybillAnswered):
        bookings.take_waybill(context, item, item.body, batch.now)
    elif box is not None and of_others(context, box, item.body, wanted):
        batch.dead(item, Reason.PARCEL_OF_ANOTHER_ORDER, "the carrier's number belongs to another order")
    elif contradicts(context, box, item.body):
        batch.dead(item, Reason.FACT_DIFFERS, "this carrier event was reported before with another status")
    elif any(order.state in EARLY for order in wanted):
        batch.retry(item, Reason.ORDER_NOT_PAID, "its order is not paid yet")
    elif isinstance(item.body, ShipmentBook):
        book(context, batch, item, box, wanted, new_ids.next(wanted[0].user_id))
    elif box is None:
        batch.retry(item, Reason.PARCEL_UNKNOWN, "the parcel is not booked yet")
    elif isinstance(item.body, CarrierReport):
        parcels.update_parcel(context, box, item, item.body, batch.now)


def book(  # noqa: PLR0917 (the message, and what it is about)
    context: ShipmentContext,
    batch: Batch[ParcelMessage],
    item: Item,
    box: Box | None,
    wanted: Sequence[Order],
    parcel_id: int,
) -> None:
    """Book a parcel, if its sender may do so for the warehouse."""
    if (elsewhere := bookings.foreign_warehouse(context, item, wanted)) is not None:
        batch.dead(item, Reason.UNTRUSTED_USER, f"this broker user does not report for the warehouse {elsewhere}")
    else:
        bookings.book_parcel(context, box, item, parcel_id)


async def write(tx: Transaction, context: ShipmentContext, claims: commands.Claims, now: datetime) -> None:
    """Write each table once, and announce what changed."""
    book = context.book
    captures = await payment_authorizations.capture(tx, book, context.leaving)
    opened = await refund_rows.open_all(tx, await parcels.parcel_refunds(tx, context))
    receipts = await deliveries.end(tx, book, now)
    await orders.save(tx, book)
    await orders.give_back_lines(tx, [(p.order_id, part) for _, p, parts in context.failures for part in parts])
    given = {parcel.order_id: item for item, parcel, _ in context.failures}
    applied = await benefits.apply(tx, book, now, opened, given)
    added = [context.boxes[parcel_id][order_id] for parcel_id, order_id in context.added]
    await shipments.insert(tx, [live(context.boxes[key]) for key in sorted(context.booked)], added, context.warehouses)
    await shipments.save(tx, [live(context.boxes[key]) for key in sorted(context.moved - context.booked)])
    await shipments.give_up(tx, [parcel for _, parcel, _ in context.failures])
    await shipments.record_facts(tx, context.facts)
    await waybills.request(tx, context.requested)
    await waybills.answer(tx, list(context.answers.values()), now)
    answered = [
        (timers.TimerKind.CANCELLING, step.order.id) for step in book.steps if step.previous is State.CANCELLING
    ]
    await timers.change(tx, stopped=[*context.stopped, *answered], started=[*receipts, *context.started])
    failed = await parcels.fail_cases(tx, context)
    answers = await commands.conclude(tx, context.outcomes)
    await outbox.append(
        tx,
        [
            *context.news,
            *failed,
            *order_events.steps(book),
            *order_events.hand_overs(book),
            *captures,
            *refunds.announcements(opened),
            *order_events.reduced(book, given),
            *benefits.announcements(applied),
            *answers,
            *claims.answers,
        ],
    )


def create(context: ShipmentContext, item: Item, body: ShipmentCreate, waybill_id: int, now: datetime) -> None:
    """Have a carrier book a parcel. Of orders that do not exist there is no parcel."""
    found = [context.book.get(order_id) for order_id in order_ids(body)]
    wanted = [order for order in found if order is not None]
    if len(wanted) < len(found):
        refusal = authorization.not_found(order_ids(body)[found.index(None)])
    elif (elsewhere := bookings.foreign_warehouse(context, item, wanted)) is not None:
        refusal = Refusal(Code.AUTH_FORBIDDEN, "this broker user works for another warehouse", {"warehouse": elsewhere})
    else:
        bookings.request_waybill(context, item, body, waybill_id, now)
        return
    rejected = commands.rejected(item, refusal)
    context.outcomes[commands.key_of(item)] = rejected, item
    context.news.append(outbox.event(rejected, because=item))


def parcel_of(context: ShipmentContext, body: ParcelMessage) -> Box | None:
    """Return the parcel that a message is about, or None if there is none yet.

    If a fact names an order that an ended parcel does not hold, it is about a parcel that is booked later: its number
    was free again.
    """
    named = order_ids(body)
    box = context.find(body, named) or context.find(body, ())
    if box is None or not isinstance(body, CarrierReport) or not named or box.keys() & set(named):
        return box
    return None if live(box).ended else box


def order_ids(body: ParcelMessage) -> list[int]:
    """Return the orders that a message names."""
    if isinstance(body, CarrierReport):
        return [] if body.order_id is None else [body.order_id]
    return order_ids_of(body)


def user_of(body: ShipmentBook | ShipmentCreate, book: Book[Item]) -> str:
    """Return the order's user, whose shard the parcel's id carries; empty if the order is unknown."""
    order = book.get(body.order_id)
    return order.user_id if order else ""


def of_others(context: ShipmentContext, box: Box, body: ParcelMessage, wanted: Sequence[Order]) -> bool:
    """True if the message names an order that has nothing to do with the parcel.

    A fact must name an order in the parcel. A booking may add orders of the same user; once the parcel has ended, its
    number is free.
    """
    if isinstance(body, CarrierReport):
        return any(order.id not in box for order in wanted)
    user_id = context.book[next(iter(box))].user_id
    return not live(box).ended and any(order.user_id != user_id for order in wanted)


def of_another_carrier(item: Item) -> bool:
    """True for a fact from a sender who is bound to carriers, about a parcel of another one."""
    bound = item.carriers is not None and isinstance(item.body, ShipmentUpdate)
    return bound and item.body.carrier not in (item.carriers or ())


def contradicts(context: ShipmentContext, box: Box | None, body: ParcelMessage) -> bool:
    """True if the same carrier event was reported before with another status."""
    if not isinstance(body, CarrierReport) or box is None:
        return False
    fact = context.known.get(live(box).id, {}).get(body.event_id)
    return fact is not None and fact.status != body.status


ROUTE = Route(queue="shipping-updates", handler=move_parcels)
