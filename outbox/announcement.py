"""Announcements: an immutable value per message to publish, with a constructor function per destination."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from uuid_utils import uuid7

from messages.base import Event, Instruction, Message
from messages.envelope import Envelope
from messages.topology import tier

Destination = Literal["internal", "events", "delay", "queue", "dead", "reply"]
MUST_ROUTE: Mapping[Destination, bool] = {
    "internal": True,
    "events": False,  # an event without a subscriber is no failure
    "delay": True,
    "queue": True,
    "dead": True,
    "reply": False,  # the client and its reply queue may be gone
}


@dataclass(frozen=True)
class Announcement:
    """One message to publish after the transaction commits.

    `body` is one message, or its JSON; `append` wraps packable ones in `{"items": [...]}`. `routing_key` holds names
    without the prefix: the routing key of an exchange (internal, events), `<tier>.<queue>` (delay), a queue (queue,
    dead) or the reply_to. Events of one `stream` (a root order's id) are published in the order of their `append`,
    each after the one before is confirmed; instructions about one order are a stream of their own. `message_id` is
    given only by replays and exploded items; all others get a fresh UUIDv7. A `sensitive` body is stored encrypted
    until it is published.
    """

    type: str
    body: Message | bytes
    destination: Destination
    routing_key: str
    correlation_id: str
    causation_id: str | None = None
    must_route: bool = True
    packable: bool = False
    stream: int | None = None
    message_id: str | None = None
    occurred_at: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sensitive: bool = False

    @property
    def numbered(self) -> bool:
        """Whether it is an event of a stream, which has a number there."""
        return self.stream is not None and self.destination == "events"

    @property
    def conversation(self) -> str | None:
        """The conversation that the body names, as those of `order.*` do."""
        return getattr(self.body, "conversation_id", None) if self.destination == "events" else None

    @property
    def about(self) -> str | None:
        """The order that an event without a stream is about."""
        order_id = getattr(self.body, "order_id", None) if self.destination == "events" else None
        return None if order_id is None else str(order_id)

    @property
    def json_bytes(self) -> bytes:
        """The body on the wire, of one item."""
        return self.body if isinstance(self.body, bytes) else self.body.json_bytes


def event(message: Event, *, because: Envelope[Any] | None, stream: int | None = None) -> Announcement:
    """Publish to all subscribers. `stream` is the root order's id; the transaction must hold its lock.

    `append` numbers the events of a stream, 1, 2, 3 ... without gaps.
    """
    return _about(message, "events", message.routing_key(), because, stream=stream)


def internal(message: Message, *, because: Envelope[Any] | None = None) -> Announcement:
    """Send to our own queue that takes this type."""
    return _about(message, "internal", message.routing_key(), because)


def later(message: Message, *, seconds: int, queue: str, because: Envelope[Any] | None = None) -> Announcement:
    """Send to one of our queues after `seconds`, which must be a tier of the delay ladder."""
    return _about(message, "delay", f"{tier(seconds)}.{queue}", because)


def to_queue(message: Message, *, queue: str, because: Envelope[Any] | None = None) -> Announcement:
    """Send to the tail of one of our queues, past every binding."""
    return _about(message, "queue", queue, because)


def instruction(message: Instruction, *, queue: str, stream: int, because: Envelope[Any] | None = None) -> Announcement:
    """Send to the queue of an outside system, in the order of a stream. The body is stored encrypted until then."""
    return replace(_about(message, "queue", queue, because, stream=stream), sensitive=True)


def reply(type: str, body: bytes, *, to: str, correlation_id: str, because: Envelope[Any]) -> Announcement:
    """Send to the reply queue of a client. A queue that is gone is no failure."""
    return Announcement(
        type=type,
        body=body,
        destination="reply",
        routing_key=to,
        correlation_id=correlation_id,
        causation_id=because.id,
        must_route=False,
        headers=because.trace,
    )


def _about(
    message: Message,
    destination: Destination,
    routing_key: str,
    because: Envelope[Any] | None,
    *,
    stream: int | None = None,
) -> Announcement:
    return Announcement(
        type=message.TYPE,
        body=message,
        destination=destination,
        routing_key=routing_key,
        correlation_id=str(uuid7()) if because is None else because.correlation_id,
        causation_id=None if because is None else because.id,
        must_route=MUST_ROUTE[destination],
        packable=message.PACKABLE,
        stream=stream,
        headers={} if because is None else because.trace,
    )
