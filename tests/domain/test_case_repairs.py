"""Which parcels that came back concern a case: the rule of workers/domain/case_repairs.py."""

from dataclasses import replace
from datetime import timedelta

from tests.domain.builders import NOW, ORDER_ID
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseSource, CaseState, CaseType
from workers.domain.case_repairs import concerns_cases
from workers.domain.order import State

WAITS = AfterSaleCase(
    id=1,
    case_no="A1",
    order_id=ORDER_ID,
    type=CaseType.RETURN_REFUND,
    source=CaseSource.USER,
    reason_code="price",
    merchant_fault=False,
    requested_at=NOW - timedelta(hours=1),
    state=CaseState.AWAITING_RETURN,
    lines=(CaseLine(1, 2),),
)
ENDED = replace(WAITS, state=CaseState.REVOKED, completed_at=NOW - timedelta(minutes=1))


def concerns(*cases: AfterSaleCase, units: int = 1, free: int = 0, state: State = State.DELIVERED) -> bool:
    """True if a parcel with this line concerns a case. It came back now."""
    return concerns_cases(state, {units: 1}, {1: free, 2: free}, cases, NOW)


def test_a_case_waits_for_its_own_units_until_it_has_its_goods() -> None:
    assert concerns(WAITS)
    assert not concerns(WAITS, units=2), "the parcel has another line"
    assert not concerns(replace(WAITS, type=CaseType.REFUND_ONLY))
    assert not concerns(replace(WAITS, state=CaseState.RETURN_IN_TRANSIT))
    assert not concerns(replace(WAITS, received_at=NOW))


def test_a_case_is_opened_for_free_units_that_none_covered_when_they_came_back() -> None:
    assert concerns(free=1)
    assert not concerns(free=0)
    assert not concerns(free=1, state=State.CANCELLED)
    assert concerns(ENDED, free=1), "it had ended before"
    assert not concerns(replace(ENDED, completed_at=NOW), free=1), "it ended because of the parcel"
    assert not concerns(replace(ENDED, completed_at=None, state=CaseState.REFUNDING), free=1)
    assert concerns(replace(ENDED, requested_at=NOW + timedelta(minutes=1), completed_at=None), free=1), "it was late"
    assert concerns(replace(WAITS, type=CaseType.REFUND_ONLY), units=2, free=1), "it is about another line"
