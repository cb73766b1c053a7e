"""A database that goes away at any moment of a batch: no message fails for it, and what was committed stays so.

A proxy between the pool and the database cuts the connection at a chosen moment, or falls silent.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from db import pool as pools
from db.errors import UnavailableError
from db.pool import Pool, Transaction, open_pool
from tests.runtime.builders import command
from tests.tcp_proxy import TcpProxy
from workers.runtime import inbox
from workers.runtime.batch import Batch
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process
from workers.runtime.route import Handler, Route
from workers.runtime.transactions import transaction

ACKED, DUPLICATE, RETRIED = Kind.ACKED, Kind.DUPLICATE, Kind.RETRIED


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(database_url) as made:
        yield made


@pytest.fixture
async def through(proxy: TcpProxy, pool: Pool) -> AsyncIterator[Pool]:
    """A pool of one connection through the proxy, with the table that `write` needs."""
    await pool.execute("CREATE TABLE effects (id text)")
    opened = await open_pool(proxy.url, application_name="test", max_size=2)
    yield opened
    opened.terminate()


async def write(tx: Transaction, batch: Batch[Any]) -> None:
    await tx.executemany("INSERT INTO effects VALUES ($1)", [(item.id,) for item in batch])


async def run(pool: Pool, handler: Handler, *names: str) -> dict[str, Kind]:
    outcomes = await process(QueueContext(Route("order-changes", handler), pool), [command(name) for name in names])
    return {outcome.work.message_id: outcome.kind for outcome in outcomes}


async def until_answered(pool: Pool, handler: Handler, *names: str) -> dict[str, Kind]:
    """Try again while the database is away, as a consumer does."""
    for _ in range(5):
        try:
            return await run(pool, handler, *names)
        except UnavailableError:
            await asyncio.sleep(0.05)
    raise AssertionError("the database did not come back")


MOMENTS: dict[str, Callable[[TcpProxy], None]] = {
    "before it begins": lambda proxy: proxy.cut_before(b"BEGIN"),
    "after it began": lambda proxy: proxy.cut_after(b"BEGIN"),
    "before a statement": lambda proxy: proxy.cut_before(b"INSERT INTO effects"),
    "after a statement": lambda proxy: proxy.cut_after(b"INSERT INTO effects"),
    "before the commit": lambda proxy: proxy.cut_before(b"COMMIT"),
    "after the commit": lambda proxy: proxy.cut_after(b"COMMIT"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_connection_cut_at_any_moment_fails_no_message(
    proxy: TcpProxy, through: Pool, pool: Pool, moment: str
) -> None:
    MOMENTS[moment](proxy)
    outcomes = await until_answered(through, write, "a", "b")
    known = DUPLICATE if moment == "after the commit" else ACKED  # the answer was lost, so the inbox decides
    assert outcomes == {"a": known, "b": known}
    assert proxy.cuts == 1
    assert [row["id"] for row in await pool.fetch("SELECT id FROM effects")] == ["a", "b"]


async def test_a_committed_batch_is_committed_whatever_happens_to_its_connection(
    proxy: TcpProxy, through: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut comes after the answer to the commit, while the connection is given back to the pool."""

    async def query_at_release(connection: Any) -> None:
        proxy.cut()
        await connection.execute("SELECT 1")

    monkeypatch.setattr(through, "_reset", query_at_release)
    assert await run(through, write, "a", "b") == {"a": ACKED, "b": ACKED}
    monkeypatch.undo()
    assert await until_answered(through, write, "a", "c") == {"a": DUPLICATE, "c": ACKED}


async def test_an_error_of_a_message_stays_its_own_when_the_rollback_is_cut(proxy: TcpProxy, through: Pool) -> None:
    async def refuse(tx: Transaction, batch: Batch[Any]) -> None:
        proxy.cut_before(b"ROLLBACK")
        raise ValueError

    with pytest.raises(UnavailableError):
        await run(through, refuse, "a")


async def test_a_silent_database_is_given_up_within_its_timeouts_and_then_new_connections_are_used(
    proxy: TcpProxy, through: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "ANSWER_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(inbox, "PROBE_SECONDS", 0.3)
    opened = await open_pool(proxy.url, application_name="test", min_size=3, max_size=3)
    proxy.silence()
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        await run(opened, write, "a")
    assert time.monotonic() - started < 0.5 + 0.3 + pools.RELEASE_TIMEOUT_SECONDS + 2
    proxy.speak()  # the network works again, but a firewall on the way has forgotten the old connections
    assert await run(opened, write, "a") == {"a": ACKED}
    opened.terminate()


async def test_a_statement_that_is_too_slow_fails_its_message_while_the_database_answers(
    through: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one such message would pause its queue for ever."""

    async def slow(tx: Transaction, batch: Batch[Any]) -> None:
        await write(tx, batch)
        if any(item.id == "slow" for item in batch):
            await tx.execute("SELECT pg_sleep(30)", timeout=0.1)

    assert await run(through, slow, "a", "slow", "b") == {"a": ACKED, "slow": RETRIED, "b": ACKED}


async def test_a_freeze_that_ends_statements_by_their_timeout_counts_no_attempt(through: Pool) -> None:
    """The server wakes up, and its timers end the statements that it had not begun."""
    tries: list[int] = []

    async def frozen(tx: Transaction, batch: Batch[Any]) -> None:
        tries.append(len(batch))
        await write(tx, batch)
        if len(tries) == 1:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    assert await run(through, frozen, "a", "b") == {"a": ACKED, "b": ACKED}
    assert tries == [2, 2]


async def test_a_statement_timeout_pauses_when_the_database_does_not_commit_either(
    through: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def frozen(tx: Transaction, batch: Batch[Any]) -> None:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    async def silent(_: Pool) -> bool:
        return False

    monkeypatch.setattr(inbox, "accepts_writes", silent)
    with pytest.raises(UnavailableError):
        await run(through, frozen, "a")


async def test_an_interrupted_transaction_leaves_no_lock_and_no_open_transaction(through: Pool, pool: Pool) -> None:
    begun = asyncio.Event()

    async def stuck() -> None:
        async with transaction(through) as tx:
            await tx.execute("INSERT INTO effects VALUES ('a')")
            begun.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(stuck())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    await pool.execute("ALTER TABLE effects ADD COLUMN free boolean", timeout=4)  # waits for every lock on the table
    assert await pool.fetchval("SELECT count(*) FROM effects") == 0


@pytest.mark.parametrize("answers", [inbox.answers, inbox.accepts_writes])
async def test_a_probe_says_yes_and_no(
    proxy: TcpProxy, through: Pool, monkeypatch: pytest.MonkeyPatch, answers: Callable[[Pool], Awaitable[bool]]
) -> None:
    monkeypatch.setattr(inbox, "PROBE_SECONDS", 0.3)
    assert await answers(through)
    proxy.silence()
    assert not await answers(through)
