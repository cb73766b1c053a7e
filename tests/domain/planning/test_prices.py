"""The line through prices and units, and the price that earns most (S2-16)."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.planning.golden import BEST, FITTED
from workers.domain.codes import Code
from workers.domain.planning.decimals import written
from workers.domain.planning.prices import (
    DemandLine,
    PriceFlag,
    best_price,
    best_whole_price,
    demand_line,
    price_range,
    wrong_price,
)
from workers.domain.refusal import Refusal

Points = Sequence[tuple[int, int]]
NUMBERS = st.fractions(-1000, 1000, max_denominator=100)


def exact(points: Points) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(price), Fraction(units)) for price, units in points]


def fitted(points: Points) -> DemandLine:
    found = demand_line(exact(points))
    assert isinstance(found, DemandLine), found
    return found


def test_the_example_of_the_document_comes_out() -> None:
    line = fitted([(1, 8), (2, 6), (3, 4)])
    assert line == DemandLine(Fraction(10), Fraction(-2), Fraction(1))
    assert best_price(line, Fraction(1), Fraction(3)) == (Fraction("2.5"), PriceFlag.INSIDE)
    assert line.revenue(Fraction("2.5")) == Fraction("12.5")


@pytest.mark.parametrize(("points", "beta0", "beta1", "r_squared"), FITTED)
def test_the_line_is_that_of_the_oracle(points: Points, beta0: str, beta1: str, r_squared: str) -> None:
    line = fitted(points)
    assert (written(line.beta0), written(line.beta1, 9), written(line.r_squared)) == (beta0, beta1, r_squared)


@pytest.mark.parametrize(("points", "allowed", "price", "flag", "revenue"), BEST)
def test_the_best_price_is_that_of_the_oracle(
    points: Points, allowed: tuple[int | None, int | None], price: int, flag: str, revenue: str
) -> None:
    line, prices = fitted(points), price_range(exact(points), *allowed)
    assert isinstance(prices, tuple)
    assert best_whole_price(line, *prices) == (price, flag)
    assert written(line.revenue(Fraction(price)), 1) == revenue


@given(NUMBERS, NUMBERS, st.lists(st.integers(1, 10**6), min_size=3, max_size=20))
def test_points_on_a_line_give_that_line(beta0: Fraction, beta1: Fraction, prices: list[int]) -> None:
    units = [beta0 + beta1 * price for price in prices]
    above = -min([Fraction(0), *units])  # a demand is not below zero
    found = demand_line([(Fraction(price), each + above) for price, each in zip(prices, units, strict=True)])
    if len(set(prices)) == 1:
        assert isinstance(found, Refusal)
        assert found.code == Code.PLAN_PRICE_CONSTANT
    else:
        assert found == DemandLine(beta0 + above, beta1, Fraction(1))


@given(st.fractions(0, 10**4, max_denominator=50), NUMBERS, st.integers(1, 500), st.integers(0, 500))
def test_no_whole_price_in_the_range_earns_more(beta0: Fraction, beta1: Fraction, lowest: int, wide: int) -> None:
    line = DemandLine(beta0, beta1, Fraction(1))
    price, flag = best_whole_price(line, lowest, lowest + wide)
    assert lowest <= price <= lowest + wide
    if flag is not PriceFlag.NON_DECREASING_DEMAND:
        most = max(line.revenue(Fraction(one)) for one in range(lowest, lowest + wide + 1))
        assert line.revenue(Fraction(price)) == most


def test_where_more_is_sold_at_higher_prices_the_best_one_is_the_highest_allowed() -> None:
    line = fitted([(1, 4), (2, 6), (3, 8)])
    assert best_whole_price(line, 1, 3) == (3, PriceFlag.NON_DECREASING_DEMAND)
    assert best_whole_price(fitted([(1, 4), (2, 4), (3, 4)]), 1, 3) == (3, PriceFlag.NON_DECREASING_DEMAND)


@pytest.mark.parametrize(
    ("points", "code"),
    [
        ([(1, 1), (2, 2)], Code.PLAN_POINTS_TOO_FEW),
        ([(5, 1), (5, 2), (5, 3)], Code.PLAN_PRICE_CONSTANT),
        ([(0, 1), (1, 2), (2, 3)], Code.PLAN_PRICE_INVALID),
        ([(1, -1), (2, 2), (3, 3)], Code.PLAN_DEMAND_INVALID),
    ],
    ids=str,
)
def test_points_without_a_line_are_refused_with_a_code(points: Points, code: Code) -> None:
    found = demand_line(exact(points))
    assert isinstance(found, Refusal)
    assert (found.code, found.details["field"]) == (code, "points")


@pytest.mark.parametrize(("lowest", "highest"), [(4, None), (None, 1), (3, 2)], ids=str)
def test_a_range_without_a_price_is_refused(lowest: int | None, highest: int | None) -> None:
    found = price_range(exact([(2, 1), (3, 2)]), lowest, highest)
    assert isinstance(found, Refusal)
    assert found.code == Code.PLAN_PRICE_INVALID


def test_a_price_above_zero_may_be_named() -> None:
    assert wrong_price([("price_min", 1), ("price_max", None)]) is None
    refusal = wrong_price([("price_min", 1), ("at_prices", 0)])
    assert refusal is not None
    assert (refusal.code, refusal.details["field"]) == (Code.PLAN_PRICE_INVALID, "at_prices")
