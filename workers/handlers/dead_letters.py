"""Handles messages that could not be handled: each becomes a dead letter in the database.

    found in             kept as a letter of    its reason is
    -------------------  ---------------------  -----------------------------------------------------------
    <queue>.dlq          <queue>                the one that our runtime gave; the broker's, if the message
                                                killed its process too often (delivery_limit)
    unrouted             unrouted               unroutable: no queue takes its routing key

A message of oms.commands that cannot be read or routed has one outcome like any command: command.rejected with every
fault, on oms.events and at its reply_to. If it comes again, it is answered at its reply_to alone.

A letter is stored encrypted, and leaves the broker only after the commit. If the same message comes again (same queue,
id, sender and body), or its replay dies, its letter is counted and opened again. `oms dead-letters` replays a letter to
its one queue, or discards it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, cast

import orjson

import outbox
from db import cipher
from db.pool import Transaction
from messages.base import moment_of
from messages.reasons import Reason
from messages.topology import QUEUES, Names
from messages.trace_context import TRACESTATE_CHARS_MAX
from messages.user_roles import ORIGIN_TOKEN, Trust
from outbox import tracebacks
from outbox.shared_gauge import SharedGauge
from workers.runtime.batch import Batch
from workers.runtime.delivery import HASH_BYTES, RawDelivery, clean
from workers.runtime.route import Every, RawRoute
from workers.services import unread_commands
from workers.store import dead_letters
from workers.store.dead_letters import Letter

UNROUTED = "unrouted"
BATCH_MAX_ITEMS = 50  # bodies may be large, and every one is encrypted
MEASURE_SECONDS = 10.0  # shorter than any useful alert interval for letters that wait for an operator
OPEN = SharedGauge("oms_dead_letters_open", "Dead letters that wait for a decision", "queue")
OLDEST_AGE = SharedGauge(
    "oms_dead_letters_oldest_age_seconds", "Age of the oldest open dead letter, 0 without any", "queue"
)


class _Process:
    trust = Trust(own=frozenset())
    names = Names()


def configure(trust: Trust, names: Names) -> None:
    """Set the broker users that our workers and relays publish as. Until then no letter's own headers are believed."""
    _Process.trust, _Process.names = trust, names


async def keep(tx: Transaction, batch: Batch[Any]) -> None:
    """Store every letter of the batch in one statement, and answer those who sent what cannot be read or routed."""
    trust, names = _Process.trust, _Process.names
    letters = [(letter(cast(RawDelivery, item), trust, batch.now), cast(RawDelivery, item)) for item in batch]
    new = await dead_letters.keep(tx, [one for one, _ in letters])
    answers: list[outbox.Announcement] = []
    for one, delivery in letters:
        answers += unread_commands.answer(one, delivery, is_new=one.identity in new, names=names, trust=trust)
        new.discard(one.identity)
    await outbox.append(tx, answers)


