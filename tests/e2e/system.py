"""The running system, as tests see it that look into its database, its dead letters and its replies.

`publish` sends raw bytes, `publish_command` a command with a reply address. `reply` and `dead_letter` wait for the one
that a test expects. `wait_until_...` wait for the workers. `row_counts` are the rows that a message could have written.
`order_create`, `cancel`, `payment`, `progress_mark`, `stock_reserve` build bodies that are valid unless changed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import orjson

from db import cipher
from db.pool import Pool
from messages.topology import TAKEN
from tests.broker import Broker
from tests.e2e.raw_amqp import RawClient
from tests.e2e.upstream import WAIT_SECONDS, Upstream, now, order_body, wait_for
from tests.metric_values import metric_value

SKU = "s1"


def order_create(**changes: Any) -> bytes:
    """A valid order.create; arguments change its fields."""
    return orjson.dumps(order_body((SKU, 1)) | changes)


def cancel(**changes: Any) -> bytes:
    """A valid order.cancel of an order that does not exist."""
    sound = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": "1"}
    return orjson.dumps(sound | changes)


def payment(**changes: Any) -> bytes:
    """A valid payment.result for an order that does not exist."""
    sound = {"order_id": "1", "provider": "alipay", "trade_no": uuid4().hex, "kind": "failed", "amount": 1}
    return orjson.dumps(sound | {"currency": "CNY", "occurred_at": now()} | changes)


def progress_mark() -> bytes:
    """A progress.mark, which only the timeouts queue publishes."""
    return orjson.dumps({"at": now()})


def stock_reserve() -> bytes:
    """A stock.reserve as order-creation publishes it, in a pack."""
    line = {"holder_id": "1", "sku_id": SKU, "warehouse": "main", "qty": 1}
    body = {"group_id": "1", "deadline": now(), "lines": [line]}
    about = {"correlation_id": uuid4().hex, "causation_id": None, "occurred_at": now()}
    return orjson.dumps({"items": [about | {"body": body}]})


def sound_message(queue: str) -> tuple[str, bytes]:
    """Type and body of a valid message for the same queue."""
    match queue:
        case "order-creation":
            return "order.create", order_create()
        case "order-changes":
            return "order.cancel", cancel()
        case "stock":
            return "stock.receive", orjson.dumps({"ref": uuid4().hex, "sku_id": SKU, "warehouse": "main", "qty": 1})
    return "payment.result", payment()


@dataclass
class RunningSystem:
    """A running system and its clients: no user trusts `upstream`, `payments` is trusted for payment results."""

    broker: Broker
    database_url: str
    pool: Pool
    upstream: Upstream
    payments: Upstream
    raw: RawClient

    async def publish(self, body: bytes, key: bytes | str = "order.create", **properties: Any) -> None:
        """Publish to the commands exchange with valid properties; arguments change them, None leaves one out."""
        given: dict[str, Any] = {
            "content_type": "application/json",
            "delivery_mode": 2,
            "message_id": uuid4().hex,
            "type": f"{key!s}.v1",
            "user_id": self.raw.user,
        }
        exchange = properties.pop("exchange", self.broker.names.commands)
        await self.raw.publish(exchange, key, body, **(given | properties))

    async def dead_letter(self, body: bytes) -> dict[str, Any]:
        """Wait for the one dead letter with this body."""
        found: list[Any] = []

        async def look() -> bool:
            known = "SELECT * FROM dead_letters WHERE body_hash = ANY($1)"
            found[:] = await self.pool.fetch(known, self.letter_hashes(body))
            return bool(found)

        await wait_until(look, "a dead letter")
        assert len(found) == 1, found
        return dict(found[0])

    def letter_hashes(self, body: bytes) -> list[bytes]:
        """The hashes under which a message of the raw client, or of an unknown sender, is kept as a dead letter."""
        known = (body, b"\0".join((body, self.raw.user.encode())))
        return [cipher.current().seal_hash(blake2b(one, digest_size=16).digest()) for one in known]

    async def reply(self, **fields: Any) -> dict[str, Any]:
        """Wait for the one reply whose properties or body have these values."""

        def matching() -> list[dict[str, Any]]:
            return [r for r in self.upstream.replies if fields.items() <= (r | _texts(r["properties"])).items()]

        await wait_for(lambda: bool(matching()), f"a reply {fields}", lambda: self.upstream.replies[-3:])
        [found] = matching()
        return found

    async def wait_until_handled(self, *message_ids: str) -> list[int]:
        """Wait until these messages are handled; return the transaction id of each."""
        rows: dict[str, int] = {}

        async def look() -> bool:
            found = await self.pool.fetch(
                "SELECT message_id, xmin::text::bigint AS tx FROM inbox WHERE message_id = ANY ($1)", list(message_ids)
            )
            rows.update({row["message_id"]: row["tx"] for row in found})
            return len(rows) == len(message_ids)

        await wait_until(look, f"{message_ids} to be handled")
        return [rows[message_id] for message_id in message_ids]

    async def row_counts(self, queue: str) -> dict[str, int]:
        """The rows in the tables that a message of this queue could write."""
        row = await self.pool.fetchrow(
            """SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM commands) AS commands,
                      (SELECT count(*) FROM payment_facts) AS payments, (SELECT count(*) FROM shipments) AS shipments,
                      (SELECT count(*) FROM inbox WHERE queue = $1) AS inbox""",
            queue,
        )
        assert row is not None
        return dict(row)

    def in_flight(self, queue: str) -> float:
        """The messages that a worker holds and has not settled."""
        return metric_value("oms_messages_in_flight", queue=queue)

    async def wait_until_settled(self, queue: str) -> None:
        """Wait until the worker of a queue holds no message."""
        await wait_for(lambda: self.in_flight(queue) == 0, f"{queue} to be settled", lambda: self.in_flight(queue))

    async def wait_until_idle(self) -> None:
        """Wait until no message is in flight and the outbox is empty."""

        async def look() -> bool:
            waiting = await self.pool.fetchval(
                "SELECT (SELECT count(*) FROM unpublished) + (SELECT count(*) FROM orders WHERE state = 'placing')"
            )
            return not waiting and not any(self.in_flight(queue) for queue in TAKEN)

        await wait_until(look, "an idle system")

    async def warm(self) -> None:
        """Send one message to each queue whose batches tests fill: a subscription begins with one message at a time."""
        for queue in ("order-creation", "order-changes", "payment-results"):
            sender = self.payments if queue == "payment-results" else self.upstream
            settled = partial(settled_batches, queue)
            before = settled()
            await sender.publish(*sound_message(queue))
            while settled() == before:
                await asyncio.sleep(0.01)

    async def wait_until_in_flight(self, queue: str, count: int) -> None:
        """Wait until the worker of a queue holds at least this many messages: retried ones may come at any time."""
        await wait_for(lambda: self.in_flight(queue) >= count, f"{count} in flight", lambda: self.in_flight(queue))

    @asynccontextmanager
    async def inbox_locked(self) -> AsyncIterator[None]:
        """Keep workers from claiming messages, so that those that arrive meanwhile are handled as one batch."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE inbox IN SHARE MODE")
            yield


async def publish_command(
    system: RunningSystem, type_: str, body: Any, *, sender: Upstream | None = None, **properties: Any
) -> str:
    """Publish a command with a reply address; return the correlation id that its reply will have."""
    correlation_id = uuid4().hex
    about = {"correlation_id": correlation_id, "reply_to": system.upstream.inbox}
    await (sender or system.upstream).publish(type_, body, **(about | properties))
    return correlation_id


def _texts(properties: Any) -> dict[str, Any]:
    return {"correlation_id": properties.correlation_id, "type_": properties.message_type}


def settled_batches(queue: str) -> float:
    """The number of batches of a queue that were settled in this process."""
    return metric_value("oms_batch_items_count", queue=queue)


def reconnects() -> float:
    """The number of worker connections that ended."""
    return metric_value("oms_amqp_reconnects_total", role="consumer")


async def wait_until(look: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until a check that queries a server is true."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await look():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_SECONDS} s for {what}") from None
