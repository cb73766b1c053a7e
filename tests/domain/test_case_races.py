"""Every order of what may happen to an order and its cases: money and units go back once, and all of it can end.

The row lock of the order makes one of these sequences of what is concurrent. A search over states meets all of them.
Together the searches take about four seconds of processor time. One search with everything in it would meet millions
of states, so each has the events that meet in one place of the code, and the fewest units and cases that can compete.
"""

from collections import deque
from collections.abc import Iterator
from functools import cache, partial

import pytest

from tests.domain.builders import NOW, order
from tests.domain.case_event_model import (
    APPLICATIONS,
    OF_CASES,
    apply_event,
    of_cases,
    of_exchange,
    of_parcels,
    of_refunds,
)
from tests.domain.case_model import PRICE, CaseModel, Event, ModelParcel, Scope
from workers.domain.after_sale_policy import AfterSaleRules, ExchangeShips
from workers.domain.after_sales import CaseState
from workers.domain.order import State
from workers.domain.refund_amounts import GONE, RefundState

Steps = dict[CaseModel, dict[CaseModel, str]]
MONEY, SOME, ALL, *EXCHANGES = APPLICATIONS


def opening(model: CaseModel, cases_max: int, *names: str) -> Iterator[Event]:
    if len(model.cases) < cases_max:
        yield from ((name, 0) for name in names)


def competing_cases(model: CaseModel) -> Iterator[Event]:
    """Two cases claim the same units: with a third, one more would only be refused."""
    yield from opening(model, 2, MONEY, SOME, ALL)
    yield from of_cases(model, [name for name in OF_CASES if name != "ship back"])
    yield from of_refunds(model)


def failing_refunds(model: CaseModel) -> Iterator[Event]:
    """The refund of one case fails, comes late or is replaced, while an operator gives some of the same money back."""
    yield from opening(model, 1, MONEY, ALL)
    yield from of_cases(model, ("approve", "ship back", "receive", "accept", "close"))
    yield from of_refunds(model, goodwill=True, failing=True)


def parcels_and_cases(model: CaseModel) -> Iterator[Event]:
    """One parcel is on its way and one waits in the warehouse, while a case is opened and the rest is cancelled."""
    yield from opening(model, 1, MONEY, ALL)
    yield from of_cases(model, ("approve", "reject", "close", "receive", "accept", "hand over"))
    yield from of_parcels(model)
    yield from (("order.cancel", 0), ("order.cancel_rest", 0))
    yield from of_refunds(model)


def parcels_and_goodwill(model: CaseModel) -> Iterator[Event]:
    """Two cases, of which a parcel may open one, while an operator gives some of the money back."""
    yield from opening(model, 2, MONEY)
    yield from of_cases(model, ("approve", "accept"))
    yield from of_parcels(model)
    yield "order.cancel", 0
    yield from of_refunds(model, goodwill=True)


def exchanges(model: CaseModel) -> Iterator[Event]:
    """Other goods are reserved, paid, lost or cancelled, while those that they replace come back or do not."""
    yield from opening(model, 1, *(EXCHANGES if model.scope.rules is AT_APPROVAL else EXCHANGES[:1]))
    yield from of_cases(model, ("approve", "close", "receive", "accept", "refuse", "hand over", "pay all the same"))
    yield from of_exchange(model)
    yield from of_refunds(model)


AT_APPROVAL = AfterSaleRules(exchange_ships=ExchangeShips.AT_APPROVAL)
SCOPES = {
    "competing cases": Scope(competing_cases, apply_event),
    "failing refunds": Scope(failing_refunds, apply_event, late=True),
    "parcels and cases": Scope(parcels_and_cases, apply_event),
    "parcels and goodwill": Scope(parcels_and_goodwill, apply_event),
    "exchanges": Scope(exchanges, apply_event, late=True),
    "exchanges at approval": Scope(exchanges, apply_event, rules=AT_APPROVAL),
}
ON_ITS_WAY, WAITS = ModelParcel(9, ((1, 1),), ("outbound",)), ModelParcel(10, ((1, 1), (2, 1)))
DELIVERED = ModelParcel(9, ((1, 2), (2, 1)), ("outbound", "delivered"))