def letter(delivery: RawDelivery, trust: Trust, now: datetime) -> Letter:
    """Return the letter of a delivery. Its headers are believed only if one of our own broker users published it.

    Whose token it had is kept, because a replay has the rights of that subject. A token that no worker has read, in a
    message that killed its process or that no queue takes, is verified here.
    """
    ours = delivery.user_id is not None and delivery.user_id in trust.own
    believed = _texts(delivery.headers) if ours else {}
    death = _death(delivery.headers)
    origin = _origin(delivery.user_id, believed.get("origin-user"), trust.own)
    token, carried = (None, delivery.text(ORIGIN_TOKEN)) if ours else (delivery.authorization, None)
    sent_by = trust.sender(origin, token, carried, now)
    headers = {"headers": _shown(_without_tokens(delivery)), "reply_to": _text(delivery.reply_to)}
    if ours and (sealed := delivery.text("traceback")):
        headers["traceback"] = tracebacks.unseal(sealed)
    return Letter(
        queue=delivery.queue.removesuffix(".dlq"),
        message_id=_text(delivery.message_id),
        body_hash=cipher.current().seal_hash(_identity(delivery.body, sent_by.name(origin))),
        type=_text(delivery.type),
        correlation_id=_text(delivery.properties.correlation_id),
        reason=believed.get("reason")
        or death.get("reason")
        or (Reason.UNROUTABLE if delivery.queue == UNROUTED else Reason.UNKNOWN),
        error_path=believed.get("error-path"),
        error_type=believed.get("error-type"),
        error_message=believed.get("error-message"),
        fingerprint=believed.get("fingerprint"),
        attempts=_count(believed.get("attempt")),
        exchange=believed.get("original-exchange") or death.get("exchange") or _text(delivery.exchange),
        routing_key=believed.get("original-routing-key") or death.get("routing_key") or _text(delivery.routing_key),
        origin_user=origin,
        worker_version=believed.get("worker-version"),
        occurred_at=moment_of(_texts(delivery.headers).get("occurred-at", "")) or _sane(delivery.properties.timestamp),
        first_failed_at=moment_of(believed.get("first-failed-at", "")),
        last_failed_at=moment_of(believed.get("last-failed-at", "")),
        body=delivery.body,
        headers=orjson.dumps(headers | ({"origin_token": sent_by.carried} if sent_by.has_token else {})),
        replay_of=_count(believed.get("replay-of"), digits_max=18) or None,
    )


def _identity(body: bytes, sender: str) -> bytes:
    """Return the hash that tells messages with one id apart: by their bodies, and by who sent them."""
    known = [body, sender.encode("utf-8", "backslashreplace")] if sender else [body]
    return blake2b(b"\0".join(known), digest_size=HASH_BYTES).digest()


def _without_tokens(delivery: RawDelivery) -> dict[Any, Any]:
    """Return the headers without the sender's token, which another could use as long as it holds, and the traceback."""
    hidden = ("authorization", ORIGIN_TOKEN, "traceback")
    return {name: value for name, value in delivery.headers.items() if str(name).lower() not in hidden}


def _shown(value: Any) -> Any:
    """Turn headers into what JSON can hold. Bytes that are not UTF-8 become escapes."""
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
            return clean(str(value), bytes_max=TRACESTATE_CHARS_MAX)


def _origin(user: str | None, named: str | None, own_users: frozenset[str]) -> str | None:
    """Return the broker user that published the message first; a replay has only the rights of this user.

    The broker validates `user`; the name in our own header counts only if one of our own users published the message.
    """
    if not own_users:
        return None
    return named if user in own_users else _text(user)


def _texts(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name: clean(value, bytes_max=512) for name, value in headers.items() if isinstance(value, str) and value}


def _text(value: str | None) -> str | None:
    return clean(value) if value else None


def _count(text: str | None, digits_max: int = 8) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= digits_max else 0


def _death(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return what the broker recorded when it dead-lettered the message: the newest x-death entry."""
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(last, dict):
        return {}
    keys = last.get("routing-keys")
    key = keys[0] if isinstance(keys, list) and keys else None
    known = {"reason": last.get("reason"), "exchange": last.get("exchange"), "routing_key": key}
    return _texts(known)


def _sane(moment: datetime | None) -> datetime | None:
    """Return the time in UTC, or None if it is too far off: foreign messages may carry any time."""
    if moment is None or not 1970 < moment.year < 2200:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many dead letters wait for a decision, and for how long."""
    found = {open_.queue: open_ for open_ in await dead_letters.open_counts(tx)}
    queues = dict.fromkeys((*QUEUES, UNROUTED, *found))
    OPEN.set_each({queue: found[queue].count if queue in found else 0 for queue in queues})
    OLDEST_AGE.set_each({queue: found[queue].oldest_age_seconds if queue in found else 0 for queue in queues})


def route(queue: str) -> RawRoute:
    """Return the route of a queue's dead letters."""
    return RawRoute(f"{queue}.dlq", keep, batch_max_items=BATCH_MAX_ITEMS)


ROUTES = (
    *(route(queue) for queue in QUEUES),
    RawRoute(UNROUTED, keep, batch_max_items=BATCH_MAX_ITEMS, every=(Every(MEASURE_SECONDS, measure),)),
)
