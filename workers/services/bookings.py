"""Books parcels, at once or at their carriers, for all their orders or for none of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised
from messages.carrier_modes import polled
from messages.carriers import CarrierBook, WaybillAnswered
from messages.envelope import Envelope
from messages.shipments import (
    PARCEL_LINES_MAX,
    ParcelPlan,
    ShipmentBook,
    ShipmentBooked,
    ShipmentBookingFailed,
    ShipmentCreate,
    ShipmentLine,
)
from messages.topology import carrier_calls_queue
from workers import shop
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.shipping import Parcel, ParcelState
from workers.services import authorization, commands, parcels
from workers.services.parcel_plans import (
    Objection,
    only_warehouse,
    order_ids_of,
    picked_lines,
    picked_units,
    possible_warehouses,
    unbookable,
    warehouses_of,
)
from workers.services.parcels import Box, ShipmentContext, live
from workers.store import fulfilments
from workers.store.timers import Timer, TimerKind
from workers.store.waybills import Waybill, WaybillAnswer, WaybillState

Item: TypeAlias = Envelope[Any]
FIRST_POLL = timedelta(
    minutes=10
)  # after a request or a booking; later ones follow in ever longer steps, an hour at most


async def read_addresses(tx: Transaction, context: ShipmentContext, plans: Sequence[ParcelPlan]) -> None:
    """Read where the orders go that share a parcel, or that this batch is to put into one."""
    sharing: dict[Any, set[int]] = {}
    for number, plan in enumerate(plans):
        key = parcels.key_of(plan)
        together = sharing.setdefault(key if key[1] else number, set())
        boxes = [context.boxes[found] for found in context.numbers.get(key, ())]
        together.update(order_ids_of(plan), *(box for box in boxes if not live(box).ended))
    named = {order_id for together in sharing.values() if len(together) > 1 for order_id in together}
    found = await fulfilments.papers(tx, named & context.book.before.keys())
    context.addresses |= {order_id: papers.address() for order_id, papers in found.items()}


def foreign_warehouse(context: ShipmentContext, item: Item, wanted: Sequence[Order]) -> str | None:
    """Return a warehouse whose goods the booking takes, though its sender does not report for it; or None."""
    plan: ParcelPlan = item.body
    named = plan.warehouse
    # An order that leaves the choice is in the parcel already, or the booking fails, because it must name a warehouse.
    clear = [order for order in wanted if not possible_warehouses(context, order, plan)]
    leaves = warehouses_of(context, picked_units(context, clear, plan)) if named is None else {named}
    return next((name for name in sorted(leaves) if not authorization.works_for(item, name)), None)


def book_parcel(context: ShipmentContext, box: Box | None, item: Item, parcel_id: int) -> bool:
    """Book a parcel, once, for all its orders or for none of them; or announce why it cannot be booked.

    Returns True if it is booked.
    """
    body: ShipmentBook | WaybillAnswered = item.body
    if box is not None and live(box).case_id is not None:
        if not live(box).ended:
            named = [context.book[order_id] for order_id in order_ids_of(body)]
            announce_failure(context, item, named, (Code.LOGISTICS_NUMBER_IN_USE, {"field": "tracking_no"}))
            return False
        box = None
    wanted = [context.book[order_id] for order_id in order_ids_of(body)]
    if box is not None and any(order.id in box for order in wanted):
        wanted = [order for order in wanted if order.id not in box]
    elif box is not None and live(box).ended:
        box = None
    picked = picked_units(context, wanted, body)
    if (why := unbookable(context, wanted, picked, body, box)) is not None:
        announce_failure(context, item, wanted, why)
        return False
    if box is None:
        base = Parcel(parcel_id, 0, body.carrier, body.tracking_no or "", ParcelState.BOOKED, False, {})
        box = context.open_box(parcel_id, parcels.key_of(body))
        context.warehouses[parcel_id] = only_warehouse(context, picked, body)
        context.booked.add(parcel_id)
    else:
        base = live(box)
    for order in wanted:
        part = box[order.id] = replace(base, order_id=order.id, units=picked[order.id], given_up=False)
        context.added.append((part.id, order.id))
        announce(context, item, booked(context, part, body), order)
    return True


def request_waybill(context: ShipmentContext, item: Item, body: ShipmentCreate, waybill_id: int, now: datetime) -> None:
    """Have the carrier book the parcel, or announce why it cannot be booked. No order changes before the answer.

    The plan names the units that the parcel is to hold now, so that the carrier and the answer have the same.
    """
    wanted = [context.book[order_id] for order_id in order_ids_of(body)]
    if body.carrier not in shop.current().carriers:
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, {"field": "carrier"}))
        return
    picked = picked_units(context, wanted, body)
    why = unbookable(context, wanted, picked, body, None)
    lines = picked_lines(context, picked)
    if why is None and len(lines) > PARCEL_LINES_MAX:
        why = Code.LOGISTICS_BOOKING_FAILED, {"field": "lines", "lines_max": PARCEL_LINES_MAX}
    if why is not None:
        announce_failure(context, item, wanted, why)
        return
    plan = ParcelPlan(
        order_id=body.order_id,
        carrier=body.carrier,
        warehouse=only_warehouse(context, picked, body),
        lines=lines,
        order_ids=body.order_ids,
    )
    context.requested.append(Waybill(waybill_id, body.order_id, commands.key_of(item), plan))
    context.started.append(Timer(TimerKind.WAYBILL, waybill_id, now + FIRST_POLL))  # then it is requested again
    call = CarrierBook(waybill_id=waybill_id)
    context.news.append(outbox.to_queue(call, queue=carrier_calls_queue(body.carrier), because=item))


def take_waybill(context: ShipmentContext, item: Item, body: WaybillAnswered, now: datetime) -> None:
    """Book the parcel under the carrier's number, or announce that the carrier refused.

    If its orders cannot be booked any more, or its warehouse has stopped or refused, the waybill is unused, and a timer
    has it cancelled.
    """
    waybill = context.waybills[body.waybill_id]
    if waybill.state is not WaybillState.REQUESTED:
        take_late_answer(context, item, waybill, now)
        return
    wanted = [context.book[order_id] for order_id in order_ids_of(body)]
    if body.tracking_no is None:
        state = WaybillState.REFUSED
        details = {"field": "carrier", "carrier_code": body.refusal}
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, details))
    elif waybill.stopped:
        state = WaybillState.UNUSED
        details = {"field": "warehouse", "reason": "the warehouse stopped or refused before the carrier answered"}
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, details))
    elif context.taken(body):
        state = WaybillState.UNUSED
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, {"field": "tracking_no"}))
    else:
        state = WaybillState.BOOKED if book_parcel(context, None, item, waybill.id) else WaybillState.UNUSED
    close(context, waybill, state, body, now)


def take_late_answer(context: ShipmentContext, item: Item, waybill: Waybill, now: datetime) -> None:
    """Have a booking cancelled that was answered after its waybill was refused or cancelled: the carrier has it.

    While the waybill is unused, a cancellation may be under way that the carrier got before this booking.
    A second number for one waybill is a booking that we cannot name at the carrier, so a person must call.
    """
    body: WaybillAnswered = item.body
    if body.tracking_no is None:
        return
    if waybill.state in {WaybillState.REFUSED, WaybillState.UNUSED, WaybillState.CANCELLED}:
        close(context, waybill, WaybillState.UNUSED, body, now)
    elif body.tracking_no != waybill.tracking_no:
        content = f"the carrier {body.carrier} gave {waybill.number} the numbers {waybill.tracking_no} and "
        content += f"{body.tracking_no}: call the carrier, which may hold two parcels for one"
        alert = AlertRaised.of(
            title="two numbers for one waybill",
            content=content,
            code=Code.LOGISTICS_BOOKING_FAILED,
            order_id=waybill.order_id,
        )
        context.news.append(outbox.event(alert, because=item))


def close(
    context: ShipmentContext, waybill: Waybill, state: WaybillState, body: WaybillAnswered, now: datetime
) -> None:
    """Set the waybill's state after an answer, and start or stop its timer."""
    if state is WaybillState.UNUSED:
        timer = Timer(TimerKind.WAYBILL, waybill.id, now)
        context.started += [] if timer in context.started else [timer]
    elif state is WaybillState.BOOKED and body.carrier in polled(shop.current().carriers):
        context.started.append(Timer(TimerKind.WAYBILL, waybill.id, now + FIRST_POLL))
    else:
        context.stopped.append((TimerKind.WAYBILL, waybill.id))
    number, bookings = waybill.tracking_no or body.tracking_no, waybill.bookings + (body.tracking_no is not None)
    context.waybills[waybill.id] = replace(waybill, state=state, tracking_no=number, bookings=bookings)
    context.answers[waybill.id] = WaybillAnswer(waybill.id, state, number, body.ship_time, body.refusal, bookings)


