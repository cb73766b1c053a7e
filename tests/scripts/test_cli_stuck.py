"""`oms stuck` lists what waits too long, with what to type next."""

from datetime import timedelta

import pytest
from rich.cells import cell_len

from messages.stuck_waits import OrderStuckListed
from tests.handlers.builders import book
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.refund_builders import request_refund
from tests.handlers.stuck_scenes import PLAIN, age
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers
from workers import shop


@pytest.fixture
def waiting(database_url: str) -> str:
    """The database of a shop in which a hold, a refund and a parcel wait for a day and more."""

    async def work(harness: HandlerHarness) -> None:
        shop.configure(PLAIN)
        order_id = await harness.place_paid_order(("s1", 2))
        await harness.handle(request_refund(order_id, "r1", 100), trusted=True)
        await harness.handle(book(order_id, "SF1"))
        await harness.handle(hold(order_id), trusted=True)
        await age(harness, timedelta(hours=25))

    with_handlers(database_url, work)
    return database_url


@pytest.mark.parametrize("columns", [80, 120])
def test_what_waits_fits_the_screen_with_what_to_type_next(
    oms: Oms, waiting: str, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = oms("stuck", database_url=waiting)
    assert screen.code == 0, screen.err
    lines = screen.out.splitlines()
    assert [line for line in lines if cell_len(line) > columns] == []
    assert any(line.startswith("refund") and "1 d 1 h" in line for line in lines)
    assert "(order.release)" in screen.out
    assert "oms payments" in screen.out
    assert "2 waits too long" in screen.err


def test_kinds_limits_and_pages_are_those_of_the_question(
    oms: Oms, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*arguments: str) -> OrderStuckListed:
        shown = oms("stuck", "-o", "json", *arguments, database_url=waiting)
        return OrderStuckListed.model_validate(shown.json, strict=False)

    assert {one.what for one in found().stuck} == {"release", "refund"}
    assert [one.moved_by for one in found("--kind", "refund").stuck] == [("refund.result", "refund.observed")]
    assert {one.what for one in found("--longer-than", "24h").stuck} == {"release", "refund", "pick_up"}
    first = found("--limit", "1")
    rest = found("--limit", "1", "--cursor", first.next_cursor or "")
    assert [one.what for one in (*first.stuck, *rest.stuck)] == [one.what for one in found().stuck]
    monkeypatch.setenv("OMS_STUCK_AFTER_SECONDS", '{"refund": 172800}')
    assert {one.what for one in found().stuck} == {"release"}
    monkeypatch.setenv("OMS_STUCK_AFTER_SECONDS", '{"refunds": 1}')
    wrong = oms("stuck", database_url=waiting)
    assert (wrong.code, "nothing waits for refunds" in wrong.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--kind", "refunds"), 1, "nothing waits for refunds"),
        (("--longer-than", "2 hours"), 1, "30m, 2h or 3d"),
        (("--cursor", "x"), 2, "cursor"),
        ((), 0, "nothing waits too long"),
    ],
)
def test_a_wrong_option_says_what_to_type(
    oms: Oms, database_url: str, arguments: tuple[str, ...], code: int, part: str
) -> None:
    shown = oms("stuck", *arguments, database_url=database_url)
    assert shown.code == code, shown.err
    assert part in shown.err
    assert code == 0 or "next: oms stuck" in shown.err
