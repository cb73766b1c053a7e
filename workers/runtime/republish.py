"""Fresh properties for everything sent on. Only what is listed here travels: an `x-death`, a CC or an expiration that
came in would lose the message, or send it to strangers (measured)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from pamqp.commands import Basic

from messages.base import CommandRejected
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.decode import Work
from workers.runtime.delivery import clean
from workers.runtime.errors import Failure

CARRIED = ("causation-id", "occurred-at", "traceparent", "stream", "seq")
PERSISTENT = 2
VERSION = metadata.version("oms") if "oms" in {d.name for d in metadata.distributions()} else "0"


def retry_headers(work: Work, failed_at: datetime) -> dict[str, str]:
    """Of a message that is tried again. An unknown origin is said, or our own user would vouch for it."""
    return {
        "attempt": str(work.attempt + 1),
        "origin-user": work.user or "",
        "first-failed-at": _first_failed_at(work, failed_at),
    }


def dead_headers(work: Work, failure: Failure, failed_at: datetime) -> dict[str, str]:
    """Of a dead letter: all that a person needs to judge it, and nothing out of its body."""
    return retry_headers(work, failed_at) | {
        "reason": failure.reason,
        "error-path": failure.path,
        "error-type": failure.error_type,
        "error-message": clean(failure.message, bytes_max=512),
        "fingerprint": failure.fingerprint,
        "last-failed-at": failed_at.isoformat(),
        "original-exchange": clean(work.delivery.exchange),
        "original-routing-key": clean(work.delivery.routing_key),
        "worker-version": VERSION,
    }


def properties(work: Work, own_user: str, headers: Mapping[str, str]) -> Basic.Properties:
    """Of the same message sent on by us: its id, type, correlation and reply address, and the headers that are ours."""
    delivery, said = work.delivery, work.delivery.properties
    carried = {name: clean(text) for name in CARRIED if (text := str(delivery.headers.get(name, "")))}
    return Basic.Properties(
        content_type="application/json",
        delivery_mode=PERSISTENT,
        message_id=clean(delivery.message_id or "") or None,
        message_type=clean(delivery.type or "") or None,
        correlation_id=clean(said.correlation_id or "") or None,
        reply_to=work.reply_to,
        app_id="oms",
        user_id=own_user,
        timestamp=datetime.now(UTC) if said.timestamp in (None, TIME_OUT_OF_RANGE) else said.timestamp,
        headers={**carried, **headers},
    )


def rejection(work: Work, failure: Failure, own_user: str) -> tuple[Basic.Properties, bytes]:
    """What a sender is told whose message cannot be read."""
    delivery = work.delivery
    message_id, message_type = clean(delivery.message_id or ""), clean(delivery.type or "")
    told = CommandRejected(
        command_id=message_id,
        type=message_type,
        code="MESSAGE_INVALID",
        message=failure.message,
        details={"error": failure.error_type, "path": failure.path},
    )
    about: dict[str, Any] = {"causation-id": message_id, "occurred-at": datetime.now(UTC).isoformat()}
    return Basic.Properties(
        content_type="application/json",
        delivery_mode=PERSISTENT,
        message_id=f"rejected/{message_id}"[:255],
        message_type=CommandRejected.TYPE,
        correlation_id=clean(delivery.properties.correlation_id or "") or message_id,
        app_id="oms",
        user_id=own_user,
        timestamp=datetime.now(UTC),
        headers=about,
    ), told.model_dump_json().encode()


def _first_failed_at(work: Work, failed_at: datetime) -> str:
    known = work.delivery.text("first-failed-at") if work.attempt else None
    return clean(known or failed_at.isoformat())
