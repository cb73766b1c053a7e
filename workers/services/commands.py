"""Claims commands and stores their outcomes: each is decided once, and a repeat gets the same answer again (S1-41)."""

from collections.abc import Iterable, Sequence
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
from workers.domain.order import OrderKind
from workers.domain.refusal import Refusal
from workers.services import authorization, created_orders
from workers.store import commands
from workers.store.commands import CommandKey, StoredCommand, key_of, refusal_key, request_of, undecided

Outcomes: TypeAlias = dict[CommandKey, tuple[Event, Envelope[Any]]]
"""Command -> its one outcome, and the message that decided it."""
CONFLICT = Refusal(
    Code.IDEMPOTENCY_CONFLICT,
    "this request id was used before with another payload: use a new one, also to correct what was refused",
)


@dataclass(frozen=True)
class Claims:
    """`fresh` commands must be decided now, each exactly once. `answers` go to repeats and to rejected senders."""

    fresh: tuple[Envelope[Any], ...]
    answers: tuple[outbox.Announcement, ...]


async def claim(tx: Transaction, items: Iterable[Envelope[Any]]) -> Claims:
    """Claim the new commands; answer a repeat with its stored outcome, and a reused request id with a conflict.

    A command that its sender may not send is rejected before that, so that a sender cannot use up the request ids of
    another; its refusal is stored under its sender and message id. A delivery that was handled before is judged by
    what is stored, and not by its token or roles, which may have changed since: it gets the same answer again.
    """
    given = tuple(items)
    new = await _admit(tx, [item for item in given if not item.repeated])
    answers, forgotten = await _answer(tx, [*(item for item in given if item.repeated), *new.repeats])
    anew = await _admit(tx, forgotten)  # the reset of a revision deletes commands, and their copies are decided anew
    more, _ = await _answer(tx, anew.repeats)
    return Claims((*new.fresh, *anew.fresh), (*new.rejections, *answers, *anew.rejections, *more))


@dataclass(frozen=True)
class _Admitted:
    fresh: Sequence[Envelope[Any]]
    repeats: Sequence[Envelope[Any]]
    rejections: Sequence[outbox.Announcement]


async def _admit(tx: Transaction, items: Sequence[Envelope[Any]]) -> _Admitted:
    """Claim the commands that their senders may send, and store the refusals of the others."""
    first: dict[CommandKey, Envelope[Any]] = {}
    others: list[Envelope[Any]] = []
    rejections: list[outbox.Announcement] = []
    refused: dict[CommandKey, tuple[Envelope[Any], Event]] = {}
    for item in items:
        if (refusal := authorization.unvouched(item)) is not None:
            refused[refusal_key(item)] = item, rejected(item, refusal)
            rejections += reject(item, refusal)
        elif first.setdefault(key_of(item), item) is not item:
            others.append(item)
    await commands.refuse(tx, refused)
    claimed = await commands.claim(tx, first.values())
    fresh = [item for key, item in first.items() if key in claimed]
    return _Admitted(fresh, [item for key, item in first.items() if key not in claimed] + others, rejections)


async def _answer(
    tx: Transaction, repeats: Sequence[Envelope[Any]]
) -> tuple[list[outbox.Announcement], list[Envelope[Any]]]:
    """Answer these, and return those of them of which nothing is stored any more."""
    copies = [item for item in repeats if item.repeated]
    stored = await commands.stored(tx, [*map(key_of, repeats), *map(refusal_key, copies)])
    answers: list[outbox.Announcement] = []
    waiting: list[Envelope[Any]] = []
    decided: list[tuple[Envelope[Any], StoredCommand]] = []
    forgotten: list[Envelope[Any]] = []
    for item in repeats:
        refusal, command = stored.get(refusal_key(item)) if item.repeated else None, stored.get(key_of(item))
        if refusal is not None:
            decided.append((item, refusal))
        elif command is None:
            forgotten.append(item)
        elif not commands.is_same(command, item.body):
            answers += reject(item, CONFLICT)
        elif item.reply_to and command.type is None:
            waiting.append(item)
        elif item.reply_to:
            decided.append((item, command))
    await commands.add_reply_tos(tx, waiting)
    return answers + await _repeat(tx, decided), forgotten


async def _repeat(tx: Transaction, repeats: Sequence[tuple[Envelope[Any], StoredCommand]]) -> list[outbox.Announcement]:
    """Give each repeat the outcome that its command had, with `duplicate: true`."""
    created = await created_orders.render(tx, [one.order_id for _, one in repeats if one.order_id is not None])
    answers = []
    for item, command in repeats:
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

    If the order was split, the outcome is its parent's. A case, not a command, places an exchange order.
    """
    return {
        (OrderCreate.scope_of(step.order.user_id), step.order.request_id): (step.event, step.because)
        for step in book.steps
        if isinstance(step.event, OrderCreated | OrderRejected)
        and not step.order.is_child
        and step.order.kind is not OrderKind.EXCHANGE
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
    "request_of",
    "undecided",
]
