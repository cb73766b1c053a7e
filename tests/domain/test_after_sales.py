"""The steps of after-sale cases as a table, and the rules of money and units as properties (S0-16, R-08)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sale_rules import amount_due, claimable, inspect, refund_parts, to_refund
from workers.domain.after_sales import (
    CASE_TRANSITIONS,
    ENDED,
    AfterSaleCase,
    CaseBook,
    CaseLine,
    CaseSource,
    CaseState,
    CaseTrigger,
    CaseType,
)
from workers.domain.refund_amounts import BoughtLine, give_back
from workers.domain.refusal import Refusal
from workers.domain.shipping import Parcel, ParcelState

AT, HOUR = datetime(2026, 1, 31, 9, 30, tzinfo=UTC), timedelta(hours=1)
COLUMNS = {
    "rq": "requested", "ro": "reopened", "ap": "approved", "rj": "rejected", "rv": "revoked", "aw": "awaiting_return",
    "tr": "return_in_transit", "rc": "received", "in": "inspecting", "ps": "inspect_passed", "fa": "inspect_failed",
    "rs": "reshipping", "rf": "refunding", "ff": "refund_failed", "co": "completed", "cl": "closed",
    "un": "unreturned",
}  # fmt: skip
TABLE = """
                   rq  ro  ap  rj  rv  aw  tr  rc  in  ps  fa  rs  rf  ff  co  cl  un
