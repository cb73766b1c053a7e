"""Holds every place where we reach below aio-pika, and says why. No other module imports aiormq or pamqp.

aio-pika opens and closes our connections and channels, declares the topology and cancels consumers. Below it, aiormq
speaks the protocol, and pamqp encodes and decodes frames; neither promises to keep what we use here. So each place is
one small function or class that says what it uses and why aio-pika does not suffice. `tests/outbox/test_amqp.py` has a
test for each place, which fails when the library changes there.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import pamqp.frame
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.channel import EXCEPTION_MAPPING as CHANNEL_EXCEPTIONS
from aiormq.channel import Channel
from aiormq.connection import EXCEPTION_MAPPING as CONNECTION_EXCEPTIONS
from aiormq.connection import Connection, TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed, ChannelLockedResource, ConnectionClosed
from pamqp import decode
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from db.pool import end_when_silent

__all__ = [
    "BrokerRefusal",
    "ChannelAccessRefused",
    "ChannelLockedResource",
    "ConfirmChannel",
    "DeliveredMessage",
    "Properties",
    "acknowledge",
    "close",
    "consume",
    "decode_timestamp",
    "decode_value",
    "install_decoders",
    "is_blocked",
    "refusal",
    "requeue",
    "silence_ends_connections",
    "watched_transport",
]
"""`ChannelAccessRefused` and `ChannelLockedResource` are exceptions that `aio_pika.exceptions` leaves out."""

Decoder = Callable[[bytes], tuple[int, Any]]
"""Reads one value at the start of some bytes. Returns how many bytes it took, and the value."""

Properties = Basic.Properties
"""The properties of a message. `aio_pika.Message` builds the same object, at 14 times the cost (15 instead of 1
microseconds), and it always sets a priority and a delivery mode, also on what we send on for others."""


SHORT_STRING_MAX_BYTES = 255
NO_REFUSALS = (0, 200, 320)  # we closed it ourselves, or the broker shuts down or closes it for an administrator
IN_DOUBT = (506, 541)  # a resource is missing, an internal error: the broker may be the reason, and not the message
REASON_MAX_CHARACTERS = 300
_REPLY_CODES = {error: code for code, error in (*CHANNEL_EXCEPTIONS.items(), *CONNECTION_EXCEPTIONS.items())}


@dataclass(frozen=True)
class BrokerRefusal:
    """Why the broker ended a channel or a connection: AMQP's reply code, and the broker's text."""

    code: int
    text: str

    @property
    def in_doubt(self) -> bool:
        """True if the broker itself may be the reason, and not a message."""
        return self.code in IN_DOUBT

    def names(self, exchange: str) -> bool:
        """True if the broker refuses all that is sent to this exchange: it is missing, or we may not write to it."""
        return self.code in (403, 404) and f"exchange '{exchange}'" in self.text and "to topic" not in self.text

    def __str__(self) -> str:
        return self.text if self.text.startswith(str(self.code)) else f"{self.code} {self.text}"


def refusal(error: BaseException | None) -> BrokerRefusal | None:
    """What the broker refused when it ended a channel or a connection with this error. None if it refused nothing.

    aiormq has an exception for most reply codes, which then holds the text alone; the others hold code and text.
    aio-pika passes both on and tells neither.
    """
    if error is None or not error.args:
        return None
    code, text = _REPLY_CODES.get(type(error)), error.args[0]
    if type(error) in (ChannelClosed, ConnectionClosed) and len(error.args) > 1:
        code, text = error.args[:2]
    if code is None or code in NO_REFUSALS:
        return None
    return BrokerRefusal(code, str(text)[:REASON_MAX_CHARACTERS])


class ConfirmChannel:
    """Publishes on a confirm channel without waiting: a future per message, and many messages in one write.

    `Exchange.publish` writes each message by itself and waits for it to leave. One write for all messages of one turn
    of the event loop takes a third off the cost of a message. This reaches for the fields with which aiormq's channel
    matches the broker's answers to messages: `delivery_tag` counts what was published, `confirmations` holds the
    future of each, `message_id_delivery_tag` finds the message that was returned. And it reaches for the
    connection's `write_queue` and the size of a frame.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def below(cls, channel: AbstractChannel) -> "ConfirmChannel":
        """The confirm channel of a channel that was opened with `publisher_confirms` and `on_return_raises`."""
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, Channel)
        return cls(underlay)

    def expect(self, message_id: str) -> asyncio.Future[object]:
        """Count the message that is written next. The future ends when the broker answers.

        It raises PublishError for a message that the broker returned and DeliveryError for one that a queue refused.
        It never ends when the channel is lost. A message id must not be expected twice at the same time: aiormq would
        take the return of one message for the return of the other.
        """
        channel = self._channel
        channel.delivery_tag += 1
        confirmation: asyncio.Future[object] = self._loop.create_future()
        channel.confirmations[channel.delivery_tag] = confirmation
        channel.message_id_delivery_tag[message_id] = channel.delivery_tag
        return confirmation

    def forget(self, message_id: str) -> None:
        """Stop matching returned messages to this id."""
        self._channel.message_id_delivery_tag.pop(message_id, None)

    def encode(self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool) -> bytes:
        """The frames of one publish. Raises ValueError for what AMQP cannot express, and for too large properties."""
        number, largest = self._channel.number, self._channel.max_content_size
        try:
            header = pamqp.frame.marshal(ContentHeader(properties=properties, body_size=len(body)), number)
            frames = [_publish_frame(exchange, routing_key, mandatory, number), header]
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise ValueError(_inexpressible(routing_key, properties) or str(error)) from error
        if len(header) > largest:
            raise ValueError(f"the headers take {len(header)} bytes, and the broker takes {largest} at most")
        for start in range(0, len(body), largest):
            frames.append(pamqp.frame.marshal(ContentBody(body[start : start + largest]), number))
        return b"".join(frames)

    async def write(self, frames: bytes) -> None:
        """Hand the frames of one or many publishes to the connection. Waits only while its queue is full."""
        await self._channel.write_queue.put(ChannelFrame(payload=frames, should_close=False))