def first(scope: Scope) -> CaseModel:
    """The order with which a search begins: one that is being shipped, or one that was delivered."""
    paid = partial(order, payable_amount=PRICE, captured_amount=PRICE, paid_at=NOW)
    if scope.events in (parcels_and_cases, parcels_and_goodwill):
        return CaseModel(scope, paid(State.PAID), parcels=(ON_ITS_WAY, WAITS))
    return CaseModel(scope, paid(State.DELIVERED), parcels=(DELIVERED,))


@cache
def states(name: str) -> Steps:
    """Every state that can be reached -> the states that are one event away, and what happens."""
    found: Steps = {}
    waiting = deque([first(SCOPES[name])])
    while waiting:
        model = waiting.popleft()
        if model not in found:
            found[model] = {after: what for what, after in model.successors() if after != model}
            waiting.extend(found[model])
    return found


def history(name: str, model: CaseModel) -> str:
    """What happens until a state is reached: one of the shortest ways."""
    found = states(name)
    start = next(iter(found))
    before: dict[CaseModel, tuple[CaseModel, str] | None] = {start: None}
    waiting = deque([start])
    while model not in before:
        one = waiting.popleft()
        for after, what in found[one].items():
            if after not in before:
                before[after] = one, what
                waiting.append(after)
    steps = []
    while (step := before[model]) is not None:
        model, what = step
        steps.append(what)
    return ", then ".join(reversed(steps))


def wrong(model: CaseModel) -> str | None:
    """What is wrong about a state, or None."""
    back = {line.line_no: line.refunded_qty for line in model.lines}
    parts = [part for case in model.cases for part in case.lines]
    failed = sum(one.amount for one in model.refunds if one.state is RefundState.FAILED and not one.replaced)
    surprised = any(one.failed_once and one.state in GONE for one in model.refunds)
    replaced = {no: sum(part.replaced_qty for part in parts if part.line_no == no) for no in back}
    netted = any(part.refused_qty for part in parts) or any(case.owed_amount for case in model.cases)
    rules = {
        "more has gone back than was captured": model.gone > PRICE,
        "more was requested than was captured": model.owed > PRICE and not surprised,
        "the order counts other money": model.order.refunded_amount != model.gone,
        "a unit went back twice": any(line.refunded_qty + replaced[line.line_no] > line.qty for line in model.lines),
        "cases gave back other units": any(
            sum(part.refunded_qty for part in parts if part.line_no == no) > qty for no, qty in back.items()
        ),
        "stock took a unit back twice": any(
            qty > line.qty for qty, line in zip(model.stocked, model.lines, strict=True)
        ),
        "the parts of the lines are not all of it": model.all_back
        is not (sum(line.refunded_amount for line in model.lines) == PRICE),
        "all came back, but not all of the money": model.all_back and model.owed + failed < PRICE,
        "units went back without their money": not netted
        and model.owed + failed < sum(line.refunded_amount for line in model.lines),
        "the order ended with goods at its buyer": model.order.state is State.CANCELLED and not model.all_back,
    }
    return next((what for what, holds in rules.items() if holds), None)


@pytest.mark.parametrize("name", SCOPES)
def test_money_and_units_go_back_once_and_all_of_it_can_end(name: str) -> None:
    found = states(name)
    for model in found:
        assert wrong(model) is None, f"{wrong(model)}: {history(name, model)}"
    before: dict[CaseModel, list[CaseModel]] = {}
    for model, then in found.items():
        for one in then:
            before.setdefault(one, []).append(model)
    can_end = {model for model in found if model.done and (model.gone == PRICE or not model.all_back)}
    waiting = deque(can_end)
    while waiting:
        for model in before.get(waiting.popleft(), ()):
            if model not in can_end:
                can_end.add(model)
                waiting.append(model)
    stuck = next((model for model in found if model not in can_end), None)
    assert stuck is None, f"no end can be reached after {history(name, stuck)}"


def test_every_state_of_a_case_is_reached() -> None:
    seen = {case.state for name in SCOPES for model in states(name) for case in model.cases}
    assert seen == set(CaseState)
