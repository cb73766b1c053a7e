"""Orders share a parcel only if they go from one warehouse to one address."""

from dataclasses import replace
from typing import Any

import pytest

from messages.carrier_modes import PUSH
from messages.orders import CreateLine, OrderChangeAddress
from messages.shipments import ShipmentBook, ShipmentBookLine, ShipmentCreate
from tests.handlers.builders import ADDRESS, book, create, receive, sku, update, user
from tests.handlers.harness import HandlerHarness
from workers import shop

ELSEWHERE = ADDRESS.model_copy(update={"detail": "Another Road 2"})
PARCELS = "SELECT state, warehouse FROM shipments ORDER BY id"


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    await harness.handle(receive("s2", 10, "note-2", "east"))
    return harness


async def order(harness: HandlerHarness, *lines: CreateLine, **changes: Any) -> int:
    """A paid order of u1: one unit of s1 of the default warehouse, unless it says otherwise."""
    harness.count += 1
    items = lines or (CreateLine(sku_id="s1", qty=1),)
    paying: dict[str, Any] = {
        "items": items,
        "expected_pay_amount": 500 * len(items),
        "request_id": f"q{harness.count}",
    }
    order_id = await harness.create_order(create(**paying | changes))
    await harness.pay(order_id)
    harness.events.clear()
    return order_id


def shared(*ids: int, **more: Any) -> ShipmentBook:
    return book(ids[0], "T1").model_copy(update={"order_ids": ids[1:], **more})


def failures(harness: HandlerHarness) -> list[tuple[str, dict[str, Any]]]:
    return [(event["code"], event["details"]) for event in harness.events_of("shipment.booking_failed")]


BATCHES = pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])


async def test_orders_to_two_addresses_are_not_booked_together(harness: HandlerHarness) -> None:
    first, second, third = [await order(harness, address=to) for to in (ADDRESS, ELSEWHERE, ADDRESS)]
    await harness.handle(shared(first, second))
    assert [(code, details["field"]) for code, details in failures(harness)] == [
        ("LOGISTICS_BOOKING_FAILED", "address")
    ] * 2
    assert await harness.rows(PARCELS) == []
    await harness.handle(shared(first, third))
    assert await harness.rows(PARCELS) == [("booked", "main")]


@BATCHES
async def test_an_order_to_another_address_does_not_join_a_parcel(together: bool, harness: HandlerHarness) -> None:
    first, second, third = [await order(harness, address=to) for to in (ADDRESS, ELSEWHERE, ADDRESS)]
    bookings = [book(order_id, "T1") for order_id in (first, second, third)]
    for batch in [bookings] if together else [[booking] for booking in bookings]:
        await harness.handle(*batch)
    details = {"field": "address", "order_id": str(second), "other": str(first)}
    assert failures(harness) == [("LOGISTICS_BOOKING_FAILED", details)]
    assert [event["order_id"] for event in harness.events_of("shipment.booked")] == [str(first), str(third)]


async def test_no_carrier_books_a_parcel_to_two_addresses(harness: HandlerHarness) -> None:
    shop.configure(replace(shop.current(), carriers={"sf": PUSH}))
    first, second = [await order(harness, address=to) for to in (ADDRESS, ELSEWHERE)]
    plan = ShipmentCreate(request_id="w1", order_id=first, carrier="sf", order_ids=(second,))
    await harness.handle(plan)
    assert {details["field"] for _, details in failures(harness)} == {"address"}
    assert harness.carrier_calls == []


EAST = CreateLine(sku_id="s2", qty=1, warehouse="east")


async def test_orders_from_two_warehouses_never_share_a_parcel(harness: HandlerHarness) -> None:
    first, second = await order(harness), await order(harness, EAST)
    await harness.handle(shared(first, second))
    refused = ("LOGISTICS_BOOKING_FAILED", {"field": "warehouse", "warehouses": ["east", "main"]})
    assert failures(harness) == [refused, refused]
    harness.events.clear()
    await harness.handle(book(first, "T1"), book(second, "T1"))
    assert failures(harness) == [refused]
    assert await harness.rows("SELECT count(*) FROM shipments") == [(1,)]


async def test_a_booking_that_names_its_warehouse_takes_what_comes_from_there(harness: HandlerHarness) -> None:
    first, second = await order(harness, CreateLine(sku_id="s1", qty=1), EAST), await order(harness, EAST)
    await harness.handle(shared(first, second, warehouse="east"), update(first, "T1", "outbound"))
    assert [event["lines"] for event in harness.events_of("shipment.booked")] == [[{"sku_id": "s2", "qty": 1}]] * 2
    assert (await harness.state(first), await harness.state(second)) == ("paid", "shipped")
    await harness.handle(book(second, "T2").model_copy(update={"warehouse": "north"}))
    await harness.handle(
        book(first, "T3").model_copy(update={"warehouse": "east", "lines": (ShipmentBookLine(sku_id="s1", qty=1),)})
    )
    assert [(code, details.get("field")) for code, details in failures(harness)] == [
        ("ORDER_STATE_INVALID", None),
        ("LOGISTICS_BOOKING_FAILED", "lines"),
    ]
    await harness.handle(book(first, "T4").model_copy(update={"warehouse": "north"}))
    assert failures(harness)[-1][1]["field"] == "warehouse"
    await harness.handle(book(first, "T5").model_copy(update={"warehouse": "main"}), update(first, "T5", "outbound"))
    assert await harness.state(first) == "shipped"
    assert await harness.rows(PARCELS) == [("outbound", "east"), ("outbound", "main")]


