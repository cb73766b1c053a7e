"""A parcel that is refused, lost or comes back after it arrived is a fact with an event and an alert, never silence."""

from datetime import UTC, datetime, timedelta

import pytest

from messages.shipments import ShipmentUpdate
from tests.handlers.builders import update
from tests.handlers.harness import HandlerHarness

DELIVERED_AT = datetime.now(UTC)
PARCELS = "SELECT s.state, i.given_up FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id"
FACTS = "SELECT status, stale FROM shipment_facts WHERE status NOT IN ('outbound', 'delivered') ORDER BY occurred_at"


def later(order_id: int, status: str, days: int = 3) -> ShipmentUpdate:
    """A fact that happened so many days after the delivery."""
    return update(order_id, "T1", status).model_copy(update={"occurred_at": DELIVERED_AT + timedelta(days=days)})


async def place_delivered_order(harness: HandlerHarness) -> int:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    await harness.handle(later(order_id, "delivered", 0))
    harness.events.clear()
    return order_id


@pytest.mark.parametrize("status", ["refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"])
async def test_what_happens_to_a_parcel_after_its_delivery_is_announced_and_moves_neither_money_nor_stock(
    harness: HandlerHarness, status: str
) -> None:
    order_id = await place_delivered_order(harness)
    await harness.handle(later(order_id, status), later(order_id, status))
    [moved] = harness.events_of("shipment.updated")
    assert (moved["previous"], moved["status"], moved["after_delivery"]) == ("delivered", status, True)
    [alert] = harness.events_of("alert.raised")
    assert (alert["level"], alert["code"], alert["order_id"]) == ("LOW", "LOGISTICS_AFTER_DELIVERY", str(order_id))
    assert await harness.rows(FACTS) == [(status, False)]
    assert await harness.states() == ["delivered"]
    assert harness.events_of("refund.requested") == []
    assert await harness.stock() == (8, 0), "a person inspects the goods before they are sold again"


async def test_a_fact_from_before_the_delivery_that_comes_late_is_recorded_only(harness: HandlerHarness) -> None:
    order_id = await place_delivered_order(harness)
    await harness.handle(later(order_id, "refused", -1), later(order_id, "returned", -1))
    assert harness.events == []
    assert await harness.rows(FACTS) == [("refused", True), ("returned", True)]
    assert await harness.rows(PARCELS) == [("delivered", False)]


async def test_a_return_is_announced_from_its_beginning_to_its_end_also_after_completion(
    harness: HandlerHarness,
) -> None:
    order_id = await place_delivered_order(harness)
    await harness.sweep("receipt")
    assert await harness.states() == ["completed"]
    await harness.handle(later(order_id, "returning", 4), later(order_id, "returned", 5), later(order_id, "refused", 3))
    assert [one["status"] for one in harness.events_of("shipment.updated")] == ["returning", "returned"]
    assert [one["level"] for one in harness.events_of("alert.raised")] == ["LOW", "LOW"]
    assert await harness.rows("SELECT state FROM shipments") == [("returned",)]


async def test_a_parcel_reported_as_returned_before_its_delivery_is_known_is_refunded_and_restocked_once(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    await harness.handle(later(order_id, "returned"))
    await harness.handle(later(order_id, "delivered", 0), later(order_id, "returning", 2))
    assert await harness.rows(PARCELS) == [("returned", True)]
    assert len(harness.events_of("refund.requested")) == 1
    assert await harness.stock() == (10, 0)
    assert await harness.states() == ["cancelled"]


async def test_a_parcel_that_was_lost_and_found_delivers_its_order_and_can_be_lost_again_without_a_second_refund(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    await harness.handle(later(order_id, "lost", -2))
    assert await harness.states() == ["delivery_failed"]
    await harness.handle(later(order_id, "delivered", 0))
    assert await harness.states() == ["delivered"]
    await harness.handle(later(order_id, "loss_confirmed", 9))
    assert len(harness.events_of("refund.requested")) == 1
    assert [one["level"] for one in harness.events_of("alert.raised")] == ["LOW", "LOW"]
    assert await harness.states() == ["delivered"]
