"""One consumer on one channel. It begins carefully: a message that kills its process must not take others with it."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from workers.runtime.delivery import Delivery

RPC_TIMEOUT_SECONDS = 15


class Subscription:
    """`deliver` is called with each delivery, `lost` when the broker ends the consumer or the channel.

    A crash counts against every message that was handed out. So the first subscription takes one at a time, until one
    comes that nobody had before; only then as many as `prefetch` are handed out ahead.
    """

    def __init__(
        self,
        channel: AbstractChannel,
        queue: str,
        prefetch: int,
        deliver: Callable[[Delivery], None],
        lost: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._queue = queue
        self._prefetch = prefetch
        self._deliver = deliver
        self._lost = lost
        self._changing = asyncio.Lock()
        self._tag = ""
        self._ended = False
        self.careful = True
        self._closing = channel.closing  # an observer of its own: without a reference it would be collected
        self._closing.add_done_callback(lambda _: lost())
        channel.on_consumer_cancel_callbacks.add(self._cancelled)

    async def start(self) -> None:
        """Begin, one message at a time. Raises what the channel raises."""
        async with self._changing:
            await self._consume(1)

    async def widen(self) -> None:
        """From now on as many as the prefetch. A new limit alone would not change a live consumer, hence a new one."""
        async with self._changing:
            self.careful = False
            if not self._ended and self._prefetch > 1:
                await self._channel.basic_cancel(self._tag, timeout=RPC_TIMEOUT_SECONDS)
                await self._consume(self._prefetch)

    async def end(self) -> None:
        """No more deliveries; those that came stay valid until the channel closes."""
        async with self._changing:
            self._ended = True
            await self._channel.basic_cancel(self._tag, timeout=RPC_TIMEOUT_SECONDS)

    async def alive(self) -> bool:
        """Whether the broker knows of any consumer on the queue: it can lose ours without telling."""
        async with self._changing:
            queue = await self._channel.queue_declare(self._queue, passive=True, timeout=RPC_TIMEOUT_SECONDS)
        return self._ended or bool(queue.consumer_count)

    async def _consume(self, prefetch: int) -> None:
        self._tag = f"{self._queue}.{uuid4().hex[:12]}"  # never used twice: the broker may still know the old one
        await self._channel.basic_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_SECONDS)
        await self._channel.basic_consume(
            self._queue, self._on_message, consumer_tag=self._tag, timeout=RPC_TIMEOUT_SECONDS
        )

    async def _on_message(self, message: DeliveredMessage) -> None:
        self._deliver(Delivery.of(message))

    def _cancelled(self, frame: Basic.Cancel) -> None:
        if frame.consumer_tag == self._tag:
            self._lost()
