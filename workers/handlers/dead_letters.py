"""What happens when a message could not be handled.

    found in             kept as a letter of    its reason is
    -------------------  ---------------------  -----------------------------------------------------------
    <queue>.dlq          <queue>                the one our runtime gave it; the broker's, where a message
                                                killed its process too often (delivery_limit)
    unrouted             unrouted               unroutable: published to a key that nobody takes

It is kept encrypted, committed, and only then taken off the broker. The same message again (queue, id, body) is counted
and open again. From there `oms dead-letters` replays it, to that one queue, or discards it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, cast

import orjson
from prometheus_client import Gauge

from db.pool import Transaction
from messages.topology import QUEUES
from workers.runtime.batch import Batch
from workers.runtime.delivery import HASH_BYTES, RawDelivery, clean
from workers.runtime.route import Every, Route
from workers.store import dead_letters
from workers.store.dead_letters import Letter

UNROUTED = "unrouted"
BATCH_MAX_ITEMS = 50  # bodies may be large, and each is encrypted
MEASURE_SECONDS = 10.0  # well below any scrape or alert interval that makes sense for work that waits for a person
OPEN = Gauge("oms_dead_letters_open", "Dead letters that nobody decided on yet", ["queue"])
OLDEST_AGE = Gauge(
    "oms_dead_letters_oldest_age_seconds", "Age of the oldest open dead letter, 0 without any", ["queue"]
)


class _Process:
    own_users: frozenset[str] = frozenset()


def configure(own_users: frozenset[str]) -> None:
    """Set the broker users that our workers and relays publish as. Before this, no letter's own words are believed."""
    _Process.own_users = own_users


async def keep(tx: Transaction, batch: Batch[Any]) -> None:
    """Store every letter of the batch in one statement."""
    await dead_letters.keep(tx, [letter(cast(RawDelivery, item)) for item in batch])


def letter(delivery: RawDelivery) -> Letter:
    """What is known about a delivery. Only what our own users published is believed about itself."""
    ours = delivery.user_id is not None and delivery.user_id in _Process.own_users
    said = _texts(delivery.headers) if ours else {}
    death = _death(delivery.headers)
    return Letter(
        queue=delivery.queue.removesuffix(".dlq"),
        message_id=_text(delivery.message_id),
        body_hash=blake2b(delivery.body, digest_size=HASH_BYTES).digest(),
        type=_text(delivery.type),
        correlation_id=_text(delivery.properties.correlation_id),
        reason=said.get("reason") or death.get("reason") or ("unroutable" if delivery.queue == UNROUTED else "unknown"),
        error_path=said.get("error-path"),
        error_type=said.get("error-type"),
        error_message=said.get("error-message"),
        fingerprint=said.get("fingerprint"),
        attempts=_count(said.get("attempt")),
        exchange=said.get("original-exchange") or death.get("exchange") or _text(delivery.exchange),
        routing_key=said.get("original-routing-key") or death.get("routing_key") or _text(delivery.routing_key),
        origin_user=_origin(delivery.user_id, said.get("origin-user"), ours),
        worker_version=said.get("worker-version"),
        occurred_at=_moment(_texts(delivery.headers).get("occurred-at")) or _sane(delivery.properties.timestamp),
        first_failed_at=_moment(said.get("first-failed-at")),
        last_failed_at=_moment(said.get("last-failed-at")),
        body=delivery.body,
        headers=orjson.dumps({"headers": _shown(dict(delivery.headers)), "reply_to": _text(delivery.reply_to)}),
    )


def _shown(value: Any) -> Any:
    """Headers as JSON can hold them: text that is not UTF-8 keeps its bytes as escapes."""
    match value:
        case dict():
            return {clean(str(key)): _shown(item) for key, item in value.items()}
        case list():
            return [_shown(item) for item in value]
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "backslashreplace")
        case None | bool() | int() | float() | datetime():
            return value
        case _:
            return clean(str(value))


def _origin(user: str | None, said: str | None, ours: bool) -> str | None:
    """Who said it first. The broker vouches for `user`; a replay is trusted as far as this user is, and no further."""
    if not _Process.own_users:
        return None
    return said if ours else _text(user)


def _texts(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name: clean(value, bytes_max=512) for name, value in headers.items() if isinstance(value, str) and value}


def _text(value: str | None) -> str | None:
    return clean(value) if value else None


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0


def _death(headers: Mapping[str, Any]) -> dict[str, str]:
    """What the broker wrote when it gave the message up: the last entry it added, for the queue it came from."""
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(last, dict):
        return {}
    keys = last.get("routing-keys")
    key = keys[0] if isinstance(keys, list) and keys else None
    known = {"reason": last.get("reason"), "exchange": last.get("exchange"), "routing_key": key}
    return _texts(known)


def _moment(text: str | None) -> datetime | None:
    try:
        return _sane(datetime.fromisoformat(text)) if text else None
    except ValueError:
        return None


def _sane(moment: datetime | None) -> datetime | None:
    """A time that every system can hold, in UTC; foreign messages may say anything."""
    if moment is None or not 1970 < moment.year < 2200:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


async def measure(tx: Transaction) -> None:
    """Show Prometheus what waits for a person."""
    found = {open_.queue: open_ for open_ in await dead_letters.open_counts(tx)}
    for queue in (*QUEUES, UNROUTED):
        known = found.get(queue)
        OPEN.labels(queue).set(known.count if known else 0)
        OLDEST_AGE.labels(queue).set(known.oldest_age_seconds if known else 0)


ROUTES = (
    *(Route(f"{queue}.dlq", keep, batch_max_items=BATCH_MAX_ITEMS, raw=True) for queue in QUEUES),
    Route(UNROUTED, keep, batch_max_items=BATCH_MAX_ITEMS, raw=True, every=(Every(MEASURE_SECONDS, measure),)),
)
