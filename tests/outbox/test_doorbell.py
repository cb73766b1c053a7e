"""The doorbell on a real database."""

import asyncio

from db.pool import Pool
from outbox.doorbell import SHARDS_FREE, Doorbell, listen
from tests.outbox.harness import wait_until


async def test_many_rings_at_once_are_one_notification(pool: Pool) -> None:
    rings: list[str] = []
    listener = asyncio.create_task(listen(pool, rings.append))

    async def has_rung() -> bool:
        return bool(rings)

    await wait_until(has_rung)
    assert rings.pop() == SHARDS_FREE
    async with Doorbell(pool) as doorbell:
        for _ in range(1000):
            doorbell.ring()
        await wait_until(has_rung)
        await asyncio.sleep(0.1)
    listener.cancel()
    assert rings == [""]


async def test_a_listener_that_lost_its_connection_listens_again(pool: Pool) -> None:
    rings: list[str] = []
    listener = asyncio.create_task(listen(pool, rings.append))

    async def has_rung_twice() -> bool:
        return len(rings) == 2

    async def cut() -> bool:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
        return bool(await pool.fetchval(query + "AND datname = current_database()"))

    await wait_until(cut)
    await wait_until(has_rung_twice)
    listener.cancel()


async def test_a_ring_without_a_database_does_no_harm(pool: Pool) -> None:
    async with Doorbell(pool) as doorbell:
        pool.terminate()
        doorbell.ring()
        await asyncio.sleep(0.1)
        doorbell.ring()
