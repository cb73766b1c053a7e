"""The table of group buying: who gets a seat, and what becomes of a group."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.domain.builders import order
from workers.domain.buying_groups import (
    BuyingGroup,
    GroupOrder,
    GroupState,
    GroupStep,
    Seats,
    owed,
    step_of,
    unjoinable,
)
from workers.domain.order import CancelType, State
from workers.domain.payment_rules import PAYMENT_TIMEOUT, may_reinstate
from workers.domain.shop import OnLatePayment

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OPEN = BuyingGroup(1, "g", size=2, deadline=NOW + SECOND, spu_id="tea")
PAID, WAITS, GONE = State.PAID, State.AWAITING_PAYMENT, State.CANCELLED


def orders(*states: State, held: bool = True) -> list[GroupOrder]:
    return [GroupOrder(number, f"u{number}", state, held) for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "due", "known", "step"),
    [
        ((), False, True, "stays"),
        ((PAID, WAITS), False, True, "stays"),
        ((PAID, PAID), False, False, "forms"),
        ((PAID, GONE, State.SHIPPED), False, True, "forms"),
        ((PAID, GONE), False, True, "stays"),
        ((PAID, State.PLACING), True, True, "fails"),
        ((PAID, WAITS), True, False, "waits"),
        ((PAID, GONE, State.REJECTED), True, False, "fails"),
        ((PAID, PAID), True, True, "forms"),
        ((), True, False, "fails"),
    ],
)
def test_a_group_forms_fails_or_waits(states: tuple[State, ...], due: bool, known: bool, step: str) -> None:
    """`due`: its deadline has passed. `known`: all payments that were reported before it are handled."""
    now = OPEN.deadline if due else NOW
    handled_until = OPEN.deadline if known else OPEN.deadline - SECOND
    assert step_of(OPEN, orders(*states), now, handled_until) is GroupStep(step)


def test_a_group_that_ended_releases_what_it_holds_or_cancels_what_is_left() -> None:
    mixed = [*orders(PAID, GONE, WAITS), GroupOrder(3, "u3", State.SHIPPED, held=False)]
    assert owed(GroupState.FORMED, mixed) == [0, 2]
    assert owed(GroupState.FAILED, mixed) == [0, 2, 3]


def test_no_late_payment_takes_back_the_seat_of_an_order_that_timed_out() -> None:
    policy = OnLatePayment.REINSTATE_IF_STOCK
    gone = order(GONE, cancel_type=CancelType.TIMEOUT, reason_code=PAYMENT_TIMEOUT, on_late_payment=policy)
    assert may_reinstate(gone)
    assert not may_reinstate(replace(gone, group_key=1))


@pytest.mark.parametrize(
    ("seats", "spu_ids", "parts", "code"),
    [
        (Seats(OPEN, {"a"}), {"tea"}, 1, None),
        (Seats(OPEN, set(), spu_id="tea"), {"tea"}, 1, None),
        (Seats(BuyingGroup(1, "g", 2, NOW + SECOND), set(), opened=True), {"any"}, 1, None),
        (Seats(BuyingGroup(1, "g", 2, NOW + SECOND), set(), opened=True), {"two", "spus"}, 1, "GROUP_GOODS_DIFFER"),
        (Seats(OPEN, {"a"}), {"tea"}, 2, "GROUP_GOODS_DIFFER"),
        (Seats(OPEN, {"a"}), {"cup"}, 1, "GROUP_GOODS_DIFFER"),
        (Seats(OPEN, {"a", "me"}), {"tea"}, 1, "GROUP_ALREADY_JOINED"),
        (Seats(OPEN, {"a", "b"}), {"tea"}, 1, "GROUP_FULL"),
        (Seats(BuyingGroup(1, "g", 2, NOW, spu_id="tea"), set()), {"tea"}, 1, "GROUP_CLOSED"),
        (Seats(BuyingGroup(1, "g", 2, NOW + SECOND, GroupState.FORMED, "tea"), set()), {"tea"}, 1, "GROUP_CLOSED"),
        (Seats(BuyingGroup(1, "g", 2, NOW + SECOND, GroupState.FAILED, "tea"), set()), {"tea"}, 1, "GROUP_CLOSED"),
    ],
)
def test_an_order_gets_a_seat_or_a_code(seats: Seats, spu_ids: set[str], parts: int, code: str | None) -> None:
    refusal = unjoinable(seats, "me", spu_ids, parts, NOW)
    assert (refusal and refusal.code) == code
