"""Books parcels, at once or at their carriers, for all their orders or for none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.carrier_modes import POLL
from messages.carriers import CarrierBook, WaybillAnswered
from messages.envelope import Envelope
from messages.shipments import (
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
from workers.domain.order import IN_WAREHOUSE, Order, State
from workers.domain.rests import pick
from workers.domain.shipping import UNDER_WAY, Parcel, ParcelState, unpacked
from workers.services import commands, parcels
from workers.services.parcels import Box, ShipmentContext
from workers.store import fulfilments
from workers.store.timers import Timer, TimerKind
from workers.store.waybills import Waybill, WaybillAnswer, WaybillState

Item: TypeAlias = Envelope[Any]
UnitsByLine = Mapping[int, int]
"""Line number -> units"""
Objection: TypeAlias = tuple[Code, dict[str, Any]]
"""(code, details)"""
BOOKABLE = IN_WAREHOUSE | {State.CANCELLING}
FIRST_POLL = timedelta(
    minutes=10
)  # after a request or a booking; later ones follow in ever longer steps, an hour at most


def live(box: Box) -> Parcel:
    """Return the parcel as an order has it that did not withdraw its goods, so with the parcel's own state."""
    return next((part for part in box.values() if part.state is not ParcelState.CANCELLED), next(iter(box.values())))


def order_ids_of(plan: ParcelPlan) -> list[int]:
    """Return the orders whose goods the parcel is to hold."""
    return sorted({plan.order_id, *plan.order_ids, *(line.order_id or plan.order_id for line in plan.lines)})


def picked_units(context: ShipmentContext, wanted: Sequence[Order], plan: ParcelPlan) -> dict[int, UnitsByLine]:
    """Return the units of each order that the parcel is to hold; none if the order has not as many left.

    If the plan names the warehouse, only its lines count.
    """
    found: dict[int, UnitsByLine] = {}
    for order in wanted:
        here = [line for line in context.lines[order.id] if plan.warehouse in (None, line.warehouse)]
        left = unpacked(context.units(order), context.of(order))
        lines = [(line.sku_id, line.qty) for line in plan.lines if (line.order_id or plan.order_id) == order.id]
        found[order.id] = pick(here, {line.line_no: left[line.line_no] for line in here if line.line_no in left}, lines)
    return found


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


def unbookable(
    context: ShipmentContext,
    wanted: Sequence[Order],
    picked: Mapping[int, UnitsByLine],
    plan: ParcelPlan,
    box: Box | None,
) -> Objection | None:
    """Return (code, details) if these orders cannot share the parcel, or None. No I/O."""
    for order in wanted:
        left = sum(unpacked(context.units(order), context.of(order)).values())
        about = {"order_id": str(order.id), "state": order.state.value, "units_left": left}
        if order.state not in BOOKABLE:
            return Code.ORDER_STATE_INVALID, about
        if order.held:
            return Code.ORDER_HELD, about
        if not picked[order.id]:
            here = any(plan.warehouse in (None, line.warehouse) for line in context.lines[order.id])
            return Code.LOGISTICS_BOOKING_FAILED, about | {"field": "lines" if here else "warehouse"}
        if order.user_id != wanted[0].user_id:
            return Code.LOGISTICS_BOOKING_FAILED, about | {"field": "order_ids"}
    if wanted and box is not None and live(box).state not in UNDER_WAY:
        return Code.LOGISTICS_BOOKING_FAILED, {"field": "tracking_no", "parcel": live(box).state.value}
    return unshareable(context, wanted, picked, box)


def unshareable(
    context: ShipmentContext, wanted: Sequence[Order], picked: Mapping[int, UnitsByLine], box: Box | None
) -> Objection | None:
    """Return (code, details) if the goods of several orders have not one address and one warehouse, or None. No I/O."""
    units = {key: part.units for key, part in (box or {}).items() if part.state is not ParcelState.CANCELLED}
    units |= {order.id: picked[order.id] for order in wanted}
    if len(units) < 2:
        return None
    first, *others = units
    for key in others:
        if context.addresses.get(key) != context.addresses.get(first):
            return Code.LOGISTICS_BOOKING_FAILED, {"field": "address", "order_id": str(key), "other": str(first)}
    leaves = {line.warehouse for key, lines in units.items() for line in context.lines[key] if line.line_no in lines}
    if len(leaves) > 1:
        return Code.LOGISTICS_BOOKING_FAILED, {"field": "warehouse", "warehouses": sorted(leaves)}
    return None


