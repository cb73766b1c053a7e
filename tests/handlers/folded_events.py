"""Folds all events of a harness, and compares them with the tables."""

from datetime import UTC, datetime

from scripts.commands.event_verification import compare
from tests.handlers.harness import HandlerHarness
from workers.domain.order_folding import AnnouncedFact, OrderFolding, step_number


async def event_differences(harness: HandlerHarness) -> list[str]:
    """What the events say otherwise than the rows of the orders. There are orders to compare."""
    folding = OrderFolding()
    for number, event in enumerate(harness.events):
        folding.take(AnnouncedFact(f"e{number}", event["type"], step_number(event["type"], event), event))
    assert folding.orders
    async with harness.pool.acquire() as tx, tx.transaction():
        compared = await compare(tx, folding.orders, now=datetime.now(UTC), grace_seconds=-60)
    assert compared.under_way == 0
    return [f"{one.order}: {one.difference}" for one in compared.found]
