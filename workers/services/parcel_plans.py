"""What a plan takes of its orders into a parcel, and why it may not. No I/O."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from messages.shipments import ParcelPlan, ShipmentBookLine
from workers.domain.codes import Code
from workers.domain.order import IN_WAREHOUSE, Order, State
from workers.domain.rests import pick, several_warehouses
from workers.domain.shipping import ParcelState, unpacked
from workers.services.parcels import Box, ShipmentContext, live

UnitsByLine = Mapping[int, int]
"""Line number -> units"""
Objection: TypeAlias = tuple[Code, dict[str, Any]]
"""(code, details)"""
BOOKABLE = IN_WAREHOUSE | {State.CANCELLING}


def order_ids_of(plan: ParcelPlan) -> list[int]:
    """Return the orders whose goods the parcel is to hold."""
    return sorted({plan.order_id, *plan.order_ids, *(line.order_id or plan.order_id for line in plan.lines)})


def units_left(context: ShipmentContext, order: Order) -> UnitsByLine:
    """Return the units of the order that are in no parcel."""
    return unpacked(context.units(order), context.of(order))


def named_lines(plan: ParcelPlan, order: Order) -> list[tuple[str, int]]:
    """Return (SKU, units) of the plan's lines that are of this order. Without any, it takes all that is left."""
    return [(line.sku_id, line.qty) for line in plan.lines if (line.order_id or plan.order_id) == order.id]


def picked_units(context: ShipmentContext, wanted: Sequence[Order], plan: ParcelPlan) -> dict[int, UnitsByLine]:
    """Return the units of each order that the parcel is to hold; none if the order has not as many left.

    If the plan names the warehouse, only its lines count.
    """
    found: dict[int, UnitsByLine] = {}
    for order in wanted:
        here = [line for line in context.lines[order.id] if plan.warehouse in (None, line.warehouse)]
        left = units_left(context, order)
        here_left = {line.line_no: left[line.line_no] for line in here if line.line_no in left}
        found[order.id] = pick(here, here_left, named_lines(plan, order))
    return found


def warehouses_of(context: ShipmentContext, picked: Mapping[int, Collection[int]]) -> set[str]:
    """Return the warehouses that these lines of each order come from."""
    return {line.warehouse for key, lines in picked.items() for line in context.lines[key] if line.line_no in lines}


def only_warehouse(context: ShipmentContext, picked: Mapping[int, UnitsByLine], plan: ParcelPlan) -> str | None:
    """Return the warehouse that the parcel leaves, or None if its lines name units of several."""
    leaves = warehouses_of(context, picked)
    return plan.warehouse or (leaves.pop() if len(leaves) == 1 else None)


def picked_lines(context: ShipmentContext, picked: Mapping[int, UnitsByLine]) -> tuple[ShipmentBookLine, ...]:
    """Return the units as lines of a plan: the units of each SKU of each order."""
    units = Counter[tuple[int, str]]()
    for key, lines in picked.items():
        for line in context.lines[key]:
            units[key, line.sku_id] += lines.get(line.line_no, 0)
    return tuple(ShipmentBookLine(sku_id=sku_id, qty=qty, order_id=key) for (key, sku_id), qty in units.items() if qty)


def possible_warehouses(context: ShipmentContext, order: Order, plan: ParcelPlan) -> set[str]:
    """Return the warehouses among which a plan that names none leaves the choice to us; none if it leaves no choice."""
    if plan.warehouse is not None:
        return set()
    left = units_left(context, order)
    return several_warehouses(context.lines[order.id], left, named_lines(plan, order))


def unready(context: ShipmentContext, order: Order, picked: UnitsByLine, plan: ParcelPlan) -> Objection | None:
    """Return (code, details) if the order has not these units for a parcel, or None."""
    about: dict[str, Any] = {
        "order_id": str(order.id),
        "state": order.state.value,
        "units_left": sum(units_left(context, order).values()),
    }
    if order.state not in BOOKABLE:
        return Code.ORDER_STATE_INVALID, about
    if order.held:
        return Code.ORDER_HELD, about
    if not picked:
        here = any(plan.warehouse in (None, line.warehouse) for line in context.lines[order.id])
        return Code.LOGISTICS_BOOKING_FAILED, about | {"field": "lines" if here else "warehouse"}
    if possible := possible_warehouses(context, order, plan):
        return Code.LOGISTICS_WAREHOUSE_AMBIGUOUS, about | {"field": "warehouse", "warehouses": sorted(possible)}
    return None


def unbookable(
    context: ShipmentContext,
    wanted: Sequence[Order],
    picked: Mapping[int, UnitsByLine],
    plan: ParcelPlan,
    box: Box | None,
) -> Objection | None:
    """Return (code, details) if these orders cannot share the parcel, or None."""
    for order in wanted:
        if (why := unready(context, order, picked[order.id], plan)) is not None:
            return why
        if order.user_id != wanted[0].user_id:
            return Code.LOGISTICS_BOOKING_FAILED, {"order_id": str(order.id), "field": "order_ids"}
    if wanted and box is not None and live(box).state is not ParcelState.BOOKED:
        return Code.LOGISTICS_PARCEL_LEFT, {"field": "tracking_no", "parcel": live(box).state.value}
    return unshareable(context, wanted, picked, box)


def unshareable(
    context: ShipmentContext, wanted: Sequence[Order], picked: Mapping[int, UnitsByLine], box: Box | None
) -> Objection | None:
    """Return (code, details) if the goods of several orders have not one address and one warehouse, or None."""
    units = {key: part.units for key, part in (box or {}).items() if part.state is not ParcelState.CANCELLED}
    units |= {order.id: picked[order.id] for order in wanted}
    if len(units) < 2:
        return None
    first, *others = units
    for key in others:
        if context.addresses.get(key) != context.addresses.get(first):
            return Code.LOGISTICS_BOOKING_FAILED, {"field": "address", "order_id": str(key), "other": str(first)}
    leaves = warehouses_of(context, units)
    if len(leaves) > 1:
        return Code.LOGISTICS_BOOKING_FAILED, {"field": "warehouse", "warehouses": sorted(leaves)}
    return None
