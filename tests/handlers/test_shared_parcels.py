"""One parcel carries goods of several orders of one user, and its number is free again once it has ended."""

from typing import Any

import pytest

from messages.orders import OrderMerge
from messages.shipments import ShipmentBook, ShipmentBookLine, ShipmentUpdate
from tests.handlers.builders import book, cancel, captured, create, receive, sku, update, user
from tests.handlers.harness import HandlerHarness

PARCELS = "SELECT state, ended FROM shipments ORDER BY id"


async def split_order(harness: HandlerHarness) -> list[int]:
    """The two children of a paid order, with one unit each."""
    await harness.handle(
        *(sku(name).model_copy(update={"seller_id": seller}) for name, seller in (("s1", "a"), ("s2", "b")))
    )
    await harness.handle(receive("s1", 9), receive("s2", 9))
    parent = await harness.create_order(create(("s1", 1), ("s2", 1)))
    await harness.pay(parent)
    harness.events.clear()
    return await harness.children(parent)


async def merged_orders(harness: HandlerHarness) -> list[int]:
    """Two orders of one user with one unit each, paid with one payment."""
    await harness.fill_stock()
    ids = [await harness.place_order(("s1", 1)), await harness.place_order(("s2", 1))]
    await harness.handle(OrderMerge(request_id="g1", actor=user(), order_ids=tuple(ids)))
    intent_id = int(harness.events_of("order.merged")[0]["intent_id"])
    await harness.handle(captured(ids[0], 1000).model_copy(update={"intent_id": intent_id}), trusted=True)
    harness.events.clear()
    return ids


SEVERAL = pytest.mark.parametrize("several", [split_order, merged_orders], ids=["children", "merged orders"])


def shared(first: int, second: int, *lines: ShipmentBookLine) -> ShipmentBook:
    return book(first, "T1").model_copy(update={"order_ids": (second,), "lines": lines})


def anonymous(tracking_no: str, status: str, event_id: str | None = None) -> ShipmentUpdate:
    """A fact as a carrier reports it that knows no orders."""
    return update(1, tracking_no, status, event_id).model_copy(update={"order_id": None})


def about(harness: HandlerHarness, type_: str) -> list[str]:
    return [event["order_id"] for event in harness.events_of(type_)]


@SEVERAL
async def test_one_booking_and_one_fact_move_all_orders_in_the_parcel(harness: HandlerHarness, several: Any) -> None:
    ids = await several(harness)
    names = [str(order_id) for order_id in ids]
    await harness.handle(shared(*ids))
    await harness.handle(anonymous("T1", "outbound"))
    assert [await harness.state(order_id) for order_id in ids] == ["shipped", "shipped"]
    await harness.handle(update(ids[1], "T1", "delivered"))
    assert [await harness.state(order_id) for order_id in ids] == ["delivered", "delivered"]
    assert about(harness, "shipment.booked") == about(harness, "order.shipped") == names
    assert about(harness, "shipment.updated") == [*names, *names]
    assert await harness.rows("SELECT count(*) FROM shipment_facts") == [(2,)]
    assert await harness.rows(PARCELS) == [("delivered", True)]


@SEVERAL
async def test_an_order_joins_the_parcel_of_another_one_with_a_booking_of_its_own(
    harness: HandlerHarness, several: Any
) -> None:
    first, second = await several(harness)
    await harness.handle(book(first, "T1"))
    await harness.handle(book(second, "T1"), book(second, "T1"), anonymous("T1", "outbound"))
    assert [await harness.state(order_id) for order_id in (first, second)] == ["shipped", "shipped"]
    assert len(harness.events_of("shipment.booked")) == 2
    assert await harness.rows("SELECT count(*) FROM shipments") == [(1,)]


