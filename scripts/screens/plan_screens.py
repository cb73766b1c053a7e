"""The screens of `oms plan`: what to order, what will be sold, and at what price a SKU earns most."""

from messages.planning import ForecastShown, PriceShown, ReorderShown
from scripts.commands.output import counted
from scripts.screens.layout import Column, Lines, fields, section, title
from scripts.screens.timeline import text_of

FLAGS = {
    "inside": "earns most by the line",
    "at_lowest": "the lowest allowed: a lower one might earn more",
    "at_highest": "the highest allowed: a higher one might earn more",
    "non_decreasing_demand": "the highest allowed: more was sold at higher prices, so the line says nothing",
}


def reorder_screen(found: ReorderShown, width: int) -> Lines:
    """Return the screen of `oms plan reorder`."""
    lots = found.suggested // found.lot
    order = f"order {counted(found.suggested, 'unit')}: {counted(lots, 'lot')} of {found.lot}"
    return [
        *title(f"{found.sku_id}: {order if found.suggested else 'order nothing now'}", width),
        *fields(
            [
                ("warehouse", found.warehouse),
                ("available", found.available),
                ("on order", found.on_order),
                ("reorder point", f"{found.reorder_point}: order once no more than these are left or on order"),
                ("demand", f"{found.lead_time_demand} until an order arrives"),
                ("safety stock", found.safety_stock),
                ("forecast", f"{found.forecast} a {found.period}, alpha {found.alpha}"),
                ("a year", found.annual_demand),
                ("EOQ", f"{found.economic_quantity}, so a lot has {counted(found.lot, 'unit')}"),
                ("costs", f"{text_of(found.yearly_cost)} a year for ordering and holding"),
            ],
            width,
        ),
    ]


def forecast_screen(found: ForecastShown, width: int) -> Lines:
    """Return the screen of `oms plan forecast`."""
    columns = [Column(found.period), Column("sold", right=True), Column("forecast", right=True)]
    past = [(point.starts_on, point.units, point.forecast) for point in found.history]
    ahead = [(point.starts_on, None, point.forecast) for point in found.forecast]
    return [
        *title(f"{found.sku_id}: {found.forecast[0].forecast} a {found.period}", width),
        *fields(
            [
                ("alpha", found.alpha),
                ("missed", f"by {found.mean_absolute_error} on average, {found.root_mean_square_error} by squares"),
                ("days of", found.time_zone),
            ],
            width,
        ),
        *section(f"by {found.period}", columns, [*past, *ahead], width),
    ]


def price_screen(found: PriceShown, width: int) -> Lines:
    """Return the screen of `oms plan price`."""
    best = found.best
    prices = [Column("price", right=True), Column("units", right=True), Column("earns", right=True)]
    shown = [(text_of(one.price), one.units, text_of(one.revenue)) for one in (best, *found.predictions)]
    sold = [Column(found.period), Column("mean price (minor units)", right=True), Column("sold", right=True)]
    return [
        *title(f"{found.sku_id}: {text_of(best.price)} a unit", width),
        *fields(
            [
                ("price", FLAGS[found.flag]),
                ("line", f"units = {found.beta0} {_signed(found.beta1)} x price in minor units"),
                ("R squared", f"{found.r_squared} of the variance is explained"),
                ("days of", found.time_zone),
            ],
            width,
        ),
        *section(f"by the line, a {found.period}", prices, shown, width),
        *section("sold", sold, [(one.starts_on, one.price, one.units) for one in found.history], width),
    ]


def _signed(number: str) -> str:
    """Return a number as a term that is added."""
    return f"- {number[1:]}" if number.startswith("-") else f"+ {number}"
