"""A warehouse reports about its own goods and its own stock, and about those of no other warehouse."""

from dataclasses import replace
from typing import Any

import pytest

from messages.base import Message
from messages.fulfilments import FulfilmentAccept, FulfilmentReview
from messages.orders import CreateLine
from messages.rests import ShortageReport, ShortLine
from messages.roles import Role
from messages.shipments import ShipmentBook, ShipmentBookLine
from messages.stock import StockAdjust, StockEndQuarantine, StockThresholdSet, StockTransfer, TransferLine
from tests.handlers.builders import create, receive, update
from tests.handlers.case_builders import apply, arrive, inspect, open_case, review, steps
from tests.handlers.fulfilment_builders import fact
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop

EAST_WMS = Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses={"east": frozenset({"wms-east"})})
WAREHOUSE, CATALOGUE = frozenset({Role.WAREHOUSE}), frozenset({Role.CATALOGUE})
FOREIGN = ("AUTH_FORBIDDEN", {"warehouse": "east"})


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    await harness.handle(receive("s1", 10, "note-1", "east"), receive("s2", 10, "note-2", "east"))
    return harness


async def in_two_warehouses(harness: HandlerHarness) -> int:
    """A paid order with s1 in both warehouses, and s2 in one."""
    lines = (
        CreateLine(sku_id="s1", qty=2),
        CreateLine(sku_id="s1", qty=2, warehouse="east"),
        CreateLine(sku_id="s2", qty=1, warehouse="east"),
    )
    order_id = await harness.create_order(create(items=lines, expected_pay_amount=2500))
    await harness.pay(order_id)
    harness.events.clear()
    return order_id


async def send(
    harness: HandlerHarness, body: Message, user: str, roles: frozenset[Role] = WAREHOUSE, **more: Any
) -> list[str]:
    """Send it, and return the reasons of what became of it otherwise than as a rejection."""
    batch = await harness.handle_batch([replace(harness.envelope(body, roles=roles), user=user, **more)])
    await harness.relay()
    return [str(verdict.reason) for verdict in batch.verdicts.values()]


def short(order_id: int, request_id: str, *lines: tuple[str, int], warehouse: str | None = None) -> ShortageReport:
    wanted = tuple(ShortLine(sku_id=sku_id, qty=qty) for sku_id, qty in lines)
    return ShortageReport(request_id=request_id, order_id=order_id, lines=wanted, warehouse=warehouse)


async def test_a_warehouse_reports_what_it_lacks_itself_and_names_itself_where_others_have_goods_too(
    harness: HandlerHarness,
) -> None:
    order_id = await in_two_warehouses(harness)
    await send(harness, short(order_id, "a"), "wms-east")
    await send(harness, short(order_id, "b", ("s1", 1)), "wms-east")
    details = {"order_id": str(order_id), "field": "warehouse", "warehouses": ["east", "main"]}
    assert harness.rejections() == [("LOGISTICS_WAREHOUSE_AMBIGUOUS", details)] * 2
    await send(harness, short(order_id, "c", ("s1", 3), warehouse="east"), "wms-east")
    assert harness.rejections()[2][0] == "ORDER_SHORTAGE_INVALID"
    await send(harness, short(order_id, "d", ("s1", 1), warehouse="east"), "wms-east")
    await send(harness, short(order_id, "e", warehouse="east"), "wms-east")
    dropped = [
        [(line["line_no"], line["qty"]) for line in e["lines"]] for e in harness.events_of("order.shortage_recorded")
    ]
    assert dropped == [[(2, 1)], [(2, 1), (3, 1)]]
    assert await harness.state(order_id) == "paid", "the other warehouse ships its units"
    await harness.handle(short(order_id, "f"), trusted=True)
    assert await harness.state(order_id) == "cancelled"


