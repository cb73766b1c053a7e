"""Builds fresh properties for every message that we send on. Only what is listed here is copied: an `x-death`, a CC or
an expiration of the sender would lose the message, or send it to other queues (measured)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from messages.base import Message, Reply
from messages.topology import tier
from outbox import Announcement, tracebacks
from outbox.amqp import Properties
from outbox.version import version
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.decode import HANDED_ON, Work
from workers.runtime.delivery import clean
from workers.runtime.errors import Failure
from workers.runtime.policy import DELAYED_SECONDS, Kind, Outcome, deliberate_seconds, wait_seconds

CARRIED = ("causation-id", "occurred-at")
CAME_BY = ("original-exchange", "original-routing-key")
VERSION = version()


def retry_headers(work: Work) -> dict[str, Any]:
    """The headers of a retried message.

    `origin-user` is set even if it is unknown; else our own user would vouch for it.
    """
    known = work.delivery.text("first-failed-at") if work.attempt or work.lock_waits else None
    failed_at = clean(known or datetime.now(UTC).isoformat())
    about = {"attempt": str(work.attempt + 1), "origin-user": work.user or "", "first-failed-at": failed_at}
    replayed = {"replay-of": clean(work.replay_of)} if work.replay_of else {}
    if seconds := deliberate_seconds(work):
        about[DELAYED_SECONDS] = str(seconds)
    return about | replayed | work.sent_by.carried


def aside_headers(work: Work) -> dict[str, Any]:
    """The headers of a message that is set aside for a lock. It counts its waits, and no attempt."""
    return retry_headers(work) | {"attempt": str(work.attempt), "lock-waits": str(work.lock_waits + 1)}


def handed_headers(work: Work) -> dict[str, Any]:
    """The headers of a message that another cell gets: it is handed on once, and no attempt is counted.

    Whose replay it is stays here: in the other cell's database that id is another letter's. Where it came from goes
    along, because a command of others that is refused unread is answered.
    """
    return _of_no_letter(retry_headers(work)) | _came_by(work) | {"attempt": str(work.attempt), HANDED_ON: "1"}


def _came_by(work: Work) -> dict[str, str]:
    """Where a message came from. Of one that another cell handed on that is where it came from there."""
    exchange, key = (work.delivery.text(name) if work.handed_on else None for name in CAME_BY)
    return {CAME_BY[0]: clean(exchange or work.delivery.exchange), CAME_BY[1]: clean(key or work.delivery.routing_key)}


def _of_no_letter(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name != "replay-of"}


def dead_headers(work: Work, failure: Failure) -> dict[str, Any]:
    """The headers of a dead letter: all that a person or its sender needs to judge it, and nothing from its body.

    The traceback is encrypted: whoever looks at the broker learns nothing of our code.
    """
    came_by = {} if work.handed_on and failure.cell else _came_by(work)  # the outcome of what is given back is open
    faults = {"faults": orjson.dumps([asdict(fault) for fault in failure.faults]).decode()} if failure.faults else {}
    return (
        retry_headers(work)
        | faults
        | came_by
        | {
            "reason": failure.reason,
            "error-path": failure.path,
            "error-type": failure.error_type,
            "error-message": clean(failure.message, bytes_max=512),
            "fingerprint": failure.fingerprint,
            "last-failed-at": datetime.now(UTC).isoformat(),
            "worker-version": VERSION,
            "traceback": tracebacks.seal(failure.traceback),
        }
    )


def properties(work: Work, own_user: str, headers: Mapping[str, Any]) -> Properties:
    """The properties of a message that we send on: its id, type, correlation and reply address, and our own headers."""
    delivery, given = work.delivery, work.delivery.properties
    carried = {name: clean(text) for name in CARRIED if (text := str(delivery.headers.get(name, "")))}
    carried |= delivery.trace
    return Properties(
        content_type="application/json",
        delivery_mode=2,
        app_id="oms",
        user_id=own_user,
        message_id=clean(delivery.message_id or "") or f"none/{work.body_hash.hex()}",
        message_type=clean(delivery.type or "") or None,
        correlation_id=clean(given.correlation_id or "") or None,
        reply_to=work.reply_to,
        timestamp=datetime.now(UTC) if given.timestamp in (None, TIME_OUT_OF_RANGE) else given.timestamp,
        headers={**carried, **headers},
    )


def reply(work: Work, message: Message, own_user: str) -> tuple[Properties, bytes]:
    """The properties and body of a message to the sender's reply queue.

    Replies to queries are not persistent: the client has timed out by the time a broker has restarted.
    """
    message_id, now = clean(work.message_id), datetime.now(UTC)
    about = properties(work, own_user, {"causation-id": message_id, "occurred-at": now.isoformat()})
    about.message_id, about.message_type = clean(f"{message.routing_key()}/{message_id}"), message.TYPE
    about.correlation_id, about.reply_to, about.timestamp = about.correlation_id or message_id, None, now
    about.delivery_mode = 1 if isinstance(message, Reply) else 2
    return about, message.json_bytes


def explode_pack(queue: str, work: Work, *, aside: bool) -> list[Announcement]:
    """Announce every item of a pack to the same queue, with the attempt of the pack. `aside`: because of a lock.

    The ids are derived from the pack's, so taking a pack apart twice makes duplicates that the inbox drops.
    """
    headers = aside_headers(work) if aside else retry_headers(work) | {"attempt": str(work.attempt)}
    return [_item(work, index, "queue", queue, headers) for index in range(len(work.pieces))]


def take_out(queue: str, index: int, outcome: Outcome) -> Announcement:
    """Take one item out of its pack, to the delay exchange if it is retried, else to the dead letters."""
    work, failure = outcome.work, outcome.failure
    if failure is None or outcome.kind is Kind.RETRIED:
        return _item(work, index, "delay", f"{tier(wait_seconds(work.attempt))}.{queue}", retry_headers(work))
    return _item(work, index, "dead", queue, dead_headers(work, failure))


def _item(
    work: Work, index: int, to: Literal["queue", "delay", "dead"], routing_key: str, headers: Mapping[str, str]
) -> Announcement:
    """One item of a pack with its body unchanged. Its correlation is known only if the whole pack could be decoded.

    An item that dies has a letter of its own, also if its pack was replayed: that letter's message, the pack, is done.
    """
    item = work.envelopes[index] if work.envelopes else None
    return Announcement(
        type=work.type,
        body=work.pieces[index],
        destination=to,
        routing_key=routing_key,
        correlation_id=item.correlation_id if item else work.delivery.properties.correlation_id or work.message_id,
        causation_id=item.causation_id if item else None,
        message_id=f"{work.message_id}/{index}",
        occurred_at=item.occurred_at if item else None,
        headers=_of_no_letter(headers) | (item.trace if item else work.delivery.trace),
    )
