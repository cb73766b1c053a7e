"""When a channel is asked about an attempt, and whether orders can be paid."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.paying import FIRST_ASK, LAST_ASK, ask_at

GRACE = timedelta(seconds=60)
START = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
HALF_AN_HOUR, QUARTER_MINUTE, MOMENT = 1800, 15, 5
ASKED = [
    (HALF_AN_HOUR, [60, 120, 240, 480, 960, 1755, 1800, 1860]),
    (QUARTER_MINUTE, [11.25, 15, 60, 75]),
    (MOMENT, [3.75, 5, 60, 65]),
]
"""(seconds of the window, seconds after the start at which it is asked)"""


@pytest.mark.parametrize(("window_seconds", "expected"), ASKED)
def test_an_attempt_is_asked_about_in_ever_longer_steps_before_its_window_ends_and_when_it_has(
    window_seconds: int, expected: list[int]
) -> None:
    expire, now = START + timedelta(seconds=window_seconds), START
    asked: list[float] = []
    while now < expire + GRACE:
        now = ask_at(START, expire, now, GRACE)
        asked.append((now - START).total_seconds())
    assert asked == expected


@given(window_seconds=st.integers(1, 10**6), passed_seconds=st.floats(0, 2 * 10**6))
def test_the_next_time_is_always_later_and_never_jumps_over_the_last_moments(
    window_seconds: int, passed_seconds: float
) -> None:
    expire, now = START + timedelta(seconds=window_seconds), START + timedelta(seconds=passed_seconds)
    at = ask_at(START, expire, now, GRACE)
    assert at > now
    last = expire - min(LAST_ASK, (expire - START) / 4)
    for fence in (last, expire, expire + GRACE):
        assert at <= fence or now >= fence
    assert at - START >= min(FIRST_ASK, last - START)
