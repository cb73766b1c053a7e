"""The stage where a contender runs: its own filled database and virtual host on durable servers, and its processes."""

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiormq
import asyncpg
import psutil
import psycopg

from db import migrate
from messages.topology import Names, tiers_seconds
from outbox import declare
from scripts.servers.find import Servers
from scripts.servers.roles import OWN
from tests.bench import load

PAYMENT_WINDOW_SECONDS = 1800
QUEUE = "client.bench"
"""A subscriber's durable quorum queue: the broker pays the full cost of keeping each event."""
KEY = f"bench:{base64.b64encode(bytes(32)).decode()}"
"""One for all runs, because a history that is kept has data of users under it."""
POLL_SECONDS = 0.1
STALL_SECONDS = float(os.environ.get("OMS_BENCH_STALL_SECONDS", "60"))


class StalledError(Exception):
    """A contender died at its start, or nothing has happened for a minute."""


@dataclass
class Stage:
    """One contender's database, virtual host and processes.

    `urls` maps a role to its AMQP URL. `variables` are added to the environment of its processes.
    """

    urls: dict[str, str]
    names: Names
    database_url: str
    folder: Path
    key: str
    since: datetime
    """Orders from before that are not of this contender."""
    children: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    _roles: dict[int, str] = field(default_factory=dict)

    def environment(self, role: str) -> dict[str, str]:
        """The environment of a process that connects with a broker role."""
        return os.environ | {
            "OMS_DATABASE_URL": self.database_url,
            "OMS_AMQP_URL": self.urls[role],
            "OMS_PREFIX": self.names.prefix,
            "OMS_ENCRYPTION_KEYS": self.key,
            "OMS_OWN_USERS": ",".join(self.urls[own].split("//")[1].split(":")[0] for own in OWN),
            "OMS_PAYMENT_WINDOW_SECONDS": str(PAYMENT_WINDOW_SECONDS),
            "OMS_RATE_LIMIT_ORDERS": "0",  # no limit: the baskets come as fast as the bench sends them
            "OMS_LOG_LEVEL": "warning",
            "OMS_BENCH_RELAY_URL": self.urls["relay"],
            "OMS_BENCH_ADMIN_URL": self.urls["admin"],
            **self.variables,
        }

    def start(self, role: str, *arguments: str, python: str = sys.executable) -> None:
        """Start a process of the contender: a Python module with its arguments."""
        with (self.folder / "output.log").open("ab") as output:
            command = [python, "-m", *arguments]
            child = subprocess.Popen(command, env=self.environment(role), stdout=output, stderr=output)
        self.children.append(child)
        self._roles[child.pid] = role

    def stop(self) -> None:
        """Stop the contender's processes."""
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()

    def output(self) -> str:
        """What the processes printed."""
        return (self.folder / "output.log").read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """The contender's processes."""
        return [psutil.Process(child.pid) for child in self.children if child.poll() is None]

    def roles(self) -> "list[tuple[subprocess.Popen[bytes], str]]":
        """The processes that were started and have not been stopped, with the role of each."""
        return [(child, self._roles[child.pid]) for child in self.children]

    async def until_consuming(self, consumers: int, queue: str = "") -> None:
        """Wait until the queue of orders has this many consumers, since their start is not measured.

        Raises StalledError when a process ends, or a minute is over.
        """
        connection = await aiormq.connect(self.urls["admin"])
        channel = await connection.channel()
        queue, found = queue or self.names.queue("order-creation"), 0
        ended_at = time.monotonic() + STALL_SECONDS
        try:
            while found < consumers:
                if time.monotonic() > ended_at:
                    printed = self.output()[-2000:]
                    raise StalledError(f"{found} of {consumers} consumers; the processes printed:\n{printed}")
                if any(child.poll() is not None for child in self.children):
                    raise StalledError(f"a process ended at its start:\n{self.output()[-2000:]}")
                await asyncio.sleep(POLL_SECONDS / 2)
                found = (await channel.queue_declare(queue, passive=True)).consumer_count or 0
        finally:
            await connection.close()

    async def until_created(self, orders: int) -> None:
        """Wait until the subscriber's queue holds an `order.created` for each. Raises StalledError."""
        connection = await aiormq.connect(self.urls["admin"])
        try:
            channel = await connection.channel()
            seen, changed = 0, time.monotonic()
            while seen < orders:
                await asyncio.sleep(POLL_SECONDS)
                count = (await channel.queue_declare(QUEUE, passive=True)).message_count or 0
                if count != seen:
                    seen, changed = count, time.monotonic()
                if time.monotonic() - changed > STALL_SECONDS:
                    raise StalledError(f"{seen} of {orders} orders; the processes printed:\n{self.output()[-2000:]}")
        finally:
            await connection.close()

    async def created_in(self) -> tuple[int, float]:
        """How many orders await payment, and the seconds from the first batch until now."""
        connection = await asyncpg.connect(self.database_url)
        row = await connection.fetchrow(
            "SELECT count(*) AS n, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS seconds"
            " FROM orders WHERE state = 'awaiting_payment' AND created_at >= $1",
            self.since,
        )
        await connection.close()
        assert row is not None
        return row["n"], row["seconds"]


@contextlib.asynccontextmanager
async def open_stage(servers: Servers, given: load.Load, grown_url: str | None = None) -> AsyncIterator[Stage]:
    """Create the database and the virtual host, migrate, declare and fill; remove all of it at the end.

    `grown_url` names a database that is filled already, and stays.
    """
    name = f"bench_{secrets.token_hex(4)}"
    names = Names("oms" if servers.broker.management_url else f"oms-{name[-8:]}")
    with (
        tempfile.TemporaryDirectory(prefix="oms-bench-") as folder,
        _database(servers, name, grown_url) as database_url,
    ):
        since = datetime.now(UTC)
        stage = Stage(servers.broker.new_vhost(name, names.prefix), names, database_url, Path(folder), KEY, since)
        try:
            await declare.declare(stage.urls["topology"], names, tiers_seconds(PAYMENT_WINDOW_SECONDS))
            await _subscribe(stage)
            if grown_url is None:
                await load.fill(database_url, given.products)
            yield stage
        finally:
            stage.stop()
            servers.broker.drop_vhost(name)


@contextlib.contextmanager
def _database(servers: Servers, name: str, grown_url: str | None) -> Iterator[str]:
    if grown_url is not None:
        yield grown_url
        return
    url = servers.postgres.new_database(name)
    try:
        migrate.upgrade(url)
        with psycopg.connect(url) as connection:  # as many partitions as a shop has after a year
            connection.execute("SELECT make_order_partitions('1 year')")
        yield url
    finally:
        servers.postgres.drop_database(name)


async def _subscribe(stage: Stage) -> None:
    connection = await aiormq.connect(stage.urls["admin"])
    channel = await connection.channel()
    await channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    await channel.queue_bind(QUEUE, stage.names.events, "order.created")
    await connection.close()


async def publish(stage: Stage, bodies: Sequence[bytes], encode: load.Encode = load.plain) -> None:
    """Publish all orders at once, before the contender starts."""
    await load.publish(stage.urls["storefront"], stage.names.prefix, bodies, encode)
