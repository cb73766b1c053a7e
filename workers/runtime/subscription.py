"""Subscribes to queues: one connection per process, one channel and consumer per queue. A consumer begins carefully,
because a message that kills its process must not count against others."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, takewhile
from random import uniform
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from outbox import amqp, metrics, wire
from workers.runtime.delivery import Delivery
from workers.runtime.pace import Pace

log = structlog.get_logger(__name__)

RPC_TIMEOUT_SECONDS = 8
RECONNECT_WAIT_MAX_SECONDS = 5.0  # after five tries, each with double the wait of the one before
UNREACHABLE = (AMQPError, OSError, TimeoutError, RuntimeError)


@dataclass(eq=False)
class Link:
    """The connection that all consumers of a process share. It is opened again when a consumer needs a channel.

    `tried` is called after every try, with whether the broker answered, be it that it refuses our password.
    """

    url: str
    name: str
    tried: Callable[[bool], None] = lambda _: None
    pace: Pace = field(default_factory=Pace)
    _connection: AbstractConnection | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _closing: bool = False

    @property
    def up(self) -> bool:
        """Whether the connection is there."""
        return self._connection is not None and self._connection.connected.is_set()

    async def channel(self, stop: asyncio.Event) -> AbstractChannel:
        """Open a channel, once the broker can be reached: of all consumers that wait for that, one tries.

        Raises ConnectionError once `stop` is set, and OSError, TimeoutError or aio-pika's AMQPError if the broker opens
        no channel.

        aio-pika keeps 4 KB of each closed channel until its connection ends. A consumer that is refused again and again
        needs a new one every few seconds; its queue fails the liveness check long before that adds up.
        """
        async with self._opening:
            connection = self._connection
            if connection is None or not self.up:
                connection = self._connection = await self._connect(stop)
        async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
            return await connection.channel(publisher_confirms=False)

    async def _connect(self, stop: asyncio.Event) -> AbstractConnection:
        for attempt in takewhile(lambda _: not stop.is_set(), count(1)):
            try:
                connection = await wire.connect(self.url, name=self.name, pace=self.pace)
            except UNREACHABLE as error:
                self.tried(isinstance(error, wire.LOGIN_REFUSED))
                known = {"error": type(error).__name__, "why": str(error)[:200], "attempt": attempt}
                log.warning("broker unreachable, retrying", name=self.name, **known)
                wait_seconds = RECONNECT_WAIT_MAX_SECONDS / 2 ** max(0, 6 - attempt)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_seconds * uniform(0.5, 1.0))  # noqa: S311 (see Consumer)
            else:
                self.tried(True)
                metrics.connected("consumer", up=True)
                connection.close_callbacks.add(self._lost)
                log.info("consumer connected", name=self.name)
                return connection
        raise ConnectionError("the process stops")

    def _lost(self, *_: object) -> None:
        metrics.connected("consumer", up=False)
        if not self._closing:
            log.warning("consumer connection lost", name=self.name)

    async def close(self) -> None:
        """End the connection and every channel on it. The broker delivers again what was not settled."""
        self._closing = True
        if self._connection is not None and not self._connection.is_closed:
            await wire.close(self._connection)


@dataclass(eq=False)
class Subscription:
    """A consumer of one queue on one channel.

    It calls `deliver` with each delivery, and `lost` when the broker ends consumer or channel.

    A crash counts against every message that was delivered. So a consumer begins with a prefetch of 1. It goes on with
    `prefetch` (see `widen`) once a message comes that was never delivered before. Every tag up to `settled` is settled.
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
        self.channel.close_callbacks.add(lambda *_: self.lost())

    async def start(self) -> None:
        """Begin with a prefetch of 1. Raises what the channel raises."""
        async with self._changing:
            await self._consume(1)

    async def widen(self) -> None:
        """Go on with the full prefetch. A new limit does not change a live consumer, so this makes a new one."""
        async with self._changing:
            self.careful = False
            if not self._ended and self.prefetch > 1:
                await self._cancel()
                await self._consume(self.prefetch)

    async def end(self) -> None:
        """End the deliveries. Those that came can be settled until the channel closes."""
        async with self._changing:
            self._ended = True
            await self._cancel()

    async def alive(self) -> bool:
        """True if the broker has a consumer on the queue. It can lose ours without a word to us."""
        async with self._changing:
            queue = await self.channel.declare_queue(self.queue, passive=True, timeout=RPC_TIMEOUT_SECONDS)
        return self._ended or bool(queue.declaration_result.consumer_count)

    async def _consume(self, prefetch: int) -> None:
        tag = self._tag = f"{self.queue}.{uuid4().hex[:12]}"  # a fresh tag: the broker may still hold the old one
        await self.channel.set_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_SECONDS)
        await amqp.consume(
            self.channel, self.queue, self._on_message, self.lost, tag=tag, timeout_seconds=RPC_TIMEOUT_SECONDS
        )

    async def _cancel(self) -> None:
        queue = await self.channel.get_queue(self.queue, ensure=False)
        await queue.cancel(self._tag, timeout=RPC_TIMEOUT_SECONDS)

    async def _on_message(self, message: amqp.DeliveredMessage) -> None:
        self.deliver(Delivery.of(message))