def _inexpressible(routing_key: str, properties: Properties) -> str:
    """Name the text that is too long or no UTF-8, without its value. Empty if it is none of them."""
    texts = {name: getattr(properties, name) for name in ("message_id", "correlation_id", "message_type", "user_id")}
    for name, text in (("routing key", routing_key), *texts.items()):
        try:
            size_bytes = len((text or "").encode())
        except UnicodeEncodeError:
            return f"the {name} is no UTF-8"
        if size_bytes > SHORT_STRING_MAX_BYTES:
            return f"the {name} takes {size_bytes} bytes, and AMQP allows {SHORT_STRING_MAX_BYTES}"
    return ""


@lru_cache(maxsize=1024)  # few addresses, many messages
def _publish_frame(exchange: str, routing_key: str, mandatory: bool, channel_number: int) -> bytes:
    frame = Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    return pamqp.frame.marshal(frame, channel_number)


def is_blocked(connection: AbstractConnection) -> bool:
    """True while the broker accepts no publishes on this connection (memory or disk alarm). It never waits.

    aio-pika does not report this, and aiormq keeps it in a private field. But `ready` of the connection below ends at
    once unless the broker blocks the connection: one step of that coroutine shows it.
    """
    if connection.transport is None:
        return False  # we closed it
    step = connection.transport.connection.ready()
    try:
        step.send(None)
    except StopIteration:
        return False
    finally:
        step.close()
    return True


async def close(connection: AbstractConnection) -> None:
    """End a connection. If this is cancelled, it can be called again.

    aio-pika's `Connection.close` waits for the callbacks of the closed connection, and when it is cancelled it goes on
    waiting, if need be for ever: a process that wants to stop would hang. A second close does nothing. So this closes
    the connection below first.
    """
    if connection.transport is not None:
        await connection.transport.connection.close()
        connection.transport = None
    await connection.close()


