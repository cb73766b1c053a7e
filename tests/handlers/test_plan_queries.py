"""Queries about plans, on sales in the database."""

from datetime import timedelta
from typing import Any, TypeVar

import pytest

from messages.base import Query, QueryRejected, Reply
from messages.planning import ForecastShown, PlanForecast, PlanPrice, PlanReorder, PricePoint, PriceShown, ReorderShown
from tests.handlers.builders import cancel, receive, sku
from tests.handlers.harness import HandlerHarness
from tests.handlers.plan_builders import NOON, OPERATOR, days_before, place_back, sell
from tests.handlers.querying import ask
from workers.handlers import queries
from workers.services import sales_histories

R = TypeVar("R", bound=Reply)


async def answer(harness: HandlerHarness, body: Query, model: type[R]) -> R:
    [reply] = await ask(harness, body, now=NOON)
    assert isinstance(reply, model), reply
    return reply


def forecast(**fields: Any) -> PlanForecast:
    about = {"actor": OPERATOR, "sku_id": "s1", "period": "day", "periods": 10, "alpha": "0.5", "horizon": 2}
    return PlanForecast.model_validate(about | fields)


async def test_a_forecast_is_made_of_what_was_sold_and_paid(harness: HandlerHarness) -> None:
    await harness.fill_stock(100)
    await sell(harness, 2, days_before(3))
    await sell(harness, 3, days_before(1))
    await sell(harness, 1, days_before(1))
    await sell(harness, 9, days_before(0))  # this day is not over
    await sell(harness, 9, days_before(11))  # before the ten days
    await sell(harness, 9, days_before(2), sku="s2")
    await place_back(harness, await harness.place_order(("s1", 9)), days_before(2))  # it was not paid
    cancelled = await harness.place_another_paid_order(("s1", 9))
    await harness.handle(cancel(cancelled), trusted=True)
    await place_back(harness, cancelled, days_before(2))
    found = await answer(harness, forecast(), ForecastShown)
    assert [(point.starts_on, point.units, point.forecast) for point in found.history] == [
        (days_before(3).date(), 2, "2.0000"),
        (days_before(2).date(), 0, "2.0000"),
        (days_before(1).date(), 4, "1.0000"),
    ]
    assert [(point.starts_on, point.forecast) for point in found.forecast] == [
        (NOON.date(), "2.5000"),
        ((NOON + timedelta(days=1)).date(), "2.5000"),
    ]
    assert (found.mean_absolute_error, found.root_mean_square_error) == ("2.5000", "2.5495")
    assert (found.sku_id, found.time_zone, found.alpha) == ("s1", "Asia/Shanghai", "0.5000")


async def test_a_day_begins_at_midnight_of_the_shop(harness: HandlerHarness) -> None:
    await harness.fill_stock(100)
    midnight = days_before(1).replace(hour=0)
    await sell(harness, 1, midnight - timedelta(milliseconds=1))
    await sell(harness, 2, midnight)
    await sell(harness, 4, midnight + timedelta(days=1) - timedelta(milliseconds=1))
    await sell(harness, 8, midnight + timedelta(days=1))
    found = await answer(harness, forecast(), ForecastShown)
    assert [point.units for point in found.history] == [1, 6]


async def test_all_sales_are_read_with_one_statement(harness: HandlerHarness) -> None:
    await harness.fill_stock(100)
    for days in (2, 1):
        await sell(harness, days, days_before(days))
    statements: list[str] = []
    bodies = [forecast(), forecast(sku_id="s2"), forecast(warehouse="north"), forecast(sku_id=None, series=(1, 2))]
    shown = await ask(harness, *bodies, now=NOON, statements=statements)
    assert [type(one) for one in shown] == [ForecastShown, QueryRejected, QueryRejected, ForecastShown]
    assert sum("order_items" in statement for statement in statements) == 1


