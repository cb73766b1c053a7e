"""Publishes messages as other systems do: as the user of a role that may send them, with confirms and replies."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError
from pydantic import SecretStr
from uuid_utils import uuid7
from yarl import URL

from messages.base import Message
from messages.cells import CELL_HEADER, SHARD_HEADER, shards_of
from messages.roles import Role, speakers
from outbox import wire
from outbox.amqp import ChannelAccessRefused
from scripts.commands.connections import BrokerSettings, broker_url, publisher_variable, run
from scripts.commands.problems import Code, CommandError

CONFIRM_TIMEOUT_SECONDS = 15.0  # a person is waiting; a healthy broker confirms within milliseconds
Sent = dict[str, str | None]
"""What was sent: message id, type, exchange, and the broker user."""


@dataclass(frozen=True)
class Answer:
    """What came back for a message."""

    type: str
    body: dict[str, Any]


def send(
    model: type[Message],
    body: bytes,
    *,
    message_id: str | None = None,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    cell: str | None = None,
) -> Sent:
    """Publish a valid body and wait until the broker confirms. Returns what was sent, and as which broker user."""
    outgoing = _Outgoing(model, body, message_id, correlation_id, cell)
    outgoing.message.reply_to = reply_to
    outgoing.publish()
    return outgoing.sent


def request(
    model: type[Message],
    body: bytes,
    wait_seconds: float,
    *,
    message_id: str | None = None,
    correlation_id: str | None = None,
    cell: str | None = None,
) -> tuple[Sent, Answer]:
    """Publish a valid body and wait for its answer. Raises CommandError if none comes in time."""
    outgoing = _Outgoing(model, body, message_id, correlation_id, cell)
    answer = outgoing.publish(wait_seconds)
    assert answer is not None
    return outgoing.sent, answer


class _Outgoing:
    """A message with all that is needed to publish it."""

    def __init__(
        self, model: type[Message], body: bytes, message_id: str | None, correlation_id: str | None, cell: str | None
    ) -> None:
        self.model, self.senders = model, _senders(model, body)
        self.settings = _settings(self.senders)
        self.message = _message(model, self.settings, body, message_id or str(uuid7()), correlation_id)
        self.message.headers = _headers(self.settings, model, body, cell)

    @property
    def exchange(self) -> str:
        return self.settings.names.exchange_of(self.model.KIND)

    @property
    def sent(self) -> Sent:
        one = self.message
        return {"message_id": one.message_id, "type": one.type, "exchange": self.exchange, "user": one.user_id}

    def publish(self, wait_seconds: float | None = None) -> Answer | None:
        with _naming_roles(self.model, self.senders, self.message.user_id):
            return run(_send(self.settings, self.exchange, self.model.routing_key(), [self.message], wait_seconds))


def send_many(model: type[Message], bodies: Sequence[bytes]) -> None:
    """Publish valid bodies that the same roles may send, and wait until the broker confirms all of them."""
    senders = _senders(model, bodies[0])
    settings = _settings(senders)
    messages = [_message(model, settings, body, str(uuid7()), None) for body in bodies]
    for message, body in zip(messages, bodies, strict=True):
        message.headers = _headers(settings, model, body, None)
    with _naming_roles(model, senders, messages[0].user_id):
        run(_send(settings, settings.names.exchange_of(model.KIND), model.routing_key(), messages))


def _headers(settings: BrokerSettings, model: type[Message], body: bytes, cell: str | None) -> dict[str, Any]:
    """Return the header that leads to the message's cell, in a shop with cells. Raises CommandError."""
    if cell is None:
        shards = shards_of(model.model_validate_json(body)) if settings.cells else ()
        return {SHARD_HEADER: str(next(iter(shards)))} if len(shards) == 1 else {}
    if cell not in settings.cells:
        hint = "set OMS_CELLS as the workers have it" if not settings.cells else f"one of {', '.join(settings.cells)}"
        raise CommandError(Code.FAILED, f"OMS_CELLS names no cell {cell}", hint=hint)
    return {CELL_HEADER: cell}