async def consume(
    channel: AbstractChannel,
    queue: str,
    on_message: Callable[[DeliveredMessage], Coroutine[Any, Any, None]],
    on_cancelled: Callable[[], None],
    *,
    tag: str,
    timeout_seconds: float,
) -> None:
    """Begin to consume under a consumer tag. `on_message` gets each message as it was decoded.

    `Queue.consume` makes an `IncomingMessage` of each message before it calls back. That raises for properties that
    some brokers let pass (a delivery mode of 9), and then the message stays unacknowledged until the channel closes.
    It also costs as much as a `Message`, and another task.
    `on_cancelled` is called when the broker ends the consumer, as it does when its queue is deleted. Of aio-pika's
    channels only the robust one listens for this, and we reconnect ourselves.
    """

    def cancelled(frame: Basic.Cancel) -> None:
        if frame.consumer_tag == tag:
            on_cancelled()

    underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(cancelled)
    await underlay.basic_consume(queue, on_message, consumer_tag=tag, timeout=timeout_seconds)


async def acknowledge(channel: AbstractChannel, tag: int, *, multiple: bool) -> None:
    """Acknowledge a delivery, or with `multiple` every delivery up to it. Does not wait until it is written.

    aio-pika acknowledges through its `IncomingMessage`, which we do not make (see `consume`), and waits each time
    until the socket has taken it.
    """
    underlay = await channel.get_underlay_channel()
    await underlay.basic_ack(tag, multiple=multiple, wait=False)


async def requeue(channel: AbstractChannel, tag: int) -> None:
    """Give a delivery back to its queue by basic.reject, for the same reason as `acknowledge`."""
    underlay = await channel.get_underlay_channel()
    await underlay.basic_reject(tag, requeue=True, wait=False)


Pace = Callable[[], Awaitable[None]]
"""Is awaited before each frame that a connection reads, so it can slow the broker down."""


class _WatchedTransport(TransportFactory):
    """Opens sockets that end when the peer is silent, and that read at the pace of a callback."""

    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace

    async def create(self, url: URL, **given: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **given)
        end_when_silent(writer.get_extra_info("socket"))
        return (reader if self._pace is None else cast(asyncio.StreamReader, _PacedReader(reader, self._pace))), writer


class _PacedReader:
    """The part of a StreamReader that aiormq uses. It reads the first byte of a frame by itself."""

    def __init__(self, reader: asyncio.StreamReader, pace: Pace) -> None:
        self._reader = reader
        self._pace = pace
        self.at_eof = reader.at_eof
        self.read = reader.read

    async def readexactly(self, count: int) -> bytes:
        if count == 1:
            await self._pace()
        return await self._reader.readexactly(count)


def watched_transport(pace: Pace | None) -> TransportFactory:
    """How a connection opens its socket. aio-pika offers neither socket options nor a way to read more slowly.

    Prefetch counts messages and not bytes, so only a reader that waits bounds the memory that large messages take.
    """
    return _WatchedTransport(pace)


def silence_ends_connections(after_intervals: float) -> None:
    """End a connection, in this process, that got no frame for this many heartbeat intervals (and a second).

    aiormq allows three intervals, and no caller can change that for one connection.
    """
    Connection.HEARTBEAT_GRACE_MULTIPLIER = after_intervals  # type: ignore[assignment]


def install_decoders(*, short_string: Decoder, timestamp: Decoder, table: Decoder) -> None:
    """Replace how this process decodes three kinds of values, in every connection.

    aiormq decodes frames in the task that reads the socket, with functions that pamqp looks up in these two mappings.
    Neither library lets a caller handle what cannot be decoded.
    """
    decode.METHODS.update(shortstr=short_string, timestamp=timestamp, table=table)
    decode.TABLE_MAPPING.update({b"T": timestamp})


def decode_timestamp(value: bytes) -> tuple[int, datetime]:
    """pamqp's own decoder of a timestamp. Raises ValueError, OverflowError or OSError for what no calendar holds."""
    return decode.timestamp(value)


def decode_value(value: bytes) -> tuple[int, Any]:
    """pamqp's own decoder of one value in a header table, which begins with the letter of its kind.

    It takes no bytes when there are none. It raises ValueError for an unknown kind, and other errors for a value that
    is cut short.
    """
    return decode.embedded_value(value)