@SEVERAL
@pytest.mark.parametrize("status", ["outbound", "lost"])
async def test_no_order_joins_a_parcel_that_has_left(harness: HandlerHarness, several: Any, status: str) -> None:
    """A booking of an order that is in the parcel is a repeat, and changes nothing."""
    first, second = await several(harness)
    await harness.handle(book(first, "T1"), anonymous("T1", status), book(second, "T1"), book(first, "T1"))
    refused = {"field": "tracking_no", "parcel": status}
    failed = harness.events_of("shipment.booking_failed")
    assert [(e["order_id"], e["code"], e["details"]) for e in failed] == [
        (str(second), "LOGISTICS_PARCEL_LEFT", refused)
    ]
    await harness.handle(book(second, "T2"))
    assert about(harness, "shipment.booked") == [str(first), str(second)]


@SEVERAL
async def test_a_lost_parcel_refunds_each_order_in_it_once(harness: HandlerHarness, several: Any) -> None:
    ids = await several(harness)
    await harness.handle(shared(*ids), anonymous("T1", "lost"), update(ids[0], "T1", "loss_confirmed"))
    assert [await harness.state(order_id) for order_id in ids] == ["cancelled", "cancelled"]
    assert [(r["order_id"], r["amount"]) for r in harness.events_of("refund.requested")] == [
        (str(order_id), 500) for order_id in ids
    ]


@SEVERAL
async def test_an_order_that_is_cancelled_leaves_the_parcel_to_the_other(harness: HandlerHarness, several: Any) -> None:
    first, second = await several(harness)
    await harness.handle(shared(first, second))
    await harness.handle(cancel(first))
    await harness.handle(anonymous("T1", "outbound"), anonymous("T1", "delivered"))
    assert [await harness.state(order_id) for order_id in (first, second)] == ["cancelled", "delivered"]
    assert about(harness, "shipment.updated") == [str(second)] * 2
    assert about(harness, "alert.raised") == [str(first)] * 2, "its goods must be taken out of the parcel"


@SEVERAL
async def test_a_parcel_whose_orders_are_all_cancelled_is_cancelled(harness: HandlerHarness, several: Any) -> None:
    first, second = await several(harness)
    await harness.handle(shared(first, second))
    await harness.handle(cancel(first))
    assert await harness.rows(PARCELS) == [("booked", False)]
    await harness.handle(cancel(second, "x2"))
    assert await harness.rows(PARCELS) == [("cancelled", True)]