def _senders(model: type[Message], body: bytes) -> list[Role]:
    """Return the roles that may send this very message, in their order."""
    actor = getattr(model.model_validate_json(body), "actor", None)
    senders = speakers(model.SENDERS, actor and actor.type)
    return [role for role in Role if role in senders]


def _settings(senders: Sequence[Role]) -> BrokerSettings:
    """Return the settings with the URL of the first of these roles that has one, else with OMS_AMQP_URL."""
    urls = (os.environ.get(publisher_variable(role)) for role in senders)
    url = next(filter(None, urls), None)
    return BrokerSettings() if url is None else BrokerSettings(amqp_url=SecretStr(url))


@contextmanager
def _naming_roles(model: type[Message], senders: Sequence[Role], user: str | None) -> Iterator[None]:
    """Turn the broker's refusal into an error that names the roles which may send such a message."""
    try:
        yield
    except ChannelAccessRefused as error:
        raise _refused(model, senders, user) from error


def _refused(model: type[Message], senders: Sequence[Role], user: str | None) -> CommandError:
    names = " or ".join(senders)
    return CommandError(
        Code.REFUSED,
        f"the broker user {user} may not send {model.routing_key()}",
        why=f"its senders have the role {names}",
        hint=f"export {publisher_variable(senders[0])}=amqp://oms-{senders[0]}:password@host:port/",
    )


def _message(
    model: type[Message], settings: BrokerSettings, body: bytes, message_id: str, correlation_id: str | None
) -> aio_pika.Message:
    return aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=correlation_id or message_id,
        type=model.TYPE,
        timestamp=datetime.now(UTC),
        app_id="oms-cli",
        user_id=URL(broker_url(settings)).user,
    )


async def _send(
    settings: BrokerSettings,
    exchange: str,
    routing_key: str,
    messages: Sequence[aio_pika.Message],
    wait_seconds: float | None = None,
) -> Answer | None:
    """Publish mandatorily and wait for the confirms; with `wait_seconds`, also for the answer to the first message.

    Raises CommandError if the broker does not take a message, or no answer comes.
    """
    connection = await wire.connect(broker_url(settings), name="oms publish")
    try:
        async with asyncio.timeout(CONFIRM_TIMEOUT_SECONDS):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            target = await channel.get_exchange(exchange, ensure=False)
            replies = await _replies(channel, messages[0]) if wait_seconds is not None else None
            for message in messages:
                await target.publish(message, routing_key, mandatory=True)
    except TimeoutError as error:
        hint = f"the same command with --message-id {messages[0].message_id}: the message is handled once"
        why = f"no confirm in {CONFIRM_TIMEOUT_SECONDS:.0f} s; the message may have arrived"
        raise CommandError(Code.UNREACHABLE, "the broker did not confirm", why=why, hint=hint) from error
    except DeliveryError as error:
        why = "no queue is bound to its routing key, or the queue refused it"
        raise CommandError(
            Code.FAILED, "the broker did not take the message", why=why, hint="oms topology declare"
        ) from error
    else:
        return None if replies is None or wait_seconds is None else await _answer(replies, messages[0], wait_seconds)
    finally:
        await wire.close(connection)


async def _replies(channel: AbstractChannel, message: aio_pika.Message) -> asyncio.Queue[AbstractIncomingMessage]:
    """Let the answer to a message come to a queue of this connection alone."""
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.declare_queue(exclusive=True)
    await queue.consume(arrived.put, no_ack=True)
    message.reply_to = queue.name
    return arrived


async def _answer(
    replies: asyncio.Queue[AbstractIncomingMessage], message: aio_pika.Message, wait_seconds: float
) -> Answer:
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                reply = await replies.get()
                if reply.correlation_id == message.correlation_id:
                    return Answer(reply.type or "", orjson.loads(reply.body))
    except TimeoutError as error:
        why = "the broker has the message; perhaps no worker serves its queue, or a person paused it: oms doctor"
        hint = f"the same command with --message-id {message.message_id}: the message is handled once"
        what = f"no answer came within {wait_seconds:g} s"
        raise CommandError(Code.UNREACHABLE, what, why=why, hint=hint) from error
