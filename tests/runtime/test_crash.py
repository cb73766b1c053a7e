"""A worker process that dies at any moment loses no message, and each message has one effect."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.runtime.builders import DELETE, delete
from tests.runtime.crashing_worker import handle
from tests.runtime.harness import WorkerHarness, wait_until, write_effects
from workers.runtime.route import Route

QUEUE = "order-changes"
KILLED = 137
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def worker_process(harness: WorkerHarness, crashpoint: str = "") -> AsyncIterator[Process]:
    environment = {
        **os.environ,
        "OMS_DATABASE_URL": harness.database_url,
        "OMS_AMQP_URL": harness.broker["worker"],
        "OMS_PREFIX": harness.broker.names.prefix,
        "OMS_CRASHPOINT": crashpoint,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtime.crashing_worker", cwd=ROOT, env=environment, stdout=DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    ("crashpoint", "effects_then"), [("before_commit", 0), ("after_commit", 1), ("after_retry_publish", 0)]
)
async def test_a_process_that_dies_has_done_its_message_once(
    harness: WorkerHarness, crashpoint: str, effects_then: int
) -> None:
    sent = await harness.client.publish(DELETE, delete("fail" if "retry" in crashpoint else "r"))
    async with worker_process(harness, crashpoint) as process:
        assert await asyncio.wait_for(process.wait(), 60) == KILLED
    assert len(await harness.effects()) == effects_then
    async with harness.running(Route(QUEUE, handle)):
        assert await harness.wait_for_effects(1) == [sent]
        await wait_until(lambda: empty(harness))
    assert await harness.effects() == [sent]


async def test_sigterm_finishes_the_running_batch_and_exits_cleanly(harness: WorkerHarness) -> None:
    sent = await harness.client.publish(DELETE, delete("slow"))
    async with worker_process(harness) as process:
        await wait_until(lambda: busy(harness))
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert await harness.effects() == [sent]
    assert await harness.client.depth(QUEUE) == 0
    async with harness.running(Route(QUEUE, write_effects)):
        last = await harness.client.publish(DELETE, delete())
        assert await harness.wait_for_effects(2) == [sent, last]


async def busy(harness: WorkerHarness) -> bool:
    return bool(
        await harness.pool.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
    )


async def empty(harness: WorkerHarness) -> bool:
    """True if no message is ready or unsettled. A message in the first delay tier comes back within a second."""
    await asyncio.sleep(1.5)
    return await harness.client.depth(QUEUE) == 0
