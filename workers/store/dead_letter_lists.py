"""What people look for among dead letters: filters, lists and groups of letters that failed alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL

ID_MAX = 2**63 - 1


@dataclass(frozen=True)
class LetterFilter:
    """Which letters are wanted. What is None lets all pass; `groups` are fingerprints, or reasons of letters without.

    `about` are users and orders as dead_letters.about has them, and `conversations` lead to the same orders.
    """

    state: str | None = None
    queues: Sequence[str] | None = None
    types: Sequence[str] | None = None
    reasons: Sequence[str] | None = None
    error_types: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    versions: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    message_ids: Sequence[str] | None = None
    correlation_ids: Sequence[str] | None = None
    about: Sequence[str] | None = None
    conversations: Sequence[str] | None = None
    attempts_min: int | None = None
    attempts_max: int | None = None
    ids: Sequence[int] | None = None

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The parameters of every statement of this family, in their order."""
        return tuple(vars(self).values())


@dataclass(frozen=True)
class LetterGroup:
    """Letters that failed alike: how many, how many of them within the last hour, and when."""

    fingerprint: str | None
    queue: str
    type: str | None
    reason: str
    error_type: str | None
    worker_version: str | None
    count: int
    last_hour: int
    oldest: datetime
    newest: datetime

    @property
    def name(self) -> str:
        """The fingerprint; the reason for letters without one, which the broker dead-lettered."""
        return self.fingerprint or self.reason


async def find(tx: Transaction, wanted: LetterFilter, limit: int) -> list[dict[str, Any]]:
    """List letters, the newest first, without body and headers."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letter_lists.find"], *wanted.arguments, limit)]


async def ids(tx: Transaction, wanted: LetterFilter, limit: int) -> list[int]:
    """Return the ids of letters, the first that happened first."""
    return [row["id"] for row in await tx.fetch(SQL["dead_letter_lists.ids"], *wanted.arguments, limit)]


async def count(tx: Transaction, wanted: LetterFilter) -> int:
    """Return how many letters there are."""
    return int(await tx.fetchval(SQL["dead_letter_lists.count"], *wanted.arguments))


async def groups(tx: Transaction, wanted: LetterFilter) -> list[LetterGroup]:
    """Count letters that failed alike, the largest group first."""
    rows = await tx.fetch(SQL["dead_letter_lists.groups"], *wanted.arguments)
    return sorted((LetterGroup(**row) for row in rows), key=lambda group: (-group.count, group.name, group.queue))


async def about(tx: Transaction, wanted: LetterFilter, orders: Iterable[str], users: Iterable[str]) -> LetterFilter:
    """Add to a filter that a letter is about one of these orders (ids or numbers), or users and their orders."""
    named, people = list(orders), list(users)
    keys = [int(name) for name in named if name.isdecimal() and int(name) <= ID_MAX]
    found = await tx.fetch(SQL["dead_letter_lists.orders"], keys, named, people)
    names = [f"user:{user}" for user in people] + [f"order:{name}" for name in named]
    names += [f"order:{row['id']}" for row in found]
    conversations = sorted({row["conversation_id"] for row in found if row["conversation_id"]})
    return replace(wanted, about=names, conversations=conversations)


def known_values(found: Iterable[LetterGroup]) -> Mapping[str, set[str]]:
    """Return the queues, types, reasons, error types, versions and groups that letters have."""
    rows = list(found)
    names = {
        "queue": "queue",
        "type": "type",
        "reason": "reason",
        "exception": "error_type",
        "version": "worker_version",
    }
    values = {option: {str(getattr(row, field)) for row in rows} - {"None"} for option, field in names.items()}
    return values | {"group": {row.name for row in rows}}


async def history(
    tx: Transaction, actor: str | None, since: datetime | None, action: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return who did what to which letters, the newest first. What is None lets all pass."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letter_lists.history"], actor, since, action, limit)]
