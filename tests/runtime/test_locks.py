"""A row that another session holds for long costs only the messages that need it, on any queue: they are set aside.

The handler of these tests locks the row that bears the id of each message, as handlers lock orders, users and stock.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from db.errors import UnavailableError
from db.pool import Pool, Transaction, open_pool
from messages.topology import RETRY_TIERS_SECONDS
from tests.runtime.builders import DELETE, command, delete, delivery, read, timers
from tests.runtime.harness import WorkerHarness
from workers.runtime import locks
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, Outcome, delay_seconds
from workers.runtime.process import QueueContext, process
from workers.runtime.republish import aside_headers
from workers.runtime.route import Route

NAMES = [f"m{number:02}" for number in range(65)]


@pytest.fixture
async def impatient(pool: Pool, database_url: str) -> AsyncIterator[Pool]:
    """A pool with the lock timeout of a worker, and the rows that the messages need."""
    await pool.execute("CREATE TABLE rows (id text PRIMARY KEY, at timestamptz)")
    await pool.execute("INSERT INTO rows SELECT unnest($1::text[])", [*NAMES, "p/0", "p/1", "p/2"])
    opened = await open_pool(database_url, application_name="test", lock_timeout_ms=locks.BATCH_LOCK_TIMEOUT_MS)
    yield opened
    opened.terminate()


async def lock_rows(tx: Transaction, batch: Batch[Any]) -> None:
    ids = sorted(item.id for item in batch)
    await tx.execute("SELECT FROM rows WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE", ids)
    await tx.execute("UPDATE rows SET at = clock_timestamp() WHERE id = ANY($1::text[])", ids)


@asynccontextmanager
async def held(pool: Pool, *ids: str) -> AsyncIterator[None]:
    """Hold these rows, as a person does who began a transaction in psql."""
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM rows WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE", ids)
        yield


async def run(pool: Pool, works: Sequence[Work], queue: str = "order-changes") -> dict[str, Outcome]:
    outcomes = await process(QueueContext(Route(queue, lock_rows), pool, attempts_max=1), works)
    return {outcome.work.message_id: outcome for outcome in outcomes}


async def done(pool: Pool) -> list[str]:
    return [row["id"] for row in await pool.fetch("SELECT id FROM rows WHERE at IS NOT NULL ORDER BY id")]


async def test_only_the_message_that_needs_the_locked_row_waits(impatient: Pool, pool: Pool) -> None:
    async with held(pool, "m30"):
        outcomes = await run(impatient, [command(name) for name in NAMES])
    assert {name for name, outcome in outcomes.items() if outcome.kind is Kind.SET_ASIDE} == {"m30"}
    assert await done(pool) == [name for name in NAMES if name != "m30"]
    assert "m30" not in [row["message_id"] for row in await pool.fetch("SELECT message_id FROM inbox")]


async def test_many_messages_that_need_locked_rows_take_a_bounded_time(impatient: Pool, pool: Pool) -> None:
    started = time.monotonic()
    async with held(pool, *NAMES):
        outcomes = await run(impatient, [command(name) for name in NAMES])
    assert {outcome.kind for outcome in outcomes.values()} == {Kind.SET_ASIDE}
    one_by_one_seconds = len(NAMES) * locks.BATCH_LOCK_TIMEOUT_MS / 1000
    assert time.monotonic() - started < one_by_one_seconds / 2  # about a second on an idle machine


async def test_messages_that_waited_before_come_after_the_others(impatient: Pool, pool: Pool) -> None:
    waited = again(command("m30"))
    async with held(pool, "m30"):
        started = time.monotonic()
        outcomes = await run(impatient, [waited, command("m31")])
    assert time.monotonic() - started < locks.BATCH_LOCK_TIMEOUT_MS / 1000  # the long timeout is not spent on it again
    assert (outcomes["m30"].kind, outcomes["m31"].kind) == (Kind.SET_ASIDE, Kind.ACKED)


def again(work: Work) -> Work:
    """The work as it comes back from the delay exchange after it was set aside."""
    one = work.delivery
    assert one.message_id
    headers = {**aside_headers(work), "origin-user": "u"}
    returned = delivery(
        DELETE, one.body, message_id=one.message_id, exchange="oms.delayed", user_id="relay", headers=headers
    )
    found = read("order-changes", returned)
    assert found.failure is None
    return found


def test_a_message_set_aside_counts_its_waits_and_no_attempt_and_comes_back_at_least_every_30_seconds() -> None:
    work, seconds = command("m30"), []
    for _ in range(20):
        seconds.append(delay_seconds(Outcome(work, Kind.SET_ASIDE)))
        since = work.delivery.text("first-failed-at")
        work = again(work)
        assert since in (None, work.delivery.text("first-failed-at"))
    assert (work.attempt, work.lock_waits) == (0, 20)
    assert seconds == [*RETRY_TIERS_SECONDS[:3], *[RETRY_TIERS_SECONDS[2]] * 17]
    assert seconds[-1] == 30


def test_a_stranger_cannot_claim_to_have_waited() -> None:
    assert read("order-changes", delivery(headers={"lock-waits": "9"})).lock_waits == 0


async def test_a_pack_with_an_item_that_needs_a_locked_row_is_taken_apart(impatient: Pool, pool: Pool) -> None:
    async with held(pool, "p/1"):
        outcomes = await run(impatient, [timers("p", 1, 2, 3, attempt="2")], queue="timeouts")
    assert outcomes["p"].kind is Kind.ACKED
    rows = await pool.fetch("SELECT message_id, destination, headers FROM outbox ORDER BY id")
    assert [(row["message_id"], row["destination"]) for row in rows] == [(f"p/{index}", "queue") for index in range(3)]
    headers = [orjson.loads(row["headers"]) for row in rows]
    assert {(one["attempt"], one["lock-waits"]) for one in headers} == {("2", "1")}


async def test_a_whole_table_that_is_locked_pauses_the_queue(impatient: Pool, pool: Pool) -> None:
    """A migration locks a table: no message is nearer to it than another."""
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE rows IN SHARE MODE")
        with pytest.raises(UnavailableError, match="locks the whole table rows"):
            await run(impatient, [command("m01"), command("m02")])
    assert (await run(impatient, [command("m01")]))["m01"].kind is Kind.ACKED


async def test_the_neighbours_of_a_row_that_is_held_for_long_end_while_it_is_held(harness: WorkerHarness) -> None:
    """It ends in no dead letter either, though each message has one attempt only."""
    await harness.pool.execute("CREATE TABLE rows (id text PRIMARY KEY, at timestamptz)")
    await harness.pool.execute("INSERT INTO rows SELECT unnest($1::text[])", NAMES)
    async with harness.running(Route("order-changes", lock_rows), attempts_max=1), held(harness.pool, "m30"):
        for name in NAMES:
            await harness.client.publish(DELETE, delete(), message_id=name)
        await until(lambda: finished(harness.pool, 64))
        await asyncio.sleep(1.5)  # it comes back meanwhile, in vain
        assert await harness.client.depth("order-changes.dlq") == 0
    async with harness.running(Route("order-changes", lock_rows), attempts_max=1):
        await until(lambda: finished(harness.pool, 65))
    assert await harness.client.depth("order-changes.dlq") == 0


async def finished(pool: Pool, count: int) -> bool:
    return len(await done(pool)) == count


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await check():
            await asyncio.sleep(0.02)


async def test_a_batch_of_another_worker_sets_nothing_aside(impatient: Pool, pool: Pool) -> None:
    """A young transaction that holds a row is a batch on a busy machine: the messages wait for it longer than usual."""

    async def busy() -> None:
        async with held(pool, NAMES[0]):
            await asyncio.sleep(1.5 * locks.BATCH_LOCK_TIMEOUT_MS / 1000)

    other = asyncio.create_task(busy())
    await asyncio.sleep(0.05)
    outcomes = await run(impatient, [command(name) for name in NAMES[:3]])
    await other
    assert {outcome.kind for outcome in outcomes.values()} == {Kind.ACKED}
