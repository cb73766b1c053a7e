"""The running system and the upstream systems around it, which know only the wire: AMQP and JSON.

`running_system` runs every worker and a relay in this process. Upstream is a client: `publish` sends a command or fact,
`events_of("order.paid")` are the events that arrived, `wait_for_events` waits for them, `replies` are its replies.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import orjson
from aio_pika.abc import AbstractIncomingMessage

from db import cipher
from db.pool import Pool
from messages.registry import MODELS
from messages.roles import Role, speakers
from messages.user_roles import ANONYMOUS
from outbox.relay import Relay
from scripts.servers.roles import SUBSCRIBER
from tests.broker import Broker
from workers import shop
from workers.app import run_all
from workers.handlers import dead_letters
from workers.routes import ROUTES
from workers.runtime.route import Route
from workers.settings import Settings

WAIT_SECONDS = 30


def settings(broker: Broker, database_url: str, role: str, **changes: Any) -> Settings:
    """The settings of one process."""
    given: dict[str, Any] = {
        "database_url": database_url,
        "amqp_url": broker[role],
        "prefix": broker.names.prefix,
        "ops_port": 0,
        "payment_window_seconds": 2,
        "rate_limit_orders": 0,
        "own_users": frozenset({user(broker["worker"]), user(broker["relay"])}),
        "roles": roles(broker),
        "encryption_keys": os.environ["OMS_ENCRYPTION_KEYS"],
    }
    return Settings(**(given | changes))


def roles(broker: Broker) -> dict[str, frozenset[Role]]:
    """The roles of each client's user. Messages without `user_id` count as those of a storefront."""
    given = {user(broker[role]): frozenset({role}) for role in Role if role in broker.urls}
    given |= {user(broker["upstream"]): frozenset(Role) - {Role.PAYMENTS, Role.OPERATOR}}
    return given | {ANONYMOUS: frozenset({Role.STOREFRONT})}


def user(url: str) -> str:
    """The broker user of a URL."""
    return url.split("//")[1].split(":", maxsplit=1)[0]


def sender_of(type_: str, body: Any, own: str) -> str:
    """The role that sends such a message: the client's own if it may, else the first that may."""
    senders: frozenset[Role] = getattr(MODELS.get(f"{type_}.v1"), "SENDERS", frozenset())
    actor = body.get("actor") if isinstance(body, dict) else None
    senders = speakers(senders, actor.get("type") if isinstance(actor, dict) else None) or senders
    return own if own in senders or not senders else next(role for role in Role if role in senders)


@contextlib.asynccontextmanager
async def running_system(
    broker: Broker, database_url: str, *, routes: Sequence[Route] = ROUTES, **changes: Any
) -> AsyncIterator[None]:
    """Run every worker, or those of some routes, and a relay per database in this process until the block ends."""
    workers, relay = (
        settings(broker, database_url, "worker", **changes),
        settings(broker, database_url, "relay", **changes),
    )
    cipher.configure(workers.encryption_keys.get_secret_value())
    shop.configure(workers.shop)
    dead_letters.configure(workers.trust, broker.names)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_all(routes, workers, stop))
        group.create_task(Relay(relay).run(stop))
        if relay.stock_database_url is not None:
            group.create_task(Relay(relay.model_copy(update={"database_url": relay.stock_database_url})).run(stop))
        try:
            yield
        finally:
            stop.set()


