"""Parcels. Carriers report late, twice and out of order, so a parcel keeps the furthest reported state (R-15)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workers.domain.order import Order, State, Trigger


class ParcelState(StrEnum):
    """The states of a parcel, from its booking to one of its ends."""

    BOOKED = "booked"
    OUTBOUND = "outbound"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    LOST = "lost"
    RETURNING = "returning"
    RETURNED = "returned"
    LOSS_CONFIRMED = "loss_confirmed"
    CANCELLED = "cancelled"


DELAYED = "delayed"
"""Carriers report this status, too. It sets a flag of the parcel and is not a state."""
UNDER_WAY = (
    ParcelState.BOOKED,
    ParcelState.OUTBOUND,
    ParcelState.PICKED_UP,
    ParcelState.IN_TRANSIT,
    ParcelState.OUT_FOR_DELIVERY,
)
"""A parcel passes these states in this order."""
FAILED = frozenset({ParcelState.REFUSED, ParcelState.UNDELIVERABLE, ParcelState.LOST, ParcelState.RETURNING})
"""A parcel in one of these will not arrive. It has not come back yet, or its loss is not confirmed yet."""
SETTLED = frozenset({ParcelState.RETURNED, ParcelState.LOSS_CONFIRMED})
FINAL = SETTLED | {ParcelState.DELIVERED, ParcelState.CANCELLED}


@dataclass(frozen=True)
class Parcel:
    """One parcel of an order. `units` maps a line number to units."""

    id: int
    order_id: int
    carrier: str
    tracking_no: str
    state: ParcelState
    delayed: bool
    units: Mapping[int, int]
    outbound_at: datetime | None = None
    delivered_at: datetime | None = None

    @property
    def out(self) -> bool:
        """True if the parcel has left the warehouse."""
        return self.state not in (ParcelState.BOOKED, ParcelState.CANCELLED)

    @property
    def failed(self) -> bool:
        """True if the parcel will not arrive."""
        return self.state in FAILED or self.state in SETTLED


def advance(state: ParcelState, status: str) -> ParcelState:
    """The parcel's state after a carrier reported `status`. A late report never moves it back."""
    if status == DELAYED or state in FINAL:
        return state
    reported = ParcelState(status)
    if state in FAILED:
        return reported if reported in SETTLED or reported is ParcelState.RETURNING else state
    if reported in UNDER_WAY and UNDER_WAY.index(reported) <= UNDER_WAY.index(state):
        return state
    return reported


def next_trigger(order: Order, units: Mapping[int, int], parcels: Sequence[Parcel]) -> Trigger | None:
    """The step that the parcels cause now, or None. `units` maps each line number of the order to its units."""
    live = [parcel for parcel in parcels if parcel.state != ParcelState.CANCELLED]
    if order.state is State.PAID and all_out(units, live):
        return Trigger.ALL_SHIPPED
    if order.state is State.SHIPPED and live and all(p.failed for p in live):
        return Trigger.ALL_FAILED
    if order.state is State.SHIPPED and live and all(p.failed or p.state == ParcelState.DELIVERED for p in live):
        return Trigger.ALL_DELIVERED
    if order.state is State.DELIVERY_FAILED and all(p.state in SETTLED for p in live):
        return Trigger.FAILURE_SETTLED
    return None


def all_out(units: Mapping[int, int], parcels: Iterable[Parcel]) -> bool:
    """True if all units have left the warehouse."""
    return not unpacked(units, [parcel for parcel in parcels if parcel.out])


def unpacked(units: Mapping[int, int], parcels: Iterable[Parcel]) -> dict[int, int]:
    """Line number -> units that are in none of the parcels."""
    left = dict(units)
    for parcel in parcels:
        if parcel.state != ParcelState.CANCELLED:
            for line_no, qty in parcel.units.items():
                left[line_no] = left.get(line_no, 0) - qty
    return {line_no: qty for line_no, qty in left.items() if qty > 0}