def book_parcel(context: ShipmentContext, box: Box | None, item: Item, parcel_id: int, now: datetime) -> bool:
    """Book a parcel, once, for all its orders or for none of them; or announce why it cannot be booked.

    Returns True if it is booked.
    """
    body: ShipmentBook | WaybillAnswered = item.body
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
        context.warehouses[parcel_id] = body.warehouse
        context.booked.add(parcel_id)
    else:
        base = live(box)
    for order in wanted:
        part = box[order.id] = replace(base, order_id=order.id, units=picked[order.id], given_up=False)
        context.added.append((part.id, order.id))
        announce(context, item, booked(context, part, body), order)
        parcels.leave(context, order, item, None, part)
        parcels.advance_order(context.book, order.id, context.units(order), context.of(order), item, now)
    return True


def request_waybill(context: ShipmentContext, item: Item, body: ShipmentCreate, waybill_id: int, now: datetime) -> None:
    """Have the carrier book the parcel, or announce why it cannot be booked. No order changes before the answer."""
    wanted = [context.book[order_id] for order_id in order_ids_of(body)]
    if body.carrier not in shop.current().carriers:
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, {"field": "carrier"}))
        return
    if (why := unbookable(context, wanted, picked_units(context, wanted, body), body, None)) is not None:
        announce_failure(context, item, wanted, why)
        return
    plan = ParcelPlan(**{name: getattr(body, name) for name in ParcelPlan.model_fields})
    context.requested.append(Waybill(waybill_id, body.order_id, commands.key_of(body), plan))
    context.started.append(Timer(TimerKind.WAYBILL, waybill_id, now + FIRST_POLL))  # then it is requested again
    call = CarrierBook(waybill_id=waybill_id)
    context.news.append(outbox.to_queue(call, queue=carrier_calls_queue(body.carrier), because=item))


def take_waybill(context: ShipmentContext, box: Box | None, item: Item, body: WaybillAnswered, now: datetime) -> None:
    """Book the parcel under the carrier's number, or announce that the carrier refused.

    If its orders cannot be booked any more, the waybill is unused, and a timer has it cancelled.
    """
    waybill = context.waybills[body.waybill_id]
    if waybill.state is not WaybillState.REQUESTED or any(one.id == waybill.id for one in context.answers):
        return
    wanted = [context.book[order_id] for order_id in order_ids_of(body)]
    taken = box is not None and not live(box).ended
    if body.tracking_no is None:
        state = WaybillState.REFUSED
        details = {"field": "carrier", "carrier_code": body.refusal}
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, details))
    elif taken:
        state = WaybillState.UNUSED
        announce_failure(context, item, wanted, (Code.LOGISTICS_BOOKING_FAILED, {"field": "tracking_no"}))
    else:
        state = WaybillState.BOOKED if book_parcel(context, None, item, waybill.id, now) else WaybillState.UNUSED
    if state is WaybillState.UNUSED:
        context.started.append(Timer(TimerKind.WAYBILL, waybill.id, now))
    elif state is WaybillState.BOOKED and shop.current().carriers.get(body.carrier) == POLL:
        context.started.append(Timer(TimerKind.WAYBILL, waybill.id, now + FIRST_POLL))
    else:
        context.stopped.append((TimerKind.WAYBILL, waybill.id))
    context.answers.append(WaybillAnswer(waybill.id, state, body.tracking_no, body.ship_time, body.refusal))


def announce(context: ShipmentContext, item: Item, event: ShipmentBooked | ShipmentBookingFailed, order: Order) -> None:
    """Announce what became of an order's part. That of the order which a shipment.create names is its outcome."""
    body = item.body
    command = None
    if isinstance(body, ShipmentCreate):
        command = commands.key_of(body)
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
