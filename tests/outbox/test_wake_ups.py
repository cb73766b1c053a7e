"""A row wakes the one lane that publishes it, once. A ring that is lost only delays it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from db.pool import Pool
from outbox.doorbell import Doorbell
from outbox.lane import Lane
from outbox.leases import Leases
from outbox.packing import SHARDS, shard_of
from outbox.settings import RelaySettings
from tests.broker import Broker
from tests.outbox.harness import announce, consume, event, pending, running, subscribe, wait_until, wait_until_empty

Settings = Callable[..., RelaySettings]
NEVER_SECONDS = 60.0  # a poll after this comes when the test is over


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The shards of each read of any lane in this process."""
    found: list[set[int]] = []
    read = Lane._read

    async def counted(lane: Lane, epochs: dict[int, int]) -> object:
        found.append(set(epochs))
        return await read(lane, epochs)

    monkeypatch.setattr(Lane, "_read", counted)
    monkeypatch.setattr("outbox.holds.QUIET_LOOK_SECONDS", NEVER_SECONDS)  # such a look reads, too
    return found


async def until_shared(pool: Pool, relays: int) -> None:
    """Wait until each relay has its share of the shards and listens."""

    async def is_shared() -> bool:
        owners = await pool.fetch("SELECT count(*) AS n FROM outbox_shards WHERE owner IS NOT NULL GROUP BY owner")
        return [row["n"] for row in owners] == [SHARDS // relays] * relays

    await wait_until(is_shared)


async def test_a_row_makes_one_read_of_one_lane_of_one_relay(
    pool: Pool, settings: Settings, reads: list[set[int]]
) -> None:
    patient = settings(poll_max_seconds=NEVER_SECONDS, lease_seconds=3.0)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(running(patient))
        doorbell = await stack.enter_async_context(Doorbell(pool))
        await until_shared(pool, 2)
        await asyncio.sleep(1.5)  # a round of leases, after which nothing changes
        found = Counter[tuple[int, int]]()
        for stream in range(20):
            reads.clear()
            await announce(pool, [event(stream, 1)])
            doorbell.ring({shard_of(str(stream))})
            await wait_until_empty(pool)
            await asyncio.sleep(0.1)
            by_others = [shards for shards in reads if shard_of(str(stream)) not in shards]
            found[len(reads), len(by_others)] += 1
        # A lease that a busy machine renews too late makes a relay read all that it holds, once.
        assert found[1, 0] >= 15, found


async def test_rows_of_one_commit_for_one_lane_are_one_read(
    pool: Pool, settings: Settings, reads: list[set[int]]
) -> None:
    streams = [stream for stream in range(200) if shard_of(str(stream)) % 2 == 0][:20]
    async with running(settings(poll_max_seconds=NEVER_SECONDS)), Doorbell(pool) as doorbell:
        await until_shared(pool, 1)
        await asyncio.sleep(1.0)
        reads.clear()
        await announce(pool, [event(stream, 1) for stream in streams])
        doorbell.ring({shard_of(str(stream)) for stream in streams})
        await wait_until_empty(pool)
        await asyncio.sleep(0.1)
        assert len(reads) == 1


async def test_more_rows_than_one_read_takes_leave_by_one_ring(
    pool: Pool, settings: Settings, reads: list[set[int]]
) -> None:
    async with running(settings(poll_max_seconds=NEVER_SECONDS, relay_batch_rows=64)), Doorbell(pool) as doorbell:
        await until_shared(pool, 1)
        await asyncio.sleep(1.0)
        rows = [event(stream, seq) for stream in range(5) for seq in range(1, 11)]
        await announce(pool, rows)  # 10 rows in each of 5 shards, where a read takes 1 of each
        doorbell.ring({shard_of(str(stream)) for stream in range(5)})
        await wait_until_empty(pool, within_seconds=20)
        assert len(reads) >= 10


async def test_a_lost_ring_delays_a_row_until_the_next_poll(pool: Pool, declared: Broker, settings: Settings) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    async with running(settings(poll_max_seconds=2.0)):
        await until_shared(pool, 1)
        await announce(pool, [event(1, 1)])
        await wait_until_empty(pool)
        await announce(pool, [event(1, 2)])
        await asyncio.sleep(0.5)
        assert await pending(pool) == 1  # no read without a ring, though a row left just before
        assert len(await consume(declared["admin"], "listener", 2, within_seconds=10)) == 2


async def test_a_relay_that_cannot_listen_polls_soon(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.doorbell.RETRY_SECONDS", NEVER_SECONDS)
    async with running(settings(poll_max_seconds=3.0, poll_min_seconds=0.1)):
        await until_shared(pool, 1)
        await asyncio.sleep(0.5)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await asyncio.sleep(0.5)
        started = time.monotonic()
        for seq in range(1, 4):
            await announce(pool, [event(1, seq)])
            await wait_until_empty(pool)
        assert time.monotonic() - started < 4.5  # three polls of a relay that listens take up to nine seconds


async def test_a_relay_that_comes_has_its_share_long_before_the_next_renewal(pool: Pool, settings: Settings) -> None:
    """Else each shard that changes hands would stand still for up to two thirds of a lease: six seconds by default."""
    patient = settings(poll_max_seconds=NEVER_SECONDS, lease_seconds=300.0)
    async with running(patient):
        await until_shared(pool, 1)
        started = time.monotonic()
        async with running(patient):
            await until_shared(pool, 2)
            assert time.monotonic() - started < 20  # a renewal is due each 100 seconds
            async with Doorbell(pool) as doorbell:
                await announce(pool, [event(stream, 1) for stream in range(200)])
                doorbell.ring(range(SHARDS))
                await wait_until_empty(pool, within_seconds=20)
        await until_shared(pool, 1)


async def test_leases_that_nothing_changes_take_two_statements(pool: Pool) -> None:
    leases = Leases(pool, lease_seconds=30)
    assert await leases.keep()
    statements: list[str] = []

    def note(record: object) -> None:
        statements.append(str(getattr(record, "query")))  # noqa: B009

    async with AsyncExitStack() as stack:
        for connection in [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())]:
            connection.add_query_logger(note)
    assert not await leases.keep()
    assert len(statements) == 2
