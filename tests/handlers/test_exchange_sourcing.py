"""Wanted goods come from the warehouses of their SKU, best from the one to which the first go back (S1-22, S3-44)."""

import pytest

from tests.handlers.builders import ADDRESS, cancel, create, receive, sku
from tests.handlers.catalogue_builders import warehouses
from tests.handlers.exchange_builders import approved, back
from tests.handlers.harness import HandlerHarness

PLACES = (
    "SELECT i.warehouse, o.policy -> 'other_warehouses' ->> 'new' FROM orders o JOIN order_items i ON i.order_id = o.id"
    " WHERE o.kind = 'exchange'"
)
LOCKED = "SELECT warehouse, locked FROM stock WHERE sku_id = 'new' AND locked > 0"


async def at_west(harness: HandlerHarness) -> int:
    """A delivered order of two units of s1 that came from west. The buyer lives in Jiangsu."""
    await harness.handle(sku("s1"), sku("new"))
    await harness.handle(receive("s1", 2, warehouse="west"))
    body = create(("s1", 2), address=ADDRESS.model_copy(update={"province": "Jiangsu"}))
    items = tuple(line.model_copy(update={"warehouse": "west"}) for line in body.items)
    order_id = await harness.create_order(body.model_copy(update={"items": items}))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    return order_id


@pytest.mark.parametrize(
    ("lists", "stock", "place", "others"),
    [
        ((), {"west": 5, "main": 5}, "west", '["west", "main"]'),
        ((), {"main": 5}, "main", '["west", "main"]'),
        (("north", "west"), {"west": 5, "north": 5}, "west", '["west", "north"]'),
        (("north", "west"), {"west": 1, "north": 5}, "north", '["west", "north"]'),
        (("north", "east"), {"west": 5, "east": 5}, "east", '["north", "east"]'),
    ],
    ids=["where the first came from", "else the default", "listed", "listed, with too little", "not listed"],
)
async def test_wanted_goods_come_from_a_warehouse_that_has_them(
    lists: tuple[str, ...], stock: dict[str, int], place: str, others: str, harness: HandlerHarness
) -> None:
    order_id = await at_west(harness)
    if lists:
        await harness.handle(warehouses(*lists, sku_id="new", country="CN", province="Jiangsu"))
    await harness.handle(*(receive("new", qty, warehouse=name) for name, qty in stock.items()))
    case = await approved(harness, order_id, (1, 2, "new"))
    assert await harness.rows(PLACES) == [(place, others)]
    assert await harness.rows(LOCKED) == [(place, 2)]
    await back(harness, case, (1, 2, "write_off"))
    [(key,)] = await harness.rows("SELECT id FROM orders WHERE kind = 'exchange'")
    await harness.handle(cancel(key))
    assert await harness.rows(LOCKED) == []


async def test_a_refusal_names_what_the_other_warehouses_have(harness: HandlerHarness) -> None:
    order_id = await at_west(harness)
    await harness.handle(warehouses("north", "west", sku_id="new"))
    await harness.handle(*(receive("new", 1, warehouse=name) for name in ("north", "west")))
    await approved(harness, order_id, (1, 2, "new"))
    [event] = harness.events_of("order.rejected")
    assert event["details"]["short"] == [{"sku_id": "new", "warehouse": "west", "want": 2, "have": 1, "elsewhere": 1}]
