"""The stub on a RabbitMQ: it declares the exchanges of oms, takes what is published, and sends what it decides."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from uuid_utils import uuid7
from yarl import URL

from messages.base import Event, Instruction, Message, Reply
from messages.orders import OrderEvent
from messages.queue_rules import instructions
from messages.registry import MODELS
from messages.roles import EVERY_ROLE, Role
from messages.strict_json import Fault
from messages.topology import Names, topology, warehouse_queue
from messages.user_roles import ANONYMOUS, Trust
from outbox import amqp, declare, wire
from outbox.publisher import Publisher
from outbox.rendering import APP_ID
from scripts.commands.problems import Code, CommandError
from scripts.stub.decisions import StubDecisions
from scripts.stub.scenario import Scenario
from workers.runtime import republish
from workers.runtime.decode import Work
from workers.runtime.delivery import Delivery

CONSUME_TIMEOUT_SECONDS = 10.0
ELSEWHERE = "oms stub --vhost stub, which makes a virtual host for it (OMS_MANAGEMENT_URL: of an administrator)"
ANOTHER = "end the other one, such as an `oms stub` beside tests, or choose a virtual host of your own"


@dataclass(frozen=True)
class StubMessage:
    """One message that the stub received. `faults` says why it was not valid; `answer` is the type that it sent."""

    type: str
    body: Any
    message_id: str
    user: str | None
    reply_to: str | None
    faults: tuple[Fault, ...]
    answer: str | None


@dataclass(frozen=True)
class Thread:
    """What a message of the stub carries on: correlation id, the id of the message that caused it, and its trace."""

    correlation_id: str
    causation_id: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass
class StubBroker:
    """Answers the messages of one prefix in one virtual host, from `start` to `stop`.

    A broker user named after a role, such as `oms-carrier`, has that role. The stub's own user has every role, and so
    have messages without `user_id`. `on_message` is called with each message once it is answered.
    """

    url: str
    names: Names
    examples: Mapping[str, Any]
    scenario: Scenario = field(default_factory=Scenario)
    on_message: Callable[[StubMessage], None] = lambda message: None

    def __post_init__(self) -> None:
        self._user = URL(self.url).user or "guest"
        roles = {f"{self.names.prefix}-{role}": frozenset({role}) for role in Role}
        trust = Trust(frozenset(), {**roles, self._user: EVERY_ROLE, ANONYMOUS: EVERY_ROLE})
        self.lost = asyncio.Event()
        self._decisions = StubDecisions(self.names, trust, self.examples, self.scenario)
        self._numbers = Counter[str]()  # of the events of each stream, as oms numbers them
        self._publisher = Publisher(self.url, name="oms stub publishes")
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: AbstractConnection | None = None

    async def start(self) -> None:
        """Connect, declare, subscribe. Raises CommandError beside oms or another stub, or for want of a right."""
        self._connection = await wire.connect(self.url, name="oms stub")
        try:
            await self._open(self._connection)
        except BaseException:
            await self.stop()
            raise

    async def _open(self, connection: AbstractConnection) -> None:
        await self._refuse_beside_oms(connection)
        try:
            await self._declare(connection)
        except amqp.ChannelAccessRefused as error:
            what = f"the broker user {self._user} may not declare what a stub needs"
            raise CommandError(Code.REFUSED, what, why=str(error), hint=ELSEWHERE) from error
        except amqp.ChannelLockedResource as error:
            why = "each message would be answered twice"
            raise CommandError(Code.REFUSED, "another stub answers here", why=why, hint=ANOTHER) from error

    async def _declare(self, connection: AbstractConnection) -> None:
        self._channel = await connection.channel()
        for exchange in topology(self.names, ()).exchanges:
            await declare.declare_part(self._channel, exchange)
        queue = await self._channel.declare_queue(self.names.queue("stub"), exclusive=True)
        for name in (self.names.commands, self.names.queries):
            await queue.bind(name, "#")
        await amqp.consume(
            self._channel, queue.name, self._take, self.lost.set, tag="stub", timeout_seconds=CONSUME_TIMEOUT_SECONDS
        )
        connection.close_callbacks.add(lambda *_: self.lost.set())
        self._publisher.start()
        await self._publisher.ready()

    async def stop(self) -> None:
        """Drop the answers that are still to come, and disconnect. The queue goes with the connection."""
        for task in self._tasks:
            task.cancel()
        await self._publisher.close()
        if self._connection is not None:
            await wire.close(self._connection)

    def behave(self, scenario: Scenario) -> None:
        """Follow another scenario from now on; the orders stay known."""
        self.scenario = scenario
        self._decisions.follow(scenario)

    async def emit(self, type_: str, given: Mapping[str, Any], thread: Thread | None = None) -> Message:
        """Publish an event with these fields; or put an instruction into the queue of its warehouse."""
        thread = thread or Thread(str(uuid7()))
        if issubclass(MODELS[type_], Instruction):
            made = self._decisions.orders.instruction(type_, given)
            queue = self.names.queue(warehouse_queue(str(getattr(made, "warehouse", "main"))))
            await self._channel.declare_queue(queue, durable=True, arguments=instructions())
            await self._publish("", queue, made, thread)
            return made
        event = self._decisions.event(type_, given)
        await self._announce(event, thread)
        return event

    async def _refuse_beside_oms(self, connection: AbstractConnection) -> None:
        probe = await connection.channel()
        queue = self.names.queue("order-creation")
        try:
            await probe.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity:
            return
        why = f"the queue {queue} exists, so each message would be handled there too"
        raise CommandError(Code.REFUSED, "a stub does not run beside oms", why=why, hint=ELSEWHERE)

    async def _take(self, message: amqp.DeliveredMessage) -> None:
        delivery = Delivery.of(message)
        await amqp.acknowledge(self._channel, delivery.tag, multiple=False)
        self._start(self._handle(delivery))

    async def _handle(self, delivery: Delivery) -> None:
        """Decide at once, in order of arrival; answer after the latency."""
        work = self._decisions.read(delivery)
        decision = self._decisions.decide(work)
        message_id = delivery.message_id or ""
        thread = Thread(delivery.properties.correlation_id or message_id, message_id, delivery.trace)
        await asyncio.sleep(self.scenario.latency_ms / 1000)
        if decision.reply is not None and work.reply_to:
            await self._answer(work, decision.reply, thread, decision.body)
        for event in decision.events:
            await self._announce(event, thread)
        faults = work.failure.faults if work.failure else ()
        user, reply_to = delivery.user_id, delivery.reply_to
        content = _content(delivery.body)
        self.on_message(StubMessage(delivery.type or "", content, message_id, user, reply_to, faults, decision.answer))

    async def _answer(self, work: Work, answer: Message, thread: Thread, body: bytes | None) -> None:
        """Answer at the reply address: a query, and what cannot be read, as a worker does, else as a relay does."""
        if work.failure is None and not isinstance(answer, Reply):
            await self._publish("", str(work.reply_to), answer, thread, body=body)
        else:
            await self._publisher.publish("", str(work.reply_to), *republish.reply(work, answer, self._user), False)

    async def _announce(self, event: Event, thread: Thread) -> None:
        about: dict[str, Any] = {}
        if isinstance(event, OrderEvent):
            stream = str(event.parent_id or event.order_id)
            self._numbers[stream] += 1
            about = {"stream": stream, "seq": self._numbers[stream], "conversation-id": event.conversation_id}
        await self._publish(self.names.events, event.routing_key(), event, thread, about)
        order_id = getattr(event, "order_id", None)
        for rule in self.scenario.emit if order_id is not None else ():
            if rule.after == event.TYPE:
                self._start(self._follow(rule.type, str(order_id), rule.delay_ms, thread))

    async def _follow(self, type_: str, order_id: str, delay_ms: int, thread: Thread) -> None:
        await asyncio.sleep(delay_ms / 1000)
        await self.emit(type_, {"order_id": order_id}, thread)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(
        self,
        exchange: str,
        routing_key: str,
        message: Message,
        thread: Thread,
        about: Mapping[str, Any] | None = None,
        *,
        body: bytes | None = None,
    ) -> None:
        """Publish a message with the properties and headers with which a relay publishes it."""
        now = datetime.now(UTC)
        headers = {"occurred-at": now.isoformat(timespec="microseconds"), **thread.trace, **(about or {})}
        properties = amqp.Properties(
            content_type="application/json",
            headers=headers | ({"causation-id": thread.causation_id} if thread.causation_id else {}),
            delivery_mode=2,
            message_id=str(uuid7()),
            correlation_id=thread.correlation_id,
            message_type=message.TYPE,
            timestamp=now,
            user_id=self._user,
            app_id=APP_ID,
        )
        await self._publisher.publish(exchange, routing_key, properties, body or message.json_bytes, mandatory=False)


def _content(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body
