"""When to order a SKU again: as soon as what is left does not cover the demand until an order arrives."""

from dataclasses import dataclass
from fractions import Fraction

from workers.domain.codes import Code
from workers.domain.planning.decimals import ceiling, ceiling_root
from workers.domain.refusal import Refusal

LEAD_TIME_DAYS_MAX = 730
_FACTORS = {
    "0.5": "0",
    "0.8": "0.8416",
    "0.85": "1.0364",
    "0.9": "1.2816",
    "0.95": "1.6449",
    "0.975": "1.9600",
    "0.98": "2.0537",
    "0.99": "2.3263",
    "0.995": "2.5758",
    "0.999": "3.0902",
}
SERVICE_FACTORS = {Fraction(level): Fraction(factor) for level, factor in _FACTORS.items()}
"""Service level -> how many standard deviations of the demand are kept in stock for it.

The level is the share of lead times in which the stock lasts, if forecasts miss as a normal distribution does.
"""


@dataclass(frozen=True)
class ReorderPoint:
    """The demand until an order arrives, the units that are kept because forecasts miss, and both together."""

    lead_time_demand: Fraction
    safety_stock: int
    units: int


def reorder_point(
    forecast: Fraction, square_error: Fraction, lead_time: Fraction, service_level: Fraction
) -> ReorderPoint:
    """Return how low the stock may be before more must be ordered.

    `forecast` and `square_error`, the mean square of what forecasts missed, are those of one period, and the lead time
    is in periods. Misses of several periods are taken as independent, so their squares add up.
    """
    demand = forecast * lead_time
    safety = ceiling_root(SERVICE_FACTORS[service_level] ** 2 * square_error * lead_time)
    return ReorderPoint(demand, safety, ceiling(demand) + safety)


def suggested(point: ReorderPoint, position: int, lot: int) -> int:
    """Return how many units to order now: the fewest lots that bring the position above the reorder point, or none.

    The position is what can be sold from stock and what is on its way.
    """
    missing = point.units - position
    return 0 if missing < 0 else (missing // lot + 1) * lot


def wrong_terms(lead_time_days: int, service_level: Fraction, on_order: int, available: int | None) -> Refusal | None:
    """Refuse what no reorder point can be made of."""
    if not 1 <= lead_time_days <= LEAD_TIME_DAYS_MAX:
        why = f"a lead time has 1 to {LEAD_TIME_DAYS_MAX} days"
        return Refusal(Code.PLAN_LEAD_TIME_INVALID, why, {"field": "lead_time_days"})
    if service_level not in SERVICE_FACTORS:
        why = f"the service levels are {', '.join(_FACTORS)}"
        return Refusal(Code.PLAN_SERVICE_LEVEL_INVALID, why, {"field": "service_level"})
    if on_order < 0:
        return Refusal(Code.PLAN_STOCK_INVALID, "units on their way are not below zero", {"field": "on_order"})
    if available is not None and available < 0:
        return Refusal(Code.PLAN_STOCK_INVALID, "units in stock are not below zero", {"field": "available"})
    return None
