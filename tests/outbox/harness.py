"""Relays, queues to listen at, and a proxy that disturbs a connection to the broker.

`event` builds an announcement, `announce` appends it to the outbox, `consume` takes messages from a queue, `wait_until`
waits for a condition. AmqpProxy holds back or cuts what goes between a client and the broker.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pamqp.frame
from aiormq.abc import DeliveredMessage
from pamqp.base import Frame
from yarl import URL

import outbox
from db.pool import Pool
from db.statements import SQL
from messages.topology import Names
from outbox import Announcement, wire
from outbox.relay import Relay
from outbox.settings import RelaySettings

TIERS = (1, 1800)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Any]:
    """Open a connection with aiormq's channel while the block runs."""
    connection = await wire.connect(url, name="test")
    try:
        channel = await connection.channel()
        yield await channel.get_underlay_channel()
    finally:
        await connection.close()


async def subscribe(url: str, exchange: str, queue: str, key: str = "#", **arguments: Any) -> None:
    """Declare a listener's own queue and bind it to an exchange."""
    async with opened(url) as channel:
        await channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", **arguments})
        await channel.queue_bind(queue, exchange, key)


async def consume(url: str, queue: str, count: int, *, within_seconds: float = 20) -> list[DeliveredMessage]:
    """The next `count` messages of a queue, in order; fewer when no more come in time."""
    taken: list[DeliveredMessage] = []
    enough = asyncio.Event()
    if count == 0:
        return taken

    async def on_message(message: DeliveredMessage) -> None:
        taken.append(message)
        if len(taken) >= count:
            enough.set()

    async with opened(url) as channel:
        await channel.basic_consume(queue, on_message, no_ack=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), within_seconds)
    return taken


def settings_for(database_url: str, amqp_url: str, names: Names, **changes: Any) -> RelaySettings:
    """Relay settings with leases that a slow machine does not lose; arguments change them."""
    patient: dict[str, Any] = {"lease_seconds": 60.0, "publish_timeout_seconds": 60.0}
    return RelaySettings(database_url=database_url, amqp_url=amqp_url, prefix=names.prefix, **(patient | changes))


@asynccontextmanager
async def running(settings: RelaySettings) -> AsyncIterator[Relay]:
    """Run a relay in this process while the block runs."""
    relay, stop = Relay(settings), asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    try:
        yield relay
    finally:
        stop.set()
        await task


def start_process(settings: RelaySettings, **environment: str) -> "subprocess.Popen[bytes]":
    """Start a relay as a process of its own."""
    variables = {
        "OMS_DATABASE_URL": settings.database_url.get_secret_value(),
        "OMS_AMQP_URL": settings.amqp_url.get_secret_value(),
        "OMS_PREFIX": settings.prefix,
        "OMS_LEASE_SECONDS": str(settings.lease_seconds),
        "OMS_OPS_PORT": "0",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "outbox"], env=os.environ | variables | environment, stdout=subprocess.DEVNULL
    )


def event(stream: int, seq: int, *, type: str = "order.paid.v1", body: bytes = b"{}", **more: Any) -> Announcement:
    """One event of an order. Announced in the order of `seq`, they get these numbers."""
    return Announcement(
        type=type,
        body=body,
        destination="events",
        routing_key=type.rsplit(".", 1)[0],
        correlation_id=f"order-{stream}",
        must_route=False,
        stream=stream,
        **more,
    )


async def announce(pool: Pool, announcements: Sequence[Announcement]) -> None:
    """Append announcements in a transaction of their own."""
    async with pool.acquire() as connection, connection.transaction():
        await outbox.append(connection, announcements)


async def pending(pool: Pool) -> int:
    """The number of rows in the outbox."""
    return int(await pool.fetchval("SELECT count(*) FROM unpublished"))


async def pages_read(pool: Pool, name: str, *arguments: object) -> int:
    """The number of pages that a statement touches, with the planner's settings of the relay."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {SQL[name]}", *arguments)
    top = orjson.loads(plan)[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


async def hold(pool: Pool, stream: str, reason: str, *, seconds: float = 60.0) -> None:
    """Hold a stream as a relay does that owns its shard, and move its rows."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE outbox_shards SET owner = 'tests'")
        rows = await connection.fetch(
            "SELECT o.*, s.epoch FROM unpublished o JOIN outbox_shards s USING (shard) WHERE stream = $1 ORDER BY id",
            stream,
        )
        shards, epochs, ids = ([row[name] for row in rows] for name in ("shard", "epoch", "id"))
        first = rows[0]["destination"], rows[0]["routing_key"]
        columns: list[Any] = [stream, shards[0], reason, seconds, 3600.0, *first]
        await connection.execute(SQL["outbox.hold"], *([column] for column in columns))
        await connection.execute(SQL["outbox.move"], "tests", shards, epochs, ids)
        await connection.execute("UPDATE outbox_shards SET owner = NULL")


async def wait_until(check: Callable[[], Awaitable[Any]], *, within_seconds: float = 60) -> None:
    """Wait until `check` is true. Fails the test after `within_seconds`."""
    async with asyncio.timeout(within_seconds):
        while not await check():
            await asyncio.sleep(0.05)


async def wait_until_empty(pool: Pool, *, within_seconds: float = 60) -> None:
    """Wait until everything is published."""

    async def is_empty() -> bool:
        return await pending(pool) == 0

    await wait_until(is_empty, within_seconds=within_seconds)


def header(message: DeliveredMessage, name: str) -> Any:
    """The value of one header."""
    return (message.header.properties.headers or {})[name]


def sequences_by_stream(messages: Sequence[DeliveredMessage]) -> dict[str, list[int]]:
    """Stream -> its sequence numbers in order of first arrival."""
    seen: dict[str, list[int]] = {}
    for message in messages:
        numbers = seen.setdefault(header(message, "stream"), [])
        if header(message, "seq") not in numbers:
            numbers.append(header(message, "seq"))
    return seen


class AmqpProxy:
    """Passes on what a client and the broker send each other, until a test holds them back or cuts the connection."""

    def __init__(self, url: str) -> None:
        self._target = URL(url)
        self._passing = asyncio.Event()
        self._passing.set()
        self._reading = asyncio.Event()
        self._reading.set()
        self._links: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0
        self.url = ""

    def hold_answers(self) -> None:
        """Hold back all that the broker sends from now on."""
        self._passing.clear()

    def release_answers(self) -> None:
        """Deliver what was held back, and all that follows."""
        self._passing.set()

    def stop_reading(self) -> None:
        """Stop reading from the client, so that its writes fill the sockets."""
        self._reading.clear()

    def send_frame(self, frame: Frame) -> None:
        """Send the client a frame about its connection that the broker did not send."""
        self._writers[0].write(pamqp.frame.marshal(frame, 0))

    def cut(self) -> None:
        """Abort every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def __aenter__(self) -> "AmqpProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = str(self._target.with_host("127.0.0.1").with_port(self._server.sockets[0].getsockname()[1]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection(self._target.host, self._target.port)
        self._writers += [writer, up_writer]
        for link in (self._forward(reader, up_writer), self._forward_answers(up_reader, writer)):
            task = asyncio.create_task(link)
            self._links.add(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._reading.wait()
                writer.write(data)
        writer.close()

    async def _forward_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._passing.wait()
                writer.write(data)
        writer.close()
