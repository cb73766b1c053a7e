"""Wakes the relays after a commit, without making commits wait for one another.

A NOTIFY inside the business transaction would hold a lock of the whole cluster through its fsync (measured: 61 % fewer
transactions). So a process rings afterwards, over a connection of its own, at most once in a while however often asked.
A ring that gets lost costs at most the relay's longest poll.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from db.pool import Pool

log = structlog.get_logger(__name__)

CHANNEL = "oms_outbox"
SHARDS_FREE = "shards"  # payload of a ring that says that a relay left
RETRY_SECONDS = 1.0
# InternalClientError: a connection that was cut in the middle of an answer can still be handed out once.
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# One transaction of its own that waits for no fsync: a ring that a crash of the server undoes is no loss.
RING = f"SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}"


class Doorbell:
    """`ring()` after a commit that appended. Use as `async with Doorbell(pool) as doorbell`."""

    def __init__(self, pool: Pool, *, quiet_seconds: float = 0.005) -> None:
        self._pool = pool
        self._quiet_seconds = quiet_seconds
        self._rung = asyncio.Event()
        self._ringer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Doorbell":
        self._ringer = asyncio.create_task(self._run(), name="doorbell")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ringer is not None
        self._ringer.cancel()
        with suppress(asyncio.CancelledError):
            await self._ringer

    def ring(self) -> None:
        """Returns at once. Many rings in one quiet time are one."""
        self._rung.set()

    async def _run(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                await self._pool.execute(RING)
            except DATABASE_ERRORS as error:
                log.debug("doorbell not heard", error=type(error).__name__)  # the relays' poll is the net
            await asyncio.sleep(self._quiet_seconds)


async def listen(pool: Pool, heard: Callable[[str], None]) -> None:
    """Call `heard` at every ring with its payload, and after each reconnection, for rings missed. Never returns."""

    def on_notify(_connection: Any, _pid: Any, _channel: Any, payload: Any) -> None:
        heard(str(payload))

    while True:
        try:
            async with pool.acquire() as connection:
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                await connection.add_listener(CHANNEL, on_notify)
                heard(SHARDS_FREE)
                try:
                    await gone.wait()
                finally:
                    connection.terminate()  # not one to give back: it listens
        except DATABASE_ERRORS as error:
            log.warning("doorbell cannot be listened to, polling meanwhile", error=type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)
