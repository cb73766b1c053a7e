"""Days, weeks and months, and how many of them can be read."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.codes import Code
from workers.domain.planning.periods import Period, begin, following, history, moved, period_of, wrong_horizon
from workers.domain.refusal import Refusal

DATES = st.dates(date(2024, 1, 1), date(2100, 1, 1))
TODAY = date(2026, 1, 1)  # a Thursday


def test_the_last_whole_periods_end_before_the_one_of_today() -> None:
    assert history(Period.DAY, TODAY, 2) == [date(2025, 12, 30), date(2025, 12, 31), TODAY]
    assert history(Period.WEEK, TODAY, 1) == [date(2025, 12, 22), date(2025, 12, 29)]
    assert history(Period.MONTH, TODAY, 2) == [date(2025, 11, 1), date(2025, 12, 1), TODAY]
    assert following(Period.MONTH, date(2025, 12, 1), 3) == [date(2025, 12, 1), TODAY, date(2026, 2, 1)]


@given(st.sampled_from(Period), DATES, st.integers(-40, 40))
def test_a_day_lies_in_one_period_and_moving_there_and_back_ends_where_it_began(
    period: Period, day: date, count: int
) -> None:
    first = begin(period, day)
    assert first <= day < moved(period, first, 1)
    assert begin(period, first - timedelta(days=1)) == moved(period, first, -1)
    assert moved(period, moved(period, first, count), -count) == first


@pytest.mark.parametrize(
    ("word", "count", "field"), [("year", 1, "period"), ("day", 0, "periods"), ("day", 367, "periods")], ids=str
)
def test_other_periods_are_refused(word: str, count: int, field: str) -> None:
    found = period_of(word, count)
    assert isinstance(found, Refusal)
    assert (found.code, found.details["field"]) == (Code.PLAN_PERIOD_INVALID, field)


@pytest.mark.parametrize(("count", "refused"), [(0, True), (1, False), (53, False), (54, True)])
def test_a_forecast_looks_a_year_ahead_at_most(count: int, refused: bool) -> None:
    assert (wrong_horizon(count) is not None) is refused
