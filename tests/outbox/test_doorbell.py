"""The doorbell on a real database."""

import asyncio

from db.pool import Pool
from outbox.doorbell import SHARDS_FREE, Doorbell, listen
from tests.outbox.harness import wait_until


async def test_many_rings_at_once_are_one_notification(pool: Pool) -> None:
    heard: list[str] = []
    listener = asyncio.create_task(listen(pool, heard.append))

    async def has_heard() -> bool:
        return bool(heard)

    await wait_until(has_heard)
    assert heard.pop() == SHARDS_FREE
    async with Doorbell(pool) as doorbell:
        for _ in range(1000):
            doorbell.ring()
        await wait_until(has_heard)
        await asyncio.sleep(0.1)
    listener.cancel()
    assert heard == [""]


async def test_a_listener_that_lost_its_connection_listens_again(pool: Pool) -> None:
    heard: list[str] = []
    listener = asyncio.create_task(listen(pool, heard.append))

    async def has_heard_twice() -> bool:
        return len(heard) == 2

    async def cut() -> bool:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
        return bool(await pool.fetchval(query + "AND datname = current_database()"))

    await wait_until(cut)
    await wait_until(has_heard_twice)
    listener.cancel()


async def test_a_ring_without_a_database_does_no_harm(pool: Pool) -> None:
    async with Doorbell(pool) as doorbell:
        pool.terminate()
        doorbell.ring()
        await asyncio.sleep(0.1)
        doorbell.ring()
