"""Groups of buyers over a real broker, with several workers, from outside: all of a group's orders go on or none."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states, wait_for_value

WORKERS = 3
OVER = "UPDATE buying_groups SET deadline = now() WHERE group_id = 'lacking'"
WAKE = "UPDATE timers SET due_at = now(), wake_at = now() WHERE kind = 'group'"


@pytest.mark.parametrize("local_dispatch", [True, False])
async def test_one_group_forms_another_fails_and_one_last_seat_is_taken_once(
    declared_broker: Broker, database_url: str, pool: Pool, local_dispatch: bool
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(WORKERS):
            system = running_system(
                declared_broker, database_url, payment_window_seconds=30, local_dispatch=local_dispatch
            )
            await stack.enter_async_context(system)
        shop, operator, payments = [
            await stack.enter_async_context(Upstream.connect(declared_broker, role))
            for role in ("storefront", "operator", "payments")
        ]
        await shop.fill_stock("s1")
        rules = {"group_size": 3, "group_window_seconds": 600}
        await operator.publish("settings.set", {"business_type": "group_buy", "revision": 1} | rules)
        await shop.wait_for_events("settings.changed")
        full: list[dict[str, Any]] = [
            {"user_id": name, "group_id": "full", "business_type": "group_buy"} for name in "abcdef"
        ]
        await asyncio.gather(*(shop.publish_order(("s1", 2), **one) for one in full))
        lacking = [one | {"group_id": "lacking"} for one in full[:2]]
        await asyncio.gather(*(shop.publish_order(("s1", 2), **one) for one in lacking))
        created = await shop.wait_for_events("order.created", 5)
        await asyncio.gather(*(payments.pay(one) for one in created))
        [formed] = await shop.wait_for_events("group.formed")
        await shop.wait_for_events("order.released", 3)
        await shop.wait_for_events("order.paid", 5)
        for sql in (OVER, WAKE):
            await pool.execute(sql)
        [failed] = await shop.wait_for_events("group.failed")
        await shop.wait_for_events("order.cancelled", 2)
        await shop.wait_for_events("refund.requested", 2)
        await wait_for_value(pool, "SELECT count(*) FROM outbox", 0)
    assert (formed["group_id"], formed["paid"], len(formed["order_ids"])) == ("full", 3, 3)
    assert (failed["group_id"], failed["paid"], len(failed["order_ids"])) == ("lacking", 2, 2)
    assert [event["code"] for event in shop.events_of("command.rejected")] == ["GROUP_FULL"] * 3
    assert await states(pool) == {"paid": 3, "cancelled": 2}
    assert await pool.fetchval("SELECT sum(amount) FROM refunds") == 2000
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE held") == 0
