"""One AMQP connection of an outside system: publishes until confirmed, listens, comes back by itself."""

import asyncio
import json
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from aiormq.exceptions import AMQPError

LOST = (AMQPError, OSError, TimeoutError, RuntimeError)
"""How aio-pika says that a channel or connection went away."""
HEARD_MAX = 50_000  # redeliveries come soon after the first; older ids are forgotten
QUEUE_EXPIRES_MS = 3_600_000


def new_id() -> str:
    """An id for a message or a request."""
    return uuid.uuid4().hex


def now() -> str:
    """The time, as the wire writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def client_queues(run: str) -> dict[str, str]:
    """Link -> the queue it listens at; a role's user may only make those that begin with its name."""
    roles = ("upstream", "payments", "warehouse")
    return {role: f"client.{role}.demo.{run}" for role in roles} | {"replies": f"client.upstream.demo.{run}.replies"}


@dataclass(frozen=True)
class Heard:
    """One event or reply."""

    type: str
    body: dict[str, Any]
    correlation_id: str


@dataclass
class Letter:
    """One message to send. `type` without its version is the routing key, unless that is given."""

    type: str
    body: Mapping[str, Any] | bytes
    message_id: str = field(default_factory=new_id)
    correlation_id: str | None = None
    reply_to: str | None = None
    routing_key: str | None = None

    def key(self) -> str:
        """The routing key."""
        return self.routing_key or self.type.rsplit(".", 1)[0]

    def message(self, user: str | None) -> aio_pika.Message:
        """With the properties of the contract."""
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


class Link:
    """A connection under one broker user. `hear` is called once per message, in the order of the queue."""

    def __init__(
        self, url: str, name: str, prefix: str, *, exchange: str = "commands", in_flight_messages: int = 400
    ) -> None:
        self.user = unquote(urlsplit(url).username or "guest")
        self.reconnects = 0
        self._url, self._name, self._prefix = url, name, prefix
        self._exchange_name = f"{prefix}.{exchange}"
        self._slots = asyncio.Semaphore(in_flight_messages)
        self._ready = asyncio.Event()
        self._exchange: AbstractExchange | None = None
        self._queue, self._keys = "", tuple[str, ...]()
        self._hear: Callable[[Heard], None] | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()

    def listen(self, queue: str, keys: tuple[str, ...], hear: Callable[[Heard], None]) -> None:
        """Subscribe to events by routing key, before `run`. Without keys it is a queue for replies."""
        self._queue, self._keys, self._hear = queue, keys, hear

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._session()
            except LOST:
                self.reconnects += 1
            finally:
                self._ready.clear()
            await asyncio.sleep(0.5)

    async def connected(self) -> None:
        """Wait until messages can be sent and are heard."""
        await self._ready.wait()

    async def send(self, letter: Letter, *, signed: bool = True) -> None:
        """Publish until the broker confirms; a repeat after an unclear end carries the same message id.

        Without `signed` the message does not say which broker user sent it, so nobody will trust it.
        """
        async with self._slots:
            while True:
                if await self._try(letter.message(self.user if signed else None), letter.key()):
                    return
                await asyncio.sleep(0.1)

    async def _try(self, message: aio_pika.Message, key: str) -> bool:
        await self._ready.wait()
        assert self._exchange is not None
        try:
            await self._exchange.publish(message, key, mandatory=False, timeout=20)
        except LOST:
            return False
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return False  # aiormq cancels the confirms that a lost connection still owed
        return True

    async def _session(self) -> None:
        closed = asyncio.Event()
        connection = await aio_pika.connect(self._url, timeout=15, client_properties={"connection_name": self._name})
        async with connection:
            connection.close_callbacks.add(lambda *_: closed.set())
            channel = await connection.channel(publisher_confirms=True)
            channel.close_callbacks.add(lambda *_: closed.set())
            # Not declared: the exchanges belong to the order system, and this user may not configure them.
            self._exchange = await channel.get_exchange(self._exchange_name, ensure=False)
            if self._hear is not None:
                await channel.set_qos(prefetch_count=500)
                queue = await channel.declare_queue(
                    self._queue, durable=True, arguments={"x-expires": QUEUE_EXPIRES_MS}
                )
                for key in self._keys:
                    await queue.bind(f"{self._prefix}.events", key)
                await queue.consume(self._receive)
            self._ready.set()
            await closed.wait()

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        assert self._hear is not None
        if not self._again(message.message_id or ""):
            self._hear(Heard(message.type or "", json.loads(message.body), message.correlation_id or ""))
        try:
            await message.ack()
        except LOST:
            return  # it comes again and is known then

    def _again(self, message_id: str) -> bool:
        if message_id in self._seen:
            return True
        self._seen[message_id] = None
        if len(self._seen) > HEARD_MAX:
            self._seen.popitem(last=False)
        return False
