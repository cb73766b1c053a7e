"""Low stock is announced once when the units that can be sold fall to a threshold, and when none are left."""

from dataclasses import replace

from messages.stock import StockAdjust, StockEndQuarantine, StockThresholdSet
from tests.handlers.builders import cancel, create, receive, transfer
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.stock_counters import ON_HAND_MAX


def threshold(units: int | None, request_id: str) -> StockThresholdSet:
    return StockThresholdSet(request_id=request_id, sku_id="s1", warehouse="main", units=units)


def falls(harness: HandlerHarness) -> list[tuple[str, str, int, int]]:
    found = [(e["sku_id"], e["warehouse"], e["sellable"], e["threshold"]) for e in harness.events_of("stock.low")]
    harness.events.clear()
    return found


async def test_stock_is_low_once_and_again_after_it_rose(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    shop.configure(replace(shop.current(), stock_low_units=2))
    await harness.handle(threshold(5, "t1"), reply_to="client.a")
    assert [(reply["type"], reply["units"]) for reply in harness.replies] == [("stock.threshold_changed.v1", 5)]
    first = await harness.create_order(create(("s1", 5), request_id="r1"))
    await harness.create_order(create(("s1", 1), request_id="r2"))
    assert falls(harness) == [("s1", "main", 5, 5)]
    await harness.handle(cancel(first))
    await harness.create_order(create(("s1", 6), request_id="r3"))
    assert falls(harness) == [("s1", "main", 3, 5)]
    await harness.handle(threshold(None, "t2"))
    await harness.handle(transfer(("s1", 1)))
    assert falls(harness) == [("s1", "main", 2, 2)]
    await harness.handle(receive("s1", 5, ref="n2"), threshold(0, "t3"), transfer(("s1", 7), request_id="m2"))
    assert len(harness.events_of("stock.sold_out")) == 1
    assert falls(harness) == []


async def test_the_last_unit_that_is_locked_is_announced_with_its_cause(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=3)
    await harness.create_order(create(("s1", 3), ("s2", 2)))
    [gone] = harness.events_of("stock.sold_out")
    assert (gone["sku_id"], gone["warehouse"]) == ("s1", "main")
    taken = [StockAdjust(request_id="a", sku_id="s2", warehouse="main", delta=-1, reason="counted")]
    await harness.handle(*taken)
    assert [event["sku_id"] for event in harness.events_of("stock.sold_out")] == ["s1", "s2"]
    assert harness.events_of("stock.low") == []


def adjust(sku_id: str, delta: int) -> StockAdjust:
    return StockAdjust(request_id=f"a-{sku_id}", sku_id=sku_id, warehouse="main", delta=delta, reason="counted")


def sellable_again(sku_id: str) -> StockEndQuarantine:
    about = {"sku_id": sku_id, "warehouse": "main", "qty": 1, "outcome": "sellable", "reason_code": "CHECKED"}
    return StockEndQuarantine.model_validate({"request_id": f"q-{sku_id}"} | about)


async def test_what_a_counter_does_not_take_is_refused_with_a_code_of_the_contract(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=3)
    await harness.create_order(create(("s1", 3)))
    await harness.handle(receive("s2", 1, ref="first", warehouse="east"))
    await harness.pool.execute("UPDATE stock SET on_hand = $1 WHERE sku_id = 's2'", ON_HAND_MAX)
    await harness.handle(receive("s2", 1, ref="more"), transfer(("s2", 1)))
    await harness.handle(adjust("s1", -1), adjust("nobody-has-it", 1), sellable_again("s1"), sellable_again("nothing"))
    assert [code for code, _ in harness.rejections()] == [
        *("INVENTORY_INVARIANT", "INVENTORY_INVARIANT"),
        *("INVENTORY_INVARIANT", "INVENTORY_SKU_UNKNOWN", "INVENTORY_INVARIANT", "INVENTORY_SKU_UNKNOWN"),
    ]