async def test_the_example_of_the_document_is_answered(harness: HandlerHarness) -> None:
    body = forecast(sku_id=None, series=(110, 120), first_forecast="100", horizon=1)
    found = await answer(harness, body, ForecastShown)
    assert [point.forecast for point in found.history] == ["100.0000", "105.0000"]
    assert [point.forecast for point in found.forecast] == ["112.5000"]
    assert {point.starts_on for point in found.history} == {None}


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"alpha": "1"}, "PLAN_ALPHA_INVALID", "$.alpha"),
        ({"period": "year"}, "PLAN_PERIOD_INVALID", "$.period"),
        ({"periods": 367}, "PLAN_PERIOD_INVALID", "$.periods"),
        ({"horizon": 0}, "PLAN_PERIOD_INVALID", "$.horizon"),
        ({"series": (1, 2)}, "PLAN_SOURCE_AMBIGUOUS", "$.sku_id"),
        ({"sku_id": None}, "PLAN_SOURCE_AMBIGUOUS", "$.sku_id"),
        ({"sku_id": None, "series": (1, -1)}, "PLAN_DEMAND_INVALID", "$.series"),
        ({"sku_id": "unknown"}, "PLAN_POINTS_TOO_FEW", "$.series"),
    ],
    ids=str,
)
async def test_a_wrong_question_is_rejected_with_its_code(
    harness: HandlerHarness, fields: dict[str, Any], code: str, path: str
) -> None:
    found = await answer(harness, forecast(**fields), QueryRejected)
    assert (found.code, found.path) == (code, path)


async def test_more_lines_than_one_question_reads_are_refused(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.fill_stock(100)
    for days in (2, 1):
        await sell(harness, days, days_before(days))
    monkeypatch.setattr(sales_histories, "LINES_MAX", 2)
    await answer(harness, forecast(), ForecastShown)
    monkeypatch.setattr(sales_histories, "LINES_MAX", 1)
    assert (await answer(harness, forecast(), QueryRejected)).code == "PLAN_SALES_TOO_MANY"


def reorder(**fields: Any) -> PlanReorder:
    costs = {"lead_time_days": 3, "order_cost": 2000, "holding_cost": 73, "currency": "CNY"}
    about = {"actor": OPERATOR, "sku_id": "s1", "period": "day", "periods": 10, "alpha": "0.5"}
    return PlanReorder.model_validate(about | costs | fields)


async def sell_two_and_four(harness: HandlerHarness) -> None:
    """Sell 2 units two days ago and 4 on the next day: with alpha 0.5 the next forecast is 3, its error 2."""
    await harness.fill_stock(20)
    await sell(harness, 2, days_before(2))
    await sell(harness, 4, days_before(1))


async def test_lots_are_suggested_when_stock_does_not_last_until_they_arrive(harness: HandlerHarness) -> None:
    await sell_two_and_four(harness)
    await harness.place_order(("s1", 3))  # locked, so it cannot be sold
    await harness.handle(receive("s1", 5, "note-2", "north"))
    found = await answer(harness, reorder(), ReorderShown)
    assert (found.forecast, found.lead_time_demand, found.annual_demand) == ("3.0000", "9.0000", "1095.0000")
    assert (found.safety_stock, found.reorder_point) == (6, 15)  # 1.6449 x 2 x sqrt(3) = 5.698
    assert (found.available, found.suggested) == (20 - 6 - 3 + 5, 0)
    assert (found.economic_quantity, found.lot) == ("244.9490", 245)  # sqrt(2 x 1095 x 2000 / 73) = sqrt(60000)
    assert found.yearly_cost.text == "178.81"  # 1095 / 245 x 2000 + 245 / 2 x 73 = 17881.28
    north = await answer(harness, reorder(available=15), ReorderShown)
    assert (north.available, north.suggested) == (15, 245)
    coming = await answer(harness, reorder(available=15, on_order=1), ReorderShown)
    assert (coming.on_order, coming.suggested) == (1, 0)


async def test_one_warehouse_is_planned_by_its_own_sales_and_stock(harness: HandlerHarness) -> None:
    await sell_two_and_four(harness)
    await harness.handle(receive("s1", 5, "note-2", "north"))
    main = await answer(harness, reorder(warehouse="main"), ReorderShown)
    assert (main.available, main.forecast, main.warehouse) == (14, "3.0000", "main")
    assert (await answer(harness, reorder(warehouse="north"), QueryRejected)).code == "PLAN_POINTS_TOO_FEW"


async def test_where_stock_is_elsewhere_the_question_says_what_is_available(harness: HandlerHarness) -> None:
    await sell_two_and_four(harness)
    bodies = [reorder(), reorder(available=7)]
    rejected, shown = await ask(harness, *bodies, now=NOON, answering=queries.answer_without_stock)
    assert isinstance(rejected, QueryRejected)
    assert (rejected.code, rejected.path) == ("INVENTORY_ELSEWHERE", "$.available")
    assert isinstance(shown, ReorderShown)
    assert (shown.available, shown.suggested) == (7, 245)


async def test_reorders_of_any_number_take_two_statements(harness: HandlerHarness) -> None:
    await sell_two_and_four(harness)
    statements: list[str] = []
    await ask(harness, reorder(), reorder(periods=5), reorder(sku_id="s2"), now=NOON, statements=statements)
    assert len([one for one in statements if "order_items" in one or "FROM stock" in one]) == 2


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"order_cost": 0}, "PLAN_COST_INVALID", "$.order_cost"),
        ({"holding_cost": -4}, "PLAN_COST_INVALID", "$.holding_cost"),
        ({"lead_time_days": 0}, "PLAN_LEAD_TIME_INVALID", "$.lead_time_days"),
        ({"service_level": "0.96"}, "PLAN_SERVICE_LEVEL_INVALID", "$.service_level"),
        ({"on_order": -1}, "PLAN_STOCK_INVALID", "$.on_order"),
        ({"alpha": "0"}, "PLAN_ALPHA_INVALID", "$.alpha"),
        ({"sku_id": "unknown"}, "PLAN_POINTS_TOO_FEW", "$.series"),
    ],
    ids=str,
)
async def test_a_wrong_question_about_a_reorder_is_rejected(
    harness: HandlerHarness, fields: dict[str, Any], code: str, path: str
) -> None:
    found = await answer(harness, reorder(**fields), QueryRejected)
    assert (found.code, found.path) == (code, path)


