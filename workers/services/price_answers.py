"""Answers plan.price: at which price a SKU earns most."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from db.pool import Transaction
from messages.base import AMOUNT_MAX, QueryRejected, Reply
from messages.envelope import Envelope
from messages.planning import PlanPrice, PricedDemand, PricePrediction, PriceShown
from workers.domain.codes import Code
from workers.domain.planning.decimals import SLOPE_DIGITS, half_up, written
from workers.domain.planning.periods import Period, period_of
from workers.domain.planning.prices import DemandLine, best_whole_price, demand_line, price_range, wrong_price
from workers.domain.refusal import Refusal
from workers.services import sales_histories
from workers.services.answer_parts import money
from workers.services.sales_histories import SalesClock, SalesHistory, rejected


async def answer_prices(tx: Transaction, items: Sequence[Envelope[PlanPrice]], clock: SalesClock) -> list[Reply]:
    """Answer each plan.price, in order. All sales are read with one statement."""
    bodies = [item.body for item in items]
    checked = [_checked(body) for body in bodies]
    wanted = {
        place: (body, body.sku_id, period, body.currency)
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
        if body.sku_id is not None and isinstance(period, Period)
    }
    histories = await sales_histories.read(tx, wanted, clock)
    return [
        rejected(period) if isinstance(period, Refusal) else _answer(body, histories.get(place), clock)
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
    ]


def _checked(body: PlanPrice) -> Period | Refusal:
    """Return the period, or why the query has no answer whatever was sold. No I/O."""
    if (body.sku_id is None) == (not body.points):
        return Refusal(Code.PLAN_SOURCE_AMBIGUOUS, "name either sku_id or points", {"field": "sku_id"})
    named = [("price_min", body.price_min), ("price_max", body.price_max)]
    named += [("at_prices", price) for price in body.at_prices]
    return wrong_price(named) or period_of(body.period, body.periods)


def _answer(body: PlanPrice, sold: SalesHistory | Refusal | None, clock: SalesClock) -> PriceShown | QueryRejected:
    """Plan from the sales, or from the points of the query if there are none. No I/O."""
    if isinstance(sold, Refusal):
        return rejected(sold)
    days: list[date | None] = [None] * len(body.points)
    points = [(Fraction(point.price), Fraction(point.units)) for point in body.points]
    if sold is not None:
        priced = [(day, each) for day, each in sold.periods if each.amount > 0]
        days = [day for day, _ in priced]
        points = [(Fraction(each.amount, each.units_priced), Fraction(each.units)) for _, each in priced]
    line = demand_line(points)
    if isinstance(line, Refusal):
        return rejected(line)
    allowed = price_range(points, body.price_min, body.price_max)
    if isinstance(allowed, Refusal):
        return rejected(allowed)
    history = tuple(
        PricedDemand(starts_on=day, price=written(price), units=half_up(units))
        for day, (price, units) in zip(days, points, strict=True)
    )
    return _shown(body, clock, history, line, allowed)


def _shown(
    body: PlanPrice, clock: SalesClock, history: tuple[PricedDemand, ...], line: DemandLine, allowed: tuple[int, int]
) -> PriceShown | QueryRejected:
    price, flag = best_whole_price(line, *allowed)
    if any(line.revenue(Fraction(one)) > AMOUNT_MAX for one in (price, *body.at_prices)):
        why = "the line through the points earns more there than an amount can be: name other prices"
        return rejected(
            Refusal(Code.PLAN_PRICE_INVALID, why, {"field": "at_prices" if body.at_prices else "price_max"})
        )
    return PriceShown(
        sku_id=body.sku_id,
        period=body.period,
        time_zone=clock.time_zone,
        currency=body.currency,
        history=history,
        beta0=written(line.beta0),
        beta1=written(line.beta1, SLOPE_DIGITS),
        r_squared=written(line.r_squared),
        best=_prediction(line, price, body.currency),
        flag=flag.value,
        predictions=tuple(_prediction(line, one, body.currency) for one in body.at_prices),
    )


def _prediction(line: DemandLine, price: int, currency: str) -> PricePrediction:
    at = Fraction(price)
    return PricePrediction(
        price=money(price, currency),
        units=written(line.units(at)),
        revenue=money(half_up(line.revenue(at)), currency),
    )
