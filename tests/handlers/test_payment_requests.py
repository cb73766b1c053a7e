"""The provider.close messages of the attempts that a payment.start replaces, and the message that each one names."""

import orjson
import pytest

from tests.handlers.alipay_payments import start
from tests.handlers.harness import HandlerHarness

pytestmark = pytest.mark.usefixtures("alipay_configured")


async def closes(harness: HandlerHarness) -> dict[int, tuple[str, str]]:
    """Attempt id -> (correlation id, causation id) of each provider.close that waits in the outbox."""
    found: dict[int, tuple[str, str]] = {}
    for row in await harness.pool.fetch("SELECT * FROM outbox WHERE type = 'provider.close.v1'"):
        body, headers = orjson.loads(row["body"]), orjson.loads(row["headers"])
        found[int(body["attempt_id"])] = row["correlation_id"], headers["causation-id"]
    return found


async def test_each_start_of_a_batch_closes_the_earlier_attempt_of_its_own_order_under_its_own_ids(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    orders = [await harness.place_order(("s1", 2)), await harness.place_order(("s2", 2))]
    await harness.handle(*(start(order_id, 1000, f"first-{order_id}") for order_id in orders))
    earlier = [int(event["attempt_id"]) for event in harness.events_of("payment.started")]
    items = [harness.envelope(start(order_id, 1000, f"second-{order_id}")) for order_id in orders]
    await harness.handle_batch(items)
    expected = {key: (item.correlation_id, item.id) for key, item in zip(earlier, items, strict=True)}
    assert await closes(harness) == expected


async def test_the_last_of_three_starts_for_one_order_closes_the_two_before_under_its_own_ids(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    items = [harness.envelope(start(order_id, 1000, f"pay-{n}")) for n in range(3)]
    await harness.handle_batch(items)
    found = await closes(harness)
    assert len(found) == 2
    assert set(found.values()) == {(items[2].correlation_id, items[2].id)}
