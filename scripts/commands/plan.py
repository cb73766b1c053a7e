"""`oms plan` says what to order, what will be sold, and at what price a SKU earns most, from what was sold."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import SecretStr, ValidationError

from db.pool import Transaction
from messages.base import Reply
from messages.envelope import Envelope
from messages.planning import (
    ForecastShown,
    PlanForecast,
    PlanPrice,
    PlanQuery,
    PlanReorder,
    PriceShown,
    ReorderShown,
)
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, counted, say, write_json
from scripts.commands.problems import Code, CommandError
from scripts.commands.queries import answered, operator
from scripts.screens import layout
from scripts.screens.demand_chart import demand_chart
from scripts.screens.plan_screens import forecast_screen, price_screen, reorder_screen
from workers.services.forecast_answers import answer_forecasts
from workers.services.price_answers import answer_prices
from workers.services.reorder_answers import answer_reorders
from workers.services.sales_histories import SalesClock
from workers.settings import Settings

app = command_app("Plan what to order and at what price to sell, from what was sold.")
P = TypeVar("P", bound=PlanQuery)
R = TypeVar("R", bound=Reply)
Sku = Annotated[str, typer.Argument(metavar="SKU", help="The id of the SKU.")]
PeriodOption = Annotated[str, typer.Option(help="Add sales up by day, week or month of OMS_BUSINESS_TIME_ZONE.")]
PeriodsOption = Annotated[int, typer.Option(help="Look at so many whole periods before this one.")]
WarehouseOption = Annotated[str | None, typer.Option(help="Only lines and stock of this warehouse.")]
AlphaOption = Annotated[
    str | None,
    typer.Option(help="Between 0 and 1: how fast a forecast follows. Default: what would have missed least."),
]


class PlanSettings(Settings):
    """The settings of a worker, without the broker."""

    amqp_url: SecretStr = SecretStr("")


@app.command("reorder")
def reorder(
    sku: Sku,
    *,
    lead_time_days: Annotated[int, typer.Option(help="An order to the supplier arrives after so many days.")],
    order_cost: Annotated[int, typer.Option(help="What each order costs, in minor units.")],
    holding_cost: Annotated[int, typer.Option(help="What holding one unit for a year costs, in minor units.")],
    currency: Annotated[str, typer.Option(help="The currency of both, such as CNY.")],
    service_level: Annotated[str, typer.Option(help="The share of lead times in which the stock lasts.")] = "0.95",
    on_order: Annotated[int, typer.Option(help="So many units are on their way.")] = 0,
    available: Annotated[int | None, typer.Option(help="So many can be sold. Default: as the stock has it.")] = None,
    period: PeriodOption = "week",
    periods: PeriodsOption = 26,
    alpha: AlphaOption = None,
    warehouse: WarehouseOption = None,
    output: Output = Format.TABLE,
) -> None:
    """Say whether to order more of a SKU, and how much.

    More is ordered once what can be sold and what is on its way does not cover the demand until an order arrives, with
    a safety stock for what forecasts miss. It is ordered in lots of the economic order quantity. JSON has the fields of
    plan.reorder_shown.

    \b
    Examples:
      oms plan reorder tea --lead-time-days 14 --order-cost 5000 \\
        --holding-cost 400 --currency CNY
      oms plan reorder tea --lead-time-days 3 --order-cost 5000 \\
        --holding-cost 400 --currency CNY --period day --service-level 0.99 -o json
    """
    given = {
        "sku_id": sku,
        "lead_time_days": lead_time_days,
        "order_cost": order_cost,
        "holding_cost": holding_cost,
        "currency": currency,
        "service_level": service_level,
        "on_order": on_order,
        "available": available,
        "alpha": alpha,
    }
    settings = PlanSettings()
    answer = partial(answer_reorders, stock_here=settings.stock_database_url is None)
    body = _body(PlanReorder, given | _about(period, periods, warehouse))
    found = _ask(settings, body, answer, ReorderShown)
    if output is Format.JSON:
        write_json(found.model_dump(mode="json"))
        return
    layout.write(reorder_screen(found, layout.screen_columns()))


@app.command("forecast")
def forecast(
    sku: Sku,
    *,
    period: PeriodOption = "week",
    periods: PeriodsOption = 26,
    horizon: Annotated[int, typer.Option(help="Forecast so many periods.")] = 4,
    alpha: AlphaOption = None,
    warehouse: WarehouseOption = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw demand and forecasts.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say how much of a SKU was sold in each period, and how much will be.

    It is simple exponential smoothing: each forecast moves from the last one towards what was sold, by the share alpha.
    It follows neither seasons nor trends. JSON has the fields of plan.forecast_shown.

    \b
    Examples:
      oms plan forecast tea
      oms plan forecast tea --period day --periods 60 --alpha 0.3
      oms plan forecast tea --plot tea.svg
      oms plan forecast tea -o json | jq -r '.forecast[0].forecast'
    """
    given = {"sku_id": sku, "alpha": alpha, "horizon": horizon}
    body = _body(PlanForecast, given | _about(period, periods, warehouse))
    found = _ask(PlanSettings(), body, answer_forecasts, ForecastShown)
    if plot is not None:
        _draw(plot, demand_chart(found))
    if output is Format.JSON:
        write_json(found.model_dump(mode="json"))
        return
    layout.write(forecast_screen(found, layout.screen_columns()))


