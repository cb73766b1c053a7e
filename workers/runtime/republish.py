"""Fresh properties for everything sent on. Only what is listed here travels: an `x-death`, a CC or an expiration that
came in would lose the message, or send it to strangers (measured)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from messages.base import CommandRejected, Message, MessageCode, Reply
from messages.topology import tier
from outbox import Announcement
from outbox.amqp import Properties
from outbox.version import version
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.decode import Work
from workers.runtime.delivery import clean
from workers.runtime.errors import Failure
from workers.runtime.policy import Kind, Outcome, wait_seconds

CARRIED = ("causation-id", "occurred-at", "traceparent")
VERSION = version()


def retry_headers(work: Work) -> dict[str, Any]:
    """Of a message that is tried again. An unknown origin is said, or our own user would vouch for it."""
    known = work.delivery.text("first-failed-at") if work.attempt else None
    failed_at = clean(known or datetime.now(UTC).isoformat())
    return {"attempt": str(work.attempt + 1), "origin-user": work.user or "", "first-failed-at": failed_at}


def dead_headers(work: Work, failure: Failure) -> dict[str, Any]:
    """Of a dead letter: all that a person needs to judge it, and nothing out of its body."""
    return retry_headers(work) | {
        "reason": failure.reason,
        "error-path": failure.path,
        "error-type": failure.error_type,
        "error-message": clean(failure.message, bytes_max=512),
        "fingerprint": failure.fingerprint,
        "last-failed-at": datetime.now(UTC).isoformat(),
        "original-exchange": clean(work.delivery.exchange),
        "original-routing-key": clean(work.delivery.routing_key),
        "worker-version": VERSION,
    }


def properties(work: Work, own_user: str, headers: Mapping[str, Any]) -> Properties:
    """Of the same message sent on by us: its id, type, correlation and reply address, and the headers that are ours."""
    delivery, said = work.delivery, work.delivery.properties
    carried = {name: clean(text) for name in CARRIED if (text := str(delivery.headers.get(name, "")))}
    return Properties(
        content_type="application/json",
        delivery_mode=2,
        app_id="oms",
        user_id=own_user,
        message_id=clean(delivery.message_id or "") or f"none/{delivery.body_hash.hex()}",
        message_type=clean(delivery.type or "") or None,
        correlation_id=clean(said.correlation_id or "") or None,
        reply_to=work.reply_to,
        timestamp=datetime.now(UTC) if said.timestamp in (None, TIME_OUT_OF_RANGE) else said.timestamp,
        headers={**carried, **headers},
    )


def rejection(work: Work, failure: Failure) -> CommandRejected:
    """What a sender is told whose message cannot be read."""
    return CommandRejected(
        command_id=clean(work.message_id),
        type=clean(work.delivery.type or ""),
        code=MessageCode.MESSAGE_INVALID,
        message=failure.message,
        details={"error": failure.error_type, "path": failure.path},
    )


def answer(work: Work, told: Message, own_user: str) -> tuple[Properties, bytes]:
    """What a sender is told at its own queue. The reply to a question need not outlive a broker: who waits then?"""
    message_id, now = clean(work.message_id), datetime.now(UTC)
    about = properties(work, own_user, {"causation-id": message_id, "occurred-at": now.isoformat()})
    about.message_id, about.message_type = f"{told.routing_key()}/{message_id}"[:255], told.TYPE
    about.correlation_id, about.reply_to, about.timestamp = about.correlation_id or message_id, None, now
    about.delivery_mode = 1 if isinstance(told, Reply) else 2
    return about, told.json_bytes


def exploded(queue: str, work: Work) -> list[Announcement]:
    """Every item to the same queue, as often tried as the whole was. Derived ids make a second time a repeat."""
    headers = retry_headers(work) | {"attempt": str(work.attempt)}
    return [_piece(work, index, "queue", queue, headers) for index in range(len(work.pieces))]


def leaving(queue: str, index: int, outcome: Outcome) -> Announcement:
    """One item that its handler wants retried, or given up."""
    work, failure = outcome.work, outcome.failure
    if failure is None or outcome.kind is Kind.RETRIED:
        return _piece(work, index, "delay", f"{tier(wait_seconds(work.attempt))}.{queue}", retry_headers(work))
    return _piece(work, index, "dead", queue, dead_headers(work, failure))


def _piece(
    work: Work, index: int, to: Literal["queue", "delay", "dead"], routing_key: str, headers: Mapping[str, str]
) -> Announcement:
    """One item of a pack, as it came. What it says of itself is known only when the whole pack could be read."""
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
        headers=headers,
    )
