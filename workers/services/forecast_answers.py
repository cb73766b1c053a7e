"""Answers plan.forecast: how much of a SKU will be sold in the next periods."""

from collections.abc import Sequence
from datetime import date

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.planning import DemandPoint, ForecastPoint, ForecastShown, PlanForecast
from workers.domain.codes import Code
from workers.domain.planning.decimals import written, written_root
from workers.domain.planning.periods import Period, following, period_of, wrong_horizon
from workers.domain.planning.smoothing import Smoothing, smooth
from workers.domain.refusal import Refusal
from workers.services import sales_histories
from workers.services.sales_histories import SalesClock, SalesHistory, fraction, rejected


async def answer_forecasts(tx: Transaction, items: Sequence[Envelope[PlanForecast]], clock: SalesClock) -> list[Reply]:
    """Answer each plan.forecast, in order. All sales are read with one statement."""
    bodies = [item.body for item in items]
    checked = [_checked(body) for body in bodies]
    wanted = {
        place: (body, body.sku_id, period, "")
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
        if body.sku_id is not None and isinstance(period, Period)
    }
    histories = await sales_histories.read(tx, wanted, clock)
    return [
        rejected(period) if isinstance(period, Refusal) else _answer(body, period, histories.get(place), clock)
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
    ]


def _checked(body: PlanForecast) -> Period | Refusal:
    if (body.sku_id is None) == (not body.series):
        return Refusal(Code.PLAN_SOURCE_AMBIGUOUS, "name either sku_id or series", {"field": "sku_id"})
    return wrong_horizon(body.horizon) or period_of(body.period, body.periods)


def _answer(
    body: PlanForecast, period: Period, sold: SalesHistory | Refusal | None, clock: SalesClock
) -> ForecastShown | QueryRejected:
    """Forecast from the sales, or from the series of the query if there are none. No I/O."""
    if isinstance(sold, Refusal):
        return rejected(sold)
    points: list[tuple[date | None, int]] = [(None, units) for units in body.series]
    ahead: list[date | None] = [None] * body.horizon
    if sold is not None:
        points = [(day, each.units) for day, each in sold.since_first_sale]
        ahead = [*following(period, sold.today, body.horizon)]
    found = smooth([units for _, units in points], fraction(body.alpha), fraction(body.first_forecast))
    return rejected(found) if isinstance(found, Refusal) else _shown(body, clock, points, ahead, found)


def _shown(
    body: PlanForecast,
    clock: SalesClock,
    points: Sequence[tuple[date | None, int]],
    ahead: Sequence[date | None],
    found: Smoothing,
) -> ForecastShown:
    return ForecastShown(
        sku_id=body.sku_id,
        period=body.period,
        time_zone=clock.time_zone,
        alpha=written(found.alpha),
        history=tuple(
            DemandPoint(starts_on=day, units=units, forecast=written(forecast))
            for (day, units), forecast in zip(points, found.forecasts, strict=True)
        ),
        forecast=tuple(ForecastPoint(starts_on=day, forecast=written(found.following)) for day in ahead),
        mean_absolute_error=written(found.mean_absolute_error),
        root_mean_square_error=written_root(found.mean_square_error),
    )
