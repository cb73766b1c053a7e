"""Raw routes take messages undecoded: dead letters and unrouted messages."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from db.pool import Transaction
from messages.topology import QUEUES, RETRY_TIERS_SECONDS
from outbox import declare
from tests.runtime.builders import DELETE, delete
from tests.runtime.harness import WorkerHarness, wait_until, write_effects
from workers.runtime import settle
from workers.runtime.batch import Batch
from workers.runtime.route import RawRoute, Route
from workers.runtime.run import SHARED_CONNECTIONS

QUEUE = "order-changes"


async def test_dead_letter_queues_share_a_few_database_connections(harness: WorkerHarness) -> None:
    async def slow(tx: Transaction, batch: Batch[Any]) -> None:
        await write_effects(tx, batch)
        await asyncio.sleep(0.2)  # so that all routes work at the same time

    await declare.declare(harness.broker["topology"], harness.broker.names, RETRY_TIERS_SECONDS)
    raw = [RawRoute(f"{queue}.dlq", slow) for queue in QUEUES]
    async with harness.running(Route(QUEUE, write_effects), *raw):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        for queue in QUEUES:
            for _ in range(3):
                await harness.client.publish("x", b"x", exchange="", routing_key=harness.broker.names.dlq(queue))
        await harness.wait_for_effects(1 + 3 * len(QUEUES))
        open_connections = REGISTRY.get_sample_value("oms_db_pool_size")
    assert open_connections is not None
    assert open_connections <= 1 + SHARED_CONNECTIONS


async def test_a_raw_route_takes_dead_letters_as_they_are(harness: WorkerHarness) -> None:
    seen: list[Any] = []

    async def collect(tx: Transaction, batch: Batch[Any]) -> None:
        seen.extend(batch)

    async with harness.running(Route(QUEUE, write_effects), RawRoute(f"{QUEUE}.dlq", collect)):
        sent = await harness.client.publish(DELETE, b"{", headers={"\u00fc": [1, None]})

        async def some() -> list[Any]:
            return seen

        (letter,) = await wait_until(some)
    assert (letter.queue, letter.message_id, letter.type, letter.body) == (f"{QUEUE}.dlq", sent, DELETE, b"{")
    assert letter.headers["reason"] == "invalid"
    samples = [one for family in REGISTRY.collect() for one in family.samples]
    own = {one.name for one in samples if one.labels.get("queue", "").endswith(".dlq")}
    assert own <= {"oms_consumers", "oms_consumer_paused", "oms_consumer_paused_by_hand"}, "all else is measured as one"


async def test_a_raw_route_that_fails_gives_the_message_back_and_tries_again(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "REQUEUE_WAIT_SECONDS", 0.5)
    tries: list[int] = []

    async def flaky(tx: Transaction, batch: Batch[Any]) -> None:
        tries.append(len(batch))
        if len(tries) == 1:
            raise ValueError

    async with harness.running(RawRoute("unrouted", flaky)):
        await harness.client.publish("order.unknown.v1", b"x")

        async def twice() -> bool:
            return len(tries) == 2

        await wait_until(twice)
    assert await harness.client.depth("unrouted") == 0
