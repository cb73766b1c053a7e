"""What an order waits for, state by state, and what can move it."""

from dataclasses import replace
from typing import Any

import pytest

from messages.explanations import MissingTimerShown
from tests.views.builders import ORDER_ID, case, fact, head, later, line, parcel
from tests.views.builders import refund as any_refund
from workers.domain.after_sales import ENDED, CaseState
from workers.domain.captchas import CaptchaChallenge
from workers.domain.hand_overs import HandOverState
from workers.domain.holds import HoldKind
from workers.domain.order import State, Trigger
from workers.domain.shipping import ParcelState
from workers.views.awaits import Awaited, Awaits, Whom
from workers.views.explanation import OpenStep, awaited, open_steps
from workers.views.situation import AtWarehouse, OpenAttempt, OpenWaybill, PlacedOn, Situation
from workers.views.whole import Refund, Whole

S, H = State, HandOverState


def situation(**changes: Any) -> Situation:
    return Situation(**({"since": later(1)} | changes))


def refund(state: str, **changes: Any) -> Refund:
    return replace(any_refund(500, state), order_id=ORDER_ID, **changes)


def at_warehouse(state: HandOverState, **changes: Any) -> Situation:
    return situation(hand_overs=[AtWarehouse("north", state, later(3), **changes)])


ATTEMPT = OpenAttempt(7, "alipay", later(2), later(20))
RISK, SHORT = PlacedOn(11, HoldKind.RISK, later(4), later(4)), PlacedOn(12, HoldKind.SHORTAGE, later(5), later(5))
TIMERS = {"saga": later(10), "payment": later(30), "receipt": later(90), "shortage": later(60), "cancelling": later(70)}
GONE = MissingTimerShown(kind="saga", key=ORDER_ID, cancelled_at=later(3), cancelled_by="ana")
UNPOLLED = MissingTimerShown(kind="attempt", key=7, cancelled_at=later(3), cancelled_by="ana")
W = Whom.WAREHOUSE


def of(what: Awaits, whom: Whom, **known: Any) -> Awaited:
    return Awaited(ORDER_ID, what, whom, **known)


