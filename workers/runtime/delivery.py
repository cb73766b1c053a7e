"""What the broker delivered, before anyone believes a word of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from outbox.wire import TIME_OUT_OF_RANGE

HASH_BYTES = 16
NO_ID = "missing_message_id"  # error type of a dead letter that arrived without an id; the client library gave it one


@dataclass(frozen=True)
class Delivery:
    """One message from one queue. `tag` is the channel's name for it. Nothing here is checked."""

    tag: int
    exchange: str
    routing_key: str
    body: bytes
    properties: Basic.Properties
    headers: Mapping[str, Any]

    @classmethod
    def of(cls, message: DeliveredMessage) -> "Delivery":
        """Take what we need from the client library's message."""
        properties = message.header.properties
        return cls(
            tag=message.delivery_tag or 0,
            exchange=message.exchange or "",
            routing_key=message.routing_key or "",
            body=message.body,
            properties=properties,
            headers=properties.headers or {},
        )

    @property
    def message_id(self) -> str | None:
        """From the property; or from the header, for clients that cannot set properties (S1-40)."""
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
class RawDelivery:
    """A message as it is, for a raw route. `queue` is the route's; `headers` is JSON, as good as they can be shown."""

    queue: str
    tag: int
    message_id: str | None
    type: str | None
    exchange: str
    routing_key: str
    correlation_id: str | None
    reply_to: str | None
    user_id: str | None
    timestamp: datetime | None
    header: Mapping[str, Any]
    body: bytes

    @classmethod
    def of(cls, queue: str, delivery: Delivery) -> "RawDelivery":
        """Show a delivery as it is; an id that the client library invented is no id."""
        properties = delivery.properties
        return cls(
            queue=queue,
            tag=delivery.tag,
            message_id=None if delivery.text("error-type") == NO_ID else delivery.message_id,
            type=delivery.type,
            exchange=delivery.exchange,
            routing_key=delivery.routing_key,
            correlation_id=properties.correlation_id,
            reply_to=delivery.reply_to,
            user_id=properties.user_id,
            timestamp=None if properties.timestamp == TIME_OUT_OF_RANGE else properties.timestamp,
            header=delivery.headers,
            body=delivery.body,
        )

    @property
    def id(self) -> str:
        """Unique on its channel; enough to tell the messages of a batch apart."""
        return f"{self.queue}#{self.tag}"

    @cached_property
    def headers(self) -> bytes:
        """All headers as JSON. Text that is not UTF-8 keeps its bytes as escapes."""
        return orjson.dumps(_shown(dict(self.header)), option=orjson.OPT_NON_STR_KEYS)


def _shown(value: Any) -> Any:
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


def clean(text: str, *, bytes_max: int = 255) -> str:
    """Text that every system takes: UTF-8 without control characters, cut to a length. What was wrong is escaped."""
    sound = text.encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in sound)
    return shown.encode()[:bytes_max].decode("utf-8", "ignore")


def is_clean(text: str, *, chars_max: int = 255) -> bool:
    """Whether `clean` would leave the text alone: no half characters, NULs or line breaks, not too long."""
    return len(text) <= chars_max and text.isprintable()
