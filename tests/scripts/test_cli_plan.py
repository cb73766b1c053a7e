"""`oms plan` answers from the sales in the database, on a screen, as JSON and as a picture."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len

from messages.planning import ForecastShown, PriceShown, ReorderShown
from scripts.screens.demand_chart import demand_chart
from tests.golden.examples import raw
from tests.handlers.builders import receive, sku
from tests.handlers.harness import HandlerHarness
from tests.handlers.plan_builders import days_before, sell
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

COSTS = ("--lead-time-days", "14", "--order-cost", "5000", "--holding-cost", "400", "--currency", "CNY")
BY_DAY = ("--period", "day", "--periods", "10")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def sold(database_url: str) -> str:
    """The database of a shop that sold 4, 6 and 8 units at 3, 2 and 1 CNY."""

    async def work(harness: HandlerHarness) -> None:
        await harness.handle(receive("s1", 10, "note-2"))
        for days, (price, qty) in enumerate([(100, 8), (200, 6), (300, 4)], start=2):
            await harness.handle(sku("s1", price=price, revision=days))
            await sell(harness, qty, days_before(days), price=price)

    with_handlers(database_url, work)
    return database_url


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_a_plan_is_wider_than_the_screen(
    oms: Oms, sold: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (
        ("reorder", "s1", *COSTS),
        ("forecast", "s1"),
        ("price", "s1", "--currency", "CNY", "--at", "200"),
    ):
        shown = oms("plan", *arguments, *BY_DAY, database_url=sold)
        assert shown.code == 0, shown.err
        assert [line for line in shown.out.splitlines() if cell_len(line) > width] == []


def test_the_answers_are_those_of_the_questions(oms: Oms, sold: str) -> None:
    def answer(*arguments: str) -> Any:
        return oms("plan", *arguments, *BY_DAY, "-o", "json", database_url=sold).out

    order = ReorderShown.model_validate_json(answer("reorder", "s1", *COSTS, "--alpha", "0.5"))
    assert (order.available, order.alpha, order.suggested > 0) == (2, "0.5000", True)
    series = ForecastShown.model_validate_json(answer("forecast", "s1", "--alpha", "0.5", "--horizon", "1"))
    sold_then, since = series.history[:3], series.history[3:]  # since is a day, or two if it is past midnight by now
    assert [(point.units, point.forecast) for point in sold_then] == [(4, "4.0000"), (6, "4.0000"), (8, "5.0000")]
    assert [point.units for point in since] == [0] * len(since)
    assert [point.forecast for point in series.forecast] == [f"{6.5 / 2 ** len(since):.4f}"]
    price = PriceShown.model_validate_json(answer("price", "s1", "--currency", "CNY", "--max", "220"))
    assert (price.best.price.text, price.flag) == ("2.20", "at_highest")


def test_demand_and_forecasts_are_drawn(oms: Oms, sold: str, tmp_path: Path) -> None:
    file = tmp_path / "s1.svg"
    shown = oms("plan", "forecast", "s1", *BY_DAY, "--plot", str(file), database_url=sold)
    assert (shown.code, str(file) in shown.err) == (0, True)
    picture = ElementTree.fromstring(file.read_text())
    assert len(picture.findall(f"{SVG}polyline")) == 2
    failed = oms("plan", "forecast", "s1", *BY_DAY, "--plot", str(tmp_path), database_url=sold)
    assert (failed.code, "--plot FILE.svg" in failed.err) == (1, True)


def test_the_picture_has_a_bar_for_each_demand_and_escapes_names() -> None:
    found = ForecastShown.model_validate_json(raw("plan.forecast_shown.v1")).model_copy(update={"sku_id": "<tea>&"})
    picture = ElementTree.fromstring(demand_chart(found))
    bars = [rect for rect in picture.findall(f"{SVG}rect") if rect.get("y") != "0" and rect.get("height") != "420"][:2]
    heights = [float(bar.get("height", "0")) for bar in bars]
    assert heights[1] / heights[0] == pytest.approx(120 / 110, abs=0.001)
    title = picture.find(f"{SVG}title")
    assert title is not None
    assert title.text == "<tea>&: sold by week, and forecast with alpha 0.5000"
    assert demand_chart(found) == demand_chart(found)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("forecast", "nothing"), "PLAN_POINTS_TOO_FEW"),
        (("forecast", "s1", "--alpha", "1"), "PLAN_ALPHA_INVALID"),
        (("forecast", "s1", "--alpha", "half"), "numbers are such as 0.25"),
        (("forecast", "s1", "--period", "year"), "day, week, month"),
        (("price", "s1", "--currency", "cny"), "three capital letters"),
    ],
    ids=str,
)
def test_an_error_says_what_to_type(oms: Oms, sold: str, arguments: tuple[str, ...], hint: str) -> None:
    refused = oms("plan", *arguments, database_url=sold)
    assert refused.code != 0
    assert hint in refused.err
