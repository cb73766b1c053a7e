"""Claims commands and stores their outcomes: each is decided once, and a repeat gets the same answer again (S1-41)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

import outbox
from db.pool import Transaction
from messages.base import CommandRejected, Event
from messages.envelope import Envelope
from messages.orders import OrderCreate, OrderCreated, OrderRejected
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.services import authorization, created_orders
from workers.store import commands
from workers.store.commands import CommandKey, StoredCommand, key_of, undecided

Outcomes: TypeAlias = dict[CommandKey, tuple[Event, Envelope[Any]]]
"""Command -> its one outcome, and the message that decided it."""
CONFLICT = Refusal(Code.IDEMPOTENCY_CONFLICT, "this request id was used before with another payload")


@dataclass(frozen=True)
class Claims:
    """`fresh` commands must be decided now, each exactly once. `answers` go to repeats and to rejected senders."""

    fresh: tuple[Envelope[Any], ...]
    answers: tuple[outbox.Announcement, ...]


async def claim(tx: Transaction, items: Iterable[Envelope[Any]]) -> Claims:
    """Claim the new commands; answer a repeat with its stored outcome, and a reused request id with a conflict.

    A command that its sender may not send is rejected before that and not stored, so that a sender cannot use up the
    request ids of another.
    """
    first: dict[CommandKey, Envelope[Any]] = {}
    others: list[Envelope[Any]] = []
    rejections: list[outbox.Announcement] = []
    for item in items:
        if (refusal := authorization.unvouched(item)) is not None:
            rejections += reject(item, refusal)
        elif first.setdefault(key_of(item.body), item) is not item:
            others.append(item)
    if not first:
        return Claims((), tuple(rejections))
    claimed = await commands.claim(tx, first.values())
    fresh = tuple(item for key, item in first.items() if key in claimed)
    repeats = [item for key, item in first.items() if key not in claimed] + others
    return Claims(fresh, (*rejections, *(await _answer(tx, repeats) if repeats else ())))


async def _answer(tx: Transaction, repeats: Sequence[Envelope[Any]]) -> list[outbox.Announcement]:
    stored = await commands.stored(tx, [key_of(item.body) for item in repeats])
    answers: list[outbox.Announcement] = []
    waiting: list[Envelope[Any]] = []
    decided: list[Envelope[Any]] = []
    for item in repeats:
        command = stored[key_of(item.body)]
        if not commands.is_same(command, item.body):
            answers += reject(item, CONFLICT)
        elif item.reply_to:
            (waiting if command.type is None else decided).append(item)
    await commands.add_reply_tos(tx, waiting)
    return answers + await _repeat(tx, decided, stored)


async def _repeat(
    tx: Transaction, repeats: Sequence[Envelope[Any]], stored: Mapping[CommandKey, StoredCommand]
) -> list[outbox.Announcement]:
    """Give each repeat the outcome that its command had, with `duplicate: true`."""
    had = [stored[key_of(item.body)] for item in repeats]
    created = await created_orders.render(tx, [one.order_id for one in had if one.order_id is not None])
    answers = []
    for item, command in zip(repeats, had, strict=True):
        rendered = created[command.order_id].json_bytes if command.order_id is not None else command.outcome
        assert command.type is not None
        assert rendered is not None
        body = orjson.dumps(orjson.loads(rendered) | {"duplicate": True})
        answers.append(_reply(command.type, body, item.reply_to or "", item.correlation_id, item))
    return answers


def reject(item: Envelope[Any], refusal: Refusal) -> list[outbox.Announcement]:
    """Build command.rejected for a command that is not stored, to its reply_to and, if it is no repeat, to everyone."""
    event = rejected(item, refusal)
    announcements = [] if item.repeated else [outbox.event(event, because=item)]
    if item.reply_to:
        announcements.append(_reply(event.TYPE, event.json_bytes, item.reply_to, item.correlation_id, item))
    return announcements


def rejected(item: Envelope[Any], refusal: Refusal) -> CommandRejected:
    """Return the outcome of a command that changed nothing."""
    return rejected_by(item.id, item.body.TYPE, refusal)


def rejected_by(command_id: str, type_: str, refusal: Refusal) -> CommandRejected:
    """Build command.rejected for a command that another message decides: its id and its type, as stored."""
    return CommandRejected(
        command_id=command_id, type=type_, code=refusal.code, message=refusal.message, details=dict(refusal.details)
    )


async def conclude(tx: Transaction, outcomes: Outcomes) -> list[outbox.Announcement]:
    """Store the one outcome of each command. Returns the replies to every reply_to that was left."""
    if not outcomes:
        return []
    waiting = await commands.conclude(tx, {key: event for key, (event, _) in outcomes.items()})
    replies = []
    for key, (event, because) in outcomes.items():
        for reply_to, correlation_id in zip(waiting[key].reply_tos, waiting[key].correlation_ids, strict=True):
            replies.append(_reply(event.TYPE, event.json_bytes, reply_to, correlation_id, because))
    return replies


def creations(book: Book[Any]) -> Outcomes:
    """Return the outcome of each order.create that a step ends: order.created or order.rejected.

    If the order was split, the outcome is its parent's.
    """
    return {
        (OrderCreate.scope_of(step.order.user_id), step.order.request_id): (step.event, step.because)
        for step in book.steps
        if isinstance(step.event, OrderCreated | OrderRejected) and not step.order.is_child
    }


def _reply(type_: str, body: bytes, to: str, correlation_id: str, because: Envelope[Any]) -> outbox.Announcement:
    return outbox.reply(type_, body, to=to, correlation_id=correlation_id, because=because)


__all__ = [
    "CONFLICT",
    "Claims",
    "CommandKey",
    "Outcomes",
    "claim",
    "conclude",
    "creations",
    "key_of",
    "reject",
    "rejected",
    "rejected_by",
    "undecided",
]
