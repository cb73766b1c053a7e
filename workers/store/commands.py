"""Commands with their stored outcomes, one row per (scope, request id)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.base import Command, Event
from messages.envelope import Envelope
from messages.orders import OrderCreated

CommandKey: TypeAlias = tuple[str, str]
"""(scope, request id)"""


@dataclass(frozen=True)
class StoredCommand:
    """A command that was claimed before. It is undecided while `type` is None.

    The outcome is the JSON of `outcome`, or the order.created of the order `order_id`, which must be rendered.
    """

    payload_hash: bytes
    type: str | None
    outcome: str | None
    order_id: int | None


@dataclass(frozen=True)
class WaitingReplies:
    """The reply_tos that wait for a command's outcome, and the correlation id of each."""

    reply_tos: Sequence[str]
    correlation_ids: Sequence[str]


def key_of(item: Envelope[Any]) -> CommandKey:
    """Return (scope, request id), which identify a command for ever."""
    return item.body.command_scope(), request_of(item)


def request_of(item: Envelope[Any]) -> str:
    """The request id of a command; of a message with a token, with its subject. It is unique within the scope."""
    key: str = item.body.command_key(item.subject)
    return key


def refusal_key(item: Envelope[Any]) -> CommandKey:
    """Return the key under which the refusal of a message that its sender may not send is stored.

    It is of the sender and the message id alone, so that it takes no request id.
    """
    return f"refused:{item.body.routing_key()}:{item.sender_key}", item.id


def payload_hash(command: Command) -> bytes:
    """Return the sealed hash of a command's fields, without defaults: a later version's fields must not change it."""
    return cipher.current().seal_hash(_plain_hash(command))


def is_same(stored: StoredCommand, command: Command) -> bool:
    """True if the stored command had the fields of this one."""
    return cipher.current().is_hash(stored.payload_hash, _plain_hash(command))


def _plain_hash(command: Command) -> bytes:
    return blake2b(command.model_dump_json(exclude_defaults=True).encode(), digest_size=cipher.HASH_BYTES).digest()


async def claim(tx: Transaction, items: Iterable[Envelope[Any]]) -> set[CommandKey]:
    """Insert these commands, each once, and return the keys of the new ones; the others are repeats."""
    new = [
        (
            *key_of(item),
            item.body.TYPE,
            payload_hash(item.body),
            item.message_id,
            item.correlation_id,
            item.reply_to,
        )
        for item in items
    ]
    rows = await tx.fetch(SQL["commands.claim"], *columns(new)) if new else []
    return {(row["scope"], row["request_id"]) for row in rows}


async def refuse(tx: Transaction, refused: Mapping[CommandKey, tuple[Envelope[Any], Event]]) -> None:
    """Store why these messages were refused, under their refusal keys. What is there already stays."""
    rows = [
        (
            *key,
            item.body.TYPE,
            payload_hash(item.body),
            item.message_id,
            item.correlation_id,
            event.TYPE,
            event.json_bytes.decode(),
        )
        for key, (item, event) in sorted(refused.items())
    ]
    if rows:
        await tx.execute(SQL["commands.refuse"], *columns(rows))


async def stored(tx: Transaction, keys: Iterable[CommandKey]) -> dict[CommandKey, StoredCommand]:
    """Key -> the stored command, locked until commit."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["commands.stored"], *columns(wanted)) if wanted else []
    return {(scope, request_id): StoredCommand(*found) for scope, request_id, *found in rows}


async def add_reply_tos(tx: Transaction, items: Sequence[Envelope[Any]]) -> None:
    """Let the outcomes of these undecided commands also go to the reply_to of each repeat."""
    if not items:
        return
    waiting = list(dict.fromkeys((*key_of(item), item.reply_to, item.correlation_id) for item in items))
    await tx.execute(SQL["commands.add_reply_tos"], *columns(waiting))


async def undecided(tx: Transaction, keys: Iterable[CommandKey]) -> dict[CommandKey, str]:
    """Key -> the command's message id, for those of these commands without an outcome. Locked until commit."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL["commands.undecided"], *columns(wanted))
    return {(row["scope"], row["request_id"]): row["message_id"] for row in rows}


async def conclude(tx: Transaction, outcomes: Mapping[CommandKey, Event]) -> dict[CommandKey, WaitingReplies]:
    """Store the one outcome of each command. Returns the replies that wait for it. A second outcome is a bug.

    An order keeps all that its order.created says, so this outcome is stored as the order's id.
    """
    decided = [(*key, event.TYPE, *_stored_form(event)) for key, event in outcomes.items()]
    rows = await tx.fetch(SQL["commands.conclude"], *columns(decided)) if decided else []
    assert len(rows) == len(outcomes), "a command got a second outcome, or one that was never claimed got one"
    return {(row["scope"], row["request_id"]): WaitingReplies(row["reply_tos"], row["reply_ids"]) for row in rows}


def _stored_form(event: Event) -> tuple[str | None, int | None]:
    return (None, event.order_id) if isinstance(event, OrderCreated) else (event.json_bytes.decode(), None)
