"""Our processes as a deployment runs them, and clients that publish again when a server goes away.

Deployment starts and stops workers and relays. OrderBatch publishes orders, pays a third of them and cancels a third;
`assert_ended_well` waits until each is where it belongs and the audit is clean.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import aiormq
import asyncpg
import orjson

from db.pool import open_pool
from scripts.commands.audit import check
from tests.broker import Broker
from tests.e2e.upstream import now, order_body, settings

EVENTS_QUEUE = "client.upstream.events"

SKU, PRICE, STOCK = "s1", 500, 100_000
WAIT_SECONDS = 40.0
READY_LOGS = (b"consuming", b"publisher connected")
COMMANDS = {"worker": ("-m", "scripts.cli", "worker"), "relay": ("-m", "outbox")}
STATE_SUMMARY = """SELECT json_build_object(
    'orders', (SELECT json_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM orders GROUP BY state) AS o),
    'undecided', (SELECT count(*) FROM commands WHERE outcome IS NULL), 'outbox', (SELECT count(*) FROM outbox),
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
    output: dict[int, Path] = field(default_factory=dict)

    def start(self, role: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a worker or a relay; its output goes to a file."""
        given = settings(self.broker, self.database_url, role)
        variables = {
            "OMS_DATABASE_URL": self.database_url,
            "OMS_AMQP_URL": self.broker[role],
            "OMS_PREFIX": self.broker.names.prefix,
            "OMS_OWN_USERS": ",".join(given.own_users),
            "OMS_TRUSTED_USERS": ",".join(given.trusted_users),
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
        self.output[process.pid] = log
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

    async def stop(self) -> list[int]:
        """Send SIGTERM to all processes; return their exit codes."""
        await self.ready()
        going = list(self.processes)
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
        """Publish each message until the broker confirms it, always with the same message id."""
        left = [(type_, body, uuid4().hex) for type_, body in messages]
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
        async with asyncio.timeout(10), await aio_pika.connect(self.broker[role]) as connection:
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
                    **properties,
                )
                await exchange.publish(message, type_)
                left.pop()

    async def fill_stock(self) -> None:
        """Add one SKU with stock."""
        sku = {
            "sku_id": SKU,
            "revision": 1,
            "spu_id": SKU,
            "name": "Product",
            "status": "on_sale",
            "price": PRICE,
            "currency": "CNY",
        }
        receive = {"ref": "note-1", "sku_id": SKU, "warehouse": "main", "qty": STOCK}
        await self.publish("upstream", [("sku.upsert", sku), ("stock.receive", receive)])

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


@dataclass
class OrderBatch:
    """Many orders at once: a third is paid, a third is cancelled, and every message is sent twice."""

    deployment: Deployment
    count: int
    run: str = field(default_factory=lambda: uuid4().hex[:8])

    async def order(self) -> None:
        """Publish all order.create once the SKU and its stock exist."""
        await self.deployment.wait_until(STOCKED)
        bodies = [order_body((SKU, 1), request_id=f"{self.run}-{n}", user_id=f"u{n % 7}") for n in range(self.count)]
        await self.deployment.publish("upstream", [("order.create", body) for body in bodies])

    async def wait_until_decided(self, share: float = 1.0) -> None:
        """Wait until this share of the commands has an outcome."""
        sql = "SELECT count(*) >= $2 FROM commands WHERE request_id LIKE $1 AND outcome_type IS NOT NULL"
        await self.deployment.wait_until(sql, f"{self.run}-%", int(self.count * share), what="outcomes")

    async def pay_and_cancel(self) -> None:
        """Publish the payments and cancellations, each twice, as clients with retries do."""
        rows = await self._placed()
        paid = [("payment.result", _capture(row["id"])) for row in rows if _fate(row) == 0]
        cancels = [
            (
                "order.cancel",
                {
                    "request_id": f"{self.run}-{row['id']}",
                    "actor": {"type": "user", "id": row["user_id"]},
                    "order_id": str(row["id"]),
                },
            )
            for row in rows
            if _fate(row) == 1
        ]
        for _ in range(2):
            await self.deployment.publish("payments", paid)
            await self.deployment.publish("upstream", cancels)

    async def _placed(self) -> list[Any]:
        connection = await asyncpg.connect(self.deployment.database_url)
        rows = await connection.fetch(
            "SELECT id, user_id, request_id FROM orders WHERE request_id LIKE $1", self.run + "-%"
        )
        await connection.close()
        return list(rows)

    async def assert_ended_well(self) -> None:
        """Wait until every order has its state, stock agrees and the audit is clean."""
        wanted = [len([n for n in range(self.count) if n % 3 == fate]) for fate in range(3)]
        await self.deployment.wait_until(
            """SELECT (SELECT count(*) FROM outbox) = 0 AND (SELECT count(*) FROM commands WHERE outcome IS NULL) = 0
                  AND ARRAY[count(*) FILTER (WHERE state = 'paid'), count(*) FILTER (WHERE state = 'cancelled'),
                            count(*) FILTER (WHERE state = 'awaiting_payment')] = $2::bigint[]
               FROM orders WHERE request_id LIKE $1""",
            f"{self.run}-%",
            wanted,
            what=f"paid, cancelled, open = {wanted}",
        )
        await self.deployment.wait_until(
            """SELECT (SELECT locked FROM stock) = count(*) FILTER (WHERE state = 'awaiting_payment')
                  AND (SELECT on_hand FROM stock) = $1 - count(*) FILTER (WHERE state = 'paid') FROM orders""",
            STOCK,
            what="the stock to agree",
        )
        pool = await open_pool(self.deployment.database_url, application_name="audit", max_size=1)
        async with pool.acquire() as tx:
            broken = [finding for finding in await check(tx, drained=True) if finding.violations]
        await pool.close()
        assert broken == []


def _fate(row: Any) -> int:
    return int(row["request_id"].rsplit("-", 1)[1]) % 3


def _capture(order_id: int) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "provider": "alipay",
        "trade_no": f"t{order_id}",
        "kind": "captured",
        "amount": PRICE,
        "currency": "CNY",
        "occurred_at": now(),
    }


async def assert_published_once(deployment: Deployment, queue: str) -> None:
    """Assert that a repeated event is the same message again, never a second one."""
    ids_by_event: dict[tuple[str, str], set[str]] = {}
    async with await aio_pika.connect(deployment.broker["upstream"]) as connection:
        channel = await connection.channel()
        listening = await channel.get_queue(queue, ensure=False)
        while (message := await listening.get(no_ack=True, fail=False)) is not None:
            body = orjson.loads(message.body)
            ids_by_event.setdefault((str(message.type), body["order_id"]), set()).add(str(message.message_id))
    assert ids_by_event
    assert {key: ids for key, ids in ids_by_event.items() if len(ids) > 1} == {}


Trouble = Callable[[Deployment], Awaitable[None]]
