"""The outcome of order.create is not stored a second time: it is rendered, and is what it was then."""

from typing import Any

import orjson

from tests.db import audit_fixtures as stories
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.services import created_orders

ADDED = {"type", "stream", "seq"}
"""Fields that the harness adds to each event."""


def body_of(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ADDED}


async def test_what_order_created_stated_is_rendered_again_whatever_happened_since(harness: HandlerHarness) -> None:
    """After orders were paid, split, merged, shipped, cancelled, with coupons, points, tax and a risk check."""
    shop.configure(stories.RULES)
    await stories.fill_catalogue(harness)
    for story in (stories.plain, stories.split, stories.merged, stories.coupons, stories.points, stories.deducted,
                  stories.risk_checked, stories.numbered):  # fmt: skip
        await story(harness)
    events = {int(e["order_id"]): body_of(e) for e in harness.events_of("order.created") if e["parent_id"] is None}
    async with harness.pool.acquire() as tx:
        rendered = await created_orders.render(tx, events)
    assert {key: orjson.loads(event.json_bytes) for key, event in rendered.items()} == events
    later = await harness.rows("SELECT DISTINCT state FROM orders WHERE id = ANY($1::bigint[])", list(events))
    assert {state for (state,) in later} >= {"awaiting_payment", "cancelled", "completed", "paid", "split"}
    assert any(event["children"] for event in events.values())


async def test_the_outcome_of_a_created_order_takes_eight_bytes(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    rows = await harness.rows("SELECT outcome_type, outcome, order_id FROM commands WHERE type = 'order.create.v1'")
    assert rows == [("order.created.v1", None, order_id)]
