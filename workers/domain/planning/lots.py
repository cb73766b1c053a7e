"""The economic order quantity (S2-14): EOQ = sqrt(2 x D x Co / Ch), which makes ordering and holding together cheapest.

D is what is sold in a year, Co what each order costs, Ch what it costs to hold one unit for a year.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from workers.domain.codes import Code
from workers.domain.planning.decimals import written_root
from workers.domain.refusal import Refusal

COST_MAX = 10**11
"""Minor units: with more than any shop sells, what lots cost in a year still fits into 64 bits."""


@dataclass(frozen=True)
class LotCosts:
    """What is sold in a year, and what orders and stock cost. All are above zero."""

    annual_demand: Fraction
    order_cost: Fraction
    holding_cost: Fraction

    @property
    def square(self) -> Fraction:
        """The square of the economic order quantity."""
        return Fraction(2 * self.annual_demand * self.order_cost, self.holding_cost)

    @property
    def quantity(self) -> str:
        """The economic order quantity with four digits."""
        return written_root(self.square)

    def yearly(self, lot: int) -> Fraction:
        """Return what ordering in lots of so many units and holding half a lot on average cost in a year."""
        return Fraction(self.annual_demand * self.order_cost, lot) + Fraction(self.holding_cost * lot, 2)

    def lot(self) -> int:
        """Return the whole number of units, at least one, that costs least: a neighbour of the quantity."""
        below = max(1, isqrt(self.square.numerator // self.square.denominator))
        return min((below, below + 1), key=self.yearly)


def lot_costs(annual_demand: Fraction, order_cost: int, holding_cost: int) -> LotCosts | Refusal:
    """Return the costs, or why there is no economic order quantity."""
    if annual_demand <= 0:
        why = "without a demand above zero there is nothing to order"
        return Refusal(Code.PLAN_DEMAND_INVALID, why, {"field": "annual_demand"})
    if refusal := wrong_costs(order_cost, holding_cost):
        return refusal
    return LotCosts(annual_demand, Fraction(order_cost), Fraction(holding_cost))


def wrong_costs(order_cost: int, holding_cost: int) -> Refusal | None:
    """Refuse costs with which the cheapest lot would be nothing or everything."""
    for field, cost in (("order_cost", order_cost), ("holding_cost", holding_cost)):
        if not 0 < cost <= COST_MAX:
            why = f"{field} must be above zero, and at most {COST_MAX} minor units"
            return Refusal(Code.PLAN_COST_INVALID, why, {"field": field})
    return None
