"""`oms stats` shows the figures of a day beside those of two days before it."""

import pytest
from rich.cells import cell_len

from messages.dashboards import DashboardShown
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers


@pytest.fixture
def sold(database_url: str) -> str:
    """The database of a shop with a paid order and one that awaits payment."""

    async def work(harness: HandlerHarness) -> None:
        await harness.place_paid_order(("s1", 2))
        await harness.place_order(("s1", 1))

    with_handlers(database_url, work)
    return database_url


def test_three_days_are_shown_side_by_side(oms: Oms, sold: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = oms("stats", "-o", "json", database_url=sold)
    found = [DashboardShown.model_validate(one, strict=False) for one in shown.json]
    assert [(found[0].day - one.day).days for one in found] == [0, 1, 7]
    assert sum(one.total_orders for one in found) == 2
    monkeypatch.setenv("COLUMNS", "80")
    screen = oms("stats", database_url=sold)
    assert screen.code == 0, screen.err
    lines = screen.out.splitlines()
    assert [line for line in lines if cell_len(line) > 80] == []
    assert any(line.startswith("amount CNY") and "10.00" in line for line in lines)
    assert [line.split() for line in lines if line.startswith("exceptions")] == [["exceptions", "0", "0", "0"]]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(("--day", "yesterday"), "no day"), (("--currency", "yuan"), "currency"), (("--day", "1999-01-01"), "2000")],
)
def test_a_wrong_option_says_what_to_type(oms: Oms, database_url: str, arguments: tuple[str, ...], part: str) -> None:
    shown = oms("stats", *arguments, database_url=database_url)
    assert shown.code == 1
    assert part in shown.err
    assert "next: oms stats --day" in shown.err
