"""Capture, cancel and timeout in every order: money and goods end together, every excess goes back exactly once.

The order's row lock makes one of these sequences of what is concurrent; here are all of them.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import combinations, permutations

import pytest

from messages.payments import PaymentResult
from tests.domain.builders import NOW, ORDER_ID, capture, envelope, order
from tests.domain.order_model import EVENTS, GOODS, OrderModel
from workers.domain.book import Book
from workers.domain.order import State, Trigger
from workers.handlers import timeouts
from workers.store.timers import Timer, TimerKind


def sequences() -> Iterator[tuple[str, ...]]:
    """Every order of every choice of one to five events: 3,619 of them."""
    for count in range(1, 6):
        for chosen in combinations(EVENTS, count):
            yield from permutations(chosen)


def model_after(names: tuple[str, ...], on_payment_failure: str, deduct_on: str = "pay") -> OrderModel:
    one = order(on_payment_failure=on_payment_failure, deduct_on=deduct_on)
    model = OrderModel(Book({ORDER_ID: one}), goods=GOODS[deduct_on][State.AWAITING_PAYMENT])
    for name in names:
        model.apply(name, EVENTS[name])
    return model


@cache
def all_models(on_payment_failure: str, deduct_on: str = "pay") -> tuple[tuple[tuple[str, ...], OrderModel], ...]:
    """The final model of every order of events."""
    return tuple((names, model_after(names, on_payment_failure, deduct_on)) for names in sequences())


MONEY = {State.AWAITING_PAYMENT: 0, State.PAID: 1000, State.CANCELLED: 0}


@pytest.mark.parametrize("deduct_on", GOODS)
@pytest.mark.parametrize("on_payment_failure", ["keep_open", "cancel"])
def test_money_and_goods_end_together_in_any_order_of_events(on_payment_failure: str, deduct_on: str) -> None:
    for names, model in all_models(on_payment_failure, deduct_on):
        state = model.book[ORDER_ID].state
        assert (model.goods, model.kept) == (GOODS[deduct_on][state], MONEY[state]), names


@pytest.mark.parametrize("on_payment_failure", ["keep_open", "cancel"])
def test_every_capture_is_kept_by_the_order_or_refunded_exactly_once(on_payment_failure: str) -> None:
    for names, model in all_models(on_payment_failure):
        assert len(set(model.refunds)) == len(model.refunds), names
        assert model.paid_in == len(model.refunds) + (model.kept > 0), names


def test_an_order_that_is_cancelled_or_times_out_never_ends_paid() -> None:
    for names, model in all_models("keep_open"):
        ended = model.book[ORDER_ID].state
        closes = {"cancel", "cancel again"} & set(names)
        payable = {"capture", "capture of another attempt"} & set(names)
        if closes:
            assert ended is State.CANCELLED, names
        elif payable and "timeout" not in names:
            assert ended is State.PAID, names


def test_a_timeout_takes_back_nothing_that_was_paid() -> None:
    """The first event wins. MALL closes a paid order and keeps the money (MALL 7)."""
    assert model_after(("capture", "timeout"), "keep_open").book[ORDER_ID].state is State.PAID
    late = model_after(("timeout", "capture"), "keep_open")
    assert late.book[ORDER_ID].state is State.CANCELLED
    assert late.refunds == ["late:alipay:t1"]


CAUSES = {
    ("capture", "capture of another attempt"): ["dup:alipay:t2"],
    ("cancel", "capture"): ["late:alipay:t1"],
    ("capture", "cancel"): ["cancel:7"],
    ("capture", "cancel", "capture of another attempt"): ["cancel:7", "late:alipay:t2"],
    ("capture of too little", "capture"): ["amount:alipay:t3"],
    ("cancel", "capture of too little"): ["amount:alipay:t3"],
    ("failed attempt", "capture"): [],
}


@pytest.mark.parametrize(("names", "causes"), CAUSES.items(), ids=", ".join)
def test_every_refund_names_its_cause(names: tuple[str, ...], causes: list[str]) -> None:
    assert model_after(names, "keep_open").refunds == causes


DUE = timedelta(minutes=-1)
WAITING = [
    ("due, and results have caught up", DUE, DUE, Trigger.PAYMENT_EXPIRED),
    ("due, results are behind", DUE, DUE - timedelta(microseconds=1), timeouts.NoStep.TOO_EARLY),
    ("due by now", timedelta(0), timedelta(0), Trigger.PAYMENT_EXPIRED),
    ("not due yet", timedelta(microseconds=1), timedelta(minutes=9), timeouts.NoStep.TOO_EARLY),
]


@pytest.mark.parametrize(
    ("due_in", "settled_in", "then"), [row[1:] for row in WAITING], ids=[row[0] for row in WAITING]
)
def test_a_payment_timer_acts_when_it_is_due_and_payment_results_have_caught_up(
    due_in: timedelta, settled_in: timedelta, then: Trigger | timeouts.NoStep
) -> None:
    timer = Timer(TimerKind.PAYMENT, ORDER_ID, NOW + due_in)
    assert timeouts.decide(timer, order(), NOW, NOW + settled_in) is then


@pytest.mark.parametrize("kind", timeouts.TRIGGERS)
@pytest.mark.parametrize("state", State)
def test_a_timer_means_something_in_its_own_states_only(kind: TimerKind, state: State) -> None:
    acts_in = {
        TimerKind.SAGA: {State.PLACING, State.REINSTATING},
        TimerKind.PAYMENT: {State.AWAITING_PAYMENT},
        TimerKind.RECEIPT: {State.DELIVERED},
    }
    decided = timeouts.decide(Timer(kind, ORDER_ID, NOW), order(state), NOW, NOW)
    assert isinstance(decided, Trigger) is (state in acts_in[kind])
    assert timeouts.decide(Timer(kind, ORDER_ID, NOW), None, NOW, NOW) is timeouts.NoStep.TOO_LATE


VERDICTS = {
    State.AWAITING_PAYMENT: "kept", State.PAID: "duplicate", State.FULFILLING: "duplicate", State.SHIPPED: "duplicate",
    State.DELIVERED: "duplicate", State.CANCELLING: "duplicate", State.COMPLETED: "duplicate",
    State.DELIVERY_FAILED: "duplicate", State.REINSTATING: "duplicate", State.CANCELLED: "late", State.REJECTED: "late",
}  # fmt: skip


@pytest.mark.parametrize(("state", "verdict"), VERDICTS.items())
def test_a_capture_is_judged_by_the_state_it_meets(state: State, verdict: str) -> None:
    assert verdict_on(state, capture("t1")) == verdict
    assert verdict_on(state, capture("t1", 1001)) == "mismatch"
    assert verdict_on(state, capture("t1", currency="USD")) == "mismatch"
    assert verdict_on(state, capture("t1", kind="failed")) == "failed"


def verdict_on(state: State, result: PaymentResult) -> str:
    return OrderModel(Book({ORDER_ID: order(state)})).pay(envelope(result, "m1")).verdict
