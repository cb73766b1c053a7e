"""Queries about what to order and at what price to sell, from the sales of the shop, and their answers.

Units that are not whole are decimal texts with four digits after the point, rounded half away from zero.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from messages.base import Actor, AnyInt, Currency, Day, ExternalId, MoneyShown, Part, Query, Reply
from messages.roles import Role

POINTS_MAX = 366
AT_PRICES_MAX = 20
DecimalText = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,12}(?:\.[0-9]{1,12})?$")]
"""A decimal number as a text, such as 0.25: floats are no part of the wire."""
PlannedUnits = Annotated[str, StringConstraints(pattern=r"^-?[0-9]+\.[0-9]{4}$")]
"""Units with four digits after the point."""


class PlanQuery(Query):
    """A query about sales: those of orders that were paid and not cancelled, in whole periods before this one."""

    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR, Role.CATALOGUE})
    actor: Actor
    period: ExternalId = "week"
    periods: AnyInt = 26
    warehouse: ExternalId | None = None


class PlanForecast(PlanQuery):
    """Ask how much of a SKU will be sold in each of the next periods (S2-15), or how a `series` of demands goes on.

    Without `alpha` the one is taken that would have missed least. Without `first_forecast` it is the first demand.
    """

    TYPE: ClassVar[str] = "plan.forecast.v1"
    sku_id: ExternalId | None = None
    series: Annotated[tuple[AnyInt, ...], Field(max_length=POINTS_MAX)] = ()
    alpha: DecimalText | None = None
    first_forecast: DecimalText | None = None
    horizon: AnyInt = 4


class DemandPoint(Part):
    """A past period: what was sold, and what the forecast for it was. Periods of a `series` have no first day."""

    starts_on: Day | None
    units: AnyInt
    forecast: PlannedUnits


class ForecastPoint(Part):
    """A period to come."""

    starts_on: Day | None
    forecast: PlannedUnits


class ForecastShown(Reply):
    """The answer to plan.forecast. The history of a SKU begins with the first of the periods in which it was sold."""

    TYPE: ClassVar[str] = "plan.forecast_shown.v1"
    sku_id: str | None
    period: str
    time_zone: str
    alpha: str
    history: tuple[DemandPoint, ...]
    forecast: tuple[ForecastPoint, ...]
    mean_absolute_error: PlannedUnits
    root_mean_square_error: PlannedUnits


class PlanReorder(PlanQuery):
    """Ask whether to order more of a SKU, and how much (S2-14).

    The costs are in minor units: of each order, and of holding one unit for a year. `available` stands for what can be
    sold from stock, where oms does not keep it; `on_order` is on its way.
    """

    TYPE: ClassVar[str] = "plan.reorder.v1"
    sku_id: ExternalId
    lead_time_days: AnyInt
    order_cost: AnyInt
    holding_cost: AnyInt
    currency: Currency
    alpha: DecimalText | None = None
    service_level: DecimalText = "0.95"
    on_order: AnyInt = 0
    available: AnyInt | None = None


class ReorderShown(Reply):
    """The answer to plan.reorder: order `suggested` units now, which are whole lots; 0 is none.

    More is ordered once `available` and `on_order` are not above `reorder_point`: the demand until an order arrives,
    rounded up, and the safety stock. `lot` is the whole number beside `economic_quantity` that costs least.
    `forecast` is the demand of one period. `yearly_cost` is that of ordering and holding in lots, rounded half up.
    """

    TYPE: ClassVar[str] = "plan.reorder_shown.v1"
    sku_id: str
    warehouse: str | None
    period: str
    time_zone: str
    alpha: str
    forecast: PlannedUnits
    annual_demand: PlannedUnits
    lead_time_demand: PlannedUnits
    safety_stock: AnyInt
    reorder_point: AnyInt
    available: AnyInt
    on_order: AnyInt
    economic_quantity: PlannedUnits
    lot: AnyInt
    suggested: AnyInt
    yearly_cost: MoneyShown


class PricePoint(Part):
    """Units that were sold in a period at a price in minor units."""

    price: AnyInt
    units: AnyInt


class PlanPrice(PlanQuery):
    """Ask at which price a SKU earns most in a period (S2-16), by a line through what was sold at which price.

    The price of a period is the mean of its units after promotions; periods without a sale have none and are left out.
    `points` stand in place of a SKU's sales. The best price lies between `price_min` and `price_max`, without them
    between the lowest and the highest at which was sold. `at_prices` asks what would be sold there.
    """

    TYPE: ClassVar[str] = "plan.price.v1"
    currency: Currency
    sku_id: ExternalId | None = None
    points: Annotated[tuple[PricePoint, ...], Field(max_length=POINTS_MAX)] = ()
    price_min: AnyInt | None = None
    price_max: AnyInt | None = None
    at_prices: Annotated[tuple[AnyInt, ...], Field(max_length=AT_PRICES_MAX)] = ()


class PricedDemand(Part):
    """What was sold in a period, and its mean price in minor units with four digits."""

    starts_on: Day | None
    price: PlannedUnits
    units: AnyInt


class PricePrediction(Part):
    """What would be sold and earned in a period at a price, by the line. The revenue is rounded half up."""

    price: MoneyShown
    units: PlannedUnits
    revenue: MoneyShown


class PriceShown(Reply):
    """The answer to plan.price: units = beta0 + beta1 x price in minor units, and the price that earns most.

    `beta1` has twelve digits after the point. `r_squared` is the share of the variance that the line explains: near 0
    the prices explain nothing. `flag` is inside, at_lowest, at_highest or non_decreasing_demand, where more was sold at
    higher prices and `best` is only the highest price allowed.
    """

    TYPE: ClassVar[str] = "plan.price_shown.v1"
    sku_id: str | None
    period: str
    time_zone: str
    currency: str
    history: tuple[PricedDemand, ...]
    beta0: PlannedUnits
    beta1: str
    r_squared: PlannedUnits
    best: PricePrediction
    flag: str
    predictions: tuple[PricePrediction, ...]


QUERIES: tuple[type[Query], ...] = (PlanReorder, PlanForecast, PlanPrice)
