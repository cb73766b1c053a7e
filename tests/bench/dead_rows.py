"""Measures what reads and chores cost when an old transaction keeps dead rows, and when many rows are held."""

import statistics
import time
from collections.abc import Awaitable, Callable

import asyncpg

from db.pool import Pool, open_pool
from db.statements import SQL
from outbox import read_floor
from workers.runtime import inbox
from workers.store import timers

SHARDS = list(range(64))
ROUNDS = 15
WAITING_ROWS = 20
DEAD_OUTBOX = """
INSERT INTO outbox
    (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, must_route)
SELECT n % 64, n::text, n::text, 't.v1', 'events', 'k', 'c', '{}', '{}', false FROM generate_series(1, $1::int) n
"""
DEAD_TIMERS = """
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'saga', n, now() - interval '1 h', now() - interval '1 h' FROM generate_series(1, $1::int) n
"""
DEAD_CLAIMS = """
INSERT INTO inbox (queue, message_id, body_hash, processed_at)
SELECT 'stock', n::text, '', now() - interval '60 days' FROM generate_series(1, $1::int) n
"""
HELD = """
WITH holds AS (
    INSERT INTO outbox_holds (stream, until, attempts, reason, shard, destination, routing_key)
    SELECT 'h' || n, now() + interval '1 h', 1, 'nacked: full', n % 64, 'reply', 'client.full'
    FROM generate_series(1, $1::int) n
    RETURNING stream, shard)
INSERT INTO outbox_held
SELECT stream, 0, shard, stream, 't.v1', 'reply', 'client.full', 'c', '{}', '{}', NULL, false, now() FROM holds
"""


async def milliseconds(do: Callable[[], Awaitable[object]]) -> float:
    """The median time of a call."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await do()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


async def costs(pool: Pool) -> dict[str, float]:
    """What each read of the relay and each chore of the workers costs now, in milliseconds."""

    async def fetch(name: str, *arguments: object) -> object:
        return await pool.fetch(SQL[name], *arguments)

    return {
        "outbox.read": await milliseconds(lambda: fetch("outbox.read", SHARDS, 62, 1 << 20, [])),
        "outbox.read_held": await milliseconds(
            lambda: fetch("outbox.read_held", SHARDS, 62, 100, 1 << 20, [], 120.0, 2000)
        ),
        "outbox.backlog": await milliseconds(lambda: fetch("outbox.backlog")),
        "timers.sweep": await milliseconds(lambda: fetch("timers.sweep", 1000, timers.RECENT_SECONDS)),
        "inbox.purge": await milliseconds(lambda: inbox.purge(pool)),
    }


async def measure(database_url: str, dead: int, held: int) -> dict[str, dict[str, float]]:
    """Case -> statement -> milliseconds, on one database: empty, then with dead rows, the floor, and held rows."""
    pool = await open_pool(database_url, application_name="bench", max_size=2)
    reader = await asyncpg.connect(database_url)
    try:
        await pool.execute(DEAD_OUTBOX, WAITING_ROWS)
        found = {"nothing dead": await costs(pool)}
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT FROM orders")
        for statement, table in ((DEAD_OUTBOX, "outbox"), (DEAD_TIMERS, "timers"), (DEAD_CLAIMS, "inbox")):
            await pool.execute(statement, dead, timeout=300)
            await pool.execute(f"DELETE FROM {table}", timeout=300)
        await pool.execute(DEAD_OUTBOX, WAITING_ROWS)
        found[f"{dead} dead, floor 0"] = await costs(pool)
        for _ in range(2):
            await read_floor.raise_floor(pool)
        found[f"{dead} dead, floor raised"] = await costs(pool)
        await pool.execute(HELD, held, timeout=300)
        found[f"and {held} held"] = await costs(pool)
    finally:
        reader.terminate()
        pool.terminate()
    return found
