"""Carries out what on-call engineers decide about dead letters: to replay, edit, discard or restore them."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

import outbox
from db import cipher
from db.pool import Transaction
from messages.dead_letters import IDS_MAX, DeadLetterAction, DeadLetterDecided
from messages.trace_context import TRACEPARENT, TRACESTATE, trace_headers
from workers.runtime.delivery import HASH_BYTES
from workers.store import accesses, dead_letters
from workers.store.dead_letters import DISCARDED, OPEN, REPLAYED, Letter

CARRIED = ("causation-id",)
"""The headers that travel with a replay, besides those that are columns of the row."""


async def replay(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, to: str, note: str, reason: str) -> None:
    """Send locked letters to the one queue `to`, as fresh attempts under their own message ids, and record who did it.

    The same id makes it harmless when the message was handled after all. A letter that never had an id gets one that
    stays the same however often it is replayed.
    """
    await outbox.append(tx, [again(row, to) for row in rows])
    ids = [row["id"] for row in rows]
    await dead_letters.decide(tx, ids, REPLAYED, "replay", note=note, reason=reason)
    await announce(tx, "replay", ids, note=note)


def again(
    row: Mapping[str, Any], to: str, *, edit: Mapping[str, Any] | None = None, attempts: int = 0
) -> outbox.Announcement:
    """Return the message of a letter, addressed to one queue. Only headers that we set ourselves travel with it.

    It has the rights of its first sender and no more: of the broker user, and of the subject of its token. An edited
    body is another message, with an id of its own, and the first one is its cause. With `attempts` it has failed so
    often already.
    """
    body, headers = dead_letters.opened(row)
    stored = orjson.loads(headers)
    sender = {"origin-user": row["origin_user"] or ""} | stored.get("origin_token", {})
    first_id = row["message_id"] or f"dead-letter/{row['id']}"
    carried = _carried(stored)
    if edit is not None:
        body = dead_letters.opened_edit(edit)
        carried["causation-id"] = first_id
    if attempts:
        carried["attempt"] = str(attempts)
    return outbox.Announcement(
        type=row["type"],
        body=body,
        destination="queue",
        routing_key=to,
        correlation_id=row["correlation_id"] or first_id,
        packable=False,  # the body of a packed message is a pack already
        message_id=message_id_of(row, edit),
        occurred_at=row["occurred_at"],
        headers=carried | sender | {"replay-of": str(row["id"])},
        sensitive=True,
    )


def message_id_of(row: Mapping[str, Any], edit: Mapping[str, Any] | None) -> str:
    """Return the message id with which a letter is replayed: its own, or one that is the same at each replay."""
    if edit is not None:
        return f"dead-letter/{row['id']}/{edit['id']}"
    return row["message_id"] or f"dead-letter/{row['id']}"


def _carried(stored: Mapping[str, Any]) -> dict[str, str]:
    headers = stored["headers"]
    known = {name: headers.get(name) for name in CARRIED} | {"reply-to": stored["reply_to"]}
    carried = {name: value for name, value in known.items() if isinstance(value, str) and value}
    return carried | trace_headers(*(_text_of(headers.get(name)) for name in (TRACEPARENT, TRACESTATE)))


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) else None


async def discard(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, note: str, reason: str) -> None:
    """Discard locked letters, and record who did it. The rows stay."""
    ids = [row["id"] for row in rows]
    await dead_letters.decide(tx, ids, DISCARDED, "discard", note=note, reason=reason)
    await announce(tx, "discard", ids, note=note)


async def restore(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, note: str, reason: str) -> None:
    """Open locked letters again that were discarded or replayed, and record who did it."""
    ids = [row["id"] for row in rows]
    await dead_letters.decide(tx, ids, OPEN, "restore", note=note, reason=reason)
    await announce(tx, "restore", ids, note=note)


async def edit(tx: Transaction, row: Mapping[str, Any], body: bytes, *, note: str, reason: str) -> int:
    """Keep another body of a locked letter beside the one that came, and record who wrote it. Returns its id."""
    edit_id = await dead_letters.add_edit(tx, row["id"], body, note=note, reason=reason)
    await dead_letters.decide(tx, [row["id"]], row["state"], "edit", note=note, reason=reason)
    await announce(tx, "edit", [row["id"]], note=note)
    return edit_id


def imported(body: bytes, headers: bytes, **fields: Any) -> Letter:
    """Return a letter of another system. Its identity is that of the same message here, if it came without a token."""
    sender = str(fields["origin_user"] or "")
    known = [body, sender.encode("utf-8", "backslashreplace")] if sender else [body]
    digest = blake2b(b"\0".join(known), digest_size=HASH_BYTES).digest()
    return Letter(body_hash=cipher.current().seal_hash(digest), body=body, headers=headers, **fields)


async def keep_imported(tx: Transaction, letters: Sequence[Letter], *, note: str, reason: str) -> list[int]:
    """Store letters of another system that are not here, and record who brought them. Returns their ids."""
    known = await dead_letters.ids_of(tx, [letter.identity for letter in letters])
    new = {letter.identity: letter for letter in letters if letter.identity not in known}
    await dead_letters.keep(tx, new.values())
    ids = sorted((await dead_letters.ids_of(tx, list(new))).values())
    await dead_letters.decide(tx, ids, OPEN, "import", note=note, reason=reason)
    await announce(tx, "import", ids, note=note)
    return ids


async def reveal(tx: Transaction, ids: Sequence[int], *, note: str, reason: str) -> None:
    """Record that a person sees letters in clear. The caller shows them only after the commit."""
    for letter_id in ids:
        await accesses.of_letter(tx, letter_id, note=note, reason=reason)
    await announce(tx, "reveal", ids, note=note)


async def announce(
    tx: Transaction, action: DeadLetterAction, ids: Sequence[int], *, note: str, run_id: int | None = None
) -> None:
    """Announce a decision, for those who audit them. One about no letter is none."""
    if not ids:
        return
    event = DeadLetterDecided(
        action=action,
        letters=len(ids),
        ids=tuple(map(str, ids[:IDS_MAX])),
        run_id=None if run_id is None else str(run_id),
        actor=await dead_letters.actor(tx),
        terminal_user=note,
    )
    await outbox.append(tx, [outbox.event(event, because=None)])
