"""A late payment reinstates its order over a real broker and database, or goes back if the goods are gone."""

from typing import Any

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states


async def test_of_two_orders_that_timed_out_the_first_that_is_paid_late_gets_the_goods(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, payment_window_seconds=1, on_late_payment="reinstate_if_stock"),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1", qty=2)
        created, other = [await timed_out(shop) for _ in range(2)]
        await gateway.pay(created)
        await shop.wait_for_events("order.paid")
        await gateway.pay(created, trade_no="second")
        await shop.wait_for_events("refund.requested")
        await gateway.pay(other, trade_no="without goods")
        await shop.wait_for_events("order.cancelled", 2, order_id=other["order_id"])
        refunds = await shop.wait_for_events("refund.requested", 2)
    assert [one["cause"] for one in refunds] == ["dup:alipay:second", "late:alipay:without goods"]
    assert await states(pool) == {"paid": 1, "cancelled": 1}
    assert story(shop, created) == [
        ("order.created", 1),
        ("order.cancelled", 2),
        ("order.reinstating", 3),
        ("order.reinstated", 4),
        ("order.paid", 5),
    ]
    assert story(shop, other)[2:] == [("order.reinstating", 3), ("order.cancelled", 4)]


async def timed_out(shop: Upstream) -> dict[str, Any]:
    """Place an order for all there is, and let its time to pay end. Returns order.created."""
    created = await shop.place_order(("s1", 2))
    await shop.wait_for_events("order.cancelled", order_id=created["order_id"])
    return created


def story(shop: Upstream, created: dict[str, Any]) -> list[tuple[str, int]]:
    """The events of an order, with the number of each step."""
    about = [e for e in shop.events if e["event"].startswith("order.") and e["order_id"] == created["order_id"]]
    return [(e["event"], e["version"] - 1) for e in about]