async def test_lines_name_the_orders_that_their_units_are_of(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    first, second = await harness.place_paid_order(("s1", 3)), await harness.place_another_paid_order(("s1", 3))
    lines = [ShipmentBookLine(sku_id="s1", qty=2), ShipmentBookLine(sku_id="s1", qty=1, order_id=second)]
    await harness.handle(book(first, "T1").model_copy(update={"lines": tuple(lines)}))
    assert [(e["order_id"], e["lines"]) for e in harness.events_of("shipment.booked")] == [
        (str(first), [{"sku_id": "s1", "qty": 2}]),
        (str(second), [{"sku_id": "s1", "qty": 1}]),
    ]


async def test_if_one_order_cannot_be_booked_none_is(harness: HandlerHarness) -> None:
    first, second = await merged_orders(harness)
    await harness.handle(shared(first, second, ShipmentBookLine(sku_id="s2", qty=2, order_id=second)))
    failed = harness.events_of("shipment.booking_failed")
    assert [(e["order_id"], e["details"]["order_id"]) for e in failed] == [
        (str(first), str(second)),
        (str(second), str(second)),
    ]
    assert await harness.rows(PARCELS) == []


async def test_an_order_of_another_user_never_shares_a_parcel(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    mine, other = await harness.place_paid_order(("s1", 1)), await harness.place_order(("s2", 1), user_id="u2")
    await harness.pay(other)
    await harness.handle(shared(mine, other))
    assert about(harness, "shipment.booking_failed") == [str(mine), str(other)]
    await harness.handle(book(mine, "T1"))
    batch = await harness.handle_batch([harness.envelope(book(other, "T1"))])
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_of_another_order"]
    assert await harness.state(other) == "paid"


async def test_a_booking_waits_until_all_its_orders_are_known_and_paid(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    paid, unpaid = await harness.place_paid_order(("s1", 1)), await harness.place_order(("s2", 1))
    items = [harness.envelope(shared(paid, other)) for other in (unpaid, 404)]
    batch = await harness.handle_batch(items)
    assert [v.reason for v in batch.verdicts.values()] == ["order_not_paid", "order_unknown"]
    assert await harness.rows(PARCELS) == []


@pytest.mark.parametrize("user_id", ["u1", "u2"], ids=["same user", "another user"])
async def test_a_number_is_used_again_once_its_parcel_has_ended_and_each_parcel_has_its_own_facts(
    harness: HandlerHarness, user_id: str
) -> None:
    await harness.fill_stock()
    old = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    await harness.handle(update(old, "T1", "delivered", "E1"))
    new = await harness.place_order(("s2", 1), user_id=user_id)
    await harness.pay(new)
    harness.events.clear()
    await harness.handle(book(new, "T1"), anonymous("T1", "outbound", "E1"))
    assert await harness.rows(PARCELS) == [("delivered", True), ("outbound", False)]
    await harness.handle(update(old, "T1", "returned", "E2"), update(new, "T1", "delivered", "E2"))
    assert await harness.rows(PARCELS) == [("returned", True), ("delivered", True)]
    assert await harness.states() == ["delivered", "delivered"]
    await harness.handle(book(new, "T1"), book(old, "T1"))
    assert len(await harness.rows(PARCELS)) == 2, "a booking that is repeated after the end books nothing"


@pytest.mark.parametrize("user_id", ["u1", "u2"], ids=["same user", "another user"])
async def test_a_fact_about_a_number_that_is_used_again_waits_until_its_order_has_booked_it(
    harness: HandlerHarness, user_id: str
) -> None:
    await harness.fill_stock()
    old = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    await harness.handle(update(old, "T1", "delivered"))
    new = await harness.place_order(("s2", 1), user_id=user_id)
    await harness.pay(new)
    fact = harness.envelope(update(new, "T1", "outbound", "E1"))
    batch = await harness.handle_batch([fact])
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_unknown"]
    await harness.handle(book(new, "T1"), update(new, "T1", "outbound", "E1"))
    assert await harness.rows(PARCELS) == [("delivered", True), ("outbound", False)]


async def test_bookings_of_one_parcel_and_its_facts_at_the_same_time_move_both_orders(harness: HandlerHarness) -> None:
    """Whoever is second waits for the orders' locks, and reads the parcel after that."""
    first, second = await merged_orders(harness)
    await harness.handle(book(first, "T1"))
    await harness.handle_overlapping([book(second, "T1")], [update(first, "T1", "outbound")])
    states = [await harness.state(order_id) for order_id in (first, second)]
    if states != ["shipped", "shipped"]:  # the fact was retried, because the parcel had an order that it had not locked
        await harness.handle(update(first, "T1", "outbound"))
    assert [await harness.state(order_id) for order_id in (first, second)] == ["shipped", "shipped"]


async def test_two_orders_that_are_cancelled_at_the_same_time_cancel_the_parcel(harness: HandlerHarness) -> None:
    first, second = await merged_orders(harness)
    await harness.handle(shared(first, second))
    await harness.handle_overlapping([cancel(first)], [cancel(second, "x2")])
    assert await harness.rows(PARCELS) == [("cancelled", True)]


async def test_what_is_booked_for_a_merged_payment_before_it_is_captured_is_retried(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    ids = [await harness.place_order(("s1", 1)), await harness.place_order(("s2", 1))]
    await harness.handle(captured(ids[0], 500), trusted=True)
    batch = await harness.handle_batch([harness.envelope(shared(ids[0], ids[1]))])
    assert [v.reason for v in batch.verdicts.values()] == ["order_not_paid"]
