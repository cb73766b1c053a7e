"""Goods move from one warehouse to another: all or nothing, and never what orders hold."""

from tests.handlers.builders import receive, sku, transfer
from tests.handlers.harness import HandlerHarness


async def levels(harness: HandlerHarness) -> list[tuple[str, str, int, int]]:
    return await harness.rows("SELECT sku_id, warehouse, on_hand, locked FROM stock ORDER BY 1, 2")


async def test_units_are_in_the_other_warehouse_once(harness: HandlerHarness) -> None:
    await harness.handle(receive("s1", 10), receive("s2", 5))
    for _ in range(2):
        await harness.handle(transfer(("s1", 3), ("s2", 5), ("s1", 1)), reply_to="client.a")
    await harness.handle(transfer(("s1", 1), warehouse="east", to_warehouse="west"))
    assert await levels(harness) == [
        ("s1", "east", 3, 0), ("s1", "main", 6, 0), ("s1", "west", 1, 0), ("s2", "east", 5, 0), ("s2", "main", 0, 0)
    ]  # fmt: skip
    moved = harness.events_of("stock.transferred")[0]
    assert moved["lines"] == [
        {"sku_id": "s1", "qty": 4, "on_hand": 6, "to_on_hand": 4},
        {"sku_id": "s2", "qty": 5, "on_hand": 0, "to_on_hand": 5},
    ]
    assert [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    ledger = "SELECT warehouse, op, ref, qty FROM stock_ledger WHERE sku_id = 's2' AND op <> 'receive' ORDER BY op"
    assert await harness.rows(ledger) == [
        ("east", "transfer_in", "main:move-1", 5), ("main", "transfer_out", "east:move-1", 5)
    ]  # fmt: skip


async def test_one_short_line_moves_nothing_and_what_orders_hold_stays(harness: HandlerHarness) -> None:
    await harness.handle(sku("s1"), sku("s2"), trusted=True)
    await harness.handle(receive("s1", 10), receive("s2", 5))
    await harness.place_order(("s1", 4))
    await harness.handle(
        transfer(("s2", 1), ("s1", 7)),
        transfer(("s3", 1), request_id="m2"),
        transfer(("s1", 1), request_id="m3", to_warehouse="main"),
        transfer(("s1", 6), request_id="m4"),
    )
    assert harness.rejections() == [
        ("INVENTORY_INSUFFICIENT", {"short": [{"sku_id": "s1", "want": 7, "have": 6}]}),
        ("INVENTORY_INSUFFICIENT", {"short": [{"sku_id": "s3", "want": 1, "have": 0}]}),
        ("ORDER_PARAM_INVALID", {"field": "to_warehouse"}),
    ]
    assert await levels(harness) == [
        ("s1", "east", 6, 0), ("s1", "main", 4, 4), ("s2", "main", 5, 0)
    ], "a refused transfer leaves no counter behind"  # fmt: skip