async def test_an_operator_reports_for_all_warehouses_together(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    await harness.handle(short(order_id, "a", ("s1", 1)), trusted=True)
    await harness.handle(short(order_id, "b"), trusted=True)
    assert (harness.rejections(), await harness.state(order_id)) == ([], "cancelled")


async def test_nobody_reports_about_goods_or_stock_of_a_warehouse_whose_users_are_others(
    harness: HandlerHarness,
) -> None:
    order_id = await in_two_warehouses(harness)
    shop.configure(EAST_WMS)
    place = {"request_id": "p", "sku_id": "s1", "warehouse": "east"}
    line = (TransferLine(sku_id="s1", qty=1),)
    stock: list[Message] = [
        receive("s1", 1, "note-9", "east"),
        receive("s9", 1, "note-9", "east"),
        StockAdjust(**place, delta=-1, reason="lost"),
        StockEndQuarantine(**place, qty=1, outcome="sellable", reason_code="ok"),
        StockThresholdSet(**place, units=3),
        StockTransfer(request_id="t1", warehouse="east", to_warehouse="main", lines=line),
        StockTransfer(request_id="t2", warehouse="main", to_warehouse="east", lines=line),
    ]
    before = await harness.rows("SELECT * FROM stock ORDER BY sku_id, warehouse")
    for body in [*stock, short(order_id, "a", warehouse="east"), short(order_id, "b", ("s2", 1))]:
        await send(harness, body, "wms-main")
    assert harness.rejections() == [FOREIGN] * 9
    assert await harness.rows("SELECT * FROM stock ORDER BY sku_id, warehouse") == before
    harness.events.clear()
    await send(harness, StockThresholdSet(**place | {"request_id": "q"}, units=3), "shop-catalogue", CATALOGUE)
    await send(harness, receive("s1", 1, "note-10", "east"), "wms-east")
    await send(harness, receive("s1", 1, "note-11", "main"), "wms-main")
    await send(harness, short(order_id, "c", warehouse="east"), "wms-east")
    assert harness.rejections() == []
    assert len(harness.events_of("order.shortage_recorded")) == 1


async def test_a_sender_who_is_bound_to_warehouses_works_for_no_other(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    main, east = frozenset({"main"}), frozenset({"east"})
    book_east = ShipmentBook(order_id=order_id, carrier="sf", tracking_no="T1", warehouse="east")
    assert await send(harness, receive("s1", 1, "note-9", "east"), "wms", warehouses=main) == []
    assert await send(harness, short(order_id, "a", warehouse="east"), "wms", warehouses=main) == []
    assert harness.rejections() == [FOREIGN] * 2
    assert await send(harness, book_east, "wms", warehouses=main) == ["untrusted_user"]
    assert (
        await send(harness, receive("s1", 1, "note-9", "east"), "wms", WAREHOUSE | {Role.OPERATOR}, warehouses=main)
        == []
    )
    shop.configure(EAST_WMS)
    await harness.handle(FulfilmentReview(order_id=order_id))
    accept = fact(FulfilmentAccept, order_id, warehouse="east")
    assert await send(harness, accept, "wms-east", warehouses=main) == ["untrusted_user"]
    assert (
        await send(harness, book_east, "wms", warehouses=east)
        == await send(harness, accept, "desk", warehouses=east)
        == []
    )
    assert len(harness.rejections()) == 2
    assert (await harness.state(order_id), len(harness.events_of("shipment.booked"))) == ("fulfilling", 1)


async def test_nobody_adds_goods_of_another_warehouse_to_its_parcel_by_an_order_that_is_in_it(
    harness: HandlerHarness,
) -> None:
    mixed = await in_two_warehouses(harness)
    plain = await harness.place_order(("s1", 1))
    await harness.pay(plain)
    booking = ShipmentBook(order_id=mixed, carrier="sf", tracking_no="T1")
    one = booking.model_copy(update={"warehouse": "main", "lines": (ShipmentBookLine(sku_id="s1", qty=1),)})
    both = booking.model_copy(update={"order_ids": (plain,)})
    assert await send(harness, one, "wms", warehouses=frozenset({"main"})) == []
    assert await send(harness, both, "wms", warehouses=frozenset({"east"})) == ["untrusted_user"]
    assert await harness.rows("SELECT order_id FROM shipment_items") == [(mixed,)]
    assert await send(harness, both, "wms", warehouses=frozenset({"main"})) == []
    assert await harness.rows("SELECT order_id FROM shipment_items ORDER BY 1") == [(mixed,), (plain,)]


async def test_each_warehouse_inspects_its_own_goods_of_a_case(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    for place in ("main", "east"):
        await harness.handle(ShipmentBook(order_id=order_id, carrier="sf", tracking_no=place, warehouse=place))
        await harness.handle(update(order_id, place, "outbound"), update(order_id, place, "delivered"))
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), trusted=True)
    await send(harness, arrive(case), "wms", warehouses=frozenset({"north"}))
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"]
    east: dict[str, Any] = {"user": "wms", "warehouses": frozenset({"east"})}
    await send(harness, arrive(case), **east)
    for foreign in (inspect(case, (1, 2, "restock")), inspect(case, (1, 2, "restock"), (2, 2, "restock"))):
        await send(harness, foreign, **east)
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"] * 3
    await send(harness, inspect(case, (2, 2, "restock"), (3, 1, "restock")), **east)
    await send(harness, inspect(case, (1, 2, "restock")), "wms", warehouses=frozenset({"main"}))
    assert len(harness.rejections()) == 3
    assert steps(harness)[-3:] == ["inspecting", "inspect_passed", "refunding"]
