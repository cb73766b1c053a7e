"""The days, weeks and months in which sales are counted. A week begins on Monday."""

from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

PERIODS_MAX = 366  # a year of days; statements and answers stay small
HORIZON_MAX = 53
YEAR_DAYS = 365
MONTHS = 12


class Period(StrEnum):
    """A length of time by which sales are added up."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


DAYS = {Period.DAY: Fraction(1), Period.WEEK: Fraction(7), Period.MONTH: Fraction(YEAR_DAYS, MONTHS)}
"""Period -> its days; of months the mean."""


def begin(period: Period, day: date) -> date:
    """Return the first day of the period in which a day lies."""
    match period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case Period.MONTH:
            return day.replace(day=1)


def moved(period: Period, first_day: date, count: int) -> date:
    """Return the first day of the period that lies so many periods after this one, or before it if below zero."""
    match period:
        case Period.DAY:
            return first_day + timedelta(days=count)
        case Period.WEEK:
            return first_day + timedelta(weeks=count)
        case Period.MONTH:
            years, month = divmod(first_day.year * MONTHS + first_day.month - 1 + count, MONTHS)
            return date(years, month + 1, 1)


def history(period: Period, today: date, count: int) -> list[date]:
    """Return the first days of the last whole periods before today, the oldest first, and of the one of today."""
    now = begin(period, today)
    return [moved(period, now, place - count) for place in range(count + 1)]


def following(period: Period, first_day: date, count: int) -> list[date]:
    """Return the first days of so many periods, of which the first begins on this day."""
    return [moved(period, first_day, place) for place in range(count)]


def period_of(word: str, count: int) -> Period | Refusal:
    """Return the period of a name if so many of them can be read, or why not."""
    if word not in set(Period):
        return _invalid(f"{word} is no period; the periods are {', '.join(Period)}", "period")
    if not 1 <= count <= PERIODS_MAX:
        return _invalid(f"sales are read for 1 to {PERIODS_MAX} periods", "periods")
    return Period(word)


def wrong_horizon(count: int) -> Refusal | None:
    """Refuse to look too far ahead."""
    if 1 <= count <= HORIZON_MAX:
        return None
    return _invalid(f"a forecast is for 1 to {HORIZON_MAX} periods", "horizon")


def _invalid(why: str, field: str) -> Refusal:
    return Refusal(Code.PLAN_PERIOD_INVALID, why, {"field": field})
