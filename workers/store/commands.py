"""Commands with their stored outcomes, one row per (scope, request id)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from db.pool import Transaction
from db.statements import SQL
from messages.base import Command, Event
from messages.envelope import Envelope

CommandKey: TypeAlias = tuple[str, str]
"""(scope, request id)"""


@dataclass(frozen=True)
class StoredCommand:
    """A command that was claimed before. `outcome_type` and `outcome` (JSON) are None while it is undecided."""

    payload_hash: bytes
    outcome_type: str | None
    outcome: str | None


@dataclass(frozen=True)
class WaitingReplies:
    """The reply_tos that wait for a command's outcome, and the correlation id of each."""

    reply_tos: Sequence[str]
    correlation_ids: Sequence[str]


def key_of(command: Command) -> CommandKey:
    """What identifies a command for ever."""
    return command.command_scope(), command.command_key()


def payload_hash(command: Command) -> bytes:
    """The hash of a command's fields, without defaults: a field that a later version adds must not change it."""
    return blake2b(command.model_dump_json(exclude_defaults=True).encode(), digest_size=16).digest()


async def claim(tx: Transaction, items: Iterable[Envelope[Any]]) -> set[CommandKey]:
    """Insert these commands, each once, and return the keys of the new ones; the others are repeats."""
    given = list(items)
    keys = [key_of(item.body) for item in given]
    rows = await tx.fetch(
        SQL["commands.claim"],
        [scope for scope, _ in keys],
        [request_id for _, request_id in keys],
        [item.body.TYPE for item in given],
        [payload_hash(item.body) for item in given],
        [item.message_id for item in given],
        [item.correlation_id for item in given],
        [item.reply_to for item in given],
    )
    return {(row["scope"], row["request_id"]) for row in rows}


async def stored(tx: Transaction, keys: Iterable[CommandKey]) -> dict[CommandKey, StoredCommand]:
    """Key -> the stored command, locked until commit."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["commands.stored"], [scope for scope, _ in wanted], [key for _, key in wanted])
    return {
        (row["scope"], row["request_id"]): StoredCommand(row["payload_hash"], row["outcome_type"], row["outcome"])
        for row in rows
    }


async def add_reply_tos(tx: Transaction, items: Sequence[Envelope[Any]]) -> None:
    """Let the outcomes of these undecided commands also go to the reply_to of each repeat."""
    if not items:
        return
    keys = [key_of(item.body) for item in items]
    await tx.execute(
        SQL["commands.add_reply_tos"],
        [scope for scope, _ in keys],
        [request_id for _, request_id in keys],
        [item.reply_to for item in items],
        [item.correlation_id for item in items],
    )


async def undecided(tx: Transaction, keys: Iterable[CommandKey]) -> dict[CommandKey, str]:
    """Key -> the command's message id, for those of these commands without an outcome. Locked until commit."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL["commands.undecided"], [scope for scope, _ in wanted], [key for _, key in wanted])
    return {(row["scope"], row["request_id"]): row["message_id"] for row in rows}


async def conclude(tx: Transaction, outcomes: Mapping[CommandKey, Event]) -> dict[CommandKey, WaitingReplies]:
    """Store the one outcome of each command; who waits for it. A second outcome is an impossible state."""
    rows = await tx.fetch(
        SQL["commands.conclude"],
        [scope for scope, _ in outcomes],
        [request_id for _, request_id in outcomes],
        [event.TYPE for event in outcomes.values()],
        [event.json_bytes.decode() for event in outcomes.values()],
    )
    assert len(rows) == len(outcomes), "a command got a second outcome, or one that was never claimed got one"
    return {(row["scope"], row["request_id"]): WaitingReplies(row["reply_tos"], row["reply_ids"]) for row in rows}
