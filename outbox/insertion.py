"""`append` stores a transaction's announcements as rows of the outbox, in one statement."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.base import AlertRaised
from outbox.announcement import Announcement
from outbox.code_counts import Noted
from outbox.packing import OutboxRow, rows

AAD = b"outbox"  # ciphertext copied from another table does not decrypt with this
_collected: ContextVar[list[Announcement] | None] = ContextVar("collected", default=None)
_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)
_service: ContextVar[str | None] = ContextVar("service", default=None)


@contextmanager
def collecting() -> Iterator[list[Announcement]]:
    """While the block runs, `append` adds to this list and stores nothing: the caller decides what is stored."""
    announced: list[Announcement] = []
    token = _collected.set(announced)
    try:
        yield announced
    finally:
        _collected.reset(token)


@contextmanager
def noting_shards() -> Iterator[set[int]]:
    """While the block runs, `append` adds to this set the shards of the rows that it stores: for the doorbell.

    The transaction commits within the block, so its end counts the codes of alerts and rejections that were stored, and
    what `once_committed` was given. If the block raises, nothing is counted.
    """
    noted = Noted()
    token = _noted.set(noted)
    try:
        yield noted.shards
        noted.count()
    finally:
        _noted.reset(token)


def once_committed(count: Callable[[], None]) -> None:
    """Call `count` when this transaction has committed, so that a metric counts nothing that was rolled back.

    A transaction that is done again is counted for the try that commits. Outside `noting_shards` nobody calls it: `oms`
    has no metrics. A process that dies between its commit and the count loses the count.
    """
    if (noted := _noted.get()) is not None:
        noted.later.append(count)


@contextmanager
def announcing_as(service: str) -> Iterator[None]:
    """While the block runs, alerts that `append` is given name this service, which is a queue."""
    token = _service.set(service)
    try:
        yield
    finally:
        _service.reset(token)


async def append(tx: Transaction, announcements: Sequence[Announcement]) -> None:
    """Store announcements, which a relay publishes after `tx` commits. It takes one statement, or none without any.

    The caller must hold the lock of every stream it announces to, so that rows and commits have the same order.
    """
    if (service := _service.get()) is not None:
        announcements = [_signed(one, service) for one in announcements]
    if (collected := _collected.get()) is not None:
        collected += announcements
        return
    if not announcements:
        return
    made = rows(announcements)
    if (noted := _noted.get()) is not None:
        noted.shards.update(row.shard for row in made)
        noted.note(announcements)
    stored = [_stored(row) for row in made]
    named = numbering(made)
    await tx.execute(
        SQL["outbox.append_about_orders" if named else "outbox.append"],
        [row.shard for row in made],
        [row.stream for row in made],
        [row.message_id for row in made],
        [row.type for row in made],
        [row.destination for row in made],
        [row.routing_key for row in made],
        [row.correlation_id for row in made],
        [row.headers for row in made],
        [body for _, body in stored],
        [key_id for key_id, _ in stored],
        [row.must_route for row in made],
        *named,
    )


def numbering(made: Sequence[OutboxRow]) -> tuple[list[Any], ...]:
    """Return the arrays $12 to $18 of outbox.append_about_orders; nothing if no row is an event about an order."""
    if not any(row.numbered or row.about for row in made):
        return ()
    counts = Counter(row.stream for row in made if row.numbered)
    left = Counter(counts)
    streams = sorted(counts, key=str.encode)
    positions = {stream: number for number, stream in enumerate(streams, start=1)}
    begins: dict[str, str] = {}
    after = list[int | None]()
    for row in made:
        if row.numbered:
            begins.setdefault(row.stream, row.conversation or row.correlation_id)
            left[row.stream] -= 1
        after.append(left[row.stream] if row.numbered else None)
    return (
        streams,
        [counts[stream] for stream in streams],
        [begins[stream] for stream in streams],
        [positions.get(row.stream if row.numbered else row.about or "") for row in made],
        after,
        [row.about for row in made],
        [row.conversation for row in made],
    )


def _signed(one: Announcement, service: str) -> Announcement:
    if not isinstance(one.body, AlertRaised) or one.body.service is not None:
        return one
    return replace(one, body=AlertRaised(**dict(one.body) | {"service": service}))


def _stored(row: OutboxRow) -> tuple[str | None, bytes]:
    return cipher.current().encrypt(row.body, AAD) if row.sensitive else (None, row.body)


def in_clear(row: Any) -> bytes:
    """Return the body of a stored row. Raises db.cipher.CipherError if this process lacks its key."""
    body: bytes = row["body"]
    return body if row["key_id"] is None else cipher.current().decrypt(row["key_id"], body, AAD)
