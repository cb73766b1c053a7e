"""Explains an order: what it waits for and from whom, since when and until when, and what can move it.

    the order is                        it waits for
    ----------------------------------  ---------------------------------------------------------------------------
    in any state, held                  release by an operator, or the buyer's decision about a shortage
    placing                             reservation by stock, until the saga timer
    awaiting_payment                    payment by the buyer, until the payment timer; the result of each open attempt
    paid, fulfilling                    what each warehouse does next; of goods without a hand-over, a parcel
    paid to delivery_failed             for each parcel that has not arrived, what its carrier does next
    cancelling                          the answer of each warehouse that was to stop
    delivered                           the buyer's receipt, until the receipt timer
    in any state, with waybills         the carrier that has to book a parcel, or to cancel one that is not used
    split                               what its children wait for
    in any state, with refunds          the result of each refund, or a person where one failed

Everything is computed from rows. Nothing here reads a clock, so a time that has passed is still shown as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workers.domain.hand_overs import OPEN, HandOverState
from workers.domain.holds import HoldKind
from workers.domain.order import FINISHED, IN_WAREHOUSE, TRANSITIONS, State, Trigger
from workers.domain.refund_amounts import PENDING, RefundState
from workers.domain.shipping import ENDS, FAILED, ParcelState, unpacked
from workers.views.whole import Refund, Shipment, Whole

ATTEMPT_OPEN = frozenset({"created", "requested", "unknown", "closing"})
"""The states of an attempt whose provider has not answered finally."""
UNMOVING = frozenset({Trigger.HELD, Trigger.RELEASED, Trigger.DELETED})
"""Steps that change nothing of how far an order is."""


class Awaits(StrEnum):
    """What an order waits for."""

    RELEASE = "release"
    DECISION = "decision"
    RESERVATION = "reservation"
    PAYMENT = "payment"
    PAYMENT_RESULT = "payment_result"
    ACCEPTANCE = "acceptance"
    HAND_OVER = "hand_over"
    CANCEL_ANSWER = "cancel_answer"
    OTHER_WAREHOUSE = "other_warehouse"
    PARCEL = "parcel"
    BOOKING = "booking"
    BOOKING_CANCELLED = "booking_cancelled"
    PICK_UP = "pick_up"
    DELIVERY = "delivery"
    RETURN = "return"
    RECEIPT = "receipt"
    REFUND = "refund"
    REFUND_AGAIN = "refund_again"


class Whom(StrEnum):
    """Who can give an order what it waits for."""

    BUYER = "buyer"
    OPERATOR = "operator"
    STOCK = "stock"
    PROVIDER = "provider"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"


@dataclass(frozen=True)
class Awaited:
    """One thing that an order waits for. `name` is which warehouse, carrier or provider; `ref` is its number there.

    If it does not come until `until`, the order becomes `otherwise`. Without `until` it waits as long as it takes.
    """

    order_id: int
    what: Awaits
    whom: Whom
    name: str | None = None
    ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    otherwise: State | None = None


@dataclass(frozen=True)
class OpenStep:
    """A step that the order can take, and the state to which it leads."""

    trigger: Trigger
    to: State


@dataclass(frozen=True)
class PlacedOn:
    """An open hold on an order, and when it was placed."""

    hold_id: int
    kind: HoldKind
    placed_at: datetime


@dataclass(frozen=True)
class AtWarehouse:
    """A hand-over, and since when it is in its state. `is_stopping`: a cancellation is not answered."""

    warehouse: str
    state: HandOverState
    since: datetime
    is_stopping: bool = False


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt to pay that may still end well."""

    attempt_id: int
    provider: str
    started_at: datetime
    expire_at: datetime


@dataclass(frozen=True)
class OpenWaybill:
    """A parcel that its carrier has to book, or, if it `cancels`, to cancel because it is not used."""

    waybill_id: int
    carrier: str
    requested_at: datetime
    cancels: bool


@dataclass(frozen=True)
class Situation:
    """What an explanation needs beside the order: each of these belongs to one order, without its children.

    `since` is when the order came into its state. `timers` maps the kind of a timer to when it is due.
    """

    since: datetime | None = None
    timers: Mapping[str, datetime] = field(default_factory=dict)
    holds: Sequence[PlacedOn] = ()
    hand_overs: Sequence[AtWarehouse] = ()
    attempts: Sequence[OpenAttempt] = ()
    waybills: Sequence[OpenWaybill] = ()


NOTHING_KNOWN = Situation()


def awaited(whole: Whole, situations: Mapping[int, Situation]) -> list[Awaited]:
    """Return all that the order and its children wait for, what stops the most first. No I/O."""
    found: list[Awaited] = []
    for one in (whole, *whole.children):
        found += _awaited(one, situations.get(one.head.id, NOTHING_KNOWN))
    return found


def open_steps(state: State) -> list[OpenStep]:
    """Return the steps that lead an order of this state to another one, as TRANSITIONS has them."""
    return [
        OpenStep(trigger, transition.to)
        for (source, trigger), transition in TRANSITIONS.items()
        if source is state and trigger not in UNMOVING and transition.to is not state
    ]


