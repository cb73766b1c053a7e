"""Stored outcomes: a command is decided once; whoever repeats it gets the same answer again (S1-41)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

import outbox
from db.pool import Transaction
from db.statements import SQL
from messages.base import Command, CommandRejected, Event
from messages.envelope import Envelope
from messages.orders import OrderCreate, OrderCreated, OrderRejected
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.services import authorization

Key = tuple[str, str]
"""(scope, request id)"""
Outcomes = dict[Key, tuple[Event, Envelope[Any]]]
"""Command -> its one outcome, and the message that decided it."""
CONFLICT = Refusal(Code.IDEMPOTENCY_CONFLICT, "this request id was used before with another payload")


@dataclass(frozen=True)
class Claims:
    """`fresh` are to be decided now, each exactly once; `answers` go to those that asked before."""

    fresh: tuple[Envelope[Any], ...]
    answers: tuple[outbox.Announcement, ...]


def key_of(command: Command) -> Key:
    """What identifies a command for ever."""
    return command.command_scope(), command.command_key()


async def claim(tx: Transaction, items: Iterable[Envelope[Any]]) -> Claims:
    """Claim the new commands; answer repeats with their stored outcome and misused request ids with a conflict.

    What its sender may not say is refused before that and not stored: nobody can use up another's request ids.
    """
    first: dict[Key, Envelope[Any]] = {}
    others: list[Envelope[Any]] = []
    refused: list[outbox.Announcement] = []
    for item in items:
        if (refusal := authorization.unvouched(item)) is not None:
            refused += reject(item, refusal)
        elif first.setdefault(key_of(item.body), item) is not item:
            others.append(item)
    if not first:
        return Claims((), tuple(refused))
    claimed = await _insert(tx, first)
    fresh = tuple(item for key, item in first.items() if key in claimed)
    repeats = [item for key, item in first.items() if key not in claimed] + others
    return Claims(fresh, (*refused, *(await _answer(tx, repeats) if repeats else ())))


async def _insert(tx: Transaction, first: Mapping[Key, Envelope[Any]]) -> set[Key]:
    items = first.values()
    rows = await tx.fetch(
        SQL["commands.claim"],
        [scope for scope, _ in first],
        [request_id for _, request_id in first],
        [item.body.TYPE for item in items],
        [_hash(item.body) for item in items],
        [item.message_id for item in items],
        [item.correlation_id for item in items],
        [item.reply_to for item in items],
    )
    return {(row["scope"], row["request_id"]) for row in rows}


async def _answer(tx: Transaction, repeats: Sequence[Envelope[Any]]) -> list[outbox.Announcement]:
    keys = sorted({key_of(item.body) for item in repeats})
    rows = await tx.fetch(SQL["commands.stored"], [scope for scope, _ in keys], [key for _, key in keys])
    stored = {(row["scope"], row["request_id"]): row for row in rows}
    answers: list[outbox.Announcement] = []
    waiting: list[Envelope[Any]] = []
    for item in repeats:
        row = stored[key_of(item.body)]
        if row["payload_hash"] != _hash(item.body):
            answers += reject(item, CONFLICT)
        elif item.reply_to and row["outcome_type"] is None:
            waiting.append(item)
        elif item.reply_to:
            again = orjson.dumps(orjson.loads(row["outcome"]) | {"duplicate": True})
            answers.append(_reply(row["outcome_type"], again, item.reply_to, item.correlation_id, item))
    if waiting:
        await _add_reply_tos(tx, waiting)
    return answers


async def _add_reply_tos(tx: Transaction, waiting: Sequence[Envelope[Any]]) -> None:
    asked = [key_of(item.body) for item in waiting]
    await tx.execute(
        SQL["commands.add_reply_tos"],
        [scope for scope, _ in asked],
        [request_id for _, request_id in asked],
        [item.reply_to for item in waiting],
        [item.correlation_id for item in waiting],
    )


def reject(item: Envelope[Any], refusal: Refusal) -> list[outbox.Announcement]:
    """Refuse without storing: for what has no row of its own."""
    event = rejected(item, refusal)
    told = [outbox.event(event, because=item)]
    if item.reply_to:
        told.append(_reply(event.TYPE, event.json_bytes, item.reply_to, item.correlation_id, item))
    return told


def rejected(item: Envelope[Any], refusal: Refusal) -> CommandRejected:
    """The outcome of a command that changed nothing."""
    return CommandRejected(
        command_id=item.id,
        type=item.body.TYPE,
        code=refusal.code,
        message=refusal.message,
        details=dict(refusal.details),
    )


def rejected_by(command_id: str, type_: str, refusal: Refusal) -> CommandRejected:
    """command.rejected for a command that another message decides: its id and its type, as stored."""
    return CommandRejected(
        command_id=command_id, type=type_, code=refusal.code, message=refusal.message, details=dict(refusal.details)
    )


async def undecided(tx: Transaction, keys: Iterable[Key]) -> dict[Key, str]:
    """Of these commands, those that have no outcome yet, locked: key -> the command's message id."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL["commands.undecided"], [scope for scope, _ in wanted], [key for _, key in wanted])
    return {(row["scope"], row["request_id"]): row["message_id"] for row in rows}


async def conclude(tx: Transaction, outcomes: Mapping[Key, tuple[Event, Envelope[Any]]]) -> list[outbox.Announcement]:
    """Store the one outcome of each command, and answer everyone who left a reply_to."""
    if not outcomes:
        return []
    rows = await tx.fetch(
        SQL["commands.conclude"],
        [scope for scope, _ in outcomes],
        [request_id for _, request_id in outcomes],
        [event.TYPE for event, _ in outcomes.values()],
        [event.json_bytes.decode() for event, _ in outcomes.values()],
    )
    assert len(rows) == len(outcomes), "a command got a second outcome, or one that was never claimed got one"
    answers = []
    for row in rows:
        event, because = outcomes[row["scope"], row["request_id"]]
        replies = zip(row["reply_tos"], row["reply_ids"], strict=True)
        answers += [_reply(event.TYPE, event.json_bytes, to, reply_id, because) for to, reply_id in replies]
    return answers


def creations(book: Book[Any]) -> Outcomes:
    """The outcome of each order.create that a step ends: order.created or order.rejected.

    Where the order was split, the outcome is its parent's.
    """
    return {
        (OrderCreate.scope_of(step.order.user_id), step.order.request_id): (step.event, step.because)
        for step in book.steps
        if isinstance(step.event, OrderCreated | OrderRejected) and not step.order.is_child
    }


def _reply(type_: str, body: bytes, to: str, correlation_id: str, because: Envelope[Any]) -> outbox.Announcement:
    return outbox.reply(type_, body, to=to, correlation_id=correlation_id, because=because)


def _hash(body: Command) -> bytes:
    # Without defaults: a field that a later version adds must not change what an old payload hashes to.
    return blake2b(body.model_dump_json(exclude_defaults=True).encode(), digest_size=16).digest()
