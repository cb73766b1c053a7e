"""`oms publish` checks one command or fact against its schema and sends it as an upstream system would."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import aio_pika
import typer
from aio_pika.exceptions import DeliveryError
from pydantic import SecretStr
from uuid_utils import uuid7
from yarl import URL

from messages.base import Message, MessageKind
from messages.cells import CELL_HEADER, SHARD_HEADER, shards_of
from messages.registry import MODELS
from messages.roles import Role, speakers
from messages.strict_json import read
from messages.topology import Names
from outbox import wire
from outbox.amqp import ChannelAccessRefused
from scripts.commands import command_app
from scripts.commands.body_files import read_body
from scripts.commands.connections import BrokerSettings, broker_url, publisher_variable, run
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app()
CONFIRM_TIMEOUT_SECONDS = 15.0  # a person is waiting; a healthy broker confirms within milliseconds
FROM_UPSTREAM = (MessageKind.COMMAND, MessageKind.FACT)


@app.command()
def publish(
    type: Annotated[
        str,
        typer.Argument(metavar="TYPE", help="Such as order.create.v1, or order.create for the newest."),
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file with the body in JSON; - reads stdin.")],
    *,
    message_id: Annotated[
        str | None, typer.Option(help="A message of the same id is handled once. Default: a fresh id.")
    ] = None,
    correlation_id: Annotated[
        str | None, typer.Option(help="The id that the messages of one conversation share. Default: the message id.")
    ] = None,
    reply_to: Annotated[str | None, typer.Option(help="Your queue, which receives the outcome.")] = None,
    cell: Annotated[
        str | None, typer.Option(help="The cell of a shop with cells, for what names no user and no order.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the body and publish nothing.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check a message, publish it, wait until the broker confirms.

    The check is that of its schema. The outcome of a command comes later: as an event, and to --reply-to. Each message
    names the roles that may send it. The command connects as the user of OMS_<ROLE>_AMQP_URL of such a role, such as
    OMS_OPERATOR_AMQP_URL; without one, as the user of OMS_AMQP_URL.

    \b
    Examples:
      oms publish order.create order.json --dry-run
      oms publish stock.receive - < delivery.json
      OMS_OPERATOR_AMQP_URL=amqp://oms-operator:secret@broker/ oms publish refund.request refund.json
      oms publish order.cancel cancel.json --reply-to client.storefront.me
    """
    model = _model(type)
    body = read_body(file, "oms publish TYPE FILE, or - as FILE for stdin")
    _refuse_faults(model, check(model, body), output)
    if dry_run:
        say(f"{model.TYPE} is valid; dry run: nothing was published")
        return
    sent = send(model, body, message_id=message_id, correlation_id=correlation_id, reply_to=reply_to, cell=cell)
    write_json(sent) if output is Format.JSON else write_table([sent])
    say("the broker confirmed the message")


def send(
    model: type[Message],
    body: bytes,
    *,
    message_id: str | None = None,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    cell: str | None = None,
) -> dict[str, str | None]:
    """Publish a valid body and wait until the broker confirms. Returns what was sent, and as which broker user."""
    senders = _senders(model, body)
    settings = _settings(senders)
    exchange = settings.names.exchange_of(model.KIND)
    message = _message(model, settings, body, message_id or str(uuid7()), correlation_id)
    message.reply_to = reply_to
    message.headers = _headers(settings, model, body, cell)
    try:
        run(_send(settings, exchange, model.routing_key(), [message]))
    except ChannelAccessRefused as error:
        raise _refused(model, senders, message.user_id) from error
    return {"message_id": message.message_id, "type": model.TYPE, "exchange": exchange, "user": message.user_id}


