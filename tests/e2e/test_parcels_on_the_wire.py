"""Parcels over a real broker and database: several orders in one, the rest of an order, and what comes back."""

from typing import Any
from uuid import uuid4

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, now, running_system, states


async def report(shop: Upstream, tracking_no: str, *statuses: str) -> None:
    """Report facts as a carrier does that knows no orders."""
    for status in statuses:
        fact = {"event_id": f"{tracking_no}-{status}", "status": status, "occurred_at": now()}
        await shop.publish("shipment.update", {"carrier": "sf", "tracking_no": tracking_no} | fact)


async def book(shop: Upstream, order_id: str, tracking_no: str, **more: Any) -> None:
    about = {"order_id": order_id, "carrier": "sf", "tracking_no": tracking_no}
    await shop.publish("shipment.book", about | more)


async def test_the_rest_of_a_partly_shipped_order_is_short_or_cancelled_and_the_order_completes(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, receipt_window_seconds=1),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        created = await shop.place_order(("s1", 10))
        order_id = created["order_id"]
        await gateway.pay(created)
        await shop.wait_for_events("order.paid")
        await book(shop, order_id, "T1", lines=[{"sku_id": "s1", "qty": 7}])
        await report(shop, "T1", "outbound", "delivered")
        await shop.wait_for_events("shipment.updated", status="delivered")
        lacking = {"request_id": uuid4().hex, "order_id": order_id, "lines": [{"sku_id": "s1", "qty": 1}]}
        await shop.publish("order.shortage.report", lacking)
        [short] = await shop.wait_for_events("order.shortage_recorded")
        rest = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": order_id}
        await shop.publish("order.cancel_rest", rest)
        [cancelled] = await shop.wait_for_events("order.rest_cancelled")
        await shop.wait_for_events("order.completed")
    assert [(one["lines"][0]["qty"], one["refund_amount"]) for one in (short, cancelled)] == [(1, 500), (2, 1000)]
    story = [(e["event"], e["version"] - 1) for e in shop.events if e["event"].startswith("order.")]
    assert [event for event, _ in story[2:]] == [
        "order.shortage_recorded",
        "order.rest_cancelled",
        "order.shipped",
        "order.delivered",
        "order.completed",
    ]
    assert [seq for _, seq in story] == list(range(1, 8))
    assert [r["amount"] for r in shop.events if r["event"] == "refund.requested"] == [500, 1000]
    assert await pool.fetchval("SELECT on_hand FROM stock") == 100 - 10 + 2


async def test_one_parcel_delivers_two_orders_and_its_return_is_announced(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        orders = [await shop.place_order(("s1", 1)) for _ in range(2)]
        for created in orders:
            await gateway.pay(created)
        await shop.wait_for_events("order.paid", 2)
        first, second = [created["order_id"] for created in orders]
        await book(shop, first, "T1", order_ids=[second])
        await report(shop, "T1", "outbound", "delivered")
        await shop.wait_for_events("order.delivered", 2)
        await report(shop, "T1", "returned")
        back = await shop.wait_for_events("shipment.updated", 2, status="returned")
        alerts = await shop.wait_for_events("alert.raised", 2)
    assert {(one["order_id"], one["after_delivery"]) for one in back} == {(first, True), (second, True)}
    assert {(one["level"], one["code"]) for one in alerts} == {("LOW", "LOGISTICS_AFTER_DELIVERY")}
    assert await states(pool) == {"delivered": 2}
