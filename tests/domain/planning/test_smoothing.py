"""Exponential smoothing: its recursion, its bounds, and the alpha that nobody named (S2-15)."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.planning.golden import SMOOTHED
from workers.domain.codes import Code
from workers.domain.planning.decimals import written, written_root
from workers.domain.planning.smoothing import STEPS, Smoothing, smooth
from workers.domain.refusal import Refusal

DEMANDS = st.lists(st.integers(0, 10**6), min_size=2, max_size=30)
ALPHAS = st.integers(1, 9999).map(lambda parts: Fraction(parts, 10_000))


def smoothed(demands: Sequence[int], alpha: Fraction | None, first: Fraction | None = None) -> Smoothing:
    found = smooth(demands, alpha, first)
    assert isinstance(found, Smoothing), found
    return found


def test_the_example_of_the_document_comes_out() -> None:
    found = smoothed([110, 120], Fraction(1, 2), Fraction(100))
    assert [*found.forecasts] == [100, 105]
    assert found.following == Fraction("112.5")
    assert (found.mean_absolute_error, found.mean_square_error) == (Fraction("12.5"), Fraction("162.5"))


@pytest.mark.parametrize("row", SMOOTHED, ids=str)
def test_forecasts_are_those_of_the_oracle(row: Any) -> None:
    demands, alpha, first, *expected = row
    found = smoothed(demands, Fraction(alpha), Fraction(first))
    shown = [written(found.forecasts[-1]), written(found.following), written_root(found.mean_square_error)]
    assert shown == expected


@given(DEMANDS, ALPHAS, st.none() | st.fractions(0, 10**6, max_denominator=100))
def test_each_forecast_is_made_of_the_demand_and_the_forecast_before(
    demands: list[int], alpha: Fraction, first: Fraction | None
) -> None:
    found = smoothed(demands, alpha, first)
    forecasts = [*found.forecasts, found.following]
    assert forecasts[0] == (demands[0] if first is None else first)
    for place, demand in enumerate(demands):
        assert forecasts[place + 1] == alpha * demand + (1 - alpha) * forecasts[place]
    misses = [demand - made for demand, made in zip(demands, forecasts, strict=False)][first is None :]
    assert found.mean_absolute_error * len(misses) == sum(map(abs, misses))
    assert found.mean_square_error * len(misses) == sum(missed * missed for missed in misses)


@given(DEMANDS, st.none() | ALPHAS)
def test_a_forecast_lies_between_the_least_and_the_greatest_demand(demands: list[int], alpha: Fraction | None) -> None:
    found = smoothed(demands, alpha)
    assert all(min(demands) <= one <= max(demands) for one in (*found.forecasts, found.following))


@given(DEMANDS)
def test_without_an_alpha_no_other_step_misses_less(demands: list[int]) -> None:
    found = smoothed(demands, None)
    others = [smoothed(demands, Fraction(step, STEPS)) for step in range(1, STEPS)]
    assert found.mean_square_error == min(other.mean_square_error for other in others)


@pytest.mark.parametrize(
    ("demands", "alpha", "first", "code", "field"),
    [
        ([1, 2], "0", None, Code.PLAN_ALPHA_INVALID, "alpha"),
        ([1, 2], "1", None, Code.PLAN_ALPHA_INVALID, "alpha"),
        ([1, 2], "-0.5", None, Code.PLAN_ALPHA_INVALID, "alpha"),
        ([1, 2], "0.12345", None, Code.PLAN_ALPHA_INVALID, "alpha"),
        ([1, -2], "0.5", None, Code.PLAN_DEMAND_INVALID, "series"),
        ([1, 2], "0.5", "-1", Code.PLAN_DEMAND_INVALID, "first_forecast"),
        ([1], "0.5", None, Code.PLAN_POINTS_TOO_FEW, "series"),
        ([], "0.5", None, Code.PLAN_POINTS_TOO_FEW, "series"),
    ],
    ids=str,
)
def test_a_wrong_number_is_refused_with_its_code(
    demands: list[int], alpha: str, first: str | None, code: Code, field: str
) -> None:
    found = smooth(demands, Fraction(alpha), None if first is None else Fraction(first))
    assert isinstance(found, Refusal)
    assert (found.code, found.details["field"]) == (code, field)