CASES: list[tuple[str, State, Situation, list[Awaited]]] = [
    (
        "a new order waits for its stock, or is rejected when the timer ends",
        S.PLACING,
        situation(timers=TIMERS),
        [of(Awaits.RESERVATION, Whom.STOCK, since=later(1), until=later(10), otherwise=S.REJECTED)],
    ),
    (
        "a captcha has no end without the timer that rejects the order",
        S.PLACING,
        situation(captcha=CaptchaChallenge(ORDER_ID, later(2), later(9)), missing_timers={"saga": GONE}),
        [of(Awaits.CAPTCHA, Whom.BUYER, since=later(2), missing_timer=GONE)],
    ),
    (
        "an unpaid order waits for the buyer, and for the provider of each open attempt",
        S.AWAITING_PAYMENT,
        situation(timers=TIMERS, attempts=[ATTEMPT]),
        [
            of(Awaits.PAYMENT, Whom.BUYER, since=later(1), until=later(30), otherwise=S.CANCELLED),
            of(Awaits.PAYMENT_RESULT, Whom.PROVIDER, name="alipay", ref="7", since=later(2), until=later(20)),
        ],
    ),
    (
        "an attempt of which a person has ended the polling has no end",
        S.CANCELLED,
        situation(attempts=[ATTEMPT], unpolled={("attempt", "7"): UNPOLLED}),
        [of(Awaits.PAYMENT_RESULT, Whom.PROVIDER, name="alipay", ref="7", since=later(2), missing_timer=UNPOLLED)],
    ),
    ("a paid order without hand-overs waits for a parcel", S.PAID, situation(), [of(Awaits.PARCEL, W, since=later(1))]),
    (
        "a requested hand-over waits for the warehouse to accept",
        S.PAID,
        at_warehouse(H.REQUESTED),
        [of(Awaits.ACCEPTANCE, W, name="north", since=later(3))],
    ),
    (
        "a refused hand-over waits for an operator",
        S.PAID,
        at_warehouse(H.REFUSED),
        [of(Awaits.OTHER_WAREHOUSE, Whom.OPERATOR, name="north", since=later(3))],
    ),
    (
        "a packed order waits for the warehouse to hand it over",
        S.FULFILLING,
        at_warehouse(H.PACKED),
        [of(Awaits.HAND_OVER, W, name="north", since=later(3))],
    ),
    (
        "a held order waits for its release, and not for a parcel",
        S.PAID,
        situation(holds=[RISK]),
        [of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4))],
    ),
    (
        "a short order waits for the buyer until the timer ends",
        S.PAID,
        situation(holds=[SHORT], timers=TIMERS),
        [of(Awaits.DECISION, Whom.BUYER, ref="12", since=later(5), until=later(60))],
    ),
    (
        "a warehouse at work that a hold stops waits for the release, and not the order for the warehouse",
        S.FULFILLING,
        replace(at_warehouse(H.PACKED, at_work_since=later(2)), holds=[RISK]),
        [
            of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4)),
            of(Awaits.RESUMPTION, Whom.OPERATOR, name="north", since=later(4)),
        ],
    ),
    (
        "a warehouse that accepted while the order was held is stopped since then",
        S.FULFILLING,
        replace(at_warehouse(H.ACCEPTED, at_work_since=later(6)), holds=[RISK]),
        [
            of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4)),
            of(Awaits.RESUMPTION, Whom.OPERATOR, name="north", since=later(6)),
        ],
    ),
    (
        "a request that the hold took back waits for the release, which sends it anew",
        S.PAID,
        situation(hand_overs=[AtWarehouse("main", H.WITHDRAWN, later(4))], holds=[RISK]),
        [
            of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4)),
            of(Awaits.RESUMPTION, Whom.OPERATOR, name="main", since=later(4)),
        ],
    ),
    (
        "a warehouse that has nothing more to ship is not stopped",
        S.PAID,
        situation(hand_overs=[AtWarehouse("empty", H.WITHDRAWN, later(3))], holds=[RISK]),
        [of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4))],
    ),
    (
        "a warehouse that has handed over is not stopped",
        S.FULFILLING,
        replace(at_warehouse(H.HANDED_OVER), holds=[RISK]),
        [of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4))],
    ),
    (
        "a warehouse that a shortage stops waits for the buyer",
        S.FULFILLING,
        replace(at_warehouse(H.PICKING, at_work_since=later(2)), holds=[SHORT], timers=TIMERS),
        [
            of(Awaits.DECISION, Whom.BUYER, ref="12", since=later(5), until=later(60)),
            of(Awaits.RESUMPTION, Whom.BUYER, name="north", since=later(5), until=later(60)),
        ],
    ),
    (
        "a warehouse that two holds stop waits for the operator, since the first of them",
        S.FULFILLING,
        replace(
            at_warehouse(H.PICKING, at_work_since=later(2)),
            holds=[RISK, replace(SHORT, held_since=later(4))],
            timers=TIMERS,
        ),
        [
            of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4)),
            of(Awaits.DECISION, Whom.BUYER, ref="12", since=later(5), until=later(60)),
            of(Awaits.RESUMPTION, Whom.OPERATOR, name="north", since=later(4)),
        ],
    ),
    (
        "an order that is to be cancelled waits for the warehouse's answer",
        S.CANCELLING,
        replace(at_warehouse(H.PICKING, is_stopping=True), timers=TIMERS),
        [of(Awaits.CANCEL_ANSWER, W, name="north", since=later(3), until=later(70))],
    ),
    (
        "a delivered order waits for its receipt, or completes when the timer ends",
        S.DELIVERED,
        situation(timers=TIMERS),
        [of(Awaits.RECEIPT, Whom.BUYER, since=later(1), until=later(90), otherwise=S.COMPLETED)],
    ),
    (
        "a hold stops the window of the receipt",
        S.DELIVERED,
        situation(timers=TIMERS, holds=[RISK]),
        [
            of(Awaits.RELEASE, Whom.OPERATOR, ref="11", since=later(4)),
            of(Awaits.RECEIPT, Whom.BUYER, since=later(1)),
        ],
    ),
    (
        "a parcel that is to be booked waits for its carrier",
        S.PAID,
        situation(waybills=[OpenWaybill(5, "sf", later(6), cancels=False)]),
        [of(Awaits.BOOKING, Whom.CARRIER, name="sf", ref="5", since=later(6))],
    ),
    (
        "a parcel that is not used waits for its carrier to cancel it, after the order, too",
        S.CANCELLED,
        situation(waybills=[OpenWaybill(5, "sf", later(6), cancels=True)]),
        [of(Awaits.BOOKING_CANCELLED, Whom.CARRIER, name="sf", ref="5", since=later(6))],
    ),
    ("a completed order waits for nothing", S.COMPLETED, situation(timers=TIMERS, holds=[RISK]), []),
    ("a cancelled order waits for nothing", S.CANCELLED, situation(), []),
    ("a rejected order waits for nothing", S.REJECTED, situation(), []),
]