MAIN = CreateLine(sku_id="s1", qty=2)
AMBIGUOUS = ("LOGISTICS_WAREHOUSE_AMBIGUOUS", "warehouse", ["east", "main"])


def ambiguities(harness: HandlerHarness) -> list[tuple[str, str, list[str]]]:
    return [(code, details["field"], details["warehouses"]) for code, details in failures(harness)]


async def test_a_booking_of_all_units_names_the_warehouse_if_they_are_left_in_several(harness: HandlerHarness) -> None:
    shop.configure(replace(shop.current(), carriers={"sf": PUSH}))
    order_id = await order(harness, MAIN, EAST, expected_pay_amount=1500)
    await harness.handle(book(order_id, "T1"), shared(order_id))
    await harness.handle(ShipmentCreate(request_id="w1", order_id=order_id, carrier="sf"))
    assert ambiguities(harness) == [AMBIGUOUS] * 3
    assert (await harness.rows(PARCELS), harness.carrier_calls) == ([], [])
    await harness.handle(shared(order_id, warehouse="east"))
    await harness.handle(book(order_id, "T2"), update(order_id, "T1", "outbound"), update(order_id, "T2", "outbound"))
    assert await harness.rows(PARCELS) == [("outbound", "east"), ("outbound", "main")]
    assert await harness.state(order_id) == "shipped"


async def test_lines_name_the_warehouse_if_only_some_of_the_units_of_a_sku_that_several_have(
    harness: HandlerHarness,
) -> None:
    await harness.handle(receive("s1", 10, "note-3", "east"))
    order_id = await order(harness, MAIN, CreateLine(sku_id="s1", qty=1, warehouse="east"), expected_pay_amount=1500)
    one, all_three = (ShipmentBookLine(sku_id="s1", qty=1),), (ShipmentBookLine(sku_id="s1", qty=3),)
    await harness.handle(shared(order_id, lines=one))
    assert ambiguities(harness) == [AMBIGUOUS]
    await harness.handle(shared(order_id, lines=all_three))
    assert len(failures(harness)) == 1
    assert await harness.rows(PARCELS) == [("booked", None)]


async def test_a_warehouse_books_no_goods_of_another_one_whose_users_are_named(harness: HandlerHarness) -> None:
    users = {"east": frozenset({"east-app"}), "main": frozenset()}
    shop.configure(replace(shop.current(), carriers={"sf": PUSH}, fulfilment_warehouses=users))
    order_id = await order(harness, EAST)

    async def send(body: ShipmentBook | ShipmentCreate, user: str, *, trusted: bool = False) -> list[str]:
        item = replace(harness.envelope(body, trusted=trusted), user=user)
        verdicts = (await harness.handle_batch([item])).verdicts
        await harness.relay()
        return [str(one.reason) for one in verdicts.values()]

    plan = ShipmentCreate(request_id="w1", order_id=order_id, carrier="sf")
    for named in (None, "east"):
        assert await send(shared(order_id, warehouse=named), "main-app") == ["untrusted_user"]
    assert await send(plan, "main-app") == []
    assert harness.rejections() == [("AUTH_FORBIDDEN", {"warehouse": "east"})]
    assert (await harness.rows(PARCELS), harness.carrier_calls) == ([], [])
    assert await send(plan.model_copy(update={"request_id": "w2"}), "anna", trusted=True) == []
    assert len(harness.carrier_calls) == 1
    assert await send(shared(order_id), "east-app") == []
    assert await harness.rows(PARCELS) == [("booked", "east")]


def moves(order_id: int) -> OrderChangeAddress:
    return OrderChangeAddress(request_id=f"a{order_id}", actor=user(), order_id=order_id, address=ELSEWHERE)


async def test_an_order_keeps_its_address_while_a_parcel_holds_goods_of_another_order(harness: HandlerHarness) -> None:
    first, second, alone = [await order(harness) for _ in range(3)]
    await harness.handle(shared(first, second), book(alone, "T2"))
    await harness.handle(moves(first), moves(alone))
    details = {"order_id": str(first), "state": "paid", "field": "parcel"}
    assert harness.rejections() == [("ORDER_ADDRESS_LOCKED", details)]
    assert len(harness.events_of("order.address_changed")) == 1


async def test_the_parts_of_a_split_order_change_their_address_together_though_they_share_a_parcel(
    harness: HandlerHarness,
) -> None:
    await harness.handle(*(sku(name, revision=2, seller_id=name) for name in ("s1", "s2")))
    parent = await order(harness, CreateLine(sku_id="s1", qty=1), CreateLine(sku_id="s2", qty=1))
    first, second = await harness.children(parent)
    await harness.handle(shared(first, second))
    await harness.handle(moves(first))
    assert [code for code, _ in harness.rejections()] == ["ORDER_ADDRESS_LOCKED"]
    await harness.handle(moves(parent))
    assert len(harness.rejections()) == 1
