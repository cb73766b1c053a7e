"""Our processes as a deployment runs them, and clients that publish again when a server goes away.

Deployment starts and stops workers and relays, and keeps the history of what it sent and received.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import aiormq
import asyncpg
import orjson

from outbox import wire
from tests.broker import Broker
from tests.chaos.history import OUTCOMES, History, Received, Sent
from tests.e2e.upstream import settings

EVENTS_QUEUE, REPLIES_QUEUE = "client.upstream.events", "client.storefront.replies"

SKU, PRICE, STOCK = "s1", 500, 100_000
WAIT_SECONDS = 40.0
READY_LOGS = (b"consuming", b"publisher connected")
COMMANDS = {"worker": ("-m", "scripts.cli", "worker"), "relay": ("-m", "outbox")}
STATE_SUMMARY = """SELECT json_build_object(
    'orders', (SELECT json_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM orders GROUP BY state) AS o),
    'undecided', (SELECT count(*) FROM commands WHERE outcome_type IS NULL),
    'outbox', (SELECT count(*) FROM unpublished),
    'letters', (SELECT json_object_agg(id, concat_ws(' ', queue, reason, error_type, error_message)) FROM dead_letters),
    'stock', (SELECT json_agg(stock) FROM stock))::text"""
STOCKED = "SELECT EXISTS (SELECT FROM skus) AND EXISTS (SELECT FROM stock WHERE on_hand > 0)"
CONNECTION_LOST = (OSError, TimeoutError, aiormq.exceptions.AMQPError, asyncio.CancelledError, RuntimeError)


@dataclass
class Deployment:
    """One virtual host, one database, and the processes that are started on them."""

    broker: Broker
    database_url: str
    folder: Path
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    roles: dict[int, str] = field(default_factory=dict)
    output: dict[int, Path] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def start(self, role: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a worker or a relay; its output goes to a file."""
        given = settings(self.broker, self.database_url, role)
        variables = {
            "OMS_DATABASE_URL": self.database_url,
            "OMS_AMQP_URL": self.broker[role],
            "OMS_PREFIX": self.broker.names.prefix,
            "OMS_OWN_USERS": ",".join(given.own_users),
            "OMS_ROLES": orjson.dumps({user: sorted(roles) for user, roles in given.roles.items()}).decode(),
            "OMS_RATE_LIMIT_ORDERS": "0",
            "OMS_LEASE_SECONDS": "2",
            "OMS_OPS_PORT": "0",
            "OMS_LOG_LEVEL": "debug",
        }
        log = self.folder / f"{role}-{uuid4().hex[:8]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *COMMANDS[role]],
                env=os.environ | variables | environment,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        self.output[process.pid], self.roles[process.pid] = log, role
        return process

    async def run(self) -> None:
        """Start a worker and a relay unless an earlier test left some running; wait until there are goods in stock."""
        if not self.processes:
            for role in COMMANDS:
                self.start(role)
        await self.wait_until(STOCKED)

    async def ready(self) -> None:
        """Wait until every process has started to work. Before that, SIGTERM would end it without its shutdown."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not all(any(word in self._log(one) for word in READY_LOGS) for one in self.processes):
                await asyncio.sleep(0.1)

    def _log(self, process: "subprocess.Popen[bytes]") -> bytes:
        return self.output[process.pid].read_bytes()

    def logs(self) -> bytes:
        """Everything that the processes wrote."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.log")))

    async def ended(self, process: "subprocess.Popen[bytes]", within_seconds: float = 30) -> int:
        """Wait until the process has ended; return its exit code."""
        async with asyncio.timeout(within_seconds):
            code = await asyncio.to_thread(process.wait)
        self.processes.remove(process)
        return code

    async def stop(self, role: str = "") -> list[int]:
        """Send SIGTERM to all processes, or to those of a role; return their exit codes."""
        await self.ready()
        going = [process for process in self.processes if role in ("", self.roles[process.pid])]
        for process in going:
            process.terminate()
        return [await self.ended(process) for process in going]

    def kill(self) -> None:
        """Send SIGKILL to all processes that still run, after a failed test."""
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.processes.clear()

    # clients of the system

    async def publish(self, role: str, messages: Sequence[tuple[str, dict[str, Any]]], **properties: Any) -> None:
        """Publish each message until the broker confirms it, always with the same message id.

        Commands whose outcomes the history knows ask for a reply.
        """
        left = [(type_, body, uuid4().hex) for type_, body in messages]
        for type_, body, message_id in left:
            if type_ in OUTCOMES and "request_id" in body:
                self.history.sent[message_id] = Sent(type_, body["request_id"])
        async with asyncio.timeout(WAIT_SECONDS):
            while left:
                try:
                    await self._publish(role, left, properties)
                except CONNECTION_LOST:
                    await asyncio.sleep(0.3)

    async def _publish(
        self, role: str, left: list[tuple[str, dict[str, Any], str]], properties: dict[str, Any]
    ) -> None:
        user = self.broker[role].split("//")[1].split(":")[0]
        async with asyncio.timeout(10), await wire.connect(self.broker[role], name="client") as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(self.broker.names.commands, ensure=False)
            while left:
                type_, body, message_id = left[-1]
                message = aio_pika.Message(
                    orjson.dumps(body),
                    message_id=message_id,
                    type=f"{type_}.v1",
                    delivery_mode=2,
                    user_id=user,
                    timestamp=datetime.now(UTC),
                    reply_to=REPLIES_QUEUE if message_id in self.history.sent else None,
                    **properties,
                )
                await exchange.publish(message, type_)
                left.pop()

    async def fill_stock(self, sku_id: str = SKU, qty: int = STOCK) -> None:
        """Add a SKU with stock."""
        sku = {
            "sku_id": sku_id,
            "revision": 1,
            "spu_id": sku_id,
            "name": "Product",
            "status": "on_sale",
            "price": PRICE,
            "currency": "CNY",
        }
        receive = {"ref": f"note-{sku_id}", "sku_id": sku_id, "warehouse": "main", "qty": qty}
        await self.publish("upstream", [("sku.upsert", sku), ("stock.receive", receive)])

    async def receive(self) -> None:
        """Take everything that waits in the client's queues into the history."""
        queues = {EVENTS_QUEUE: self.history.events, REPLIES_QUEUE: self.history.replies}
        async with await aio_pika.connect(self.broker["upstream"]) as connection:
            channel = await connection.channel()
            for name, into in queues.items():
                queue = await channel.get_queue(name, ensure=False)
                while (message := await queue.get(no_ack=True, fail=False)) is not None:
                    into.append(_received(message))

    async def query(self, sql: str, *arguments: Any) -> Any:
        """Query one value, on a new connection because the server may have restarted."""
        async with asyncio.timeout(10):
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetchval(sql, *arguments)
            finally:
                await connection.close()

    async def wait_until(self, sql: str, *arguments: Any, what: str = "") -> None:
        """Wait until this query returns true."""
        answer: Any = None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while answer is not True:
                    try:
                        answer = await self.query(sql, *arguments)
                    except (OSError, TimeoutError, asyncpg.PostgresError):
                        answer = "the database is away"
                    await asyncio.sleep(0.1)
        except TimeoutError:
            seen = await self.query(STATE_SUMMARY)
            raise AssertionError(f"waited {WAIT_SECONDS} s for {what or sql}: {answer}; seen: {seen}") from None


def _received(message: Any) -> Received:
    stream, seq = message.headers.get("stream"), message.headers.get("seq")
    return Received(
        str(message.type).rsplit(".", 1)[0],
        str(message.message_id),
        orjson.loads(message.body),
        about=message.correlation_id,
        stream=None if stream is None else str(stream),
        seq=None if seq is None else int(seq),
    )