@pytest.mark.parametrize(("why", "state", "known", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_state_waits_for_what_can_move_it(
    why: str, state: State, known: Situation, expected: list[Awaited]
) -> None:
    assert awaited(Whole(head=head(state), lines=(line(1, warehouse="main"),)), {ORDER_ID: known}) == expected, why


PARCELS = [
    (ParcelState.BOOKED, Awaits.PICK_UP),
    (ParcelState.OUTBOUND, Awaits.DELIVERY),
    (ParcelState.OUT_FOR_DELIVERY, Awaits.DELIVERY),
    (ParcelState.LOST, Awaits.RETURN),
    (ParcelState.RETURNING, Awaits.RETURN),
    (ParcelState.DELIVERED, None),
    (ParcelState.RETURNED, None),
    (ParcelState.CANCELLED, None),
]


@pytest.mark.parametrize(("state", "what"), PARCELS)
def test_a_shipped_order_waits_for_the_carrier_of_each_parcel_under_way(
    state: ParcelState, what: Awaits | None
) -> None:
    shown = Whole(head=head(State.SHIPPED), lines=(line(1),), shipments=(parcel(1, state, {1: 2}),))
    assert [one.what for one in awaited(shown, {})] == ([] if what is None else [what])


def refunds_awaited(*refunds: Refund, captured: int = 1000) -> list[tuple[str, Awaits]]:
    """(number, what) of each refund that an order waits for whose capture is of this amount."""
    order = Whole(head=head(State.CANCELLED), refunds=refunds, facts=(fact(amount=captured),))
    return [(one.ref or "", one.what) for one in awaited(order, {})]


def test_a_failed_refund_waits_for_a_person_until_another_one_takes_its_place() -> None:
    failed, other = refund("failed", refund_no="R1"), {"refund_no": "R2", "replaces": "R1"}
    assert refunds_awaited(failed) == [("R1", Awaits.REFUND_AGAIN)]
    assert refunds_awaited(failed, refund("submitted", **other)) == [("R2", Awaits.REFUND)]
    assert refunds_awaited(failed, refund("succeeded", **other)) == []
    assert refunds_awaited(failed, refund("failed", **other)) == [("R2", Awaits.REFUND_AGAIN)]


@pytest.mark.parametrize("state", ["submitted", "succeeded", "failed"])
def test_an_equal_refund_of_the_same_capture_takes_nothing_over(state: str) -> None:
    first, second = refund("failed", refund_no="R1"), refund(state, refund_no="R2")
    assert ("R1", Awaits.REFUND_AGAIN) in refunds_awaited(first, second)
    third = refund("succeeded", refund_no="R3", replaces="R1")
    assert "R1" not in dict(refunds_awaited(first, second, third, captured=1500))


def test_a_failed_refund_waits_for_nobody_when_others_gave_the_money_back() -> None:
    first = refund("failed", refund_no="R1")
    assert refunds_awaited(first, refund("succeeded", refund_no="R2"), captured=500) == []
    assert refunds_awaited(first, refund("succeeded", refund_no="R2"), captured=999) == []
    late = replace(refund("excess", refund_no="R2"), excess_amount=500)
    assert refunds_awaited(first, late, captured=500) == [("R1", Awaits.REFUND_AGAIN)]


def test_a_split_order_waits_for_what_its_children_wait_for() -> None:
    children = tuple(
        Whole(head=head(State.PAID, id=ORDER_ID + n, parent_id=ORDER_ID, kind="split_child"), lines=(line(n),))
        for n in (1, 2)
    )
    parent = Whole(head=head(State.SPLIT, kind="split_parent"), children=children, lines=(line(1), line(2)))
    found = awaited(parent, {ORDER_ID + 1: at_warehouse(H.REQUESTED)})
    assert [(one.order_id, one.what) for one in found] == [
        (ORDER_ID + 1, Awaits.ACCEPTANCE),
        (ORDER_ID + 2, Awaits.PARCEL),
    ]


def test_open_steps_are_those_of_the_table_that_lead_to_another_state() -> None:
    assert OpenStep(Trigger.RECEIPT_EXPIRED, State.COMPLETED) in open_steps(State.DELIVERED)
    assert open_steps(State.COMPLETED) == [OpenStep(Trigger.ALL_RETURNED, State.CANCELLED)]
    for state in State:
        assert all(step.to is not state for step in open_steps(state))


OF_THEIR_REFUNDS = {
    CaseState.REFUNDING: ("requested", "submitted", "unknown", "deferred"),
    CaseState.REFUND_FAILED: ("failed",),
}
"""Cases that wait for the end of their refund: the states in which it may be then."""


@pytest.mark.parametrize("state", CaseState, ids=str)
def test_a_case_waits_for_one_thing_until_it_has_ended(state: CaseState) -> None:
    for of_refund in OF_THEIR_REFUNDS.get(state, (None,)):
        of_case = (refund(of_refund, refund_no="R1", case_id=77),) if of_refund else ()
        order = Whole(head=head(State.COMPLETED), cases=(case(state),), refunds=of_case, facts=(fact(amount=1000),))
        waits = [one.what for one in awaited(order, {})]
        assert len(waits) == (state not in ENDED), (of_refund, waits)
        assert all(what.startswith("case_") for what in waits)
