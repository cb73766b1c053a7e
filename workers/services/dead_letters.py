"""Carries out what on-call engineers decide about dead letters: replay them to their queue, or discard them."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

import outbox
from db.pool import Transaction
from workers.store import dead_letters
from workers.store.dead_letters import DISCARDED, REPLAYED

CARRIED = ("causation-id", "traceparent")
"""The headers that travel with a replay, besides those that are columns of the row."""


async def replay(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, to: str, note: str, reason: str) -> None:
    """Send locked letters to the one queue `to`, as fresh attempts under their own message ids, and record who did it.

    The same id makes it harmless when the message was handled after all. A letter that never had an id gets one that
    stays the same however often it is replayed.
    """
    await outbox.append(tx, [again(row, to) for row in rows])
    await dead_letters.decide(tx, [row["id"] for row in rows], REPLAYED, "replay", note=note, reason=reason)


def again(row: Mapping[str, Any], to: str) -> outbox.Announcement:
    """Return the message of a letter, addressed to one queue. Only headers that we set ourselves travel with it.

    It has the rights of its first sender and no more: of the broker user, and of the subject of its token.
    """
    body, headers = dead_letters.opened(row)
    stored = orjson.loads(headers)
    sender = {"origin-user": row["origin_user"] or ""} | stored.get("origin_token", {})
    message_id = row["message_id"] or f"dead-letter/{row['id']}"
    return outbox.Announcement(
        type=row["type"],
        body=body,
        destination="queue",
        routing_key=to,
        correlation_id=row["correlation_id"] or message_id,
        packable=False,  # the body of a packed message is a pack already
        message_id=message_id,
        occurred_at=row["occurred_at"],
        headers=_carried(stored) | sender | {"replay-of": str(row["id"])},
        sensitive=True,
    )


def _carried(stored: Mapping[str, Any]) -> dict[str, str]:
    headers = stored["headers"]
    known = {name: headers.get(name) for name in CARRIED} | {"reply-to": stored["reply_to"]}
    return {name: value for name, value in known.items() if isinstance(value, str) and value}


async def discard(tx: Transaction, rows: Sequence[Mapping[str, Any]], *, note: str, reason: str) -> None:
    """Discard locked letters, and record who did it. The rows stay."""
    await dead_letters.decide(tx, [row["id"] for row in rows], DISCARDED, "discard", note=note, reason=reason)
