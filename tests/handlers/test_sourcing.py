"""Lines that name no warehouse come from the warehouses of lists, where there is enough (S3-44)."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest
from pydantic import ValidationError

from db.statements import SQL
from messages.orders import CreateLine
from messages.risk import RiskResult
from messages.stock import StockLine, StockReserve
from tests.handlers.builders import ADDRESS, book, cancel, create, receive, sku, update
from tests.handlers.catalogue_builders import warehouses
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import release
from workers import shop
from workers.domain.shop import Policy, Shop

LINES = "SELECT sku_id, warehouse FROM order_items ORDER BY order_id, line_no"
LOCKED = "SELECT sku_id, warehouse, locked FROM stock WHERE locked > 0 ORDER BY 1, 2"


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """East has both SKUs, but few; north has s1 only; west has both."""
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.handle(sku("s1"), sku("s2"), warehouses("east", "north", "west"))
    stock = [("s1", "east", 1), ("s2", "east", 2), ("s1", "north", 5), ("s1", "west", 5), ("s2", "west", 5)]
    await harness.handle(*(receive(name, qty, warehouse=where) for name, where, qty in stock))
    harness.events.clear()
    return harness


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((("s1", 1), ("s2", 2)), ["east", "east"]),
        ((("s1", 2),), ["north"]),
        ((("s1", 2), ("s2", 2)), ["west", "west"]),
        ((("s1", 5), ("s2", 5), ("s1", 1)), None),
        ((("s1", 1), ("s1", 1)), ["north", "north"]),
    ],
    ids=["the best has all", "the best has too little", "one has all", "nowhere is enough", "lines of one SKU"],
)
async def test_an_order_comes_from_one_warehouse_that_has_all_of_it(
    wanted: tuple[tuple[str, int], ...], expected: list[str] | None, harness: HandlerHarness
) -> None:
    await harness.handle(create(*wanted))
    if expected is None:
        [event] = harness.events_of("order.rejected")
        short = {"sku_id": "s1", "warehouse": "north", "want": 6, "have": 5, "elsewhere": 6}
        assert event["details"]["short"] == [short]
        assert await harness.rows(LOCKED) == []
        return
    assert await harness.rows(LINES) == [(name, where) for (name, _), where in zip(wanted, expected, strict=True)]
    locked: dict[tuple[str, str], int] = {}
    for (name, qty), where in zip(wanted, expected, strict=True):
        locked[name, where] = locked.get((name, where), 0) + qty
    assert await harness.rows(LOCKED) == [(*place, qty) for place, qty in sorted(locked.items())]


async def test_an_order_that_no_warehouse_has_whole_is_shipped_from_two_and_restocked_where_it_came_from(
    harness: HandlerHarness,
) -> None:
    await harness.handle(receive("s1", 9, "note-2", "north"))
    order_id = await harness.create_order(create(("s1", 9), ("s2", 1)))
    assert await harness.rows(LINES) == [("s1", "north"), ("s2", "east")]
    assert await harness.children(order_id) == [], "it is one order: hand-over and parcels go by warehouse"
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1", ("s2", 1)), update(order_id, "T1", "outbound"))
    await harness.handle(update(order_id, "T1", "returned"))
    assert await harness.stock("s2", "east") == (2, 0)
    assert await harness.stock("s1", "north") == (5, 0)


async def test_a_cancelled_order_releases_the_warehouse_that_was_chosen(harness: HandlerHarness) -> None:
    first, second = [await harness.create_order(create(("s1", 5), request_id=name)) for name in ("a", "b")]
    assert await harness.rows(LINES) == [("s1", "north"), ("s1", "west")]
    await harness.handle(cancel(first))
    assert await harness.rows(LOCKED) == [("s1", "west", 5)]
    await harness.pay(second)
    await harness.handle(cancel(second, "x2"))
    assert await harness.stock("s1", "west") == (5, 0)


async def test_orders_of_one_batch_are_granted_in_order_of_arrival(harness: HandlerHarness) -> None:
    await harness.handle(*(create(("s1", 3), request_id=f"r{n}", user_id=f"u{n}") for n in range(3)))
    sourced = (
        "SELECT o.request_id, o.state, i.warehouse FROM orders o JOIN order_items i ON i.order_id = o.id ORDER BY 1"
    )
    assert (await harness.rows(sourced))[:2] == [
        ("r0", "awaiting_payment", "north"),
        ("r1", "awaiting_payment", "west"),
    ]
    assert [event["details"]["short"][0]["have"] for event in harness.events_of("order.rejected")] == [2]


async def test_a_line_that_names_a_warehouse_keeps_it_and_draws_the_others_to_it(harness: HandlerHarness) -> None:
    items = (CreateLine(sku_id="s1", qty=1, warehouse="west"), CreateLine(sku_id="s2", qty=1))
    await harness.handle(create(expected_pay_amount=1000, items=items))
    assert await harness.rows(LINES) == [("s1", "west"), ("s2", "west")]
    items = (CreateLine(sku_id="s1", qty=1, warehouse="main"), CreateLine(sku_id="s1", qty=1))
    await harness.handle(create(expected_pay_amount=1000, items=items, request_id="r2"))
    assert [event["details"]["short"] for event in harness.events_of("order.rejected")] == [
        [{"sku_id": "s1", "warehouse": "main", "want": 1, "have": 0, "elsewhere": 0}]
    ]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (("", "province", "sku"), "sku"),
        (("", "province", "sku country"), "sku country"),
        (("province", "sku country", "sku"), "sku country"),
        (("sku country", "sku province", "sku"), "sku province"),
        (("", "country"), "country"),
        (("", "country", "province"), "province"),
        (("other province", "other country", "other sku", ""), ""),
        (("other province", "other country", "other sku"), "main"),
    ],
)
async def test_the_list_of_a_sku_comes_before_that_of_a_region_and_that_before_the_common_one(
    lists: tuple[str, ...], expected: str, harness: HandlerHarness
) -> None:
    """Each list has one warehouse, which is named like the list."""
    of = {"sku": {"sku_id": "s1"}, "country": {"country": "CN"}, "province": {"country": "CN", "province": "Zhejiang"}}
    of |= {"sku country": of["sku"] | of["country"], "sku province": of["sku"] | of["province"]}
    of |= {"other sku": {"sku_id": "s2"}, "other country": {"country": "DE"}, "": {}}
    of["other province"] = {"country": "CN", "province": "Jiangsu"}
    await harness.handle(
        warehouses(revision=2), *(warehouses(name or "common", revision=3, **of[name]) for name in lists)
    )
    await harness.handle(receive("s1", 1, warehouse="main"), receive("s1", 1, warehouse=expected or "common"))
    address = ADDRESS.model_copy(update={"province": "Zhejiang"})
    await harness.handle(create(("s1", 1), address=address))
    assert await harness.rows(LINES) == [("s1", expected or "common")]


async def test_the_list_of_a_sku_and_of_a_region_comes_first(harness: HandlerHarness) -> None:
    await harness.handle(
        warehouses("west", sku_id="s1"),
        warehouses("north", sku_id="s1", country="CN", province="Jiangsu"),
        warehouses("west", country="CN"),
    )
    await harness.handle(create(("s1", 1)))
    away = ADDRESS.model_copy(update={"province": "Jiangsu"})
    await harness.handle(create(("s1", 1), request_id="r2", address=away))
    await harness.handle(create(("s2", 1), request_id="r3"))
    assert await harness.rows(LINES) == [("s1", "west"), ("s1", "north"), ("s2", "west")]
    await harness.handle(warehouses(sku_id="s1", revision=2), warehouses(country="CN", revision=2))
    await harness.handle(create(("s1", 1), request_id="r4"))
    assert (await harness.rows(LINES))[-1] == ("s1", "east"), "an empty list ends an earlier one"


async def test_a_province_needs_its_country_and_no_warehouse_is_named_twice(harness: HandlerHarness) -> None:
    await harness.handle(warehouses("east", province="Jiangsu"))
    assert harness.rejections() == [("ORDER_PARAM_INVALID", {"field": "country"})]
    assert await harness.rows("SELECT id FROM warehouse_lists") == [("//",)]
    with pytest.raises(ValidationError, match="twice"):
        warehouses("east", "east")


@pytest.mark.parametrize(
    "of",
    [
        {"country": "CN", "province": "Jiangsu/Suzhou"},
        {"country": "CN", "province": "Jiang\nsu"},
        {"country": "CN", "province": "J" * 129},
        {"country": "cn"},
        {"country": "CHN"},
        {"sku_id": "s\x00"},
    ],
    ids=repr,
)
def test_a_list_of_what_no_order_can_have_is_refused(of: Any) -> None:
    with pytest.raises(ValidationError):
        warehouses("east", **of)


@pytest.mark.parametrize("province", ["jiangsu", "Jiangsu ", "江苏", None])
async def test_a_province_that_is_written_otherwise_gets_the_list_of_its_country(
    province: str | None, harness: HandlerHarness
) -> None:
    await harness.handle(warehouses("west", country="CN"), warehouses("north", country="CN", province="Jiangsu"))
    await harness.handle(create(("s1", 1), address=ADDRESS.model_copy(update={"province": province})))
    assert await harness.rows(LINES) == [("s1", "west")]


async def test_without_lists_everything_comes_from_the_default_warehouse(harness: HandlerHarness) -> None:
    await harness.handle(warehouses(revision=2))
    await harness.handle(receive("s1", 1))
    await harness.handle(create(("s1", 1)))
    assert await harness.rows(LINES) == [("s1", "main")]


async def test_the_parts_of_a_split_order_are_sourced_together(harness: HandlerHarness) -> None:
    await harness.handle(sku("s2", revision=2, seller_id="b"))
    parent = await harness.create_order(create(("s1", 2), ("s2", 2)))
    assert len(await harness.children(parent)) == 2
    assert await harness.rows(LINES) == [("s1", "west"), ("s2", "west")]


async def test_after_a_risk_check_the_stock_still_chooses(harness: HandlerHarness) -> None:
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await harness.handle(create(("s1", 2), ("s2", 2)))
    order_id = int(harness.events_of("risk.requested")[-1]["order_id"])
    await harness.handle(RiskResult(order_id=order_id, verdict="passed"), trusted=True)
    assert await harness.rows(LINES) == [("s1", "west"), ("s2", "west")]
    assert await harness.state(order_id) == "awaiting_payment"


@pytest.mark.parametrize("others", [("north", "west"), ("west", "north"), ()], ids=["the same", "others", "none"])
async def test_a_repeated_reservation_finds_the_same_warehouse(
    others: tuple[str, ...], harness: HandlerHarness
) -> None:
    order_id = await harness.create_order(create(("s1", 5)))
    line = StockLine(holder_id=order_id, sku_id="s1", warehouse="east", qty=5, others=others)
    again = StockReserve(group_id=order_id, deadline=datetime.now(UTC), lines=(line,))
    await harness.handle_batch([harness.envelope(again), harness.envelope(again)])
    bodies = [orjson.loads(row["body"]) for row in await harness.pool.fetch("SELECT body FROM outbox")]
    answers = [part["body"] for body in bodies for part in body["items"]]
    north = {"holder_id": str(order_id), "sku_id": "s1", "warehouse": "north"}
    assert [answer["moved"] for answer in answers] == [[north], [north]]
    await harness.relay()
    assert await harness.rows(LOCKED) == [("s1", "north", 5)]
    assert await harness.rows(LINES) == [("s1", "north")]


HOLD_BACK = "DELETE FROM outbox WHERE type = $1 RETURNING *"


@pytest.mark.parametrize("verdict", ["passed", "held"])
@pytest.mark.parametrize("first", ["the order", "the verdict"])
@pytest.mark.parametrize("deliver", ["first answer first", "second answer first"])
async def test_a_verdict_that_was_not_requested_moves_no_goods(
    verdict: str, first: str, deliver: str, harness: HandlerHarness
) -> None:
    """Both have the stock reserve. Whichever comes first, and whichever answer, the order has one warehouse."""
    await harness.handle_batch([harness.envelope(create(("s1", 4), ("s2", 1)))])
    order_id = await harness.pool.fetchval("SELECT id FROM orders")
    reserves = await harness.pool.fetch(HOLD_BACK, "stock.reserve.v1")
    await harness.handle_batch(
        [harness.envelope(RiskResult.model_validate({"order_id": order_id, "verdict": verdict}), trusted=True)]
    )
    reserves += await harness.pool.fetch(HOLD_BACK, "stock.reserve.v1")
    assert len(reserves) == 2
    answers = []
    for row in reserves if first == "the order" else reversed(reserves):
        await handle_only(harness, row)
        answers += await harness.pool.fetch(HOLD_BACK, "stock.reserved.v1")
    for row in answers if deliver == "first answer first" else reversed(answers):
        await harness.relay_row(row)
    await harness.relay()
    assert len(answers) == 2
    assert await harness.rows(LINES) == [("s1", "west"), ("s2", "west")]
    assert await harness.rows(LOCKED) == [("s1", "west", 4), ("s2", "west", 1)]
    await ends_where_it_began(harness, order_id, verdict)


async def handle_only(harness: HandlerHarness, row: Any) -> None:
    """Have the stock handle a row of the outbox, and relay nothing."""
    parts = orjson.loads(row["body"])["items"]
    await harness.handle_batch(
        [harness.envelope(StockReserve.model_validate_json(orjson.dumps(part["body"]))) for part in parts]
    )


async def ends_where_it_began(harness: HandlerHarness, order_id: int, verdict: str) -> None:
    """Pay and cancel the order: its units are in the warehouse that they were reserved in."""
    if verdict == "held":
        await harness.handle(release(order_id), trusted=True)
    await harness.pay(order_id)
    assert (await harness.stock("s1", "west"), await harness.stock("s2", "west")) == ((1, 0), (4, 0))
    await harness.handle(cancel(order_id))
    assert (await harness.stock("s1", "west"), await harness.stock("s2", "west")) == ((5, 0), (5, 0))
    assert harness.events_of("stock.discrepancy") == []


async def test_an_order_whose_goods_the_warehouses_have_together_only_is_refused_and_says_so(
    harness: HandlerHarness,
) -> None:
    await harness.handle(create(("s1", 6)), create(("s1", 12), request_id="r2"))
    together, nowhere = harness.events_of("order.rejected")
    assert together["details"]["short"][0]["elsewhere"] == 6
    assert "come from one warehouse" in together["message"]
    assert nowhere["message"] == "not everything that was ordered is in stock"


async def test_the_lists_of_all_skus_are_read_once(harness: HandlerHarness) -> None:
    await harness.handle(warehouses("west", sku_id="s1"))
    rows = await harness.pool.fetch(SQL["skus.read_with_lists"], ["s1", "s2"], [""], [""])
    [lists] = [row["lists"] for row in rows if row["lists"] is not None]
    assert sorted(orjson.loads(lists)) == [["", "", "", ["east", "north", "west"]], ["s1", "", "", ["west"]]]
    assert len(rows) == 2


async def test_the_warehouse_of_a_line_is_final_once_its_goods_are_reserved(harness: HandlerHarness) -> None:
    await harness.create_order(create(("s1", 1)))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="final"):
        await harness.pool.execute("UPDATE order_items SET warehouse = 'west'")
    assert await harness.rows(LINES) == [("s1", "east")]
    await harness.pool.execute("UPDATE order_items SET warehouse = 'east'")  # the same again is no move
