"""Opens named connections, and installs decoders that survive what other clients publish.

The client library decodes frames in the task that reads the socket. If a string there is not UTF-8, a time is out of
range or a header table is bad, then decoding raises, the connection dies, and the same message kills the next
connection (measured). These decoders let such a message through, with a mark by which the runtime dead-letters it.
"""

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AuthenticationError, ProbableAuthenticationError
from yarl import URL

from outbox import amqp

CONNECT_TIMEOUT_SECONDS = 6  # several times what a TLS handshake across regions takes
CLOSE_TIMEOUT_SECONDS = 2.0  # a blocked broker reads nothing, not even a close frame
HEARTBEAT_SECONDS = 5  # the broker sends one twice in this time; RabbitMQ advises against less
SILENT_INTERVALS_MAX = 1.25  # of (HEARTBEAT_SECONDS + 1): a silent connection ends 8 to 10 seconds after the last frame
MALFORMED = "\udc00malformed"
"""This key marks a header table that could not be decoded to its end. It is not UTF-8, so no real key equals it."""
TIME_OUT_OF_RANGE = datetime.min.replace(tzinfo=UTC)
"""Stands for a timestamp that no calendar holds."""
DEPTH_MAX = 32
"""Tables and arrays within a header table. Our clients nest none; recursive readers fail at some hundred levels."""
LENGTH_BYTES = 4
NESTED = (b"F", b"A")
OF_ANY_LENGTH = (*NESTED, b"S", b"x")  # all other kinds take 8 bytes at most
LOGIN_REFUSED = (AuthenticationError, ProbableAuthenticationError)
"""The broker refuses the user or the password. It says so only to clients that it can trust to hear it."""
UNREADABLE = (ValueError, ArithmeticError, IndexError, TypeError, struct.error)


def install_tolerant_decoders() -> None:
    """Replace the library's decoders in this process. A second call does no harm."""
    amqp.install_decoders(short_string=_short_string, timestamp=_timestamp, table=_table)


async def connect(url: str, *, name: str, pace: amqp.Pace | None = None) -> AbstractConnection:
    """Open a connection that the broker lists under `name`. Raises OSError, TimeoutError or aio-pika's AMQPError.

    `pace` is awaited before each frame that is read.

    It does not reconnect by itself. Its users open a new one, and decide what happens to messages in flight.
    """
    install_tolerant_decoders()
    amqp.silence_ends_connections(SILENT_INTERVALS_MAX)
    place = URL(url)
    if "heartbeat" not in place.query:
        place = place.update_query(heartbeat=HEARTBEAT_SECONDS)
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        connection = aio_pika.Connection(place, client_properties={"connection_name": name})
        connection.kwargs["transport_factory"] = amqp.watched_transport(pace)
        try:
            await connection.connect()
        except BaseException as error:
            await connection.close()  # nothing is open, but the library closes what is not marked so as it is collected
            if isinstance(error, StopAsyncIteration):  # what a proxy causes that accepts for a broker that is away
                raise ConnectionError("the other side ended the connection before the login") from error
            raise
        return connection


def explain_refusal(error: BaseException) -> str:
    """Say why the broker refuses a login, and what to correct."""
    return f"RabbitMQ refuses the login ({error}); correct the user and password in OMS_AMQP_URL"


async def close(connection: AbstractConnection) -> None:
    """End a connection, and wait at most CLOSE_TIMEOUT_SECONDS for the broker. Messages in flight are lost.

    The close runs in its own task, because a writer that waits for the socket needs more than one cancellation.
    """
    closing = asyncio.create_task(amqp.close(connection))
    closing.add_done_callback(_ignore_error)
    try:
        await asyncio.wait([closing], timeout=CLOSE_TIMEOUT_SECONDS)
    finally:
        closing.cancel()


def _ignore_error(closing: asyncio.Task[None]) -> None:
    if not closing.cancelled():
        closing.exception()


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode("utf-8", "surrogateescape")


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return amqp.decode_timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, TIME_OUT_OF_RANGE


def _table(value: bytes) -> tuple[int, dict[str, Any]]:
    end = LENGTH_BYTES + int.from_bytes(value[:LENGTH_BYTES], "big")
    reader = _TableReader()
    table = reader.table(value[LENGTH_BYTES:end], 0)
    if not reader.sound:
        table[MALFORMED] = True
    return end, table


class _TableReader:
    """Decodes one table with its nested values. It skips what it cannot decode and sets `sound` to false."""

    def __init__(self) -> None:
        self.sound = True

    def table(self, content: bytes, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        offset = 0
        try:
            while offset < len(content):
                consumed, key = _short_string(content[offset : offset + 256])
                offset += consumed
                consumed, found[key] = self._value(content, offset, depth)
                offset += consumed
        except UNREADABLE:
            self.sound = False
        return found

    def array(self, content: bytes, depth: int) -> list[Any]:
        found: list[Any] = []
        offset = 0
        try:
            while offset < len(content):
                consumed, value = self._value(content, offset, depth)
                offset += consumed
                found.append(value)
        except UNREADABLE:
            self.sound = False
        return found

    def _value(self, content: bytes, offset: int, depth: int) -> tuple[int, Any]:
        """Return (bytes taken, value) for the value at `offset`. Raises ValueError if there is none."""
        kind = content[offset : offset + 1]
        begin = offset + 1 + LENGTH_BYTES
        end = begin + (int.from_bytes(content[offset + 1 : begin], "big") if kind in OF_ANY_LENGTH else 8)
        if kind in OF_ANY_LENGTH and end > len(content):
            raise ValueError("a value goes on beyond its table")
        if kind in NESTED:
            return end - offset, self._nested(kind, content[begin:end], depth + 1)
        consumed, value = amqp.decode_value(content[offset:end])
        if not consumed:
            raise ValueError("a key without a value")
        return consumed, value

    def _nested(self, kind: bytes, content: bytes, depth: int) -> Any:
        if depth > DEPTH_MAX:
            self.sound = False
            return None
        return self.table(content, depth) if kind == b"F" else self.array(content, depth)
