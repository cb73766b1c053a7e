"""A worker on real servers: WorkerHarness runs routes, Client publishes messages and reads queues.

The handlers of these tests write one row into the table `effects` for each message (write_effects). `wait_until` waits
for a condition; `wait_for_effects` waits for so many rows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from yarl import URL

from db.pool import Pool, Transaction
from messages.topology import Names
from outbox import wire
from tests.broker import Broker
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.runtime.run import run_routes
from workers.runtime.settings import RuntimeSettings

WAIT_SECONDS = 20.0  # far above what a loaded machine needs; only a failing test waits that long


async def wait_until(check: Callable[[], Awaitable[Any]], seconds: float = WAIT_SECONDS) -> Any:
    """Wait until `check` returns a true value, and return it. Fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (answer := await check()):
            await asyncio.sleep(0.02)
    return answer


async def write_effects(tx: Transaction, batch: Batch[Any]) -> None:
    """A handler that writes one row per message."""
    await tx.executemany("INSERT INTO effects VALUES ($1, $2)", [(item.id, len(batch)) for item in batch])


@dataclass
class Client:
    """Publishes as any client can, and reads queues."""

    channel: Channel
    names: Names
    user: str | None = None

    async def publish(
        self,
        type: str,
        body: bytes | dict[str, Any],
        *,
        message_id: str | None = None,
        exchange: str | None = None,
        routing_key: str | None = None,
        **properties: Any,
    ) -> str:
        """Publish one message and return its id."""
        message_id = message_id or str(uuid4())
        properties.setdefault("user_id", self.user)
        await self.channel.basic_publish(
            body if isinstance(body, bytes) else orjson.dumps(body),
            exchange=self.names.commands if exchange is None else exchange,
            routing_key=type.rsplit(".", 1)[0] if routing_key is None else routing_key,
            properties=Basic.Properties(message_id=message_id, message_type=type, delivery_mode=2, **properties),
        )
        return message_id

    async def depth(self, queue: str) -> int:
        """The number of messages ready in a queue, named without the prefix."""
        declared = await self.channel.queue_declare(self.names.queue(queue), passive=True)
        return declared.message_count or 0

    async def get(self, queue: str, seconds: float = WAIT_SECONDS) -> DeliveredMessage:
        """Take the next message of a queue, named without the prefix."""

        async def taken() -> DeliveredMessage | None:
            message = await self.channel.basic_get(self.names.queue(queue), no_ack=True)
            return message if isinstance(message.delivery, Basic.GetOk) else None

        got = await wait_until(taken, seconds)
        assert isinstance(got, DeliveredMessage)
        return got

    async def dead_letter(self, queue: str) -> dict[str, Any]:
        """The headers of the next dead letter of a queue, with its message id under `message_id`."""
        message = await self.get(f"{queue}.dlq")
        properties = message.header.properties
        return {**(properties.headers or {}), "message_id": properties.message_id, "body": message.body}


@dataclass
class WorkerHarness:
    """Runs routes against one virtual host and one database."""

    broker: Broker
    database_url: str
    pool: Pool
    client: Client
    own_client: Client

    def settings(self, **changes: Any) -> RuntimeSettings:
        """Settings of a worker that connects as the broker user `worker`; keyword arguments change them."""
        given = {"database_url": self.database_url, "amqp_url": self.broker["worker"]}
        own_users = f"{URL(self.broker['relay']).user},{self.own_client.user}"
        return RuntimeSettings(**{**given, "prefix": self.broker.names.prefix, "own_users": own_users, **changes})

    @asynccontextmanager
    async def running(self, *routes: Route, **changes: Any) -> AsyncIterator[asyncio.Event]:
        """Run routes while the block runs; then stop them as SIGTERM does."""
        stop = asyncio.Event()
        worker = asyncio.create_task(run_routes(routes, self.settings(**changes), stop))
        try:
            yield stop
            stop.set()
            await asyncio.wait_for(worker, WAIT_SECONDS)
        finally:
            worker.cancel()
            await asyncio.wait([worker])

    async def effects(self) -> list[str]:
        """The ids of the messages that had an effect, in the order of their effects."""
        return [row["id"] for row in await self.pool.fetch("SELECT id FROM effects ORDER BY ctid")]

    async def wait_for_effects(self, count: int) -> list[str]:
        """Wait until there are `count` effects, and fail if there are more."""

        async def enough() -> list[str]:
            found = await self.effects()
            return found if len(found) >= count else []

        found = await wait_until(enough)
        assert len(found) == count
        return list(found)


@asynccontextmanager
async def client_of(url: str, names: Names, user: str | None = None) -> AsyncIterator[Client]:
    """Open a connection for a client while the block runs."""
    connection = await wire.connect(url, name="test client")
    try:
        channel = await (await connection.channel()).get_underlay_channel()
        assert isinstance(channel, Channel)
        yield Client(channel, names, user)
    finally:
        await connection.close()
