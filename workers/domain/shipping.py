"""Parcels. Carriers report late, twice and out of order.

So a parcel's state follows from all facts about it, in the order in which they happened (R-15).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from workers.domain.order import IN_WAREHOUSE, Order, State, Trigger
from workers.domain.shop import CompleteOn


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
"""A parcel in one of these is not with its buyer. It has not come back yet, or its loss is not confirmed yet."""
SETTLED = frozenset({ParcelState.RETURNED, ParcelState.LOSS_CONFIRMED})
NOT_WITH_BUYER = FAILED | SETTLED
HAPPENS_IN = (
    *UNDER_WAY,
    ParcelState.DELIVERED,
    ParcelState.REFUSED,
    ParcelState.UNDELIVERABLE,
    ParcelState.LOST,
    ParcelState.RETURNING,
    ParcelState.RETURNED,
    ParcelState.LOSS_CONFIRMED,
    DELAYED,
)
"""The order of facts that a carrier reports for the same moment."""
ENDS = SETTLED | {ParcelState.DELIVERED, ParcelState.CANCELLED}
"""A parcel that was ever in one of these has ended: its tracking number may be used again."""


@dataclass(frozen=True)
class CarrierFact:
    """What a carrier reported about one parcel, and when it happened. `event_id` is unique for the parcel."""

    event_id: str
    status: str
    occurred_at: datetime


@dataclass(frozen=True)
class Parcel:
    """What one order has in one parcel. `units` maps a line number of the order to units.

    A parcel may hold goods of several orders of one user: these Parcels have the same id, and one state unless an order
    withdrew its goods. `given_up` is True once the lines were given back because the parcel would not arrive. It stays
    so, because money that is on its way back is not called back. `ended`: see ENDS. A parcel with a `case_id` brings
    goods of an after-sale case back, or takes refused ones `to_buyer`: it ships nothing of its order.
    """

    id: int
    order_id: int
    carrier: str
    tracking_no: str
    state: ParcelState
    delayed: bool
    units: Mapping[int, int]
    outbound_at: datetime | None = None
    delivered_at: datetime | None = None
    given_up: bool = False
    ended: bool = False
    case_id: int | None = None
    to_buyer: bool = False

    @property
    def out(self) -> bool:
        """True if the parcel has left the warehouse."""
        return self.state not in (ParcelState.BOOKED, ParcelState.CANCELLED)

    @property
    def failed(self) -> bool:
        """True if the parcel did not arrive, and its lines were given back."""
        return self.given_up and self.state in NOT_WITH_BUYER

    @property
    def arrived(self) -> bool:
        """True if the order has its goods from this parcel: it arrived, whether or not it came back after that."""
        return self.state is ParcelState.DELIVERED or (self.state in NOT_WITH_BUYER and not self.given_up)


def advance(state: ParcelState, status: str) -> ParcelState:
    """The parcel's state after the next thing that happened to it: `status`, as its carrier calls it."""
    if status == DELAYED or state is ParcelState.CANCELLED:
        return state
    reported = ParcelState(status)
    if state in UNDER_WAY:
        back = reported in UNDER_WAY and UNDER_WAY.index(reported) < UNDER_WAY.index(state)
        return state if back else reported
    if state is ParcelState.DELIVERED:
        return reported if reported in NOT_WITH_BUYER else state
    moves = {ParcelState.DELIVERED}
    if state in FAILED:
        moves |= {ParcelState.RETURNING, *SETTLED}
    elif state is ParcelState.LOSS_CONFIRMED:
        moves |= {ParcelState.RETURNED}  # it was found
    return reported if reported in moves else state


def in_order(facts: Iterable[CarrierFact]) -> list[CarrierFact]:
    """Sort facts by when they happened. The order in which they arrived here plays no part."""
    return sorted(facts, key=lambda fact: (fact.occurred_at, HAPPENS_IN.index(fact.status), fact.event_id))


def after_facts(parcel: Parcel, facts: Iterable[CarrierFact]) -> Parcel:
    """The parcel after all facts that are known of it. Facts about a cancelled parcel change nothing."""
    if parcel.state is ParcelState.CANCELLED:
        return parcel
    history = in_order(facts)
    state = ParcelState.BOOKED
    for fact in history:
        state = advance(state, fact.status)
    out = [fact.occurred_at for fact in history if fact.status != DELAYED]
    arrived = [fact.occurred_at for fact in history if fact.status == ParcelState.DELIVERED]
    return replace(
        parcel,
        state=state,
        delayed=any(fact.status == DELAYED for fact in history),
        outbound_at=min(out, default=None),
        delivered_at=min(arrived, default=None),
        ended=parcel.ended or any(fact.status in ENDS for fact in history),
    )


def came_back(facts: Iterable[CarrierFact]) -> bool:
    """True if the parcel arrived, and after that was reported as refused, lost or on its way back."""
    state, arrived = ParcelState.BOOKED, False
    for fact in in_order(facts):
        state = advance(state, fact.status)
        arrived = arrived or state is ParcelState.DELIVERED
    return arrived and state in NOT_WITH_BUYER


def next_trigger(order: Order, units: Mapping[int, int], parcels: Sequence[Parcel]) -> Trigger | None:
    """The step that the parcels cause now, or None. `units` maps each line number of the order to its units."""
    live = [parcel for parcel in parcels if parcel.state != ParcelState.CANCELLED]
    ended = bool(live) and all(parcel.failed or parcel.arrived for parcel in live)
    if order.state is State.CANCELLING and (all_out(units, live) or any(p.out and not p.failed for p in live)):
        return Trigger.CANCEL_REFUSED
    if order.state in IN_WAREHOUSE and all_out(units, live):
        return Trigger.ALL_SHIPPED
    if order.state in {State.SHIPPED, State.DELIVERY_FAILED} and ended and any(parcel.arrived for parcel in live):
        return Trigger.ALL_DELIVERED
    if order.state is State.SHIPPED and ended:
        return Trigger.ALL_FAILED
    if order.state is State.DELIVERY_FAILED and all(parcel.state in SETTLED for parcel in live):
        return Trigger.FAILURE_SETTLED
    return None


def completes(order: Order, in_case: Collection[int] = ()) -> bool:
    """True if its delivery completes the order (S1-34): its policy says so, and neither a hold nor a case stops it.

    `in_case` are the orders with an open after-sale case. A stopped order waits for its receipt like any other.
    """
    at_once = order.state is State.DELIVERED and order.complete_on is CompleteOn.DELIVERED
    return at_once and not order.held and order.id not in in_case


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