applied            .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   .  .
approved           ap  ap  .   .   .   .   .   .   .   .   .   .   .   .   .   .  .
rejected           rj  rj  .   .   .   .   .   .   .   .   .   .   .   .   .   .  .
revoked            rv  rv  .   .   .   rv  .   .   .   .   .   .   .   .   .   .  .
reopened           .   .   .   ro  .   .   .   .   .   .   .   .   .   .   .   .  .
return_awaited     .   .   aw  .   .   .   .   .   .   .   .   .   .   .   .   .  .
shipped_back       .   .   tr  .   .   tr  .   .   .   .   .   .   .   .   .   .  tr
received           .   .   rc  .   .   rc  rc  .   .   .   .   .   .   .   .   .  rc
inspection_began   .   .   .   .   .   .   .   in  in  .   .   .   .   .   .   .  .
inspection_passed  .   .   .   .   .   .   ps  ps  ps  .   .   .   .   .   .   .  .
inspection_failed  .   .   .   .   .   .   .   fa  fa  .   .   .   .   .   .   .  .
refund_opened      .   .   rf  .   .   .   .   .   .   rf  rf  rf  .   rf  rf  .  .
refund_failed      .   .   .   .   .   .   .   .   .   .   .   .   ff  .   .   .  .
refund_succeeded   .   .   .   .   .   .   .   .   .   .   .   .   co  co  .   co  .
return_expired     .   .   .   .   .   cl  .   .   .   .   .   .   .   .   .   .  .
stock_refused      .   .   rj  .   .   .   .   .   .   .   .   .   .   .   .   .  .
reshipped          .   .   .   .   .   .   .   .   .   rs  .   .   .   .   .   .  .
replaced           .   .   .   .   .   .   .   .   .   .   .   co  .   .   .   .  .
closed             .   .   .   .   .   cl  cl  .   .   .   cl  .   .   cl  .   .  cl
not_returned       .   .   .   .   .   un  un  .   .   .   un  un  .   .   .   .   un
"""
"""Row: the trigger. Column: the state before it. A dot: refused, nothing is written."""
ONLY = {
    ("approved", "refund_opened"): {"refund_only"},
    ("approved", "stock_refused"): {"exchange"},
    ("inspect_passed", "reshipped"): {"exchange"},
    ("reshipping", "replaced"): {"exchange"},
    ("reshipping", "refund_opened"): {"exchange"},
    **{(state, "not_returned"): {"exchange"} for state in (
        "awaiting_return", "return_in_transit", "inspect_failed", "reshipping", "unreturned")},
    **{("unreturned", trigger): {"exchange"} for trigger in ("shipped_back", "received", "closed")},
    **{(state, trigger): {"return_refund", "exchange"} for state, trigger in (
        ("approved", "return_awaited"), ("approved", "received"), ("approved", "shipped_back"),
        ("awaiting_return", "revoked"),
        ("awaiting_return", "shipped_back"), ("awaiting_return", "received"), ("return_in_transit", "received"),
        ("return_in_transit", "inspection_passed"), ("received", "inspection_began"),
        ("received", "inspection_passed"), ("received", "inspection_failed"),
        ("inspecting", "inspection_began"), ("inspecting", "inspection_passed"), ("inspecting", "inspection_failed"),
        ("inspect_passed", "refund_opened"), ("inspect_failed", "refund_opened"), ("inspect_failed", "closed"),
        ("awaiting_return", "return_expired"), ("awaiting_return", "closed"), ("return_in_transit", "closed"),
    )},
}  # fmt: skip
"""The types of cases that take a step, where not all do."""


def case(state: str = "requested", kind: str = "return_refund", *lines: CaseLine, fault: bool = False) -> AfterSaleCase:
    return AfterSaleCase(
        id=9,
        case_no="202601319000000001",
        order_id=7,
        type=CaseType(kind),
        source=CaseSource.USER,
        reason_code="quality",
        merchant_fault=fault,
        requested_at=AT,
        state=CaseState(state),
        version=3,
        lines=lines or (CaseLine(1, 2),),
    )


def cells() -> list[tuple[str, str, str, str | None]]:
    """(state, trigger, type, state after it or None) for every cell of the table and every type."""
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    found = []
    for trigger, *row in rows:
        for column, cell in zip(header, row, strict=True):
            state = COLUMNS[column]
            for kind in CaseType:
                takes = kind.value in ONLY.get((state, trigger), set(CaseType))
                found.append((state, trigger, kind.value, COLUMNS.get(cell) if takes else None))
    return found


def test_the_table_has_a_cell_for_every_state_and_every_trigger() -> None:
    assert {(state, trigger) for state, trigger, _, _ in cells()} == {
        (s.value, t.value) for s in CaseState for t in CaseTrigger
    }


def test_every_step_leads_where_the_table_says_or_is_refused() -> None:
    for state, trigger, kind, after in cells():
        before = case(state, kind)
        assert before.allows(CaseTrigger(trigger)) is (after is not None), (state, trigger, kind)
        if after is None:
            with pytest.raises(AssertionError, match="does not allow"):
                before.become(CaseTrigger(trigger), AT)
            continue
        moved = before.become(CaseTrigger(trigger), AT)
        assert (moved.state, moved.version) == (after, 4)
        assert (moved.completed_at is None) == (after not in ENDED)


def test_every_case_that_has_not_ended_has_a_way_on() -> None:
    for kind in CaseType:
        reached, todo = {CaseState.REQUESTED}, [CaseState.REQUESTED]
        while todo:
            state = todo.pop()
            ways = {t.to for (before, _), t in CASE_TRANSITIONS.items() if before is state and kind in t.types}
            assert ways or state in ENDED, (kind, state)
            todo += ways - reached
            reached |= ways


def bought(line_no: int, qty: int, amount: int, shipping: int) -> BoughtLine:
    return BoughtLine(line_no, f"s{line_no}", "main", qty, amount + shipping, shipping, 0, 0)


LINES = st.lists(st.tuples(st.integers(1, 7), st.integers(0, 10_000), st.integers(0, 500)), min_size=1, max_size=4).map(
    lambda rows: [bought(number, *row) for number, row in enumerate(rows, start=1)]
)


@given(LINES, st.data())
def test_any_sequence_of_cases_gives_back_exactly_all_and_never_more(
    lines: list[BoughtLine], data: st.DataObject
) -> None:
    """Cases of any size, some by the merchant's fault, until every unit is back."""
    payable = sum(line.payable_amount for line in lines)
    left = {line.line_no: line.qty for line in lines}
    given_back = 0
    while any(left.values()):
        line_no = data.draw(st.sampled_from([no for no, qty in left.items() if qty]))
        qty = data.draw(st.integers(1, left[line_no]))
        one = case("approved", "refund_only", CaseLine(line_no, qty), fault=data.draw(st.booleans()))
        parts = refund_parts(one, lines, to_refund(one, lines))
        amount = amount_due(one, sum(part.amount for part in parts), payable - given_back)
        assert all(0 <= part.shipping <= part.amount for part in parts)
        assert amount == sum(part.amount for part in parts), "what is left of the capture is always enough"
        lines = give_back(lines, parts)
        given_back += amount
        left[line_no] -= qty
        assert given_back <= payable
    assert given_back == payable
    assert all(line.refunded_shipping == line.shipping_share for line in lines)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from(CaseState))
