"""A client that writes AMQP frames byte by byte, so that properties can hold what no library would send."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiormq
import pamqp.frame
from aiormq.abc import AbstractChannel, AbstractConnection, ChannelFrame
from aiormq.channel import Channel
from pamqp.body import ContentBody
from pamqp.commands import Basic

BASIC = 60
FRAME_END = b"\xce"
FLAGS = {
    "content_type": 15, "headers": 13, "delivery_mode": 12, "priority": 11, "correlation_id": 10, "reply_to": 9,
    "expiration": 8, "message_id": 7, "timestamp": 6, "type": 5, "user_id": 4, "app_id": 3,
}  # fmt: skip
"""Property -> its bit, in the order in which AMQP writes them."""
OCTETS = ("delivery_mode", "priority")


Header = bytes | list[bytes]


def table(headers: Mapping[bytes, Header]) -> bytes:
    """A header table of long strings, and arrays of them."""
    return b"".join(_short(key) + _field(value) for key, value in headers.items())


def _field(value: Header) -> bytes:
    return b"S" + _long(value) if isinstance(value, bytes) else b"A" + _long(b"".join(_field(item) for item in value))


def _short(value: bytes) -> bytes:
    return struct.pack("B", len(value)) + value


def _long(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _property(name: str, value: Any) -> bytes:
    if name in OCTETS:
        return struct.pack("B", value)
    if name == "timestamp":
        return struct.pack(">Q", value)
    if name == "headers":
        return _long(value if isinstance(value, bytes) else table(value))
    return _short(value.encode() if isinstance(value, str) else value)


def content_header(channel: int, body_bytes: int, properties: Mapping[str, Any]) -> bytes:
    """The frame that carries the properties; None leaves one out."""
    given = [name for name in FLAGS if properties.get(name) is not None]
    flags = sum(1 << FLAGS[name] for name in given)
    payload = struct.pack(">HHQH", BASIC, 0, body_bytes, flags)
    payload += b"".join(_property(name, properties[name]) for name in given)
    return struct.pack(">BHI", 2, channel, len(payload)) + payload + FRAME_END


@dataclass
class RawClient:
    """One channel, opened again after the broker closed it. `user` is the broker user of its connection."""

    url: str
    connection: AbstractConnection
    channel: AbstractChannel

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator["RawClient"]:
        self = cls(url, *await _opened(url))
        try:
            yield self
        finally:
            await self.connection.close()

    @property
    def user(self) -> str:
        return self.url.split("//")[1].split(":")[0]

    async def publish(self, exchange: str, routing_key: bytes | str, body: bytes, **properties: Any) -> None:
        """Publish, and wait until the broker has read it. Raises what the broker closes the channel with."""
        if self.channel.is_closed:
            await self.connection.close()
            self.connection, self.channel = await _opened(self.url)
        channel = self.channel
        assert isinstance(channel, Channel)
        key = routing_key.encode() if isinstance(routing_key, str) else routing_key
        method = struct.pack(">HHH", BASIC, 40, 0) + _short(exchange.encode()) + _short(key) + b"\0"
        frames = struct.pack(">BHI", 1, channel.number, len(method)) + method + FRAME_END
        frames += content_header(channel.number, len(body), properties)
        for start in range(0, len(body), channel.max_content_size):
            part = ContentBody(body[start : start + channel.max_content_size])
            frames += pamqp.frame.marshal(part, channel.number)
        await channel.write_queue.put(ChannelFrame(payload=frames, should_close=False))
        assert isinstance(await channel.basic_qos(prefetch_count=1), Basic.QosOk)


async def _opened(url: str) -> tuple[AbstractConnection, AbstractChannel]:
    connection = await aiormq.connect(url)
    return connection, await connection.channel(publisher_confirms=False)
