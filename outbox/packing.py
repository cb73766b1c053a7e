"""Makes outbox rows of announcements. Packable neighbours become one message with many items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import orjson
from uuid_utils import uuid7

from messages.trace_context import TRACEPARENT, TRACESTATE
from outbox.announcement import Announcement

SHARDS = 64
PACK_MAX_ITEMS = 200  # the batch of a receiving handler
PACK_MAX_BYTES = 256 * 1024  # one or two frames on the wire, decoded in a few milliseconds
_OF_ITEMS = (TRACEPARENT, TRACESTATE)
"""The headers that each item of a pack has for itself: a pack holds items of many traces."""
_WRAPPING_BYTES = len(b'{"items":[]}')


@dataclass(frozen=True)
class OutboxRow:
    """One row of the table outbox, with its body not yet encrypted."""

    shard: int
    stream: str
    message_id: str
    type: str
    destination: str
    routing_key: str
    correlation_id: str
    headers: bytes
    body: bytes
    must_route: bool
    sensitive: bool
    numbered: bool = False
    conversation: str | None = None
    about: str | None = None


def shard_of(stream: str) -> int:
    """The shard of a stream. This must never change: stored and new rows of a stream must be in the same shard."""
    return crc32(stream.encode()) % SHARDS


def rows(announcements: Sequence[Announcement], now: datetime | None = None) -> list[OutboxRow]:
    """Make one row per message, in the order of their first items. `now` is the time of announcements without one."""
    moment = now or datetime.now(UTC)
    return [_row(pack, moment) for pack in _packs(announcements, moment)]


@dataclass
class _Pack:
    first: Announcement
    count: int
    items: list[bytes]
    size_bytes: int
    correlations: set[str]

    def takes(self, item: bytes) -> bool:
        return self.count < PACK_MAX_ITEMS and self.size_bytes + len(item) + 1 <= PACK_MAX_BYTES

    def add(self, item: bytes, correlation_id: str) -> None:
        self.items.append(item)
        self.count += 1
        self.size_bytes += len(item) + 1
        self.correlations.add(correlation_id)


def _packs(announcements: Sequence[Announcement], moment: datetime) -> Iterator[_Pack]:
    """Yield packs in the order of their first items.

    Packable types promise no order, so all with one key share packs.
    """
    packs: list[_Pack] = []
    open_packs: dict[tuple[Any, ...], _Pack] = {}
    for one in announcements:
        if not one.packable:
            packs.append(_Pack(one, 1, [], 0, set()))
            continue
        key, item = _key(one), _item(one, moment)
        pack = open_packs.get(key)
        if one.message_id is not None or pack is None or not pack.takes(item):
            pack = _Pack(one, 0, [], _WRAPPING_BYTES, set())
            packs.append(pack)
            if one.message_id is None:
                open_packs[key] = pack
        pack.add(item, one.correlation_id)
    yield from packs


def _key(one: Announcement) -> tuple[Any, ...]:
    headers = tuple(sorted(item for item in one.headers.items() if item[0] not in _OF_ITEMS))
    return one.type, one.destination, one.routing_key, one.must_route, one.sensitive, one.stream, headers


def _item(one: Announcement, moment: datetime) -> bytes:
    return orjson.dumps(
        {
            "correlation_id": one.correlation_id,
            "causation_id": one.causation_id,
            "occurred_at": _rfc3339(one.occurred_at or moment),
            **{name: one.headers[name] for name in _OF_ITEMS if name in one.headers},
            "body": orjson.Fragment(one.json_bytes),
        }
    )


def _row(pack: _Pack, moment: datetime) -> OutboxRow:
    one = pack.first
    message_id = one.message_id or str(uuid7())
    stream = message_id if one.stream is None else str(one.stream)
    shared = not one.packable or len(pack.correlations) == 1
    return OutboxRow(
        shard=shard_of(stream),
        stream=stream,
        message_id=message_id,
        type=one.type,
        destination=one.destination,
        routing_key=one.routing_key,
        correlation_id=one.correlation_id if shared else message_id,
        headers=orjson.dumps(_headers(one, moment, alone=pack.count == 1)),
        body=b'{"items":[%b]}' % b",".join(pack.items) if one.packable else one.json_bytes,
        must_route=one.must_route,
        sensitive=one.sensitive,
        numbered=one.numbered,
        conversation=one.conversation,
        about=one.about,
    )


def _headers(one: Announcement, moment: datetime, *, alone: bool) -> Mapping[str, Any]:
    headers: dict[str, Any] = {name: text for name, text in one.headers.items() if alone or name not in _OF_ITEMS}
    headers["occurred-at"] = _rfc3339(one.occurred_at or moment)
    if one.causation_id is not None and alone:
        headers["causation-id"] = one.causation_id
    if one.stream is not None:
        headers["stream"] = str(one.stream)
    return headers


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
