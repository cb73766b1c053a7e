"""One order's whole life over a real broker and database, seen from outside."""

import pytest

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states, wait_for_value


async def test_an_order_lives_from_create_to_completed(declared_broker: Broker, database_url: str, pool: Pool) -> None:
    async with (
        running_system(declared_broker, database_url, receipt_window_seconds=1),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1", "s2")
        created = await shop.place_order(("s1", 2), ("s2", 1))
        await gateway.pay(created)
        await shop.wait_for_events("order.paid")
        await shop.ship(created["order_id"], "T1", "delivered", "outbound", "picked_up")
        await shop.wait_for_events("order.completed")
    assert await states(pool) == {"completed": 1}
    story = [(e["event"], e["version"] - 1) for e in shop.events if e["event"].startswith("order.")]
    assert story == [
        ("order.created", 1),
        ("order.paid", 2),
        ("order.shipped", 3),
        ("order.delivered", 4),
        ("order.completed", 5),
    ]
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize(("local_dispatch", "handled"), [(True, 0), (False, 1)])
async def test_the_setting_decides_whether_a_reservation_takes_the_broker(
    declared_broker: Broker, database_url: str, pool: Pool, local_dispatch: bool, handled: int
) -> None:
    async with (
        running_system(declared_broker, database_url, payment_window_seconds=1800, local_dispatch=local_dispatch),
        Upstream.connect(declared_broker) as shop,
    ):
        await shop.fill_stock("s1")
        await shop.place_order(("s1", 2))
    assert await pool.fetchval("SELECT count(*) FROM inbox WHERE queue = 'stock-results'") == handled


async def test_an_unpaid_order_is_cancelled_when_its_window_ends(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with running_system(declared_broker, database_url), Upstream.connect(declared_broker) as shop:
        await shop.fill_stock("s1")
        created = await shop.place_order(("s1", 2))
        [event] = await shop.wait_for_events("order.cancelled", order_id=created["order_id"])
        await wait_for_value(pool, "SELECT locked FROM stock", 0)
    assert event["cancel_type"] == "timeout"
    row = await pool.fetchrow("SELECT cancelled_at >= expire_at AS in_time FROM orders")
    assert row is not None
    assert row["in_time"], "never early"
