"""The part of an order that one warehouse ships: what its facts do, and what its order asks of it."""

from dataclasses import dataclass, replace

import pytest

from tests.domain.builders import order
from workers.domain.hand_overs import (
    Ask,
    HandOver,
    HandOverState,
    Unmoved,
    WarehouseShare,
    after_answer,
    after_step,
    cancel_trigger,
    review,
)
from workers.domain.order import State, Trigger

H = HandOverState
LATE, CONTRADICTS = Unmoved.LATE, Unmoved.CONTRADICTS
STATES = (H.REQUESTED, H.ACCEPTED, H.PICKING, H.PACKED, H.HANDED_OVER, H.REFUSED, H.WITHDRAWN)
STEPS: dict[HandOverState, tuple[HandOverState | Unmoved, ...]] = {
    H.ACCEPTED: (H.ACCEPTED, LATE, LATE, LATE, LATE, CONTRADICTS, LATE),
    H.PICKING: (H.PICKING, H.PICKING, LATE, LATE, LATE, CONTRADICTS, LATE),
    H.PACKED: (H.PACKED, H.PACKED, H.PACKED, LATE, LATE, CONTRADICTS, LATE),
    H.HANDED_OVER: (H.HANDED_OVER, H.HANDED_OVER, H.HANDED_OVER, H.HANDED_OVER, LATE, CONTRADICTS, LATE),
    H.REFUSED: (H.REFUSED, CONTRADICTS, CONTRADICTS, CONTRADICTS, CONTRADICTS, LATE, LATE),
}
"""Reported step -> what becomes of a hand-over in each of STATES."""
STOPS = (CONTRADICTS, H.WITHDRAWN, H.WITHDRAWN, H.WITHDRAWN, CONTRADICTS, LATE, LATE)
"""What becomes of a hand-over in each of STATES when its warehouse says that it has stopped."""


def hand_over(state: HandOverState, **changes: int | None) -> HandOver:
    return replace(HandOver(1, "main", state, 2, 5, 0, cancel_no=7), **changes)  # type: ignore[arg-type]


def state_of(found: HandOver | Unmoved) -> HandOverState | Unmoved:
    return found if isinstance(found, Unmoved) else found.state


@pytest.mark.parametrize("step", STEPS)
def test_a_step_moves_a_hand_over_on_and_never_back(step: HandOverState) -> None:
    assert tuple(state_of(after_step(hand_over(state), step, 2)) for state in STATES) == STEPS[step]


@pytest.mark.parametrize("state", STATES)
def test_a_fact_about_an_earlier_request_is_late_and_about_a_later_one_contradicts(state: HandOverState) -> None:
    for step in STEPS:
        assert after_step(hand_over(state), step, 1) is LATE
        assert after_step(hand_over(state), step, 3) is CONTRADICTS
    for stops in (True, False):
        assert after_answer(hand_over(state), 7, 1, stops=stops) is LATE
        assert after_answer(hand_over(state), 7, 3, stops=stops) is CONTRADICTS


def test_a_warehouse_that_stops_has_stopped() -> None:
    assert tuple(state_of(after_answer(hand_over(state), 7, 2, stops=True)) for state in STATES) == STOPS


def test_a_refusal_counts_for_the_newest_cancellation_only() -> None:
    at_work = hand_over(H.PICKING)
    assert after_answer(at_work, 7, 2, stops=False) == replace(at_work, cancel_no=None)
    assert after_answer(at_work, 6, 2, stops=False) is LATE
    assert after_answer(at_work, 8, 2, stops=False) is CONTRADICTS


@dataclass(frozen=True)
class Reviewed:
    """An order in a state, `held` or not, with its share at a warehouse; and the outcome: state, number, request."""

    order: State
    share: tuple[int, int, int]
    before: HandOver
    outcome: tuple[HandOverState, int, Ask | None]
    held: bool = False


