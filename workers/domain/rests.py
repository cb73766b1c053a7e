"""The rest of an order: the units that have not left the warehouse, and what becomes of them without being shipped."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workers.domain.refund_amounts import BoughtLine
from workers.domain.shipping import Parcel, ParcelState, unpacked


def to_ship(lines: Sequence[BoughtLine]) -> dict[int, int]:
    """Line number -> the units that the order ships, or has shipped."""
    return {line.line_no: line.to_ship for line in lines}


def not_left(lines: Sequence[BoughtLine], parcels: Sequence[Parcel]) -> dict[int, int]:
    """Line number -> the units that have not left the warehouse, also those in parcels that wait there."""
    return unpacked(to_ship(lines), [parcel for parcel in parcels if parcel.out])


def pick(lines: Sequence[BoughtLine], left: Mapping[int, int], wanted: Sequence[tuple[str, int]]) -> dict[int, int]:
    """Line number -> the wanted units (SKU, units), or all that are left; none if not all of them are left."""
    if not wanted:
        return dict(left)
    remaining = dict(left)
    units: dict[int, int] = {}
    for sku_id, qty in wanted:
        missing = qty
        for line in lines:
            taken = min(missing, remaining.get(line.line_no, 0)) if line.sku_id == sku_id else 0
            if taken:
                units[line.line_no] = units.get(line.line_no, 0) + taken
                remaining[line.line_no] -= taken
                missing -= taken
        if missing:
            return {}
    return units


def several_warehouses(
    lines: Sequence[BoughtLine], left: Mapping[int, int], wanted: Sequence[tuple[str, int]]
) -> set[str]:
    """The warehouses among which the wanted units (SKU, units), or all that are left, leave the choice; else none.

    Who wants all that is left of a SKU leaves no choice, even if it is in several warehouses.
    """
    there = [line for line in lines if left.get(line.line_no)]
    choices: list[Sequence[BoughtLine]] = [] if wanted else [there]
    for sku_id, qty in wanted:
        of_sku = [line for line in there if line.sku_id == sku_id]
        choices += [of_sku] if qty < sum(left[line.line_no] for line in of_sku) else []
    found = [{line.warehouse for line in choice} for choice in choices]
    return set().union(*(warehouses for warehouses in found if len(warehouses) > 1))


def drop(lines: Sequence[BoughtLine], units: Mapping[int, int]) -> list[BoughtLine]:
    """The lines when these units will not be shipped."""
    return [replace(line, dropped_qty=line.dropped_qty + units.get(line.line_no, 0)) for line in lines]


def take_out(lines: Sequence[BoughtLine], parcels: Sequence[Parcel]) -> list[Parcel]:
    """The parcels that lose units, because the order ships fewer than they hold; those that are booked last lose first.

    Only parcels that wait in the warehouse lose units. One that has none left is cancelled.
    """
    too_many = {line.line_no: -line.to_ship for line in lines}
    for parcel in parcels:
        for line_no, qty in parcel.units.items() if parcel.state is not ParcelState.CANCELLED else ():
            too_many[line_no] += qty
    changed = []
    for parcel in reversed([parcel for parcel in parcels if parcel.state is ParcelState.BOOKED]):
        units = {}
        for line_no, qty in parcel.units.items():
            out = min(qty, max(too_many[line_no], 0))
            too_many[line_no] -= out
            units[line_no] = qty - out
        if units != parcel.units:
            state = ParcelState.BOOKED if any(units.values()) else ParcelState.CANCELLED
            changed.append(replace(parcel, units=units, state=state))
    return changed
