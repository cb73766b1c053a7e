"""A message as the broker delivered it, before anything in it is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from messages.trace_context import TRACEPARENT, TRACESTATE, trace_headers
from outbox.amqp import DeliveredMessage, Properties

HASH_BYTES = 16
AMQP_TEXT_BYTES_MAX = 255  # of a property, a name or a routing key
NO_ID = "missing_message_id"  # error type of a dead letter that arrived without an id, for which we made one up


@dataclass(frozen=True)
class Delivery:
    """One message from one queue, unchecked. `tag` is its delivery tag, a number that is unique on its channel."""

    tag: int
    exchange: str
    routing_key: str
    body: bytes
    properties: Properties
    headers: Mapping[str, Any]

    @classmethod
    def of(cls, message: DeliveredMessage) -> "Delivery":
        """Copy what we need from the client library's message."""
        given, exchange, key = message.header.properties, message.exchange or "", message.routing_key or ""
        return cls(message.delivery_tag or 0, exchange, key, message.body, given, given.headers or {})

    @property
    def message_id(self) -> str | None:
        """The property message_id; or the header message-id, for clients that cannot set properties."""
        return self.properties.message_id or self.text("message-id")

    @property
    def type(self) -> str | None:
        """The property type, or the header of that name."""
        return self.properties.message_type or self.text("type")

    @property
    def reply_to(self) -> str | None:
        """The property reply_to, or the header reply-to."""
        return self.properties.reply_to or self.text("reply-to")

    @property
    def user_id(self) -> str | None:
        """The broker user that published it, as the broker verified; None if the publisher left the property out."""
        return self.properties.user_id

    @property
    def delivered_before(self) -> bool:
        """True if a consumer had this message and died or gave it back: it may be one that kills its process."""
        return bool(self.headers.get("x-delivery-count"))

    @cached_property
    def body_hash(self) -> bytes:
        """A hash that tells two messages with the same id apart."""
        return blake2b(self.body, digest_size=HASH_BYTES).digest()

    def text(self, header: str) -> str | None:
        """The value of a header if it is a text and not empty, else None."""
        value = self.headers.get(header)
        return value if isinstance(value, str) and value else None

    @property
    def trace(self) -> dict[str, str]:
        """The headers by which what we send on belongs to its trace."""
        return trace_headers(self.text(TRACEPARENT), self.text(TRACESTATE))

    @property
    def authorization(self) -> str | None:
        """The token of the sender; empty, which no key has signed, if the header is no text or comes twice."""
        found = [value for name, value in self.headers.items() if name.lower() == "authorization"]
        return next((one for one in found if isinstance(one, str) and len(found) == 1), "") if found else None

    def number(self, header: str) -> int:
        """The count in a header, or 0 if it is missing or not a count."""
        value = str(self.headers.get(header, ""))
        return int(value) if value.isdecimal() and len(value) < 10 else 0


@dataclass(frozen=True)
class RawDelivery(Delivery):
    """An undecoded message for the handler of a raw route. `queue` is the route's queue."""

    queue: str

    @classmethod
    def taken(cls, queue: str, one: Delivery) -> "RawDelivery":
        """Add the queue to a delivery."""
        return cls(one.tag, one.exchange, one.routing_key, one.body, one.properties, one.headers, queue)

    @property
    def message_id(self) -> str | None:
        """None for a dead letter that arrived without an id: then its id was made up by us."""
        return None if self.text("error-type") == NO_ID else super().message_id

    @property
    def id(self) -> str:
        """A name that is unique on its channel, which is enough to tell the messages of a batch apart."""
        return f"{self.queue}#{self.tag}"


def clean(text: str, *, bytes_max: int = AMQP_TEXT_BYTES_MAX) -> str:
    """Make text that every system takes: UTF-8, control characters escaped, cut to `bytes_max`."""
    sound = text.encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in sound)
    return shown.encode()[:bytes_max].decode("utf-8", "ignore")


def is_clean(text: str, *, bytes_max: int = AMQP_TEXT_BYTES_MAX) -> bool:
    """True if `clean` would not change the text: no lone surrogates, NULs or line breaks, and not too long for AMQP."""
    return text.isprintable() and len(text.encode()) <= bytes_max
