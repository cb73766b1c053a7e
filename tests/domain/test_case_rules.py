"""The limits of after-sale cases: which units may be claimed, paid or sent back, and which news of a refund is old."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.domain.builders import order
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sale_rules import (
    EVIDENCE_CHARS_MAX,
    EVIDENCE_MAX,
    WAITING,
    all_back,
    claimable,
    expected_amount,
    nothing_left,
    refuse_inspection,
    to_refund,
    unclaimable,
    wrong_reason,
)
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseSource, CaseState, CaseTrigger, CaseType
from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.refund_amounts import BoughtLine, CaptureShare, RefundState, excess_without, is_past, share_out
from workers.domain.send_backs import to_send_back, unsent
from workers.domain.shipping import Parcel, ParcelState

NOW = datetime(2026, 11, 29, tzinfo=UTC)
S, T, R = CaseState, CaseTrigger, RefundState


def case(state: CaseState = S.REQUESTED, *lines: CaseLine, **changes: Any) -> AfterSaleCase:
    fields: dict[str, Any] = {
        "id": 1,
        "case_no": "A1",
        "order_id": 7,
        "type": CaseType.RETURN_REFUND,
        "source": CaseSource.USER,
        "reason_code": "quality",
        "merchant_fault": False,
        "requested_at": NOW,
        "state": state,
        "lines": lines or (CaseLine(1, 2),),
    }
    return AfterSaleCase(**fields | changes)


def bought(qty: int = 3, refunded_qty: int = 0, **changes: Any) -> BoughtLine:
    return BoughtLine(1, "s1", "main", qty, 500 * qty + 7, 7, refunded_qty, 500 * refunded_qty, **changes)


def parcel(state: ParcelState, qty: int = 3, **changes: Any) -> Parcel:
    return Parcel(9, 7, "sf", "T1", state, False, {1: qty}, **changes)


@pytest.mark.parametrize(
    ("sent", "line", "cases", "free"),
    [
        (parcel(ParcelState.DELIVERED, outbound_at=NOW), bought(), (), 3),
        (parcel(ParcelState.BOOKED), bought(), (), 0),
        (parcel(ParcelState.LOST, outbound_at=NOW, given_up=True), bought(), (), 0),
        (parcel(ParcelState.DELIVERED, outbound_at=NOW), bought(refunded_qty=2), (), 1),
        (parcel(ParcelState.DELIVERED, outbound_at=NOW), bought(), (case(),), 1),
        (
            parcel(ParcelState.DELIVERED, outbound_at=NOW),
            bought(),
            (case(S.CLOSED, CaseLine(1, 2, sending_qty=2)),),
            1,
        ),
        (
            parcel(ParcelState.DELIVERED, outbound_at=NOW),
            bought(),
            (case(S.CLOSED, CaseLine(1, 2, refused_qty=2, sending_qty=2, sent_qty=2)),),
            3,
        ),
    ],
)
def test_units_that_are_with_the_buyer_without_a_case_may_be_claimed(
    sent: Parcel, line: BoughtLine, cases: tuple[AfterSaleCase, ...], free: int
) -> None:
    assert claimable([line], [sent], cases) == {1: free}


@pytest.mark.parametrize("state", State)
def test_cases_are_of_orders_that_units_have_left_until_the_window_ends(state: State) -> None:
    def refused(after: timedelta, *, by_buyer: bool = True) -> Code | None:
        refusal = unclaimable(order(state, completed_at=NOW), rules, NOW + after, by_buyer=by_buyer)
        return None if refusal is None else refusal.code

    rules, second = AfterSaleRules(window_seconds=60), timedelta(seconds=1)
    if state in {State.PAID, State.FULFILLING, State.SHIPPED, State.DELIVERED, State.COMPLETED}:
        assert refused(60 * second) is None
        assert refused(61 * second) is Code.AFTERSALE_WINDOW_CLOSED
        assert refused(61 * second, by_buyer=False) is None
    else:
        assert refused(second) is refused(second, by_buyer=False) is Code.ORDER_STATE_INVALID


def test_what_a_case_gave_back_of_one_line_frees_no_unit_of_another() -> None:
    lines = [bought(refunded_qty=2), replace(bought(refunded_qty=2), line_no=2)]
    arrived = Parcel(9, 7, "sf", "T1", ParcelState.DELIVERED, False, {1: 3, 2: 3}, outbound_at=NOW)
    ended = case(S.COMPLETED, CaseLine(2, 2, refunded_qty=2))
    assert claimable(lines, [arrived], [ended]) == {1: 1, 2: 1}


@pytest.mark.parametrize(
    ("part", "refunded_qty", "units"),
    [
        (CaseLine(1, 2, accepted_qty=2), 0, 2),
        (CaseLine(1, 2, accepted_qty=2), 2, 1),
        (CaseLine(1, 2, accepted_qty=1), 0, 1),
        (CaseLine(1, 2, accepted_qty=2, refunded_qty=2), 2, 0),
    ],
)
def test_a_unit_is_paid_once_and_only_while_it_has_not_gone_back(part: CaseLine, refunded_qty: int, units: int) -> None:
    assert to_refund(case(S.INSPECT_PASSED, part), [bought(refunded_qty=refunded_qty)]) == {1: units}


@pytest.mark.parametrize(("refunded_qty", "left", "all_of_it"), [(3, 0, True), (3, 1, False), (2, 0, False)])
def test_an_order_is_back_with_its_last_unit_and_its_last_money(refunded_qty: int, left: int, all_of_it: bool) -> None:
    lines = [bought(refunded_qty=3), bought(refunded_qty=refunded_qty)]
    assert all_back(lines, left) is all_of_it


@pytest.mark.parametrize(
    ("part", "refunded_qty", "left", "amount"),
    [
        (CaseLine(1, 2), 0, 2000, 1000),
        (CaseLine(1, 2), 0, 900, 900),
        (CaseLine(1, 2), 2, 2000, 500 + 7),
        (CaseLine(1, 3, refunded_qty=2), 2, 2000, 500 + 7),
        (CaseLine(1, 2, refunded_qty=1), 1, 2000, 500),
    ],
)
def test_what_a_case_would_give_now_is_what_it_has_not_given_yet(
    part: CaseLine, refunded_qty: int, left: int, amount: int
) -> None:
    assert expected_amount(case(S.APPROVED, part), [bought(refunded_qty=refunded_qty)], left) == amount


@pytest.mark.parametrize(("refunded_qty", "none"), [(0, False), (2, False), (3, True)])
def test_a_case_has_nothing_left_once_its_units_went_back_otherwise(refunded_qty: int, none: bool) -> None:
    assert nothing_left(case(), [bought(refunded_qty=refunded_qty)]) is none


def test_a_case_has_nothing_left_once_it_gave_its_own_units_back() -> None:
    assert nothing_left(case(S.REFUNDING, CaseLine(1, 2, refunded_qty=2)), [bought(refunded_qty=2)])
    assert not nothing_left(case(S.REFUNDING, CaseLine(1, 2, refunded_qty=1)), [bought(refunded_qty=1)])


def test_a_case_names_as_many_photos_as_its_refusal_says() -> None:
    photos = [f"photo/{number}" for number in range(EVIDENCE_MAX)]
    assert wrong_reason("quality", photos, AfterSaleRules()) is None
    assert wrong_reason("quality", ["x" * EVIDENCE_CHARS_MAX], AfterSaleRules()) is None
    for many in ([*photos, "one more"], ["x" * (EVIDENCE_CHARS_MAX + 1)]):
        refusal = wrong_reason("quality", many, AfterSaleRules())
        assert refusal is not None
        assert (refusal.code, str(EVIDENCE_MAX) in refusal.message) == (Code.AFTERSALE_EVIDENCE_INVALID, True)


@pytest.mark.parametrize(
    ("found", "operator", "accepted"),
    [
        ([(1, 2, "lost")], True, True),
        ([(1, 2, "lost")], False, False),
        ([(1, 1, "lost")], True, False),
        ([(1, 2, "restock")], True, False),
        ([(1, 1, "lost"), (1, 1, "restock")], True, False),
    ],
)
def test_an_operator_reports_goods_on_their_way_as_lost_all_together(
    found: list[tuple[int, int, str]], operator: bool, accepted: bool
) -> None:
    assert (refuse_inspection(case(S.RETURN_IN_TRANSIT), found, operator=operator) is None) is accepted


def test_every_state_in_which_a_case_waits_for_others_has_a_time() -> None:
    assert set(WAITING) == {
        *(S.REQUESTED, S.REOPENED, S.AWAITING_RETURN),
        *(S.RETURN_IN_TRANSIT, S.RECEIVED, S.INSPECTING, S.INSPECT_FAILED, S.REFUND_FAILED),
    }


def test_the_first_arrival_of_goods_stays_the_time_of_their_arrival() -> None:
    arrived = case(S.APPROVED, received_at=NOW).become(T.RECEIVED, NOW.replace(hour=9))
    assert arrived.received_at == NOW


@pytest.mark.parametrize(
    ("one", "trigger", "left", "units"),
    [
        (case(S.INSPECT_PASSED, CaseLine(1, 2, accepted_qty=1, refused_qty=1)), T.INSPECTION_PASSED, 3, {1: 1}),
        (case(S.CLOSED, CaseLine(1, 2, refused_qty=2), received_at=NOW), T.CLOSED, 3, {1: 2}),
        (case(S.CLOSED, CaseLine(1, 2, refused_qty=2), received_at=NOW), T.CLOSED, 1, {1: 1}),
        (case(S.CLOSED, CaseLine(1, 2, refused_qty=2, sending_qty=2), received_at=NOW), T.CLOSED, 3, {}),
        (case(S.CLOSED, CaseLine(1, 2, accepted_qty=1), received_at=NOW), T.CLOSED, 3, {1: 1}),
        (case(S.CLOSED), T.CLOSED, 3, {}),
        (case(S.REFUNDING, received_at=NOW), T.REFUND_OPENED, 3, {}),
    ],
)
def test_goods_that_a_case_does_not_keep_go_back_once(
    one: AfterSaleCase, trigger: CaseTrigger, left: int, units: dict[int, int]
) -> None:
    assert to_send_back(one, trigger, {1: left}) == units


def test_a_warehouse_hands_over_its_own_goods_that_have_not_left() -> None:
    lines = (CaseLine(1, 2, sending_qty=2), CaseLine(2, 2, sending_qty=2, sent_qty=1), CaseLine(3, 1, sending_qty=1))
    assert unsent(lines, {1: "main", 2: "main", 3: "west"}, "main") == {1: 2, 2: 1}


@pytest.mark.parametrize("state", RefundState)
def test_news_is_old_once_its_refund_has_moved_on(state: RefundState) -> None:
    pending = state in {R.REQUESTED, R.SUBMITTED, R.UNKNOWN, R.DEFERRED}
    assert is_past("succeeded", state, replaced=False) is False
    assert is_past("failed", state, replaced=False) is (state is not R.FAILED)
    assert is_past("failed", state, replaced=True) is True
    assert is_past("requested", state, replaced=False) is not pending
    assert is_past("captured", state, replaced=False) is not (pending or state is R.FAILED)
    assert state.counts is (state not in {R.FAILED, R.RETURNED})


def test_a_share_counts_what_is_under_way_and_never_more_than_itself() -> None:
    share = CaptureShare(1000, gone=400, pending=300)
    assert (share.left, share.excess_of(700)) == (300, 100)
    assert share.after(300, R.REQUESTED, R.SUCCEEDED) == CaptureShare(1000, gone=700)
    assert share.after(300, R.DEFERRED, R.RELEASED) == CaptureShare(1000, gone=700)
    assert share.after(100, R.FAILED, R.REQUESTED) == CaptureShare(1000, gone=400, pending=400)
    assert share.after(700, R.FAILED, R.EXCESS) == CaptureShare(1000, gone=1000, pending=300)


def test_money_that_comes_back_makes_room_for_the_newest_excess_first() -> None:
    gone = {1: (400, 0), 2: (800, 200), 3: (300, 300)}
    assert excess_without(1000, gone, {1}) == {2: 100, 3: 0}


def test_a_foreign_refund_leaves_what_is_under_way_until_nothing_else_is_left() -> None:
    shares = {1: CaptureShare(500, pending=300), 2: CaptureShare(500)}
    assert share_out(600, shares) == {1: 200, 2: 400}
    assert share_out(900, shares) == {1: 400, 2: 500}
