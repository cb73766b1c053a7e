"""A hold over a real broker and database: it stops a parcel until it is released, and the order goes on."""

from uuid import uuid4

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states

ACTOR = {"type": "operator", "id": "ops-7"}


async def test_a_held_order_ships_after_its_release_and_completes(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, receipt_window_seconds=1),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        created = await shop.place_order(("s1", 2))
        order_id = created["order_id"]
        about = {"actor": ACTOR, "order_id": order_id}
        await shop.publish("order.hold", about | {"request_id": uuid4().hex, "reason_code": "FRAUD"})
        [held] = await shop.wait_for_events("order.held")
        await gateway.pay(created)
        await shop.wait_for_events("order.paid")
        await shop.publish("shipment.book", {"order_id": order_id, "carrier": "sf", "tracking_no": "T1"})
        [failed] = await shop.wait_for_events("shipment.booking_failed")
        await shop.publish("order.release", about | {"request_id": uuid4().hex, "hold_id": held["hold_id"]})
        await shop.wait_for_events("order.released")
        await shop.ship(order_id, "T2", "outbound", "delivered")
        await shop.wait_for_events("order.completed")
    assert failed["code"] == "ORDER_HELD"
    assert await states(pool) == {"completed": 1}
    story = [(e["event"], e["version"] - 1) for e in shop.events if e["event"].startswith("order.")]
    assert story == [
        ("order.created", 1),
        ("order.held", 2),
        ("order.paid", 3),
        ("order.released", 4),
        ("order.shipped", 5),
        ("order.delivered", 6),
        ("order.completed", 7),
    ]
