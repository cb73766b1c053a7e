"""What is kept about users, and how it is erased."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.fulfilments import FulfilmentInstruction
from messages.registry import MODELS
from workers.domain.order import State
from workers.domain.subjects import subjects_of
from workers.store import dead_letters

ENDED = frozenset({State.COMPLETED, State.CANCELLED, State.REJECTED, State.SPLIT})
"""An order in one of these states needs its address no more. Of a split order the children decide."""
LIVE = sorted(frozenset(State) - ENDED)
INSTRUCTIONS = sorted(model.TYPE for model in MODELS.values() if issubclass(model, FulfilmentInstruction))
"""Their stream in the outbox names the order."""
OLD_LETTERS_AT_ONCE = 500  # of which each may have a body of a mebibyte


class LiveMatter(NamedTuple):
    """What of a user is under way: an order in a state, or an attempt, refund or dispute of it."""

    user_id: str
    order_id: int
    state: str


class CommandOutcome(NamedTuple):
    """The event that a command ended with: its type and its body."""

    type: str
    event: dict[str, Any]


async def live(tx: Transaction, users: Iterable[str]) -> list[LiveMatter]:
    """Return what of these users, who are locked, is under way."""
    return [LiveMatter(*row) for row in await tx.fetch(SQL["subjects.live"], sorted(users), LIVE)]


async def open_letters(tx: Transaction, users: Iterable[str], size: int) -> dict[str, list[int]]:
    """User id -> the dead letters about payments of the user that nobody has decided about, so many at most."""
    found: dict[str, list[int]] = {}
    for row in await tx.fetch(SQL["subjects.open_letters"], sorted(users), size):
        found.setdefault(row["user_id"], []).append(row["id"])
    return found


async def unpublished(tx: Transaction, users: Iterable[str]) -> list[dict[str, Any]]:
    """Return the encrypted messages that wait to be published and may be about these users."""
    return [dict(row) for row in await tx.fetch(SQL["subjects.unpublished"], sorted(users), INSTRUCTIONS)]


async def names(tx: Transaction, users: Iterable[str]) -> dict[str, set[str]]:
    """User id -> by what messages name the user, the user's orders and their payments, as `subjects_of` does."""
    return {row["user_id"]: set(row["names"]) for row in await tx.fetch(SQL["subjects.names"], sorted(users))}


async def note_old_letters(tx: Transaction) -> None:
    """Find out whom dead letters are about that were kept before this was noted. Unreadable ones stay as they are.

    There may be a million of them: they are read a few at a time.
    """
    last = 0
    while letters := await tx.fetch(SQL["subjects.old_letters"], last, OLD_LETTERS_AT_ONCE):
        last = letters[-1]["id"]
        rows: list[tuple[int, str]] = []
        for row in letters:
            try:
                body = cipher.current().decrypt(row["key_id"], row["body"], dead_letters.AAD)
            except cipher.CipherError:
                continue
            rows.append((row["id"], "\n".join(subjects_of(body))))
        if rows:
            await tx.execute(SQL["subjects.save_letters"], *columns(rows))


async def erase(tx: Transaction, users: Iterable[str]) -> dict[str, int]:
    """Erase these users, who are locked and of whom nothing is under way. User id -> how many orders stay."""
    wanted = sorted(set(users))
    rows = await tx.fetch(SQL["subjects.erase"], wanted) if wanted else []
    return {row["user_id"]: row["orders"] for row in rows}


async def kept(tx: Transaction, user_id: str) -> dict[str, Any]:
    """Return in numbers what is kept about a user. All are empty for a user who is not known."""
    row = await tx.fetchrow(SQL["subjects.kept"], user_id)
    assert row is not None
    return dict(row)


async def outcome(tx: Transaction, scope: str, request_id: str) -> CommandOutcome | None:
    """Return what a command ended with; None while it has not ended."""
    row = await tx.fetchrow(SQL["subjects.outcome"], scope, request_id)
    return None if row is None else CommandOutcome(row["outcome_type"], orjson.loads(row["outcome"]))