S = State
REVIEWS: dict[str, Reviewed] = {
    "nothing is requested": Reviewed(S.PAID, (5, 5, 0), hand_over(H.WITHDRAWN), (H.REQUESTED, 3, Ask.SHIP)),
    "all has left": Reviewed(S.PAID, (5, 0, 0), hand_over(H.WITHDRAWN), (H.WITHDRAWN, 2, None)),
    "it is held": Reviewed(S.PAID, (5, 5, 0), hand_over(H.WITHDRAWN), (H.WITHDRAWN, 2, None), held=True),
    "a hold withdraws it": Reviewed(
        S.PAID, (5, 5, 0), hand_over(H.REQUESTED), (H.WITHDRAWN, 2, Ask.WITHDRAW), held=True
    ),
    "a hold after a refusal": Reviewed(S.PAID, (5, 5, 0), hand_over(H.REFUSED), (H.WITHDRAWN, 2, None), held=True),
    "refused, not held": Reviewed(S.PAID, (5, 5, 0), hand_over(H.REFUSED), (H.REFUSED, 2, None)),
    "a hold while it works": Reviewed(S.FULFILLING, (5, 5, 0), hand_over(H.PICKING), (H.PICKING, 2, None), held=True),
    "nothing changed": Reviewed(S.PAID, (5, 5, 0), hand_over(H.REQUESTED), (H.REQUESTED, 2, None)),
    "goods changed": Reviewed(S.PAID, (4, 4, 0), hand_over(H.REQUESTED), (H.REQUESTED, 3, Ask.SHIP)),
    "the address changed": Reviewed(S.PAID, (5, 5, 1), hand_over(H.REQUESTED), (H.REQUESTED, 3, Ask.SHIP)),
    "goods changed at work": Reviewed(S.FULFILLING, (4, 4, 0), hand_over(H.PACKED), (H.PACKED, 2, Ask.SHIP)),
    "nothing is left": Reviewed(S.FULFILLING, (0, 0, 0), hand_over(H.PACKED), (H.WITHDRAWN, 2, Ask.WITHDRAW)),
    "cancelling, not accepted": Reviewed(
        S.CANCELLING, (5, 5, 0), hand_over(H.REQUESTED), (H.WITHDRAWN, 2, Ask.WITHDRAW)
    ),
    "cancelling, accepted": Reviewed(
        S.CANCELLING, (5, 5, 0), hand_over(H.PICKING, cancel_no=None), (H.PICKING, 2, Ask.CANCEL)
    ),
    "cancelling, in question": Reviewed(S.CANCELLING, (5, 5, 0), hand_over(H.PICKING), (H.PICKING, 2, None)),
    "cancelled": Reviewed(S.CANCELLED, (0, 0, 0), hand_over(H.REQUESTED), (H.WITHDRAWN, 2, Ask.WITHDRAW)),
    "shipped": Reviewed(S.SHIPPED, (5, 0, 0), hand_over(H.PACKED), (H.HANDED_OVER, 2, None)),
    "shipped, the rest is dropped": Reviewed(
        S.SHIPPED, (4, 0, 0), hand_over(H.PACKED), (H.HANDED_OVER, 2, Ask.WITHDRAW)
    ),
    "shipped while a hold has stopped it": Reviewed(
        S.SHIPPED, (5, 0, 0), hand_over(H.PACKED), (H.HANDED_OVER, 2, Ask.WITHDRAW), held=True
    ),
    "shipped without it": Reviewed(S.SHIPPED, (0, 0, 0), hand_over(H.PACKED), (H.WITHDRAWN, 2, Ask.WITHDRAW)),
    "shipped, refused before": Reviewed(S.SHIPPED, (5, 0, 0), hand_over(H.REFUSED), (H.REFUSED, 2, None)),
}


@pytest.mark.parametrize("case", REVIEWS)
def test_a_review_brings_a_hand_over_in_line_with_its_order(case: str) -> None:
    given = REVIEWS[case]
    found, asks = review(order(given.order, held=given.held), WarehouseShare(*given.share), given.before)
    assert (found.state, found.number, asks) == given.outcome


def test_an_order_is_cancelled_when_the_last_warehouse_has_stopped_and_goes_on_when_goods_have_left() -> None:
    assert cancel_trigger([hand_over(H.WITHDRAWN), hand_over(H.PICKING)]) is None
    assert cancel_trigger([hand_over(H.WITHDRAWN), hand_over(H.REFUSED)]) is Trigger.CANCEL_ACCEPTED
    assert cancel_trigger([hand_over(H.PICKING), hand_over(H.HANDED_OVER)]) is Trigger.CANCEL_REFUSED