@dataclass
class Upstream:
    """A client with one role: it publishes as the contract says, and receives all events and its own replies.

    What another role sends, such as stock.receive, it publishes as that role's user.
    """

    role: str
    channels: dict[str, aio_pika.abc.AbstractChannel]
    stack: contextlib.AsyncExitStack
    broker: Broker
    inbox: str
    events: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, broker: Broker, role: str = "storefront") -> AsyncIterator["Upstream"]:
        async with contextlib.AsyncExitStack() as stack:
            self = cls(role, {}, stack, broker, f"client.{role}.{uuid4().hex}")
            await self._listen()
            yield self

    async def channel(self, user: str) -> aio_pika.abc.AbstractChannel:
        """A channel of this user, on a connection of its own."""
        if user not in self.channels:
            connection = await self.stack.enter_async_context(await aio_pika.connect(self.broker[user]))
            self.channels[user] = await connection.channel()
        return self.channels[user]

    async def _listen(self) -> None:
        channel = await self.channel(f"{self.role}{SUBSCRIBER}")
        events = await channel.declare_queue(f"{self.inbox}.events", exclusive=True)
        await events.bind(self.broker.names.events, "#")
        await events.consume(self._into(self.events), no_ack=True)
        replies = await channel.declare_queue(self.inbox, exclusive=True)
        await replies.consume(self._into(self.replies), no_ack=True)

    def _into(self, kept: list[dict[str, Any]]) -> Callable[[AbstractIncomingMessage], Awaitable[None]]:
        async def keep(message: AbstractIncomingMessage) -> None:
            about = {"event": message.routing_key, "properties": message.properties, "headers": dict(message.headers)}
            kept.append(orjson.loads(message.body) | about)

        return keep

    async def publish(self, type_: str, body: Any, *, key: str | None = None, **properties: Any) -> str:
        """Publish a command or fact; return its message id. `sender` is a user other than that of the role it needs."""
        message_id = str(properties.pop("message_id", uuid4()))
        sender = properties.pop("sender", None) or sender_of(key or type_, body, self.role)
        given: dict[str, Any] = {
            "type": f"{type_}.v1",
            "content_type": "application/json",
            "delivery_mode": 2,
            "user_id": user(self.broker[sender]),
        }
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        message = aio_pika.Message(content, message_id=message_id, timestamp=datetime.now(UTC), **(given | properties))
        exchange = await (await self.channel(sender)).get_exchange(self.broker.names.commands, ensure=False)
        await exchange.publish(message, key or type_)
        return message_id

    async def ask(self, type_: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a query as the client's own role, and wait for its answer, whose type is `answer`."""
        correlation_id, own = uuid4().hex, user(self.broker[self.role])
        message = aio_pika.Message(
            orjson.dumps(body),
            message_id=uuid4().hex,
            type=f"{type_}.v1",
            content_type="application/json",
            user_id=own,
            correlation_id=correlation_id,
            reply_to=self.inbox,
        )
        exchange = await (await self.channel(self.role)).get_exchange(self.broker.names.queries, ensure=False)
        await exchange.publish(message, type_)

        def answers() -> list[dict[str, Any]]:
            return [reply for reply in self.replies if reply["properties"].correlation_id == correlation_id]

        await wait_for(lambda: bool(answers()), f"an answer to {type_}")
        [reply] = answers()
        return reply | {"answer": reply["properties"].message_type}

    def events_of(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """The events of this type with these fields."""
        return [e for e in self.events if e["event"] == event and fields.items() <= e.items()]

    async def wait_for_events(self, event: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait until this many such events have arrived."""
        await wait_for(
            lambda: len(self.events_of(event, **fields)) >= count, f"{count} x {event} {fields}", lambda: self.events
        )
        return self.events_of(event, **fields)

    # messages of upstream systems

    async def fill_stock(self, *skus: str, qty: int = 100, price: int = 500) -> None:
        for sku in skus:
            await self.publish(
                "sku.upsert",
                {
                    "sku_id": sku,
                    "revision": 1,
                    "spu_id": sku,
                    "name": f"Product {sku}",
                    "status": "on_sale",
                    "price": price,
                    "currency": "CNY",
                },
            )
            await self.publish("stock.receive", {"ref": "note-1", "sku_id": sku, "warehouse": "main", "qty": qty})
        await self.wait_for_events("sku.changed", len(skus))
        await self.wait_for_events("stock.received", len(skus))

    async def publish_order(self, *lines: tuple[str, int], price: int = 500, **changes: Any) -> str:
        """Publish order.create; return its request id."""
        body = order_body(*lines, price=price, **changes)
        await self.publish("order.create", body)
        return str(body["request_id"])

    async def place_order(self, *lines: tuple[str, int], **changes: Any) -> dict[str, Any]:
        """Place an order that awaits payment; return its order.created event."""
        request_id = await self.publish_order(*lines, **changes)
        [event] = await self.wait_for_events("order.created", request_id=request_id)
        return event

    async def pay(self, created: dict[str, Any], *, trade_no: str | None = None, amount: int | None = None) -> None:
        amounts = created["amounts"]
        await self.publish(
            "payment.result",
            {
                "order_id": created["order_id"],
                "provider": "alipay",
                "trade_no": trade_no or f"t-{created['order_id']}",
                "kind": "captured",
                "amount": amounts["payable"] if amount is None else amount,
                "currency": amounts["currency"],
                "occurred_at": now(),
            },
        )

    async def ship(self, order_id: str, tracking_no: str, *statuses: str) -> None:
        about = {"order_id": order_id, "carrier": "sf", "tracking_no": tracking_no}
        await self.publish("shipment.book", about)
        for status in statuses:
            fact = {"event_id": f"{tracking_no}-{status}", "status": status, "occurred_at": now()}
            await self.publish("shipment.update", about | fact)


def now() -> str:
    return datetime.now(UTC).isoformat()


def order_body(*lines: tuple[str, int], price: int = 500, user_id: str = "u1", **changes: Any) -> dict[str, Any]:
    """A valid order.create; arguments change its fields."""
    sound: dict[str, Any] = {
        "request_id": uuid4().hex,
        "actor": {"type": "user", "id": user_id},
        "user_id": user_id,
        "channel": "pc",
        "currency": "CNY",
        "items": [{"sku_id": sku, "qty": qty} for sku, qty in lines],
        "address": {"receiver": "Wang Fang", "phone": "13812345678", "country": "CN", "detail": "Nanjing Road 1"},
        "expected_pay_amount": sum(qty * price for _, qty in lines),
    }
    return sound | changes


async def wait_for(done: Callable[[], bool], what: str, seen: Callable[[], Any] = lambda: "") -> None:
    """Wait until a check is true; if it never is, the error names what was expected."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not done():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_SECONDS} s for {what}; seen: {seen()}") from None


async def wait_for_value(pool: Pool, sql: str, value: object) -> None:
    """Wait until a query returns a value: messages between our own queues take effect after the event."""
    seen: object = None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while (seen := await pool.fetchval(sql)) != value:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_SECONDS} s for {sql} = {value}; seen: {seen}") from None


async def states(pool: Pool) -> dict[str, int]:
    """State -> the number of orders in it."""
    return {
        row["state"]: row["n"] for row in await pool.fetch("SELECT state, count(*) AS n FROM orders GROUP BY state")
    }
