"""Two worker processes race for few units. Exactly the units that there are are sold, also while some come back."""

import asyncio
from uuid import uuid4

import pytest

from tests.chaos.deployment import PRICE, Deployment
from tests.chaos.order_batch import assert_audit_is_clean, assert_history_holds
from tests.e2e.upstream import order_body

pytestmark = pytest.mark.chaos

RARE, UNITS, BUYERS, CHANGED_MINDS = "rare", 40, 160, 15
COUNTERS = "SELECT array[on_hand, locked] FROM stock WHERE sku_id = 'rare'"
STATES = "SELECT count(*) FROM orders WHERE state = $1"
SETTLED = """SELECT count(*) FILTER (WHERE state = 'cancelled') = $1
    AND count(*) FILTER (WHERE state = 'awaiting_payment')
        = (SELECT locked FROM stock WHERE sku_id = 'rare')
    FROM orders"""
NO_STOCK = "SELECT count(*) FROM commands WHERE outcome_type = 'order.rejected.v1' AND outcome ->> 'code' = $1"


async def buy(deployment: Deployment, buyers: int) -> None:
    """Two clients publish side by side; every buyer wants one unit."""
    run = uuid4().hex[:8]
    bodies = [order_body((RARE, 1), request_id=f"{run}-{n}", user_id=f"{run}-{n}") for n in range(buyers)]
    halves = bodies[::2], bodies[1::2]
    await asyncio.gather(
        *(deployment.publish("upstream", [("order.create", body) for body in half]) for half in halves)
    )
    decided = "SELECT count(*) = $2 FROM commands WHERE request_id LIKE $1 AND outcome_type IS NOT NULL"
    await deployment.wait_until(decided, f"{run}-%", buyers, what="an outcome for each buyer")


async def cancel(deployment: Deployment, count: int) -> None:
    """Cancel this many of the orders that hold units."""
    chosen = await deployment.query(
        "SELECT array_agg(id::text || ' ' || user_id) FROM"
        " (SELECT id, user_id FROM orders WHERE state = 'awaiting_payment' ORDER BY id LIMIT $1) AS held",
        count,
    )
    cancels = []
    for order_id, user_id in (line.split() for line in chosen):
        actor = {"type": "user", "id": user_id}
        cancels.append(("order.cancel", {"request_id": uuid4().hex, "actor": actor, "order_id": order_id}))
    await deployment.publish("upstream", cancels)


async def test_two_workers_sell_exactly_the_units_that_there_are(deployment: Deployment) -> None:
    for role in ("worker", "worker", "relay"):
        deployment.start(role)
    await deployment.ready()
    await deployment.fill_stock(RARE, UNITS)
    await deployment.wait_until("SELECT EXISTS (SELECT FROM stock WHERE sku_id = 'rare' AND on_hand > 0)")

    await buy(deployment, BUYERS)
    assert await deployment.query(COUNTERS) == [UNITS, UNITS]
    assert await deployment.query(STATES, "awaiting_payment") == UNITS
    assert await deployment.query(NO_STOCK, "INVENTORY_INSUFFICIENT") == BUYERS - UNITS

    await cancel(deployment, CHANGED_MINDS)
    await deployment.wait_until(f"SELECT ({COUNTERS}) = array[{UNITS}, {UNITS - CHANGED_MINDS}]", what="units back")
    await asyncio.gather(buy(deployment, BUYERS), cancel(deployment, CHANGED_MINDS))
    await deployment.wait_until(SETTLED, 2 * CHANGED_MINDS, what="the cancelled orders' units")
    await buy(deployment, BUYERS)
    assert await deployment.query(COUNTERS) == [UNITS, UNITS]
    assert await deployment.query(STATES, "awaiting_payment") == UNITS
    assert await deployment.query(STATES, "cancelled") == 2 * CHANGED_MINDS
    assert await deployment.query("SELECT sum(payable_amount) FROM orders WHERE state = 'awaiting_payment'") == (
        UNITS * PRICE
    )
    await assert_audit_is_clean(deployment)
    await assert_history_holds(deployment)
