"""Dead letters, encrypted, with every decision that an operator makes about them.

They are encrypted with the shop's key, because often nobody knows whose they are, or the user has no key. `about` says
whom a letter names, so that erasing a user removes its body.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, TypeAlias

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.subjects import subjects_of

AAD = b"dead_letter"  # ciphertext of one table cannot be passed off as another's
OPEN, REPLAYED, DISCARDED = "open", "replayed", "discarded"

Identity: TypeAlias = tuple[str, str, bytes]
"""Queue, message id (empty: none) and hash of the body."""


@dataclass(frozen=True)
class Letter:
    """A message that could not be handled, and why. `queue` is its work queue, or "unrouted"; `headers` is JSON.

    `replay_of` is the letter of which it was a replay.
    """

    queue: str
    message_id: str | None
    body_hash: bytes
    type: str | None
    correlation_id: str | None
    reason: str
    error_path: str | None
    error_type: str | None
    error_message: str | None
    fingerprint: str | None
    attempts: int
    exchange: str | None
    routing_key: str | None
    origin_user: str | None
    worker_version: str | None
    occurred_at: datetime | None
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    body: bytes
    headers: bytes
    replay_of: int | None = None

    @property
    def identity(self) -> Identity:
        """The key under which a letter that comes again is recognised."""
        return self.queue, self.message_id or "", self.body_hash


@dataclass(frozen=True)
class OpenLetters:
    """Number of a queue's letters that wait for a decision, and the age of the oldest."""

    queue: str
    count: int
    oldest_age_seconds: float


async def keep(tx: Transaction, letters: Iterable[Letter]) -> set[Identity]:
    """Store letters, and return the new ones. Others, and those whose replays died, are counted and opened again."""
    given = list(letters)
    reopened = await _reopen(tx, [letter for letter in given if letter.replay_of is not None])
    last: dict[Identity, Letter] = {}
    times: dict[Identity, int] = {}
    for letter in given:
        if letter.replay_of in reopened:
            continue
        last[letter.identity] = letter
        times[letter.identity] = times.get(letter.identity, 0) + 1
    if not last:
        return set()
    rows = [_row(letter, times[key]) for key, letter in sorted(last.items())]
    kept = await tx.fetch(SQL["dead_letters.keep"], *columns(rows))
    return {(row["queue"], row["message_id"], row["body_hash"]) for row in kept if row["is_new"]}


async def _reopen(tx: Transaction, letters: Sequence[Letter]) -> set[int | None]:
    """Open the letters again whose replays died, with the new failure. Returns their ids; others are gone.

    A replay can have another id or body than its letter, if that had no id, or was edited.
    """
    rows = []
    for letter in {letter.replay_of: letter for letter in sorted(letters, key=lambda one: one.identity)}.values():
        key_id, headers = cipher.current().encrypt(letter.headers, AAD)
        about = (letter.reason, letter.error_path, letter.error_type, letter.error_message, letter.fingerprint)
        rows.append(
            (letter.replay_of, *about, letter.attempts, letter.worker_version, letter.last_failed_at, key_id, headers)
        )
    if not rows:
        return set()
    return {row["id"] for row in await tx.fetch(SQL["dead_letters.reopen"], *columns(sorted(rows)))}


def _row(letter: Letter, times: int) -> tuple[Any, ...]:
    *plain, body, headers, _ = astuple(letter)
    key_id, sealed_body = cipher.current().encrypt(body, AAD)
    same_key_id, sealed_headers = cipher.current().encrypt(headers, AAD)
    assert key_id == same_key_id, "the current key changed within one process"
    return *plain, times, key_id, sealed_body, sealed_headers, "\n".join(subjects_of(body))


def opened(row: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return body and headers (JSON) of a letter's row, in clear.

    Raises ErasedError if its user was erased, CipherError if its key is not configured.
    """
    unseal = cipher.current().decrypt
    return unseal(row["key_id"], row["body"], AAD), unseal(row["key_id"], row["headers"], AAD)


async def ids_of(tx: Transaction, identities: Sequence[Identity]) -> dict[Identity, int]:
    """Identity -> the id of its letter. Those that have none are missing."""
    rows = await tx.fetch(SQL["dead_letters.ids_of"], *columns(identities, 3))
    return {(row["queue"], row["message_id"], row["body_hash"]): row["id"] for row in rows}


async def read(tx: Transaction, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the whole rows with these ids. Unknown ids are missing."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.read"], list(ids))]


async def lock(tx: Transaction, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the same as `read`, locked until commit."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.lock"], list(ids))]


async def actions(tx: Transaction, letter_id: int) -> list[dict[str, Any]]:
    """Return the decisions about a letter, oldest first."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.actions"], letter_id)]


async def decide(tx: Transaction, ids: Sequence[int], state: str, action: str, *, note: str, reason: str) -> None:
    """Give locked letters their new state; record action, reason, the database user and a note. The rows stay."""
    await tx.execute(SQL["dead_letters.decide"], list(ids), state, action, note, reason)


async def actor(tx: Transaction) -> str:
    """Return the user of the database session, under whom decisions are recorded."""
    return str(await tx.fetchval(SQL["dead_letters.actor"]))


async def open_counts(tx: Transaction) -> list[OpenLetters]:
    """Return open letters per queue. Queues without any are missing."""
    return [OpenLetters(*row) for row in await tx.fetch(SQL["dead_letters.open_counts"])]


async def newest_edits(tx: Transaction, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Letter -> its newest edit. Letters that nobody has edited are missing."""
    rows = await tx.fetch(SQL["dead_letters.newest_edits"], list(ids))
    return {row["dead_letter_id"]: dict(row) for row in rows}


async def edits(tx: Transaction, letter_id: int) -> list[dict[str, Any]]:
    """Return the edits of a letter, the oldest first."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.edits"], letter_id)]


def opened_edit(row: Mapping[str, Any]) -> bytes:
    """Return the body of an edit, in clear. Raises as `opened` does."""
    return cipher.current().decrypt(row["key_id"], row["body"], AAD)


async def add_edit(tx: Transaction, letter_id: int, body: bytes, *, note: str, reason: str) -> int:
    """Keep another body of a letter, and whom it names too. Returns the edit's id."""
    key_id, sealed = cipher.current().encrypt(body, AAD)
    names = list(subjects_of(body))
    return int(await tx.fetchval(SQL["dead_letters.add_edit"], letter_id, key_id, sealed, names, note, reason))


async def add_note(tx: Transaction, group: str, text: str, note: str) -> None:
    """Write a note about the letters of a group."""
    await tx.execute(SQL["dead_letters.add_note"], group, text, note)


async def notes(tx: Transaction, groups: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Group -> its notes, the oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await tx.fetch(SQL["dead_letters.notes"], sorted(set(groups))):
        found.setdefault(row["group_name"], []).append(dict(row))
    return found


async def steps_since(tx: Transaction, letter_id: int) -> list[dict[str, Any]]:
    """Return the orders of a letter with their steps since it died; an order without steps has one row."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.steps_since"], letter_id)]


async def others(tx: Transaction, letter_id: int) -> list[dict[str, Any]]:
    """Return what else died of the orders and the conversation of a letter."""
    return [dict(row) for row in await tx.fetch(SQL["dead_letters.others"], letter_id)]
