"""The price that earns most (S2-16): a line through (price, units) by least squares, and the top of price x units.

The line is units = beta0 + beta1 x price. Everything is exact: no digit depends on the order of the points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import lcm

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

POINTS_MIN = 3  # a line goes through any two points, which says nothing
PRICE_MAX = 10**15  # minor units: the greatest amount of the wire
NOTHING = Fraction(0)


class PriceFlag(StrEnum):
    """Where the best price lies. At a boundary one beyond it might earn more, but no sale shows what happens there."""

    INSIDE = "inside"
    AT_LOWEST = "at_lowest"
    AT_HIGHEST = "at_highest"
    NON_DECREASING_DEMAND = "non_decreasing_demand"
    """More was sold at higher prices: the line says nothing about the best one, which is then the highest allowed."""


@dataclass(frozen=True)
class DemandLine:
    """units = beta0 + beta1 x price. `r_squared` is the share of the variance of units that the line explains."""

    beta0: Fraction
    beta1: Fraction
    r_squared: Fraction

    def units(self, price: Fraction) -> Fraction:
        """Return how many units are sold at a price: never less than none."""
        return max(NOTHING, self.beta0 + self.beta1 * price)

    def revenue(self, price: Fraction) -> Fraction:
        """Return what is earned at a price."""
        return price * self.units(price)


def demand_line(points: Sequence[tuple[Fraction, Fraction]]) -> DemandLine | Refusal:
    """Fit a line through points of (price, units)."""
    if any(not 0 < price <= PRICE_MAX for price, _ in points):
        return Refusal(
            Code.PLAN_PRICE_INVALID, f"a price is above zero, and at most {PRICE_MAX} minor units", {"field": "points"}
        )
    if any(units < 0 for _, units in points):
        return Refusal(Code.PLAN_DEMAND_INVALID, "a demand is not below zero", {"field": "points"})
    if (count := len(points)) < POINTS_MIN:
        why = f"a line needs {POINTS_MIN} periods with sales"
        return Refusal(Code.PLAN_POINTS_TOO_FEW, why, {"field": "points", "points": count})
    price_scale, prices = _whole([price for price, _ in points])
    units_scale, units = _whole([units for _, units in points])
    variance, together, of_units = (
        count * sum(x * y for x, y in zip(one, other, strict=True)) - sum(one) * sum(other)
        for one, other in ((prices, prices), (prices, units), (units, units))
    )
    if not variance:
        why = "all was sold at one price, so nothing shows what another one would change"
        return Refusal(Code.PLAN_PRICE_CONSTANT, why, {"field": "points"})
    beta1 = Fraction(together * price_scale, variance * units_scale)
    beta0 = Fraction(1, count) * (Fraction(sum(units), units_scale) - beta1 * Fraction(sum(prices), price_scale))
    explained = Fraction(together * together, variance * of_units) if of_units else Fraction(1)
    return DemandLine(beta0, beta1, explained)


def _whole(values: Sequence[Fraction]) -> tuple[int, list[int]]:
    """Return a scale, and the values times it, which are whole: sums of fractions take eight times as long."""
    scale = lcm(*(value.denominator for value in values))
    return scale, [value.numerator * (scale // value.denominator) for value in values]


def best_price(line: DemandLine, lowest: Fraction, highest: Fraction) -> tuple[Fraction, PriceFlag]:
    """Return the price from lowest to highest that earns most, and where it lies."""
    if line.beta1 >= 0:
        return highest, PriceFlag.NON_DECREASING_DEMAND
    top = Fraction(line.beta0, -2 * line.beta1)
    if top < lowest:
        return lowest, PriceFlag.AT_LOWEST
    return (highest, PriceFlag.AT_HIGHEST) if top > highest else (top, PriceFlag.INSIDE)


def best_whole_price(line: DemandLine, lowest: int, highest: int) -> tuple[int, PriceFlag]:
    """Return the best price of whole minor units: of the two beside the best one, the lower if both earn as much."""
    price, flag = best_price(line, Fraction(lowest), Fraction(highest))
    below = price.numerator // price.denominator
    return max((below, min(below + 1, highest)), key=lambda one: (line.revenue(Fraction(one)), -one)), flag


def wrong_price(named: Sequence[tuple[str, int | None]]) -> Refusal | None:
    """Refuse a price of a field that is not above zero, or higher than any amount."""
    for field, price in named:
        if price is not None and not 0 < price <= PRICE_MAX:
            why = f"{field} must be above zero, and at most {PRICE_MAX} minor units"
            return Refusal(Code.PLAN_PRICE_INVALID, why, {"field": field})
    return None


def price_range(
    points: Sequence[tuple[Fraction, Fraction]], lowest: int | None, highest: int | None
) -> tuple[int, int] | Refusal:
    """Return the prices that are allowed: those that are named, else the least and the greatest at which was sold."""
    prices = [price for price, _ in points]
    least = lowest if lowest is not None else max(1, min(price.numerator // price.denominator for price in prices))
    most = highest if highest is not None else max(-(-price.numerator // price.denominator) for price in prices)
    if least > most:
        return Refusal(
            Code.PLAN_PRICE_INVALID, "price_min is above price_max, or above every price", {"field": "price_min"}
        )
    return least, most
