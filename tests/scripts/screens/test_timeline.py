"""The parts of a timeline that need no database."""

import pytest

from scripts.screens.state_meanings import MEANINGS, TIMER_ENDS
from scripts.screens.timeline import duration
from workers.domain.order import FINISHED, State
from workers.store.timers import TimerKind

OF_OTHER_ROWS = {TimerKind.ATTEMPT, TimerKind.REFUND, TimerKind.WAYBILL}
"""Timers whose key is no order."""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.00 s"),
        (0.054, "0.05 s"),
        (12, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (86_399, "23 h 59 min"),
        (273_600, "3 d 4 h"),
        (86_400, "1 d"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_state_has_a_meaning_and_only_ended_orders_wait_for_nothing() -> None:
    assert MEANINGS.keys() == set(State)
    assert {state for state, meaning in MEANINGS.items() if not meaning.awaited} == {*FINISHED, State.SPLIT}


def test_every_timer_of_an_order_says_what_it_ends() -> None:
    assert TIMER_ENDS.keys() == set(TimerKind) - OF_OTHER_ROWS
