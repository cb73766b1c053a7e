"""The way in: one connection per process, and one consumer on a channel of its own per queue. A consumer begins
carefully: a message that kills its process must not take others with it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import structlog
from aiormq import Connection
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from outbox import metrics, wire
from workers.runtime.delivery import Delivery

log = structlog.get_logger(__name__)

RPC_TIMEOUT_SECONDS = 15


@dataclass(eq=False)
class Link:
    """The connection that everything is consumed over, opened again whenever someone needs it."""

    url: str
    name: str
    _connection: Connection | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def channel(self) -> AbstractChannel:
        """A new channel. Raises OSError, TimeoutError or aiormq's errors while the broker cannot be reached."""
        async with self._opening:
            if self._connection is None or not self._connection.is_opened:
                self._connection = await wire.connect(self.url, name=self.name)
                metrics.connected("consumer", up=True)
                self._connection.closing.add_done_callback(lambda _: metrics.connected("consumer", up=False))
                log.info("consumer connected", name=self.name)
        async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
            return await self._connection.channel(publisher_confirms=False)

    async def close(self) -> None:
        """End the connection and every channel on it: what is not settled the broker delivers again."""
        if self._connection is not None and not self._connection.is_closed:
            await wire.close(self._connection)


@dataclass(eq=False)
class Subscription:
    """`deliver` is called with each delivery, `lost` when the broker ends the consumer or the channel.

    A crash counts against every message that was handed out. So the first subscription takes one at a time, until one
    comes that nobody had before; only then as many as `prefetch` are handed out ahead. Every tag up to `settled` is.
    """

    channel: AbstractChannel
    queue: str
    prefetch: int
    deliver: Callable[[Delivery], None]
    lost: Callable[[], None]
    settled: int = 0
    careful: bool = True
    _tag: str = ""
    _ended: bool = False
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._closing = self.channel.closing  # an observer of its own: without a reference it would be collected
        self._closing.add_done_callback(lambda _: self.lost())
        self.channel.on_consumer_cancel_callbacks.add(self._cancelled)

    async def start(self) -> None:
        """Begin, one message at a time. Raises what the channel raises."""
        async with self._changing:
            await self._consume(1)

    async def widen(self) -> None:
        """From now on as many as the prefetch. A new limit alone would not change a live consumer, hence a new one."""
        async with self._changing:
            self.careful = False
            if not self._ended and self.prefetch > 1:
                await self.channel.basic_cancel(self._tag, timeout=RPC_TIMEOUT_SECONDS)
                await self._consume(self.prefetch)

    async def end(self) -> None:
        """No more deliveries; those that came stay valid until the channel closes."""
        async with self._changing:
            self._ended = True
            await self.channel.basic_cancel(self._tag, timeout=RPC_TIMEOUT_SECONDS)

    async def alive(self) -> bool:
        """Whether the broker knows of any consumer on the queue: it can lose ours without telling."""
        async with self._changing:
            queue = await self.channel.queue_declare(self.queue, passive=True, timeout=RPC_TIMEOUT_SECONDS)
        return self._ended or bool(queue.consumer_count)

    async def _consume(self, prefetch: int) -> None:
        tag = self._tag = f"{self.queue}.{uuid4().hex[:12]}"  # never used twice: the broker may still know the old one
        await self.channel.basic_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_SECONDS)
        await self.channel.basic_consume(self.queue, self._on_message, consumer_tag=tag, timeout=RPC_TIMEOUT_SECONDS)

    async def _on_message(self, message: DeliveredMessage) -> None:
        self.deliver(Delivery.of(message))

    def _cancelled(self, frame: Basic.Cancel) -> None:
        if frame.consumer_tag == self._tag:
            self.lost()
