"""The doorbell on a real database."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.pool import Pool
from outbox.doorbell import SHARDS_FREE, Doorbell, listen, payload_of, shards_of
from outbox.packing import SHARDS
from tests.outbox.harness import wait_until


async def test_many_rings_at_once_are_one_notification(pool: Pool) -> None:
    rings: list[str] = []
    listener = asyncio.create_task(listen(pool, rings.append))

    async def has_rung() -> bool:
        return bool(rings)

    await wait_until(has_rung)
    assert rings.pop() == SHARDS_FREE
    async with Doorbell(pool) as doorbell:
        for number in range(1000):
            doorbell.ring({number % 3})
        await wait_until(has_rung)
        await asyncio.sleep(0.1)
    listener.cancel()
    assert [shards_of(ring) for ring in rings] == [frozenset({0, 1, 2})]


async def test_a_listener_that_lost_its_connection_listens_again(pool: Pool) -> None:
    rings: list[str] = []
    listener = asyncio.create_task(listen(pool, rings.append))

    async def has_rung_twice() -> bool:
        return len(rings) == 2

    async def cut() -> bool:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
        return bool(await pool.fetchval(query + "AND datname = current_database()"))

    await wait_until(lambda: asyncio.sleep(0, bool(rings)))
    await wait_until(cut)
    await wait_until(has_rung_twice)
    listener.cancel()


async def test_a_ring_without_a_database_does_no_harm(pool: Pool) -> None:
    async with Doorbell(pool) as doorbell:
        pool.terminate()
        doorbell.ring({0})
        await asyncio.sleep(0.1)
        doorbell.ring({0})


async def test_a_commit_without_a_row_rings_nobody(pool: Pool) -> None:
    rings: list[str] = []
    listener = asyncio.create_task(listen(pool, rings.append))
    await wait_until(lambda: asyncio.sleep(0, bool(rings)))
    async with Doorbell(pool) as doorbell:
        doorbell.ring(())
        await asyncio.sleep(0.1)
    listener.cancel()
    assert rings == [SHARDS_FREE]


@given(st.frozensets(st.integers(0, SHARDS - 1)))
def test_a_ring_names_its_shards(shards: frozenset[int]) -> None:
    assert shards_of(payload_of(shards)) == shards


@pytest.mark.parametrize("payload", ["", SHARDS_FREE, "x y"])
def test_a_ring_without_shards_concerns_all(payload: str) -> None:
    assert shards_of(payload) is None