def _headers(settings: BrokerSettings, model: type[Message], body: bytes, cell: str | None) -> dict[str, Any]:
    """Return the header that leads to the message's cell, in a shop with cells. Raises CommandError."""
    if cell is None:
        shards = shards_of(model.model_validate_json(body)) if settings.cells else ()
        return {SHARD_HEADER: str(next(iter(shards)))} if len(shards) == 1 else {}
    if cell not in settings.cells:
        hint = "set OMS_CELLS as the workers have it" if not settings.cells else f"one of {', '.join(settings.cells)}"
        raise CommandError(Code.FAILED, f"OMS_CELLS names no cell {cell}", hint=hint)
    return {CELL_HEADER: cell}


def send_many(model: type[Message], bodies: Sequence[bytes]) -> None:
    """Publish valid bodies that the same roles may send, and wait until the broker confirms all of them."""
    senders = _senders(model, bodies[0])
    settings = _settings(senders)
    messages = [_message(model, settings, body, str(uuid7()), None) for body in bodies]
    for message, body in zip(messages, bodies, strict=True):
        message.headers = _headers(settings, model, body, None)
    try:
        run(_send(settings, Names(settings.prefix).exchange_of(model.KIND), model.routing_key(), messages))
    except ChannelAccessRefused as error:
        raise _refused(model, senders, messages[0].user_id) from error


def _refuse_faults(model: type[Message], faults: Sequence[Mapping[str, str]], output: Format) -> None:
    if not faults:
        return
    write_json(faults) if output is Format.JSON else write_table(faults)
    why = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:3])
    hint = "correct the body at these paths"
    raise CommandError(Code.FAILED, f"the body is not a valid {model.TYPE}; nothing was published", why=why, hint=hint)


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


def check(model: type[Message], body: bytes) -> list[dict[str, str]]:
    """Return the faults of a body by JSON path; none if it is valid. No value is repeated, as it may be personal."""
    return [vars(fault) for fault in read(model, body).faults]


def _model(name: str) -> type[Message]:
    """Find a model by its type, with or without version. Raises CommandError if upstream cannot send such messages."""
    versions = [model for model in MODELS.values() if name in (model.TYPE, model.routing_key())]
    sendable = sorted(model.routing_key() for model in MODELS.values() if model.KIND in FROM_UPSTREAM)
    if not versions:
        why = f"the types are: {', '.join(sendable)}"
        raise CommandError(Code.FAILED, f"no message type {name}", why=why, hint="oms publish order.create order.json")
    model = max(versions, key=lambda version: int(version.TYPE.rsplit(".v", 1)[1]))
    if model.KIND not in FROM_UPSTREAM:
        query = f"queries go to exchange {Names().queries} with a reply_to, and the answer goes there"
        why = query if model.KIND is MessageKind.QUERY else f"only this system sends {model.KIND.value} messages"
        hint = f"one of: {', '.join(sendable)}"
        raise CommandError(Code.REFUSED, f"{model.TYPE} cannot be published by hand", why=why, hint=hint)
    return model


async def _send(
    settings: BrokerSettings, exchange: str, routing_key: str, messages: Sequence[aio_pika.Message]
) -> None:
    """Publish mandatorily and wait for the confirms. Raises CommandError if the broker does not take a message."""
    connection = await wire.connect(broker_url(settings), name="oms publish")
    try:
        async with asyncio.timeout(CONFIRM_TIMEOUT_SECONDS):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            commands = await channel.get_exchange(exchange, ensure=False)
            for message in messages:
                await commands.publish(message, routing_key, mandatory=True)
    except TimeoutError as error:
        hint = f"the same command with --message-id {messages[0].message_id}: the message is handled once"
        why = f"no confirm in {CONFIRM_TIMEOUT_SECONDS:.0f} s; the message may have arrived"
        raise CommandError(Code.UNREACHABLE, "the broker did not confirm", why=why, hint=hint) from error
    except DeliveryError as error:
        why = "no queue is bound to its routing key, or the queue refused it"
        raise CommandError(
            Code.FAILED, "the broker did not take the message", why=why, hint="oms topology declare"
        ) from error
    finally:
        await wire.close(connection)
