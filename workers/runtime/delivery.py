"""What the broker delivered, before anyone believes a word of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from outbox.amqp import DeliveredMessage, Properties

HASH_BYTES = 16
NO_ID = "missing_message_id"  # error type of a dead letter that arrived without an id; the client library gave it one


@dataclass(frozen=True)
class Delivery:
    """One message from one queue. `tag` is the channel's name for it. Nothing here is checked."""

    tag: int
    exchange: str
    routing_key: str
    body: bytes
    properties: Properties
    headers: Mapping[str, Any]

    @classmethod
    def of(cls, message: DeliveredMessage) -> "Delivery":
        """Take what we need from the client library's message."""
        said, exchange, key = message.header.properties, message.exchange or "", message.routing_key or ""
        return cls(message.delivery_tag or 0, exchange, key, message.body, said, said.headers or {})

    @property
    def message_id(self) -> str | None:
        """From the property; or from the header, for clients that cannot set properties."""
        return self.properties.message_id or self.text("message-id")

    @property
    def type(self) -> str | None:
        """As `message_id`."""
        return self.properties.message_type or self.text("type")

    @property
    def reply_to(self) -> str | None:
        """As `message_id`."""
        return self.properties.reply_to or self.text("reply-to")

    @property
    def user_id(self) -> str | None:
        """The broker user that published it: the broker refuses any other. None when the publisher did not say."""
        return self.properties.user_id

    @property
    def delivered_before(self) -> bool:
        """A consumer had this message and died or gave it back: it may be one that kills its process."""
        return bool(self.headers.get("x-delivery-count"))

    @cached_property
    def body_hash(self) -> bytes:
        """Tells two messages with one id apart."""
        return blake2b(self.body, digest_size=HASH_BYTES).digest()

    def text(self, header: str) -> str | None:
        """A header, when it is a text that is not empty."""
        value = self.headers.get(header)
        return value if isinstance(value, str) and value else None

    def number(self, header: str) -> int:
        """A count in a header, 0 when it is missing or none."""
        value = str(self.headers.get(header, ""))
        return int(value) if value.isdecimal() and len(value) < 10 else 0


@dataclass(frozen=True)
class RawDelivery(Delivery):
    """A message as it is, for a raw route. `queue` is the route's."""

    queue: str

    @classmethod
    def taken(cls, queue: str, one: Delivery) -> "RawDelivery":
        """A delivery from a queue."""
        return cls(one.tag, one.exchange, one.routing_key, one.body, one.properties, one.headers, queue)

    @property
    def message_id(self) -> str | None:
        """None where the client library invented it."""
        return None if self.text("error-type") == NO_ID else super().message_id

    @property
    def id(self) -> str:
        """Unique on its channel; enough to tell the messages of a batch apart."""
        return f"{self.queue}#{self.tag}"


def clean(text: str, *, bytes_max: int = 255) -> str:
    """Text that every system takes: UTF-8 without control characters, cut to a length. What was wrong is escaped."""
    sound = text.encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in sound)
    return shown.encode()[:bytes_max].decode("utf-8", "ignore")


def is_clean(text: str, *, bytes_max: int = 255) -> bool:
    """Whether `clean` would leave the text alone: no half characters, NULs or line breaks, not too long for AMQP."""
    return text.isprintable() and len(text.encode()) <= bytes_max
