"""The life of an order as the systems around us see it: a message starts each step, an event ends it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiormq
import orjson
from aiormq.abc import DeliveredMessage

from outbox.outcome import PublishOutcome
from outbox.publisher import Publisher
from tests.bench import load
from tests.bench.stage import QUEUE, Stage

ANSWER_SECONDS = 60.0
CARRIER = "sf"


@dataclass(frozen=True)
class LifeStep:
    """`body` makes the message from the body of order.created. `event` names the event that ends the step."""

    name: str
    role: str
    type: str
    event: str
    body: Callable[[dict[str, Any]], dict[str, Any]]

    @property
    def routing_key(self) -> str:
        """The type without its version."""
        return self.type.removesuffix(".v1")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _pay(order: dict[str, Any]) -> dict[str, Any]:
    amounts = order["amounts"]
    return {
        "order_id": order["order_id"],
        "provider": "alipay",
        "trade_no": f"t{order['order_id']}",
        "kind": "captured",
        "amount": amounts["payable"],
        "currency": amounts["currency"],
        "occurred_at": _now(),
    }


def _parcel(order: dict[str, Any]) -> dict[str, Any]:
    return {"order_id": order["order_id"], "carrier": CARRIER, "tracking_no": f"T{order['order_id']}"}


def _moved(status: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda order: _parcel(order) | {"event_id": status, "status": status, "occurred_at": _now()}


def _confirm(order: dict[str, Any]) -> dict[str, Any]:
    actor = {"type": "user", "id": order["user_id"]}
    return {"request_id": uuid4().hex, "actor": actor, "order_id": order["order_id"]}


CREATE = "create"
AFTER_CREATE = (
    LifeStep("pay", "payments", "payment.result.v1", "order.paid", _pay),
    LifeStep("book", "warehouse", "shipment.book.v1", "shipment.booked", _parcel),
    LifeStep("ship", "carrier", "shipment.update.v1", "order.shipped", _moved("outbound")),
    LifeStep("deliver", "carrier", "shipment.update.v1", "order.delivered", _moved("delivered")),
    LifeStep("complete", "storefront", "order.confirm_receipt.v1", "order.completed", _confirm),
)
STEPS = (CREATE, *(step.name for step in AFTER_CREATE))
EVENTS = ("order.created", *(step.event for step in AFTER_CREATE))


class Upstreams:
    """The shop, the payment adapter, the warehouse and the carrier, and a subscriber, each with its own connection."""

    def __init__(self, stage: Stage, publishers: dict[str, Publisher], encode: load.Encode) -> None:
        self._stage, self._publishers, self._encode = stage, publishers, encode
        self._waiting: dict[tuple[str, str], tuple[float, asyncio.Future[tuple[float, dict[str, Any]]]]] = {}

    def receive(self, event: str, raw: bytes) -> None:
        """Take an event and end the wait for it."""
        now, body = time.perf_counter(), orjson.loads(raw)
        key = body["request_id"] if event == "order.created" else body["order_id"]
        sent, answer = self._waiting.pop((event, str(key)), (0.0, None))
        if answer is not None and not answer.done():
            answer.set_result((now - sent, body))

    async def create(self, body: bytes) -> tuple[float, dict[str, Any]]:
        """Place one order. Returns the seconds until order.created was received, and that event."""
        key = str(orjson.loads(body)["request_id"])
        return await self._send("storefront", "order.create.v1", body, ("order.created", key))

    async def take(self, step: LifeStep, order: dict[str, Any]) -> float:
        """Take a later step with an order. Returns the seconds until the event was received."""
        body = orjson.dumps(step.body(order))
        seconds, _ = await self._send(step.role, step.type, body, (step.event, str(order["order_id"])))
        return seconds

    async def _send(self, role: str, type_: str, body: bytes, key: tuple[str, str]) -> tuple[float, dict[str, Any]]:
        answer: asyncio.Future[tuple[float, dict[str, Any]]] = asyncio.get_running_loop().create_future()
        self._waiting[key] = (time.perf_counter(), answer)
        encode = self._encode if role == "storefront" else load.plain
        properties, encoded = load.message(self._stage.urls[role], body, type_, encode)
        exchange = self._stage.names.commands
        outcome = await self._publishers[role].publish(exchange, type_.removesuffix(".v1"), properties, encoded, True)
        if outcome is not PublishOutcome.CONFIRMED:
            raise RuntimeError(f"the broker did not take {type_}: {outcome}")
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer


@asynccontextmanager
async def upstreams(
    stage: Stage, roles: Sequence[str] = ("storefront",), encode: load.Encode = load.plain
) -> AsyncIterator[Upstreams]:
    """Connect as these roles and as the subscriber, until the block ends."""
    publishers = {role: Publisher(stage.urls[role], name=f"bench {role}") for role in roles}
    async with AsyncExitStack() as stack:
        for publisher in publishers.values():
            await stack.enter_async_context(publisher)
            await publisher.ready()
        made = Upstreams(stage, publishers, encode)
        connection = await aiormq.connect(stage.urls["admin"])
        stack.push_async_callback(connection.close)
        channel = await connection.channel()
        for event in EVENTS:
            await channel.queue_bind(QUEUE, stage.names.events, event)
        await channel.basic_qos(prefetch_count=1000)

        async def take(message: DeliveredMessage) -> None:
            made.receive(message.routing_key or "", message.body)
            await channel.basic_ack(message.delivery_tag or 0, wait=False)

        await channel.basic_consume(QUEUE, take)
        yield made


ROLES = ("storefront", *dict.fromkeys(step.role for step in AFTER_CREATE if step.role != "storefront"))
