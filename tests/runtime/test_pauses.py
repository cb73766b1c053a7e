"""A person pauses a queue: no worker takes its messages until it is resumed, also not one that starts meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from aio_pika.abc import AbstractConnection
from structlog.testing import capture_logs

from db.pool import Transaction
from messages.stock import StockReserved
from outbox import paused_queues, wire
from tests.metric_values import metric_value
from tests.runtime.builders import DELETE, delete
from tests.runtime.harness import WorkerHarness, wait_until, write_effects
from workers.runtime.health import Health
from workers.runtime.local_dispatch import Chain, local_routes
from workers.runtime.route import Route

QUEUE = "order-changes"
PAUSE = "INSERT INTO consumer_pauses (queue, reason) VALUES ($1, 'OPS-7')"


@pytest.fixture(autouse=True)
async def _no_pauses_left(harness: WorkerHarness) -> AsyncIterator[None]:
    yield
    await harness.pool.execute("DELETE FROM consumer_pauses")
    await paused_queues.read("default", harness.pool)


async def paused() -> bool:
    return metric_value("oms_consumer_paused_by_hand", queue=QUEUE) == 1


async def unconsumed() -> bool:
    return metric_value("oms_consumers", queue=QUEUE) == 0


async def test_a_paused_queue_keeps_its_messages_until_it_is_resumed(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        first = await harness.client.publish(DELETE, delete())
        assert await harness.wait_for_effects(1) == [first]
        await harness.pool.execute(PAUSE, QUEUE)
        await wait_until(paused)
        await wait_until(unconsumed)
        second = await harness.client.publish(DELETE, delete())
        await wait_until(lambda: is_depth(harness, 1))
    async with harness.running(Route(QUEUE, write_effects)):  # a new process knows it, too
        await wait_until(paused)
        assert await is_depth(harness, 1)
        assert await unconsumed()
        await harness.pool.execute("DELETE FROM consumer_pauses")
        assert await harness.wait_for_effects(2) == [first, second]


async def test_a_pause_that_comes_before_the_connection_lets_no_message_through(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, connect = [True], wire.connect

    async def reach(url: str, *, name: str, **more: Any) -> AbstractConnection:
        if away and name == "oms worker":
            raise ConnectionError("away")
        return await connect(url, name=name, **more)

    monkeypatch.setattr(wire, "connect", reach)
    await harness.client.publish(DELETE, delete())
    with capture_logs() as logs:
        async with harness.running(Route("stock", write_effects), Route(QUEUE, write_effects)):
            await wait_until(lambda: written(logs, "broker unreachable, retrying"))  # by the first; the other waits
            await harness.pool.execute(PAUSE, QUEUE)
            await wait_until(paused)
            away.clear()
            await wait_until(lambda: written(logs, "a person has paused the queue"))
        async with harness.running(Route(QUEUE, write_effects)):  # a new process connects first
            logs.clear()
            await wait_until(lambda: written(logs, "a person has paused the queue"))
    assert await harness.effects() == []


async def written(logs: Sequence[Mapping[str, Any]], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def is_depth(harness: WorkerHarness, count: int) -> bool:
    return await harness.client.depth(QUEUE) == count


def test_a_queue_that_a_person_has_paused_is_live_and_ready() -> None:
    now = 0.0
    health = Health(["stock"], lambda: now)
    health.consuming("stock", False)
    health.paused_by_hand("stock", True)
    now = 10_000.0
    assert (health.live(), health.ready()) == ({"consumer stock": True}, {"consumer stock": True})
    health.paused_by_hand("stock", False)
    assert (health.live(), health.ready()) == ({"consumer stock": True}, {"consumer stock": False})


async def test_a_database_that_says_nothing_keeps_nobody_waiting_for_its_pauses(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paused_queues, "READ_SECONDS", 0.05)
    await harness.pool.execute(PAUSE, QUEUE)
    await paused_queues.read("default", harness.pool)
    async with harness.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM consumer_pauses")
        await connection.execute("LOCK TABLE consumer_pauses")
        with capture_logs() as logs:
            await asyncio.wait_for(paused_queues.read("default", harness.pool), 4)  # longer is waited for a lock
    assert ("cannot read which queues are paused", "TimeoutError") in [(one["event"], one.get("error")) for one in logs]
    assert QUEUE in paused_queues.current()


async def test_local_dispatch_passes_a_paused_queue_by(harness: WorkerHarness) -> None:
    async def nothing(tx: Transaction, batch: object) -> None: ...

    local = local_routes([Route("stock-results", nothing), Route("stock", nothing)], "default")
    assert StockReserved.TYPE in Chain(local).local
    await harness.pool.execute(PAUSE, "stock-results")
    await paused_queues.read("default", harness.pool)
    left = Chain(local).local
    assert {route.queue for route in left.values()} == {"stock"}
