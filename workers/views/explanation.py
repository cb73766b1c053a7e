"""Explains an order: what it waits for and from whom, since when and until when, and what can move it.

    the order is                        it waits for
    ----------------------------------  ---------------------------------------------------------------------------
    in any state, held                  release by an operator, or the buyer's decision about a shortage
    paid, and in a group of buyers      other buyers, until as many orders are paid as it has seats, or its deadline
    the same, once the group has ended  the message that says so, which takes seconds unless it was lost
    placing, with a captcha             the buyer's answer, until its time
    placing, reinstating                reservation by stock (first, a verdict of the risk check), until the saga timer
    awaiting_payment                    payment by the buyer, until the payment timer
    in any state, with open attempts    the result of each: money may still come in
    paid, fulfilling                    what each warehouse does next; of goods without a hand-over, a parcel
    the same, held                      for each warehouse that the hold stopped, the end of the hold
    paid to delivery_failed             for each parcel that has not arrived, what its carrier does next
    cancelling                          the answer of each warehouse that was to stop
    delivered                           the buyer's receipt, until the receipt timer
    cancellable, with a scheduled       its withdrawal, until its time; not if it was paid after that was scheduled
    cancellation
    in any state, with waybills         the carrier that has to book a parcel, or to cancel one that is not used
    split                               what its children wait for
    in any state, with authorised money the end of its capture, or a person if wanted money was not taken
    in any state, with refunds          the result of each refund, or a person where one failed
    in any state, with a live dispute   the shop's answer, until its date; then the provider's decision
    in any state, with after-sale cases what each case waits for: workers/views/case_explanation.py
    placing, and it sends other goods   what its case waits for, once its stock is reserved
    the same, with refused goods        the warehouse that has to send them back to the buyer, until people are alerted

Everything is computed from rows. Nothing here reads a clock, so a time that has passed is still shown as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from workers.domain.exchanges import ExchangeState
from workers.domain.hand_overs import AT_WORK, OPEN, HandOverState
from workers.domain.holds import HoldKind
from workers.domain.order import FINISHED, IN_WAREHOUSE, TRANSITIONS, State, Trigger
from workers.domain.refund_amounts import PENDING, RefundState
from workers.domain.shipping import ENDS, FAILED, ParcelState, unpacked
from workers.views.awaits import Awaited, Awaits, Whom
from workers.views.case_explanation import awaited_by_cases, awaited_by_exchange
from workers.views.situation import AtWarehouse, PlacedOn, Situation
from workers.views.whole import OPEN_DISPUTE, Refund, Shipment, Whole

ATTEMPT_OPEN = frozenset({"created", "requested", "unknown", "closing"})
"""The states of an attempt whose provider has not answered finally."""
TIMERS = {
    State.PLACING: "saga",
    State.REINSTATING: "saga",
    State.AWAITING_PAYMENT: "payment",
    State.DELIVERED: "receipt",
    State.CANCELLING: "cancelling",
}
"""State -> the kind of the timer that ends it."""
OF_THE_PARENT = frozenset({"saga", "payment"})
"""The kinds of timers that children of a split order share with their parent, because they are paid with it."""
POLLED_BY = {
    Awaits.PAYMENT_RESULT: "attempt",
    **dict.fromkeys((Awaits.REFUND, Awaits.CASE_REFUND), "refund"),
    **dict.fromkeys(
        (Awaits.BOOKING, Awaits.BOOKING_CANCELLED, Awaits.PICK_UP, Awaits.DELIVERY, Awaits.RETURN), "waybill"
    ),
}
"""What is awaited -> the kind of the timer that has a provider or a carrier polled for it."""
UNMOVING = frozenset({Trigger.HELD, Trigger.RELEASED, Trigger.DELETED})
"""Steps that change nothing of how far an order is."""


@dataclass(frozen=True)
class OpenStep:
    """A step that the order can take, and the state to which it leads."""

    trigger: Trigger
    to: State


NOTHING_KNOWN = Situation()


def awaited(whole: Whole, situations: Mapping[int, Situation]) -> list[Awaited]:
    """Return all that the order and its children wait for, what stops the most first. No I/O."""
    found: list[Awaited] = []
    for one in (whole, *whole.children):
        situation = situations.get(one.head.id, NOTHING_KNOWN)
        found += (_polled(waits, situation) for waits in _awaited(one, situation))
    return [*found, *_disputes(whole)]


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
        yield from (_hold(one, hold, situation) for hold in situation.holds)
    match state:
        case State.PLACING if one.replaces is not None and one.replaces.stage is ExchangeState.RESERVED:
            yield awaited_by_exchange(one.replaces, situation.cases)
        case State.PLACING | State.REINSTATING:
            yield _reservation(one, situation)
        case State.AWAITING_PAYMENT:
            waits = Awaited(order_id, Awaits.PAYMENT, Whom.BUYER, since=situation.since)
            yield _ended_by("payment", situation, waits, State.CANCELLED)
        case State.DELIVERED:
            waits = Awaited(order_id, Awaits.RECEIPT, Whom.BUYER, since=situation.since)
            yield (
                waits if situation.holds else _ended_by("receipt", situation, waits, State.COMPLETED)
            )  # a hold stops it
    yield from _attempts(order_id, situation)
    if state in IN_WAREHOUSE or state is State.CANCELLING:
        yield from _goods(one, situation)
    if not one.children and state not in FINISHED | {State.SPLIT, State.DELIVERED}:
        yield from _parcels(order_id, one.live_shipments)
    yield from _cancellation(one, situation)
    for waybill in situation.waybills:
        what = Awaits.BOOKING_CANCELLED if waybill.cancels else Awaits.BOOKING
        ref, since = str(waybill.waybill_id), waybill.requested_at
        yield Awaited(order_id, what, Whom.CARRIER, waybill.carrier, ref, since)
    yield from _authorized(one)
    yield from _refunds(order_id, one)
    own = [case for case in one.cases if case.order_id == order_id]  # a split order has those of its children, too
    yield from awaited_by_cases(own, one.exchanges, situation.cases)
    for owed in situation.send_backs:
        about = order_id, Awaits.CASE_SEND_BACK, Whom.WAREHOUSE, owed.warehouse, owed.case_no
        yield Awaited(*about, owed.requested_at, owed.until, case_no=owed.case_no)


def _ended_by(timer: str, situation: Situation, waits: Awaited, becomes: State | None = None) -> Awaited:
    """What is awaited until a timer ends it, if that timer runs."""
    until = situation.timers.get(timer)
    if until is None:
        return replace(waits, missing_timer=situation.missing_timers.get(timer))
    return replace(waits, until=until, otherwise=becomes)


def _polled(waits: Awaited, situation: Situation) -> Awaited:
    """What is awaited; if a person has ended the polling for it, it has no end."""
    missing = situation.unpolled.get((POLLED_BY.get(waits.what, ""), waits.ref or ""))
    return waits if missing is None else replace(waits, until=None, missing_timer=missing)


def _hold(one: Whole, hold: PlacedOn, situation: Situation) -> Awaited:
    order_id, waits = one.head.id, one.group
    if hold.kind is HoldKind.SHORTAGE:
        decision = Awaited(order_id, Awaits.DECISION, Whom.BUYER, None, str(hold.hold_id), hold.placed_at)
        return _ended_by("shortage", situation, decision)
    if hold.kind is HoldKind.GROUP and waits is not None:
        group, paid = waits.group, f"{waits.paid} of {waits.group.size}"
        if waits.ended_at is not None:
            since = max(waits.ended_at, hold.placed_at)
            return Awaited(order_id, Awaits.GROUP_OUTCOME, Whom.OPERATOR, group.group_id, group.state, since)
        about = order_id, Awaits.GROUP, Whom.BUYER, group.group_id, paid, hold.placed_at
        return Awaited(*about, group.deadline, waits.otherwise)
    return Awaited(order_id, Awaits.RELEASE, Whom.OPERATOR, None, str(hold.hold_id), hold.placed_at)


def _reservation(one: Whole, situation: Situation) -> Awaited:
    """The reservation of its stock; before that, the answer to a captcha of the risk check."""
    order_id, captcha = one.head.id, situation.captcha
    ends = State.REJECTED if one.head.state is State.PLACING else State.CANCELLED
    if captcha is not None and captcha.is_open:
        waits = Awaited(order_id, Awaits.CAPTCHA, Whom.BUYER, since=captcha.required_at)
        if (missing := situation.missing_timers.get("saga")) is not None:
            return replace(waits, missing_timer=missing)
        return replace(waits, until=captcha.until, otherwise=ends)
    waits = Awaited(order_id, Awaits.RESERVATION, Whom.STOCK, since=situation.since)
    return _ended_by("saga", situation, waits, ends)


def _cancellation(one: Whole, situation: Situation) -> Iterator[Awaited]:
    """A scheduled cancellation, if it may still cancel the order."""
    ahead, head = situation.cancellation, one.head
    ends = TRANSITIONS.get((head.state, Trigger.CANCEL))
    if ahead is None or ends is None or (ahead.unpaid and head.paid_at is not None):
        return
    whom = Whom.BUYER if ahead.by_buyer else Whom.OPERATOR
    yield Awaited(head.id, Awaits.CANCELLATION_WITHDRAWN, whom, None, None, ahead.scheduled_at, ahead.at, ends.to)


def _attempts(order_id: int, situation: Situation) -> Iterator[Awaited]:
    for attempt in situation.attempts:
        ref = str(attempt.attempt_id)
        since, ends = attempt.started_at, attempt.expire_at
        yield Awaited(order_id, Awaits.PAYMENT_RESULT, Whom.PROVIDER, attempt.provider, ref, since, ends)


def _authorized(one: Whole) -> Iterator[Awaited]:
    """The capture of authorised money. The parent of a split order waits for it, with what its children released."""
    head = one.head
    if head.parent_id is not None:
        return
    released = sum(refund.amount for refund in one.refunds if refund.state == RefundState.RELEASED)
    if head.reserved == "capturing":
        yield Awaited(head.id, Awaits.CAPTURE, Whom.PROVIDER, head.reserved_by, None, head.reserved_since)
    elif head.not_taken_at is not None and released < head.payable_amount:
        yield Awaited(head.id, Awaits.CAPTURE_AGAIN, Whom.OPERATOR, head.reserved_by, None, head.not_taken_at)


def _goods(one: Whole, situation: Situation) -> Iterator[Awaited]:
    """What the warehouses owe. Goods that no open hand-over and no parcel has wait for a parcel."""
    order_id = one.head.id
    if one.children:
        return
    for place in situation.hand_overs:
        if place.is_stopping:
            waits = Awaited(order_id, Awaits.CANCEL_ANSWER, Whom.WAREHOUSE, place.warehouse, None, place.since)
            yield _ended_by("cancelling", situation, waits)
        elif _is_stopped(one, place, situation):
            yield _resumption(order_id, place, situation)
        elif place.state in OPEN:
            what = Awaits.ACCEPTANCE if place.state is HandOverState.REQUESTED else Awaits.HAND_OVER
            yield Awaited(order_id, what, Whom.WAREHOUSE, place.warehouse, None, place.since)
        elif place.state is HandOverState.REFUSED:
            yield Awaited(order_id, Awaits.OTHER_WAREHOUSE, Whom.OPERATOR, place.warehouse, None, place.since)
    handled = any(place.state in OPEN | {HandOverState.REFUSED} for place in situation.hand_overs)
    booking = any(not waybill.cancels for waybill in situation.waybills)
    if not handled and not booking and not situation.holds and unpacked(_to_ship(one), one.live_shipments):
        yield Awaited(order_id, Awaits.PARCEL, Whom.WAREHOUSE, None, None, one.head.paid_at)


def _is_stopped(one: Whole, place: AtWarehouse, situation: Situation) -> bool:
    """Tell whether a hold stops a warehouse: at its work, or by taking its request back until the release."""
    if not situation.holds or one.head.state not in IN_WAREHOUSE:
        return False
    gone = [parcel for parcel in one.live_shipments if parcel.state is not ParcelState.BOOKED]
    left = unpacked(_to_ship(one), gone)
    owed = any(line.line_no in left for line in one.lines if line.warehouse == place.warehouse)
    return place.state in AT_WORK or (place.state is HandOverState.WITHDRAWN and owed)


def _resumption(order_id: int, place: AtWarehouse, situation: Situation) -> Awaited:
    """A stopped warehouse goes on after the last hold: who ends it is the buyer, if all holds are for a shortage."""
    begun = place.at_work_since if place.state in AT_WORK else place.since
    since = max(filter(None, (begun, *(hold.held_since for hold in situation.holds))))
    if all(hold.kind is HoldKind.SHORTAGE for hold in situation.holds):
        waits = Awaited(order_id, Awaits.RESUMPTION, Whom.BUYER, place.warehouse, None, since)
        return _ended_by("shortage", situation, waits)
    return Awaited(order_id, Awaits.RESUMPTION, Whom.OPERATOR, place.warehouse, None, since)


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
    """The refunds of the order itself: a split order has those of its children, which name themselves.

    Another refund that takes the place of a failed one says so, and is what is awaited then.
    """
    own = [refund for refund in one.refunds if refund.order_id == order_id]
    replaced = {refund.replaces for refund in own}
    numbers = {case.id: case.case_no for case in one.cases}
    for refund in own:
        case_no = None if refund.case_id is None else numbers.get(refund.case_id)
        since, of_case = refund.requested_at, refund.case_id is not None
        if refund.state in PENDING:
            what = Awaits.CASE_REFUND if of_case else Awaits.REFUND
            yield Awaited(order_id, what, Whom.PROVIDER, refund.provider, refund.refund_no, since, case_no=case_no)
        elif refund.state == RefundState.FAILED and refund.refund_no not in replaced and _left(refund, one):
            since, what = refund.finished_at or since, Awaits.CASE_REFUND_AGAIN if of_case else Awaits.REFUND_AGAIN
            yield Awaited(order_id, what, Whom.OPERATOR, refund.provider, refund.refund_no, since, case_no=case_no)


def _left(failed: Refund, one: Whole) -> bool:
    """Tell whether the order may still give back so much of the capture: if not, others gave back what it did not."""
    capture = (failed.provider, failed.trade_no)
    counted = [r for r in one.refunds if (r.order_id, r.provider, r.trade_no) == (failed.order_id, *capture)]
    counting = [r for r in counted if RefundState(r.state).counts and r.state != RefundState.RELEASED]
    given = sum(r.amount - r.excess_amount for r in counting)
    part = sum(f.amount for f in one.facts if f.kind == "captured" and (f.provider, f.trade_no) == capture)
    return failed.amount <= part - given


def _disputes(whole: Whole) -> Iterator[Awaited]:
    """The live disputes about its captures, once: children share the captures of their parent."""
    for fact in whole.facts:
        for one in fact.disputes:
            if one.state != OPEN_DISPUTE:
                continue
            about = fact.provider, one.dispute_no
            if one.due_at is not None and not one.submitted:
                what, since = Awaits.DISPUTE_ANSWER, one.occurred_at
                yield Awaited(whole.head.id, what, Whom.OPERATOR, *about, since, one.due_at)
            else:
                since = one.submitted[-1] if one.submitted else one.occurred_at
                yield Awaited(whole.head.id, Awaits.DISPUTE_DECISION, Whom.PROVIDER, *about, since)
