"""Two attempts of one intent at two providers, a cancellation and a timeout: every situation that can come of it.

Payments, notifications sent twice or never, declines, polls, closes, cancellations and timeouts come in every order.
Money is kept once at most, and with the goods; all other money is refunded, once.
"""

from dataclasses import dataclass, field

import pytest

from tests.domain.attempt_model import NAMES, OPEN, PAID, PROVIDERS, Situation, at_rest, following
from tests.domain.builders import ORDER_ID, order
from tests.domain.order_model import GOODS
from workers.domain.order import State

BEGINNINGS = [
    ("two that fit", "keep_open", "pay", (1000, 1000)),
    ("a decline ends the order", "cancel", "create", (1000, 1000)),
    ("one is charged too little", "keep_open", "create", (1000, 999)),
]


@dataclass
class ReachableSituations:
    """Every situation that follows from the first, and what led to it."""

    found: dict[Situation, tuple[Situation | None, str]] = field(default_factory=dict)

    def explore(self, first: Situation) -> None:
        self.found[first], new = (None, "the beginning"), [first]
        while new:
            situation = new.pop()
            for what, after in following(situation):
                if after not in self.found:
                    self.found[after] = situation, what
                    new.append(after)

    def path_to(self, situation: Situation) -> list[str]:
        before, what = self.found[situation]
        return [*(self.path_to(before) if before else ()), what]


@pytest.fixture(scope="module", params=BEGINNINGS, ids=lambda row: row[0])
def reachable(request: pytest.FixtureRequest) -> ReachableSituations:
    _, on_payment_failure, deduct_on, charged = request.param
    one = order(on_payment_failure=on_payment_failure, deduct_on=deduct_on)
    made = ReachableSituations()
    made.explore(
        Situation(one, GOODS[deduct_on][State.AWAITING_PAYMENT], charged).with_sent("cancel").with_sent("timeout")
    )
    return made


def captured(situation: Situation) -> dict[str, int]:
    """Provider and trade number -> amount, of the captures that we know."""
    amounts = {f"{PROVIDERS[name]}:t{name}": amount for name, amount in zip(NAMES, situation.charged, strict=True)}
    return {key: amounts[key] for key in (f"{c}:{t}" for c, t, kind in situation.facts if kind == "captured")}


def returned(situation: Situation) -> set[str]:
    """The captures that are refunded in full."""
    return {cause.partition(":")[2] for cause in situation.refunds if not cause.startswith("cancel:")}


def test_money_is_kept_once_at_most_and_with_the_goods(reachable: ReachableSituations) -> None:
    for situation in reachable.found:
        state = situation.order.state
        assert state in (State.AWAITING_PAYMENT, State.PAID, State.CANCELLED), reachable.path_to(situation)
        assert situation.kept == (1000 if state is State.PAID else 0), reachable.path_to(situation)
        assert situation.goods == GOODS[situation.order.deduct_on][state], reachable.path_to(situation)


def test_every_capture_is_the_one_that_was_kept_or_goes_back_once_under_its_own_number(
    reachable: ReachableSituations,
) -> None:
    for situation in reachable.found:
        came, went = captured(situation), returned(situation)
        stay = set(came) - went
        was_paid = situation.order.paid_at is not None
        assert went <= set(came), reachable.path_to(situation)
        assert len(stay) == was_paid, reachable.path_to(situation)
        assert (f"cancel:{ORDER_ID}" in situation.refunds) == (was_paid and situation.order.state is State.CANCELLED)
        assert len(situation.refunds) == len(went) + (f"cancel:{ORDER_ID}" in situation.refunds), reachable.path_to(
            situation
        )


def test_an_attempt_is_captured_exactly_when_its_capture_is_known(reachable: ReachableSituations) -> None:
    for situation in reachable.found:
        known = {name for name in NAMES if (PROVIDERS[name], f"t{name}", "captured") in situation.facts}
        assert {name for name in NAMES if situation.state(name) == "captured"} == known, reachable.path_to(situation)


def test_in_the_end_all_captured_money_is_kept_or_refunded_and_no_ended_order_can_be_paid(
    reachable: ReachableSituations,
) -> None:
    """Check the end, after all deliveries and polls. A buyer may still try only where a card was declined."""
    for situation in reachable.found:
        end = at_rest(situation)
        took = {name for name in NAMES if end.provider_state(name) == PAID}
        assert set(captured(end)) == {f"{PROVIDERS[name]}:t{name}" for name in took}, reachable.path_to(situation)
        assert len(took) - len(end.refunds) == (end.kept > 0), reachable.path_to(situation)
        if end.order.state is not State.AWAITING_PAYMENT:
            open_ = {name for name in NAMES if end.provider_state(name) == OPEN}
            assert {end.state(name) for name in open_} <= {"failed"}, reachable.path_to(situation)


def test_every_end_is_reached(reachable: ReachableSituations) -> None:
    """Every interesting situation occurs, since a situation that never occurred would prove nothing."""
    ends = {(situation.order.state, tuple(sorted(situation.attempts))) for situation in reachable.found}
    assert (State.PAID, ("captured", "captured")) in ends
    assert (State.CANCELLED, ("captured", "captured")) in ends
    assert (State.CANCELLED, ("closed", "closed")) in ends
    assert (State.PAID, ("captured", "closed")) in ends
