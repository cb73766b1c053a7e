"""A late payment reinstates its order over a real broker and database."""

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states


async def test_an_order_that_timed_out_is_paid_late(declared_broker: Broker, database_url: str, pool: Pool) -> None:
    async with (
        running_system(declared_broker, database_url, payment_window_seconds=1, on_late_payment="reinstate_if_stock"),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1", qty=2)
        created = await shop.place_order(("s1", 2))
        await shop.wait_for_events("order.cancelled")
        await gateway.pay(created)
        await shop.wait_for_events("order.paid")
        await gateway.pay(created, trade_no="second")
        [refund] = await shop.wait_for_events("refund.requested")
    assert refund["cause"] == "dup:alipay:second"
    assert await states(pool) == {"paid": 1}
    story = [(e["event"], e["version"] - 1) for e in shop.events if e["event"].startswith("order.")]
    assert story == [
        ("order.created", 1),
        ("order.cancelled", 2),
        ("order.reinstating", 3),
        ("order.reinstated", 4),
        ("order.paid", 5),
    ]
