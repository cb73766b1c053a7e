"""What becomes of a warehouse's goods when its order goes on without it, or without the rest of its goods."""

from collections.abc import Iterator

import pytest

from messages.fulfilments import FulfilmentAccept, FulfilmentCancelAccepted, FulfilmentHandOver
from messages.orders import CreateLine
from messages.rests import OrderCancelRest, ShortageReport, ShortLine
from messages.shipments import ShipmentBook
from tests.handlers.builders import book, cancel, create, receive, update, user
from tests.handlers.fulfilment_builders import cancel_no, fact, hand_overs, instructions
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import OnShortage, Policy, Shop

PARCELS = "SELECT s.tracking_no, s.state, i.withdrawn FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id"


@pytest.fixture(autouse=True)
def two_warehouses(harness: HandlerHarness) -> Iterator[None]:
    places = {"main": frozenset[str](), "east": frozenset[str]()}
    policy = Policy(rate_limit_orders=0, on_shortage=OnShortage.ASK_THEN_SHIP)
    shop.configure(Shop(policy=policy, fulfilment_warehouses=places))
    yield
    shop.configure(Shop())


def parcel(order_id: int, tracking_no: str, warehouse: str | None) -> ShipmentBook:
    if warehouse is None:
        return book(order_id, tracking_no, ("s1", 1), ("s2", 1))
    return book(order_id, tracking_no).model_copy(update={"warehouse": warehouse})


async def cancelling(harness: HandlerHarness, *parcels: tuple[str, str | None]) -> int:
    """An order with a line in each warehouse, with these parcels (number, warehouse), is to be cancelled."""
    order_id = await fulfilling(harness, *parcels)
    await harness.handle(cancel(order_id))
    return order_id


async def fulfilling(harness: HandlerHarness, *parcels: tuple[str, str | None]) -> int:
    """Both warehouses have accepted such an order."""
    await harness.fill_stock()
    await harness.handle(receive("s2", 10, ref="note-2", warehouse="east"))
    lines = (CreateLine(sku_id="s1", qty=1), CreateLine(sku_id="s2", qty=1, warehouse="east"))
    order_id = await harness.create_order(create(items=lines, expected_pay_amount=1000))
    await harness.pay(order_id)
    await harness.handle(*(fact(FulfilmentAccept, order_id, warehouse=name) for name in ("main", "east")))
    await harness.handle(*(parcel(order_id, *one) for one in parcels))
    return order_id


@pytest.mark.parametrize("left_first", [False, True])
async def test_parcels_of_a_warehouse_that_stopped_are_booked_anew_if_the_order_goes_on(
    harness: HandlerHarness, left_first: bool
) -> None:
    """Else its units would stay in a parcel that nobody ships, and the order would never end."""
    order_id = await cancelling(harness, ("M1", "main"), ("E1", "east"))
    stops = fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness))
    leaves = update(order_id, "E1", "outbound")
    for message in (leaves, stops) if left_first else (stops, leaves):
        await harness.handle(message)
    assert await harness.state(order_id) == "fulfilling"
    assert await harness.rows(f"{PARCELS} ORDER BY 1") == [("E1", "outbound", False), ("M1", "cancelled", True)]
    assert await hand_overs(harness) == [("east", "accepted", 1), ("main", "requested", 2)]
    await harness.handle(fact(FulfilmentAccept, order_id, number=2))
    await harness.handle(parcel(order_id, "M2", "main"), update(order_id, "M2", "outbound"))
    assert await harness.state(order_id) == "shipped"


async def test_a_parcel_of_both_warehouses_keeps_the_goods_of_the_other(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness, ("B1", None))
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness)))
    rows = await harness.rows("SELECT line_no, withdrawn FROM shipment_items ORDER BY line_no")
    assert rows == [(1, True), (2, False)]
    assert await harness.rows("SELECT state FROM shipments") == [("booked",)]


async def test_a_parcel_that_leaves_although_its_warehouse_stopped_raises_an_alert(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness, ("M1", "main"), ("E1", "east"))
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness)))
    await harness.handle(update(order_id, "M1", "outbound"))
    assert await harness.state(order_id) == "cancelling"
    assert len(harness.events_of("alert.raised")) == 1


async def test_both_warehouses_stop_and_all_goods_are_back(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness, ("M1", "main"), ("E1", "east"))
    number = cancel_no(harness)
    for name in ("main", "east"):
        await harness.handle(fact(FulfilmentCancelAccepted, order_id, warehouse=name, cancel_no=number))
    assert await harness.state(order_id) == "cancelled"
    assert await harness.rows(f"{PARCELS} ORDER BY 1") == [("E1", "cancelled", True), ("M1", "cancelled", True)]
    assert await harness.rows("SELECT sum(locked)::int FROM stock") == [(0,)]


@pytest.mark.parametrize("is_short", [False, True])
async def test_a_warehouse_is_informed_that_the_rest_is_cancelled_also_if_it_waits_for_the_buyer(
    harness: HandlerHarness, is_short: bool
) -> None:
    """Else it would go on, or wait for fulfilment.released for ever: the order is shipped without it."""
    order_id = await fulfilling(harness, ("E1", "east"))
    await harness.handle(update(order_id, "E1", "outbound"))
    if is_short:
        short = (ShortLine(sku_id="s1", qty=1),)
        await harness.handle(ShortageReport(request_id="r1", order_id=order_id, lines=short))
    else:
        await harness.handle(OrderCancelRest(request_id="c1", actor=user(), order_id=order_id))
    assert await harness.state(order_id) == "shipped"
    assert await hand_overs(harness) == [("east", "handed_over", 1), ("main", "withdrawn", 1)]
    assert instructions(harness)[-1] == ("withdrawn", "main", 1)


async def test_a_warehouse_that_waits_for_a_buyer_is_informed_when_the_rest_is_cancelled(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1), ("s2", 2))
    await harness.handle(fact(FulfilmentAccept, order_id))
    await harness.handle(book(order_id, "T1", ("s1", 1)), update(order_id, "T1", "outbound"))
    short = (ShortLine(sku_id="s2", qty=1),)
    await harness.handle(ShortageReport(request_id="r1", order_id=order_id, lines=short))
    assert ("held", "main", 1) in instructions(harness)
    await harness.handle(OrderCancelRest(request_id="c1", actor=user(), order_id=order_id))
    assert await harness.state(order_id) == "shipped"
    assert await hand_overs(harness) == [("main", "handed_over", 1)]
    assert instructions(harness)[-1] == ("withdrawn", "main", 1)
    await harness.handle(fact(FulfilmentHandOver, order_id))
    assert harness.events_of("alert.raised") == []


async def test_a_warehouse_that_stopped_for_a_hold_is_informed_when_the_last_parcel_leaves(
    harness: HandlerHarness,
) -> None:
    """The rest was short, and the carrier reports the other parcel late: no fulfilment.released follows."""
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1), ("s2", 2))
    await harness.handle(fact(FulfilmentAccept, order_id))
    await harness.handle(book(order_id, "T1", ("s1", 1)))
    short = (ShortLine(sku_id="s2", qty=2),)
    await harness.handle(ShortageReport(request_id="r1", order_id=order_id, lines=short))
    assert ("held", "main", 1) in instructions(harness)
    await harness.handle(update(order_id, "T1", "outbound"))
    assert await harness.state(order_id) == "shipped"
    assert await hand_overs(harness) == [("main", "handed_over", 1)]
    assert instructions(harness)[-1] == ("withdrawn", "main", 1)
