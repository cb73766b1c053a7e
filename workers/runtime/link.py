"""The connection that everything is consumed over: one per process, opened again whenever someone needs it."""

import asyncio

import structlog
from aiormq import Connection
from aiormq.abc import AbstractChannel

from outbox import metrics, wire

log = structlog.get_logger(__name__)

ROLE = "consumer"
CHANNEL_TIMEOUT_SECONDS = 15


class Link:
    """Strong references to the connection live here; to a channel, with whoever asked for it."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def channel(self) -> AbstractChannel:
        """A new channel. Raises OSError, TimeoutError or aiormq's errors while the broker cannot be reached."""
        connection = await self._open()
        async with asyncio.timeout(CHANNEL_TIMEOUT_SECONDS):
            return await connection.channel(publisher_confirms=False)

    async def close(self) -> None:
        """End the connection and every channel on it: what is not settled the broker delivers again."""
        if self._connection is not None and not self._connection.is_closed:
            await self._connection.close()

    async def _open(self) -> Connection:
        async with self._opening:
            if self._connection is None or not self._connection.is_opened:
                self._connection = await wire.connect(self._url, name=self._name)
                metrics.connected(ROLE, up=True)
                self._connection.closing.add_done_callback(lambda _: metrics.connected(ROLE, up=False))
                log.info("consumer connected", name=self._name)
            return self._connection
