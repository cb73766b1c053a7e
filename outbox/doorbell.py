"""Wakes the relays after a commit, without making commits wait for one another.

A NOTIFY inside the business transaction would hold a lock of the whole cluster through its fsync (measured: 61 % fewer
transactions). So a process rings after its commits, over a connection of its own, at most once per quiet time.
A lost ring delays messages at most by the relay's longest poll.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from db.pool import Pool

log = structlog.get_logger(__name__)

CHANNEL = "oms_outbox"
SHARDS_FREE = "shards"  # payload of the ring of a relay that gave up its shards
RETRY_SECONDS = 1.0
# asyncpg raises InternalClientError once for a pooled connection that was cut in the middle of a response.
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# A transaction of its own that does not wait for an fsync: a ring lost in a crash of the server costs nothing.
RING = f"SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}, '{{}}'"


class Doorbell:
    """Notifies the relays.

    Call `ring(shards)` after a commit that appended. Use as `async with Doorbell(pool) as doorbell`.
    """

    def __init__(self, pool: Pool, *, quiet_seconds: float = 0.005) -> None:
        self._pool = pool
        self._quiet_seconds = quiet_seconds
        self._rung = asyncio.Event()
        self._shards: set[int] = set()
        self._ringer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Doorbell":
        self._ringer = asyncio.create_task(self._run(), name="doorbell")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ringer is not None
        self._ringer.cancel()
        with suppress(asyncio.CancelledError):
            await self._ringer

    def ring(self, shards: Iterable[int]) -> None:
        """Request a ring for rows in these shards and return at once. The requests of one quiet time make one ring."""
        self._shards.update(shards)
        if self._shards:
            self._rung.set()

    async def _run(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            payload, self._shards = payload_of(self._shards), set()
            try:
                await self._pool.execute(RING.format(payload))
            except DATABASE_ERRORS as error:
                log.debug("could not ring the doorbell", error=type(error).__name__)  # the relays poll anyway
            await asyncio.sleep(self._quiet_seconds)


def payload_of(shards: Iterable[int]) -> str:
    """The payload of a ring: a bit per shard, in hexadecimal digits."""
    return f"{sum(1 << shard for shard in set(shards)):x}"


def shards_of(payload: str) -> frozenset[int] | None:
    """The shards that a ring names. None for a payload of another kind, which concerns every shard."""
    try:
        bits = int(payload, 16)
    except ValueError:
        return None
    return frozenset(shard for shard in range(bits.bit_length()) if bits >> shard & 1)


async def listen(
    pool: Pool, on_ring: Callable[[str], None], on_hearing: Callable[[bool], None] = lambda _: None
) -> None:
    """Call `on_ring` with the payload of every ring, and after each reconnection, for missed rings. Never returns.

    `on_hearing` is called with True when it begins to listen, and with False when the connection has ended.
    """

    def on_notify(_connection: Any, _pid: Any, _channel: Any, payload: Any) -> None:
        on_ring(str(payload))

    while True:
        try:
            async with pool.acquire() as connection:
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                await connection.add_listener(CHANNEL, on_notify)
                on_hearing(True)
                on_ring(SHARDS_FREE)
                try:
                    await gone.wait()
                finally:
                    on_hearing(False)
                    connection.terminate()  # the pool must not reuse it, because it listens
        except DATABASE_ERRORS as error:
            log.warning("cannot listen to the doorbell, polling until the database is back", error=type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)
