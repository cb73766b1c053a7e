"""An AMQP client that knows the wire and nothing of the order system.

Test gateways publish notifications with it; the demo's buyers, carriers and payment service publish and subscribe with
it. It imports neither messages nor outbox nor workers: the wire is enough to talk to the order system.
"""

import asyncio
import json
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

CONNECTION_LOST = (AMQPError, OSError, TimeoutError, RuntimeError, StopAsyncIteration)
"""The exceptions by which aio-pika reports that a channel or a connection is gone. The last comes of a proxy, as
Docker's is, that accepts for a broker that is away.
"""
REMEMBERED_IDS_MAX = 50_000  # a redelivery comes soon after the first delivery: older ids are forgotten
QUEUE_EXPIRES_MS = 3_600_000


def new_id() -> str:
    """Return a fresh id for a message or a request."""
    return uuid.uuid4().hex


def now() -> str:
    """Return the time as the wire writes it: RFC 3339 in UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class ReceivedMessage:
    """One event or reply. `type` includes its version, such as order.created.v1."""

    type: str
    body: dict[str, Any]
    correlation_id: str


@dataclass
class OutgoingMessage:
    """One message to send. Its routing key is `type` without the version, unless `routing_key` names another.

    A `body` of bytes is sent as it is, so that malformed messages can be sent too.
    """

    type: str
    body: Mapping[str, Any] | bytes
    message_id: str = field(default_factory=new_id)
    correlation_id: str | None = None
    reply_to: str | None = None
    routing_key: str | None = None

    def key(self) -> str:
        """Return the routing key."""
        return self.routing_key or self.type.rsplit(".", 1)[0]

    def to_amqp(self, user: str | None) -> aio_pika.Message:
        """Build the AMQP message with the properties that the contract asks for. `user` is the broker user, if any."""
        return aio_pika.Message(
            self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode(),
            type=self.type,
            message_id=self.message_id,
            correlation_id=self.correlation_id or self.message_id,
            reply_to=self.reply_to,
            app_id="demo",
            user_id=user,
            timestamp=datetime.now(UTC),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )


class AmqpClient:
    """A connection of one broker user (and one of its subscriber, if that is another), which reconnects by itself.

    It publishes until the broker confirms, and calls the handler once per message, in the order of the queue.
    """

    def __init__(
        self, url: str, name: str, prefix: str, *, exchange: str = "commands", in_flight_messages: int = 400
    ) -> None:
        self.user = unquote(urlsplit(url).username or "guest")
        self.reconnects = 0
        self._url, self._name, self._prefix = url, name, prefix
        self._events_url = url
        self._exchange_name = f"{prefix}.{exchange}"
        self._slots = asyncio.Semaphore(in_flight_messages)
        self._ready = asyncio.Event()
        self._exchange: AbstractExchange | None = None
        self._queue, self._keys = "", tuple[str, ...]()
        self._handler: Callable[[ReceivedMessage], None] | None = None
        self._declares = True
        self._seen: OrderedDict[str, None] = OrderedDict()

    def listen(
        self, queue: str, keys: tuple[str, ...], handler: Callable[[ReceivedMessage], None], *, url: str | None = None
    ) -> None:
        """Subscribe to events by routing key. Call it before `run`. Without keys the queue receives replies only.

        `url` is that of the user who subscribes, on a connection of its own: one who publishes may not.
        """
        self._queue, self._keys, self._handler, self._events_url = queue, keys, handler, url or self._url

    def listen_to(self, queue: str, handler: Callable[[ReceivedMessage], None], *, url: str) -> None:
        """Read a queue that the order system has declared, as the user of this URL. Call it before `run`."""
        self._queue, self._handler, self._events_url, self._declares = queue, handler, url, False

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._session()
            except CONNECTION_LOST:
                self.reconnects += 1
            finally:
                self._ready.clear()
            await asyncio.sleep(0.5)

    async def connected(self) -> None:
        """Wait until messages can be sent and are received."""
        await self._ready.wait()

    async def send(self, message: OutgoingMessage, *, signed: bool = True) -> None:
        """Publish until the broker confirms. A repeat after an unclear end carries the same message id.

        Without `signed` the message does not name the broker user that sent it, so the order system does not trust it.
        """
        async with self._slots:
            while True:
                if await self._try(message.to_amqp(self.user if signed else None), message.key()):
                    return
                await asyncio.sleep(0.1)

    async def _try(self, message: aio_pika.Message, key: str) -> bool:
        await self._ready.wait()
        assert self._exchange is not None
        try:
            await self._exchange.publish(message, key, mandatory=False, timeout=20)
        except CONNECTION_LOST:
            return False
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return False  # aiormq cancels the confirms that a lost connection still owed
        return True

    async def _session(self) -> None:
        closed = asyncio.Event()
        async with AsyncExitStack() as stack:
            channel = await self._channel(self._url, stack, closed)
            # It is not declared: the exchanges belong to the order system, and this user may not configure them.
            self._exchange = await channel.get_exchange(self._exchange_name, ensure=False)
            if self._handler is not None:
                own = self._events_url == self._url
                await self._subscribe(channel if own else await self._channel(self._events_url, stack, closed))
            self._ready.set()
            await closed.wait()

    async def _channel(self, url: str, stack: AsyncExitStack, closed: asyncio.Event) -> AbstractChannel:
        """Open a connection and a channel until the stack ends; the end of either sets `closed`."""
        connection = await aio_pika.connect(url, timeout=15, client_properties={"connection_name": self._name})
        await stack.enter_async_context(connection)
        connection.close_callbacks.add(lambda *_: closed.set())
        channel = await connection.channel(publisher_confirms=True)
        channel.close_callbacks.add(lambda *_: closed.set())
        return channel

    async def _subscribe(self, channel: AbstractChannel) -> None:
        await channel.set_qos(prefetch_count=500)
        if not self._declares:
            existing = await channel.get_queue(self._queue, ensure=False)
            await existing.consume(self._receive)
            return
        queue = await channel.declare_queue(self._queue, durable=True, arguments={"x-expires": QUEUE_EXPIRES_MS})
        for key in self._keys:
            await queue.bind(f"{self._prefix}.events", key)
        await queue.consume(self._receive)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        assert self._handler is not None
        message_id = message.message_id or ""
        if message_id not in self._seen:
            self._remember(message_id)
            self._handler(ReceivedMessage(message.type or "", json.loads(message.body), message.correlation_id or ""))
        try:
            await message.ack()
        except CONNECTION_LOST:
            return  # the broker delivers it again, and its id is known then

    def _remember(self, message_id: str) -> None:
        self._seen[message_id] = None
        if len(self._seen) > REMEMBERED_IDS_MAX:
            self._seen.popitem(last=False)
