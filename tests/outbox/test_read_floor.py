"""Reads of the outbox begin above a floor. It never passes a row that waits or may still appear.

So a read costs the same however many published rows an old transaction keeps from being removed.
"""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

import outbox
from db.pool import Pool
from db.statements import SQL
from outbox import read_floor
from tests.outbox.harness import announce, event, pages_read

SHARDS = list(range(64))
DEAD_ROWS = 3_000
PAGES_MAX = 800  # 64 probes of an index; each dead row would cost at least one page more


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the floor for every row."""
    monkeypatch.setattr(read_floor, "STEP_ROWS", 1)


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with a transaction that is left open."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("BEGIN")
    yield connection
    connection.terminate()


async def floor_after_steps(pool: Pool, steps: int = 3) -> int:
    """The floor after some steps of a relay."""
    for _ in range(steps):
        await read_floor.raise_floor(pool)
    return int(await pool.fetchval("SELECT floor FROM outbox_floor"))


async def publish_all(pool: Pool) -> list[int]:
    """Read and delete what waits, as a relay does. Return the ids."""
    rows = await pool.fetch(SQL["outbox.read"], SHARDS, 1_000, 1_000_000, [])
    ids = [row["id"] for row in rows]
    await pool.execute("DELETE FROM outbox WHERE id = ANY ($1)", ids)
    return ids


async def test_dead_rows_behind_an_open_snapshot_add_nothing_to_a_read(
    pool: Pool,
    writer: asyncpg.Connection,
) -> None:
    await writer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await writer.execute("SELECT FROM orders")  # now its snapshot keeps every row that is deleted later
    await announce(pool, [event(order, 1) for order in range(DEAD_ROWS)])
    await pool.execute("DELETE FROM outbox")
    await announce(pool, [event(order, 1) for order in range(20)])
    assert await pages_read(pool, "outbox.read", SHARDS, 62, 10_000, []) > 2 * PAGES_MAX
    assert await floor_after_steps(pool) == DEAD_ROWS
    assert await pages_read(pool, "outbox.read", SHARDS, 62, 10_000, []) < PAGES_MAX
    assert await pages_read(pool, "outbox.backlog") < PAGES_MAX
    assert len(await publish_all(pool)) == 20


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_the_floor_waits_for_each_transaction_that_has_taken_an_id(
    pool: Pool,
    writer: asyncpg.Connection,
    end: str,
) -> None:
    await announce(pool, [event(1, 1)])
    await outbox.append(writer, [event(2, 1)])  # id 2
    await announce(pool, [event(3, 1)])
    assert await publish_all(pool) == [1, 3]
    assert await floor_after_steps(pool) <= 1
    await writer.execute(end)
    assert await publish_all(pool) == ([2] if end == "COMMIT" else [])
    assert await floor_after_steps(pool) == 3


async def test_the_floor_stays_below_the_lowest_row_that_waits(pool: Pool) -> None:
    await announce(pool, [event(order, 1) for order in range(1, 11)])
    await pool.execute("DELETE FROM outbox WHERE id <> 4")
    assert await floor_after_steps(pool) == 3
    assert await publish_all(pool) == [4]
    assert await floor_after_steps(pool) == 10


async def test_a_sequence_that_was_set_back_takes_the_floor_back(pool: Pool) -> None:
    await announce(pool, [event(order, 1) for order in range(1, 11)])
    await publish_all(pool)
    assert await floor_after_steps(pool) == 10
    await pool.execute("ALTER TABLE outbox ALTER COLUMN id RESTART")
    await announce(pool, [event(1, 1)])
    await floor_after_steps(pool, steps=1)
    assert await publish_all(pool) == [1]


async def test_the_ids_are_not_cached(pool: Pool) -> None:
    """A session that caches ids would use them long after it took them, below the floor."""
    assert await pool.fetchval("SELECT seqcache FROM pg_sequence WHERE seqrelid = 'outbox_id_seq'::regclass") == 1


async def test_no_row_is_missed_while_transactions_overlap(pool: Pool, database_url: str) -> None:
    draw, written, seen = random.Random(7), [], []

    async def write(number: int) -> None:
        connection = await asyncpg.connect(database_url)
        for seq in range(25):
            change = connection.transaction()
            await change.start()
            await outbox.append(connection, [event(100 * number + seq, 1)])
            await asyncio.sleep(draw.random() / 50)
            if draw.random() < 0.8:
                await change.commit()
                written.append(str(100 * number + seq))
            else:
                await change.rollback()
        await connection.close()

    writers = [asyncio.create_task(write(number)) for number in range(6)]
    while not all(writer.done() for writer in writers):
        await read_floor.raise_floor(pool)
        rows = await pool.fetch(SQL["outbox.read"], SHARDS, 1_000, 1_000_000, [])
        await pool.execute("DELETE FROM outbox WHERE id = ANY ($1)", [row["id"] for row in rows])
        seen += [row["stream"] for row in rows]
    await asyncio.gather(*writers)
    seen += [row["stream"] for row in await pool.fetch(SQL["outbox.read"], SHARDS, 1_000, 1_000_000, [])]
    assert sorted(seen) == sorted(written)
    assert await floor_after_steps(pool) > 50
