"""Stock on a database of its own: the same orders, by messages. Both databases are audited after the test."""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from db.pool import Pool, open_pool
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.e2e.audited import audited
from tests.e2e.upstream import Upstream, running_system, states, wait_for_value

SOLD = "SELECT on_hand::text || ' ' || locked FROM stock"
KEPT_APART = "SELECT on_hand::text || ' ' || quarantined FROM stock"
IN_QUARANTINE = {"sku_id": "s1", "warehouse": "main", "reason_code": "checked"}
ORDERS = 4
BUYER, OPERATOR = {"type": "user", "id": "u1"}, {"type": "operator", "id": "ops-7"}
WAREHOUSE = {"type": "system", "id": "main"}


@pytest.fixture
def stock_database_url(servers: Servers, database_template: str) -> Iterator[str]:
    """URL of a second database, in which all invariants hold after the test."""
    name = f"test_{secrets.token_hex(6)}"
    yield from audited(servers.postgres.new_database(name, template=database_template))
    servers.postgres.drop_database(name)


@pytest.fixture
async def stock_pool(stock_database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(stock_database_url, application_name="tests", max_size=2)
    yield opened
    opened.terminate()


async def come_back(shop: Upstream, order_id: str, disposition: str) -> None:
    """Both units of a paid order arrive, come back by a case, and are inspected."""
    await shop.ship(order_id, "T1", "outbound", "delivered")
    await shop.wait_for_events("order.delivered")
    application = {"type": "return_refund", "reason_code": "quality", "order_id": order_id}
    await shop.publish("after_sale.apply", application | {"request_id": "a1", "actor": BUYER})
    [applied] = await shop.wait_for_events("after_sale.requested")
    case = {"order_id": order_id, "case_id": applied["case_id"]}
    steps: tuple[tuple[str, dict[str, str], dict[str, Any], str], ...] = (
        ("review", OPERATOR, {"decision": "approve"}, "return_awaited"),
        ("receive", WAREHOUSE, {}, "return_received"),
        ("inspect", WAREHOUSE, {"lines": [{"line_no": 1, "qty": 2, "disposition": disposition}]}, "inspect_passed"),
    )
    for step, actor, fields, event in steps:
        await shop.publish(f"after_sale.{step}", case | {"request_id": step, "actor": actor} | fields)
        await shop.wait_for_events(f"after_sale.{event}")


async def test_orders_are_placed_paid_and_cancelled_with_stock_on_another_database(
    declared_broker: Broker, database_url: str, pool: Pool, stock_database_url: str, stock_pool: Pool
) -> None:
    async with (
        running_system(
            declared_broker, database_url, payment_window_seconds=1800, stock_database_url=stock_database_url
        ),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        await shop.publish("warehouses.set", {"revision": 1, "warehouses": ["empty-1", "main"]})
        await shop.wait_for_events("warehouses.changed")
        placed = [await shop.place_order(("s1", 2)) for _ in range(ORDERS)]
        received: int = await stock_pool.fetchval("SELECT on_hand FROM stock")
        await wait_for_value(stock_pool, SOLD, f"{received} {2 * ORDERS}")
        await gateway.pay(placed[0])
        await shop.wait_for_events("order.paid", order_id=placed[0]["order_id"])
        cancel = {"request_id": "c1", "actor": {"type": "user", "id": "u1"}, "order_id": placed[1]["order_id"]}
        await shop.publish("order.cancel", cancel)
        await shop.wait_for_events("order.cancelled", order_id=placed[1]["order_id"])
        await wait_for_value(stock_pool, SOLD, f"{received - 2} {2 * (ORDERS - 2)}")
        await come_back(shop, placed[0]["order_id"], "quarantine")
        await wait_for_value(stock_pool, KEPT_APART, f"{received - 2} 2")
        await shop.publish(
            "stock.end_quarantine", IN_QUARANTINE | {"request_id": "q1", "qty": 1, "outcome": "sellable"}
        )
        await shop.publish(
            "stock.end_quarantine", IN_QUARANTINE | {"request_id": "q2", "qty": 1, "outcome": "written_off"}
        )
        await shop.wait_for_events("stock.quarantine_ended", 2)
        assert await stock_pool.fetchval(KEPT_APART) == f"{received - 1} 0"
        for database in (pool, stock_pool):
            await wait_for_value(database, "SELECT count(*) FROM outbox", 0)
    assert await states(pool) == {"delivered": 1, "cancelled": 1, "awaiting_payment": ORDERS - 2}
    assert await pool.fetchval("SELECT string_agg(DISTINCT warehouse, ' ') FROM order_items") == "main"
    assert await pool.fetchval("SELECT count(*) FROM stock_ledger") == 0
    assert await stock_pool.fetchval("SELECT count(*) FROM orders") == 0