def test_a_unit_is_claimed_once_over_parcels_and_cases(qty: int, sent: int, claimed: int, state: CaseState) -> None:
    sent, claimed = min(sent, qty), min(claimed, qty)
    parcel = Parcel(1, 7, "sf", "T1", ParcelState.DELIVERED, False, {1: sent})
    cases = [case(state.value, "return_refund", CaseLine(1, claimed))] if claimed else []
    free = claimable([bought(1, qty, 100, 0)], [parcel] if sent else [], cases)
    assert free == {1: max(0, sent - (0 if state in ENDED - {CaseState.UNRETURNED} else claimed))}


def test_goods_that_are_lost_on_their_way_cannot_be_claimed() -> None:
    lost = Parcel(1, 7, "sf", "T1", ParcelState.LOST, False, {1: 2}, given_up=True)
    line = replace(bought(1, 3, 300, 0), refunded_qty=2, refunded_amount=200)
    arrived = Parcel(2, 7, "sf", "T2", ParcelState.DELIVERED, False, {1: 1})
    assert claimable([line], [lost, arrived], []) == {1: 1}


@pytest.mark.parametrize(
    ("found", "trigger"),
    [
        ([(1, 1, True)], CaseTrigger.INSPECTION_BEGAN),
        ([(1, 2, True)], CaseTrigger.INSPECTION_PASSED),
        ([(1, 1, True), (1, 1, False)], CaseTrigger.INSPECTION_PASSED),
        ([(1, 2, False)], CaseTrigger.INSPECTION_FAILED),
    ],
)
def test_an_inspection_ends_with_the_last_unit(found: list[tuple[int, int, bool]], trigger: CaseTrigger) -> None:
    inspected = inspect(case("received"), found)
    assert not isinstance(inspected, Refusal)
    assert inspected[1] is trigger


@pytest.mark.parametrize("found", [[(1, 3, True)], [(2, 1, True)], [(1, 1, True), (1, 2, False)]])
def test_an_inspection_counts_the_units_of_the_case_alone(found: list[tuple[int, int, bool]]) -> None:
    assert isinstance(inspect(case("received"), found), Refusal)


@pytest.mark.parametrize(
    ("granted", "refused", "left", "due"),
    [(None, 0, 900, 600), (700, 0, 900, 700), (700, 1, 900, 600), (400, 1, 900, 400), (None, 0, 500, 500)],
)
def test_a_granted_amount_is_bounded_by_what_is_left_and_by_the_inspection(
    granted: int | None, refused: int, left: int, due: int
) -> None:
    lines = CaseLine(1, 2, refused_qty=refused), CaseLine(2, 1)
    one = replace(case("inspect_passed", "return_refund", *lines), granted_amount=granted)
    assert amount_due(one, 600, left) == due


def test_an_order_keeps_only_the_rules_that_differ_and_reads_them_back() -> None:
    rules = AfterSaleRules(window_seconds=60, reasons=frozenset({"quality", "other"}), full_refund_closes=False)
    written = rules.written()
    assert written == {"window_seconds": 60, "reasons": ["other", "quality"], "full_refund_closes": False}
    assert AfterSaleRules().with_changes(written) == rules
    assert AfterSaleRules().written() == {}


def test_the_times_of_a_case_never_go_back() -> None:
    approved = case().become(CaseTrigger.APPROVED, AT - timedelta(seconds=5))
    assert approved.processed_at == AT
    withdrawn = approved.become(CaseTrigger.RETURN_AWAITED, AT + HOUR).become(CaseTrigger.REVOKED, AT + 2 * HOUR)
    assert (withdrawn.processed_at, withdrawn.completed_at) == (AT, AT + 2 * HOUR)


def test_the_cases_of_a_batch_are_those_of_their_orders() -> None:
    mine, other = case(), replace(case(), id=10, order_id=8)
    assert (CaseBook([mine, other]).of(7), CaseBook([other]).of(7)) == ([mine], [])