def _awaited(one: Whole, situation: Situation) -> Iterator[Awaited]:
    state, order_id = one.head.state, one.head.id
    if state not in FINISHED:
        yield from (_hold(order_id, hold, situation) for hold in situation.holds)
    match state:
        case State.PLACING:
            until = situation.timers.get("saga")
            yield Awaited(order_id, Awaits.RESERVATION, Whom.STOCK, None, None, situation.since, until, State.REJECTED)
        case State.AWAITING_PAYMENT:
            yield from _payment(one, situation)
        case State.DELIVERED:
            until = None if situation.holds else situation.timers.get("receipt")  # a hold stops the window
            otherwise = State.COMPLETED if until else None
            yield Awaited(order_id, Awaits.RECEIPT, Whom.BUYER, None, None, situation.since, until, otherwise)
    if state in IN_WAREHOUSE or state is State.CANCELLING:
        yield from _goods(one, situation)
    if not one.children and state not in FINISHED | {State.SPLIT, State.DELIVERED}:
        yield from _parcels(order_id, one.live_shipments)
    for waybill in situation.waybills:
        what = Awaits.BOOKING_CANCELLED if waybill.cancels else Awaits.BOOKING
        ref, since = str(waybill.waybill_id), waybill.requested_at
        yield Awaited(order_id, what, Whom.CARRIER, waybill.carrier, ref, since)
    yield from _refunds(order_id, one)


def _hold(order_id: int, hold: PlacedOn, situation: Situation) -> Awaited:
    if hold.kind is HoldKind.SHORTAGE:
        until = situation.timers.get("shortage")
        return Awaited(order_id, Awaits.DECISION, Whom.BUYER, None, str(hold.hold_id), hold.placed_at, until)
    return Awaited(order_id, Awaits.RELEASE, Whom.OPERATOR, None, str(hold.hold_id), hold.placed_at)


def _payment(one: Whole, situation: Situation) -> Iterator[Awaited]:
    head = one.head
    until = situation.timers.get("payment", head.expire_at)
    yield Awaited(head.id, Awaits.PAYMENT, Whom.BUYER, None, None, situation.since, until, State.CANCELLED)
    for attempt in situation.attempts:
        ref = str(attempt.attempt_id)
        since, ends = attempt.started_at, attempt.expire_at
        yield Awaited(head.id, Awaits.PAYMENT_RESULT, Whom.PROVIDER, attempt.provider, ref, since, ends)


def _goods(one: Whole, situation: Situation) -> Iterator[Awaited]:
    """What the warehouses owe. Goods that no open hand-over and no parcel has wait for a parcel."""
    order_id = one.head.id
    if one.children:
        return
    for place in situation.hand_overs:
        if place.is_stopping:
            until = situation.timers.get("cancelling")
            yield Awaited(order_id, Awaits.CANCEL_ANSWER, Whom.WAREHOUSE, place.warehouse, None, place.since, until)
        elif place.state in OPEN:
            what = Awaits.ACCEPTANCE if place.state is HandOverState.REQUESTED else Awaits.HAND_OVER
            yield Awaited(order_id, what, Whom.WAREHOUSE, place.warehouse, None, place.since)
        elif place.state is HandOverState.REFUSED:
            yield Awaited(order_id, Awaits.OTHER_WAREHOUSE, Whom.OPERATOR, place.warehouse, None, place.since)
    handled = any(place.state in OPEN | {HandOverState.REFUSED} for place in situation.hand_overs)
    booking = any(not waybill.cancels for waybill in situation.waybills)
    if not handled and not booking and not situation.holds and unpacked(_to_ship(one), one.live_shipments):
        yield Awaited(order_id, Awaits.PARCEL, Whom.WAREHOUSE, None, None, one.head.paid_at)


def _to_ship(one: Whole) -> dict[int, int]:
    return {line.line_no: line.qty - line.short_qty - line.cancelled_qty for line in one.lines}


def _parcels(order_id: int, parcels: Iterable[Shipment]) -> Iterator[Awaited]:
    for parcel in parcels:
        if parcel.state in FAILED:
            what = Awaits.RETURN
        elif parcel.state is ParcelState.BOOKED:
            what = Awaits.PICK_UP
        elif parcel.state in ENDS or parcel.arrived:
            continue
        else:
            what = Awaits.DELIVERY
        since = parcel.outbound_at or parcel.booked_at
        yield Awaited(order_id, what, Whom.CARRIER, parcel.carrier, parcel.tracking_no, since)


def _refunds(order_id: int, one: Whole) -> Iterator[Awaited]:
    """The refunds of the order itself: a split order has those of its children, which name themselves."""
    own = [refund for refund in one.refunds if refund.order_id == order_id]
    for refund in own:
        since = refund.requested_at
        if refund.state in PENDING:
            yield Awaited(order_id, Awaits.REFUND, Whom.PROVIDER, refund.provider, refund.refund_no, since)
        elif refund.state == RefundState.FAILED and not _replaced(refund, own):
            since = refund.finished_at or since
            yield Awaited(order_id, Awaits.REFUND_AGAIN, Whom.OPERATOR, refund.provider, refund.refund_no, since)


def _replaced(failed: Refund, refunds: Iterable[Refund]) -> bool:
    """Tell whether another refund of the same amount of the same capture succeeded or is under way."""
    same = (failed.provider, failed.trade_no, failed.amount)
    return any((one.provider, one.trade_no, one.amount) == same for one in refunds if RefundState(one.state).counts)
