"""Every order of what may happen to two cases of one order: money and units go back once, and each case can end.

The row lock of the order makes one of these sequences of what is concurrent. A search over states meets all of them.
"""

from collections import deque
from functools import cache

from tests.domain.case_model import PRICE, CaseModel, first
from workers.domain.after_sales import CaseState
from workers.domain.order import State

Steps = dict[CaseModel, tuple[CaseModel, ...]]


@cache
def states() -> Steps:
    """Every state that the order and its cases can reach -> the states that are one event away."""
    found: Steps = {}
    waiting = deque([first()])
    while waiting:
        model = waiting.popleft()
        if model not in found:
            found[model] = tuple({model.after(name, place) for name, place in model.events()} - {model})
            waiting.extend(found[model])
    return found


def test_money_goes_back_once_and_all_of_it_with_the_last_unit() -> None:
    for model in states():
        back = {line.line_no: line.refunded_qty for line in model.lines}
        assert model.gone <= PRICE
        assert all(line.refunded_qty <= line.qty for line in model.lines)
        assert all(
            sum(part.refunded_qty for case in model.cases for part in case.lines if part.line_no == no) == qty
            for no, qty in back.items()
        )
        given = sum(line.refunded_amount for line in model.lines)
        assert (given == PRICE) is all(line.refunded_qty == line.qty for line in model.lines)
        opened = {one.case_id: one.amount for one in model.refunds}
        assert len(opened) == len(model.refunds), "a case has one refund"
        assert all(opened.get(case.id, 0) == (case.refund_amount or 0) for case in model.cases)


def test_an_order_ends_with_its_cases_only_if_all_of_it_came_back() -> None:
    for model in states():
        if model.order.state is State.CANCELLED:
            assert all(line.refunded_qty == line.qty for line in model.lines)
            assert all(case.ended for case in model.cases)
            assert model.gone == PRICE


def test_every_state_of_a_case_is_reached_and_every_case_can_end() -> None:
    """What never happens here needs goods in other orders, or parcels, which their own tests have."""
    seen = {case.state for model in states() for case in model.cases}
    elsewhere = {CaseState.REOPENED, CaseState.RETURN_IN_TRANSIT, CaseState.RESHIPPING, CaseState.UNRETURNED}
    passing = {CaseState.APPROVED, CaseState.INSPECT_PASSED}
    assert seen == set(CaseState) - elsewhere - passing
    ended = {model for model in states() if all(case.ended for case in model.cases)}
    before: dict[CaseModel, list[CaseModel]] = {}
    for model, then in states().items():
        for one in then:
            before.setdefault(one, []).append(model)
    can_end, waiting = set(ended), deque(ended)
    while waiting:
        for model in before.get(waiting.popleft(), ()):
            if model not in can_end:
                can_end.add(model)
                waiting.append(model)
    assert can_end == set(states())