def price(**fields: Any) -> PlanPrice:
    about = {"actor": OPERATOR, "sku_id": "s1", "period": "day", "periods": 10, "currency": "CNY"}
    return PlanPrice.model_validate(about | fields)


POINTS = (PricePoint(price=100, units=8), PricePoint(price=200, units=6), PricePoint(price=300, units=4))


async def test_the_price_that_earns_most_comes_from_what_was_sold_at_which_price(harness: HandlerHarness) -> None:
    await harness.fill_stock(100, price=100)
    for days, (each, qty) in enumerate([(100, 8), (200, 6), (300, 4)], start=2):
        await harness.handle(sku("s1", price=each, revision=days))
        await sell(harness, qty, days_before(days), price=each)
    found = await answer(harness, price(at_prices=(200, 600)), PriceShown)
    assert [(one.starts_on, one.price, one.units) for one in found.history] == [
        (days_before(4).date(), "300.0000", 4),
        (days_before(3).date(), "200.0000", 6),
        (days_before(2).date(), "100.0000", 8),
    ]
    assert (found.beta0, found.beta1, found.r_squared) == ("10.0000", "-0.020000000000", "1.0000")
    assert (found.best.price.minor, found.best.units, found.best.revenue.text) == (250, "5.0000", "12.50")
    assert found.flag == "inside"
    assert [(one.units, one.revenue.minor) for one in found.predictions] == [("6.0000", 1200), ("0.0000", 0)]
    assert (await answer(harness, price(currency="EUR"), QueryRejected)).code == "PLAN_POINTS_TOO_FEW"


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"price_min": 0}, "PLAN_PRICE_INVALID", "$.price_min"),
        ({"price_min": 3, "price_max": 2, "sku_id": None, "points": POINTS}, "PLAN_PRICE_INVALID", "$.price_min"),
        ({"sku_id": None, "points": (POINTS[0],) * 3}, "PLAN_PRICE_CONSTANT", "$.points"),
        ({"sku_id": None, "points": POINTS[:2]}, "PLAN_POINTS_TOO_FEW", "$.points"),
        ({"points": POINTS}, "PLAN_SOURCE_AMBIGUOUS", "$.sku_id"),
        ({"periods": 0}, "PLAN_PERIOD_INVALID", "$.periods"),
    ],
    ids=str,
)
async def test_a_wrong_question_about_a_price_is_rejected(
    harness: HandlerHarness, fields: dict[str, Any], code: str, path: str
) -> None:
    found = await answer(harness, price(**fields), QueryRejected)
    assert (found.code, found.path) == (code, path)


async def test_a_line_that_earns_more_than_any_amount_is_rejected(harness: HandlerHarness) -> None:
    steep = (PricePoint(price=1, units=10**15), PricePoint(price=2, units=9 * 10**14), PricePoint(price=3, units=0))
    found = await answer(harness, price(sku_id=None, points=steep, at_prices=(2,)), QueryRejected)
    assert (found.code, found.path) == ("PLAN_PRICE_INVALID", "$.at_prices")