@app.command("price")
def price(
    sku: Sku,
    *,
    currency: Annotated[str, typer.Option(help="Only sales in this currency, such as CNY.")],
    price_min: Annotated[int | None, typer.Option("--min", help="The lowest price allowed, in minor units.")] = None,
    price_max: Annotated[int | None, typer.Option("--max", help="The highest price allowed, in minor units.")] = None,
    at: Annotated[list[int] | None, typer.Option(help="Show this price too; may be repeated.")] = None,
    period: PeriodOption = "week",
    periods: PeriodsOption = 26,
    warehouse: WarehouseOption = None,
    output: Output = Format.TABLE,
) -> None:
    """Say at which price a SKU earns most, by a line through what was sold at which price.

    Without --min and --max the price lies between the lowest and the highest at which was sold: no sale shows what
    happens beyond. JSON has the fields of plan.price_shown.

    \b
    Examples:
      oms plan price tea --currency CNY
      oms plan price tea --currency CNY --min 400 --max 900 --at 650 --at 700
      oms plan price tea --currency CNY -o json | jq .best
    """
    given = {
        "sku_id": sku,
        "currency": currency,
        "price_min": price_min,
        "price_max": price_max,
        "at_prices": tuple(at or ()),
    }
    body = _body(PlanPrice, given | _about(period, periods, warehouse))
    found = _ask(PlanSettings(), body, answer_prices, PriceShown)
    if output is Format.JSON:
        write_json(found.model_dump(mode="json"))
        return
    layout.write(price_screen(found, layout.screen_columns()))


def _about(period: str, periods: int, warehouse: str | None) -> dict[str, Any]:
    return {"actor": operator(), "period": period, "periods": periods, "warehouse": warehouse}


def _body(model: type[P], fields: Mapping[str, Any]) -> P:
    """Build the query. Raises CommandError if a value has not the form that the wire wants."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        hint = "numbers are such as 0.25, a currency is three capital letters"
        raise CommandError(Code.FAILED, "the query is not valid", why=faults, hint=hint) from None


def _ask(
    settings: Settings,
    body: P,
    answer: Callable[[Transaction, Sequence[Envelope[P]], SalesClock], Awaitable[list[Reply]]],
    wanted: type[R],
) -> R:
    async def work() -> R:
        async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
            clock = SalesClock(await tx.fetchval("SELECT clock_timestamp()"), settings.business_time_zone)

            async def now(tx: Transaction, items: Sequence[Envelope[P]]) -> list[Reply]:
                return await answer(tx, items, clock)

            hint = f"oms {body.routing_key().replace('.', ' ')} --help"
            return await answered(tx, body, now, wanted, hint=hint)

    return run(work())


def _draw(file: Path, picture: str) -> None:
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            Code.FAILED, f"cannot write {file}", why=str(error.strerror), hint="--plot FILE.svg"
        ) from None
    say(f"{file}: {counted(len(picture.encode()), 'byte')}")
