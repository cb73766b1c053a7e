"""What after-sale cases and exchange orders wait for, from whom, since when, until when, and what becomes of them."""

from dataclasses import replace

import pytest

from messages.registry import MODELS
from tests.views.builders import ORDER_ID, case, head, later, line
from workers.domain.after_sale_policy import AfterSaleRules, OnUnreviewed
from workers.domain.after_sale_rules import WAITING, becomes_when_due
from workers.domain.after_sales import CaseState
from workers.domain.exchanges import ExchangeState
from workers.domain.order import State
from workers.views.awaits import MOVED_BY, Awaited, Awaits, Whom
from workers.views.explanation import awaited
from workers.views.situation import CaseTimes, Situation
from workers.views.whole import ExchangeLink, Whole

C, X, S = CaseState, ExchangeState, State
NO, SECOND, SECOND_ID = "202601319000000001", "202602010000000009", ORDER_ID + 9
TIMES = CaseTimes(later(10), later(20), C.CLOSED)
LINK = ExchangeLink(
    order_id=SECOND_ID,
    order_no=SECOND,
    state=S.PLACING,
    stage=X.RESERVING,
    placed_at=later(8),
    expire_at=later(30),
    case_id=77,
    case_no=NO,
    case_state=C.APPROVED,
    first_order_id=ORDER_ID,
    first_order_no="202601310000000001",
)
A, W = Awaits, Whom
WITHOUT_EXCHANGE = [
    (C.REQUESTED, A.CASE_REVIEW, W.OPERATOR),
    (C.REOPENED, A.CASE_REVIEW, W.OPERATOR),
    (C.AWAITING_RETURN, A.CASE_RETURN, W.BUYER),
    (C.RECEIVED, A.CASE_INSPECTION, W.WAREHOUSE),
    (C.INSPECTING, A.CASE_INSPECTION, W.WAREHOUSE),
    (C.INSPECT_FAILED, A.CASE_DECISION, W.OPERATOR),
]


def explained(*links: ExchangeLink, state: CaseState = C.APPROVED) -> list[Awaited]:
    first = Whole(head=head(S.COMPLETED), lines=(line(1),), cases=(case(state, "exchange"),), exchanges=links)
    return awaited(first, {ORDER_ID: Situation(cases={77: TIMES})})


@pytest.mark.parametrize(("state", "what", "whom"), WITHOUT_EXCHANGE)
def test_a_case_says_who_is_awaited_since_when_and_what_it_becomes(state: CaseState, what: Awaits, whom: Whom) -> None:
    assert explained(state=state) == [Awaited(ORDER_ID, what, whom, None, NO, *TIMES, NO)]


def test_goods_on_their_way_name_their_parcel_and_their_case() -> None:
    one = replace(case(C.RETURN_IN_TRANSIT), carrier="sf", tracking_no="B1")
    [found] = awaited(Whole(head=head(S.COMPLETED), cases=(one,)), {ORDER_ID: Situation(cases={77: TIMES})})
    assert found == Awaited(ORDER_ID, A.CASE_ARRIVAL, W.CARRIER, "sf", "B1", *TIMES, NO)


EXCHANGES = [
    ("stock has not answered", C.APPROVED, LINK, (A.CASE_STOCK, W.STOCK, later(8), None, None)),
    (
        "the buyer owes the difference: without it the money goes back",
        C.INSPECT_PASSED,
        replace(LINK, stage=X.CONFIRMED, state=S.AWAITING_PAYMENT),
        (A.CASE_PAYMENT, W.BUYER, later(10), later(30), C.REFUNDING),
    ),
    (
        "a warehouse has the goods",
        C.RESHIPPING,
        replace(LINK, stage=X.PAID, state=S.PAID),
        (A.CASE_GOODS, W.WAREHOUSE, later(10), None, None),
    ),
    (
        "a carrier has the goods",
        C.RESHIPPING,
        replace(LINK, stage=X.PAID, state=S.SHIPPED),
        (A.CASE_GOODS, W.CARRIER, later(10), None, None),
    ),
]


@pytest.mark.parametrize(("why", "state", "link", "expected"), EXCHANGES, ids=[one[0] for one in EXCHANGES])
def test_an_exchange_waits_for_what_its_newest_order_waits_for(
    why: str, state: CaseState, link: ExchangeLink, expected: tuple[object, ...]
) -> None:
    older = replace(LINK, order_id=SECOND_ID - 1, order_no=None, stage=X.ENDED, state=S.REJECTED)
    [one] = explained(older, link, state=state)
    assert (one.what, one.whom, one.since, one.until, one.otherwise) == expected, why
    assert (one.order_id, one.ref, one.case_no) == (ORDER_ID, SECOND, NO)


@pytest.mark.parametrize(
    ("state", "whom"),
    [(C.AWAITING_RETURN, W.BUYER), (C.RETURN_IN_TRANSIT, W.CARRIER), (C.RECEIVED, W.WAREHOUSE)],
)
def test_an_exchange_order_that_has_its_stock_waits_for_the_goods_of_its_case(state: CaseState, whom: Whom) -> None:
    link = replace(LINK, stage=X.RESERVED, case_state=state)
    second = Whole(head=head(S.PLACING, id=SECOND_ID, kind="exchange"), lines=(line(1),), replaces=link)
    found = awaited(second, {SECOND_ID: Situation(since=later(8), cases={77: TIMES})})
    assert found == [Awaited(SECOND_ID, A.CASE_OUTCOME, whom, None, NO, later(10), later(20), case_no=NO)]
    unreserved = replace(second, replaces=LINK)
    [reserving] = awaited(unreserved, {SECOND_ID: Situation(since=later(8), timers={"saga": later(9)})})
    assert (reserving.what, reserving.whom, reserving.until) == (A.RESERVATION, W.STOCK, later(9))


@pytest.mark.parametrize(
    ("rule", "becomes"),
    [(OnUnreviewed.APPROVE, C.APPROVED), (OnUnreviewed.REJECT, C.REJECTED), (OnUnreviewed.WAIT, None)],
)
def test_a_case_that_is_overdue_becomes_what_the_policy_says(rule: OnUnreviewed, becomes: CaseState | None) -> None:
    rules = AfterSaleRules(on_unreviewed=rule)
    found = {state: becomes_when_due(state, rules) for state in WAITING}
    alerted = (C.RETURN_IN_TRANSIT, C.RECEIVED, C.INSPECTING, C.INSPECT_FAILED, C.REFUND_FAILED)
    others = {C.REOPENED: C.REJECTED, C.AWAITING_RETURN: C.CLOSED}
    assert found == {C.REQUESTED: becomes, **others, **dict.fromkeys(alerted)}


@pytest.mark.parametrize("what", Awaits, ids=str)
def test_everything_that_is_awaited_names_the_messages_that_bring_it(what: Awaits) -> None:
    brought = {f"{name}.v1" for name in MOVED_BY[what]}
    assert brought
    assert brought <= MODELS.keys()
