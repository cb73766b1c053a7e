"""Measures what `oms dead-letters status`, `groups` and `list` and `oms doctor` read of very many dead letters."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from db import migrate
from db.pool import Pool, open_pool
from scripts.servers.find import private_servers
from workers.store import dead_letter_lists, dead_letters
from workers.store.dead_letter_lists import LetterFilter

ROUNDS = 7
LETTERS = """
INSERT INTO dead_letters (queue, message_id, body_hash, type, correlation_id, reason, error_type, error_message,
    fingerprint, attempts, worker_version, died_at, state, key_id, body, headers, about)
SELECT (ARRAY['stock', 'order-creation', 'payment-results', 'refunds'])[1 + n % 4], 'm' || n, int4send(n),
    't' || n % 7 || '.v1', 'c' || n / 3, (ARRAY['failed', 'invalid', 'order_unknown'])[1 + n % 3], 'E' || n % 5,
    repeat('e', 80), left(md5((n % 60)::text), 16), 1 + n % 7, '1.' || n % 3,
    now() - make_interval(secs => n % 2592000), CASE WHEN n % 10 = 0 THEN 'discarded' ELSE 'open' END, 'k',
    decode(repeat(md5(n::text), 40), 'hex'), '\\x00', ARRAY['user:' || n / 10]
FROM generate_series($1::int, $2::int) n
"""
OLD_GROUP = "0123456789abcdef"
MAKE_OLD_GROUP = "UPDATE dead_letters SET fingerprint = $1, died_at = now() - interval '60 d' WHERE id <= 3"
PART = 50_000


async def milliseconds(do: Callable[[], Awaitable[object]]) -> float:
    """The median time of a call, with a warm cache."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await do()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


async def measure(database_url: str, letters: int) -> dict[str, float]:
    """What a person types -> milliseconds of its statement."""
    pool = await open_pool(database_url, application_name="bench", max_size=2)
    try:
        for first in range(1, letters + 1, PART):
            await pool.execute(LETTERS, first, min(first + PART - 1, letters), timeout=600)
        await pool.execute(MAKE_OLD_GROUP, OLD_GROUP)
        await pool.execute("VACUUM (ANALYZE) dead_letters", timeout=600)
        return await _costs(pool)
    finally:
        pool.terminate()


async def _costs(pool: Pool) -> dict[str, float]:
    one_queue = LetterFilter(state="open", queues=["stock"])
    old_group = LetterFilter(state="open", groups=[OLD_GROUP])
    async with pool.acquire() as tx:
        await tx.execute("SET plan_cache_mode = auto")  # as the sessions of commands
        await tx.execute("RESET enable_seqscan")
        return {
            "dead-letters groups, status": await milliseconds(
                lambda: dead_letter_lists.groups(tx, LetterFilter(state="open"))
            ),
            "dead-letters groups --queue stock": await milliseconds(lambda: dead_letter_lists.groups(tx, one_queue)),
            "dead-letters list": await milliseconds(lambda: dead_letter_lists.find(tx, LetterFilter(state="open"), 50)),
            "dead-letters list --queue stock": await milliseconds(lambda: dead_letter_lists.find(tx, one_queue, 50)),
            "dead-letters list --group, 3 old ones": await milliseconds(
                lambda: dead_letter_lists.find(tx, old_group, 50)
            ),
            "doctor, the metrics of workers": await milliseconds(lambda: dead_letters.open_counts(tx)),
        }


def add(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("letters")
    def letters_(
        letters: Annotated[int, typer.Option(min=1, help="Dead letters.")] = 1_000_000,
    ) -> None:
        """Measure groups, lists and counts of dead letters beside very many of them."""
        with private_servers(durable=False) as servers:
            url = servers.postgres.new_database("bench_letters")
            migrate.upgrade(url)
            found = asyncio.run(measure(url, letters))
            servers.postgres.drop_database("bench_letters")
        table = Table(title=f"milliseconds, medians of {ROUNDS}, beside {letters:,} letters")
        for column in ("oms", "ms"):
            table.add_column(column)
        for typed, took in found.items():
            table.add_row(typed, f"{took:.0f}")
        Console(width=130).print(table)