def announce(context: ShipmentContext, item: Item, event: ShipmentBooked | ShipmentBookingFailed, order: Order) -> None:
    """Announce what became of an order's part. That of the order which a shipment.create names is its outcome."""
    body = item.body
    command = None
    if isinstance(body, ShipmentCreate):
        command = commands.key_of(item)
    elif isinstance(body, WaybillAnswered):
        command = context.waybills[body.waybill_id].command
    if command is not None and order.id == body.order_id:
        context.outcomes[command] = event, item
    context.news.append(outbox.event(event, because=item, stream=order.root_id))


def announce_failure(context: ShipmentContext, item: Item, wanted: Sequence[Order], why: Objection) -> None:
    """Announce shipment.booking_failed for each of the orders: nothing is booked, for any of them."""
    body, (code, details) = item.body, why
    for order in wanted:
        event = ShipmentBookingFailed(
            order_id=order.id,
            carrier=body.carrier,
            tracking_no=getattr(body, "tracking_no", None) or "",
            shipment_id=None,
            code=code,
            details=dict(details),
        )
        announce(context, item, event, order)


def booked(context: ShipmentContext, part: Parcel, body: ShipmentBook | WaybillAnswered) -> ShipmentBooked:
    """Build shipment.booked: these units of the order are in the parcel."""
    skus = {line.line_no: line.sku_id for line in context.lines[part.order_id]}
    return ShipmentBooked(
        order_id=part.order_id,
        carrier=part.carrier,
        tracking_no=part.tracking_no,
        shipment_id=part.id,
        lines=tuple(ShipmentLine(sku_id=skus[line_no], qty=qty) for line_no, qty in part.units.items()),
        ship_time=getattr(body, "ship_time", None),
    )
