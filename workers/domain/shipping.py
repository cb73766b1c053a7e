"""Parcels: carrier facts come late, twice and out of order; the parcel's state is their maximum (R-15)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from workers.domain.order import Order, State, Trigger

UNDER_WAY = ("booked", "outbound", "picked_up", "in_transit", "out_for_delivery")
"""In the order a parcel passes them."""
FAILED = frozenset({"refused", "undeliverable", "lost", "returning"})
"""Will not arrive; the goods or the loss are not settled yet."""
SETTLED = frozenset({"returned", "loss_confirmed"})
FINAL = SETTLED | {"delivered", "cancelled"}


@dataclass(frozen=True)
class Parcel:
    """One shipment. `units` is line number -> units."""

    id: int
    order_id: int
    carrier: str
    tracking_no: str
    state: str
    delayed: bool
    units: Mapping[int, int]
    outbound_at: datetime | None = None
    delivered_at: datetime | None = None

    @property
    def out(self) -> bool:
        """Whether it has left the warehouse."""
        return self.state not in ("booked", "cancelled")

    @property
    def failed(self) -> bool:
        """Whether it will not arrive."""
        return self.state in FAILED or self.state in SETTLED


def advance(state: str, status: str) -> str:
    """The parcel's state after one more fact. A late fact never moves it back; `delayed` is a flag, not a state."""
    if status == "delayed" or state in FINAL:
        return state
    if state in FAILED:
        forward = status in SETTLED or (status == "returning" and state != "returning")
        return status if forward else state
    if status in UNDER_WAY and UNDER_WAY.index(status) <= UNDER_WAY.index(state):
        return state
    return status


def next_trigger(order: Order, units: Mapping[int, int], parcels: Sequence[Parcel]) -> Trigger | None:
    """The step that the order's parcels call for now, if any. `units` is line number -> units bought."""
    live = [parcel for parcel in parcels if parcel.state != "cancelled"]
    if order.state is State.PAID and all_out(units, live):
        return Trigger.ALL_SHIPPED
    if order.state is State.SHIPPED and live and all(p.failed for p in live):
        return Trigger.ALL_FAILED
    if order.state is State.SHIPPED and live and all(p.failed or p.state == "delivered" for p in live):
        return Trigger.ALL_DELIVERED
    if order.state is State.DELIVERY_FAILED and all(p.state in SETTLED for p in live):
        return Trigger.FAILURE_SETTLED
    return None


def all_out(units: Mapping[int, int], parcels: Iterable[Parcel]) -> bool:
    """Whether the last unit has left the warehouse."""
    return not unpacked(units, [parcel for parcel in parcels if parcel.out])


def unpacked(units: Mapping[int, int], parcels: Iterable[Parcel]) -> dict[int, int]:
    """Line number -> units that are in none of the parcels."""
    left = dict(units)
    for parcel in parcels:
        if parcel.state != "cancelled":
            for line_no, qty in parcel.units.items():
                left[line_no] = left.get(line_no, 0) - qty
    return {line_no: qty for line_no, qty in left.items() if qty > 0}
