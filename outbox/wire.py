"""The wire made safe: named connections, and decoders that survive what other clients publish.

The client library decodes frames in the task that reads the socket. There a string that is not UTF-8, a time out of
range or a bad header table raises, the connection dies, and the same message kills the next one (measured). These
decoders let such a message through, marked, so that it can be refused like any other.
"""

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import aiormq
from aiormq import Connection
from pamqp import decode
from yarl import URL

CONNECT_TIMEOUT_SECONDS = 15  # several times what a TLS handshake across regions takes
HEARTBEAT_SECONDS = 20  # a silent peer is given up after three of them
MALFORMED = "\udc00malformed"
"""Key of a header table that could not be read to its end. No real key can hold it: it is not UTF-8."""
TIME_OUT_OF_RANGE = datetime.min.replace(tzinfo=UTC)
"""Stands for a timestamp that no calendar holds."""


def install_tolerant_decoders() -> None:
    """Replace the library's decoders for this process. Doing it twice does no harm."""
    decode.METHODS.update(shortstr=_short_string, timestamp=_timestamp, table=_table)
    decode.TABLE_MAPPING.update({b"T": _timestamp, b"F": _table})


async def connect(url: str, *, name: str) -> Connection:
    """Open a connection that the broker lists under `name`. Raises OSError, TimeoutError or aiormq's AMQPError."""
    install_tolerant_decoders()
    place = URL(url)
    if "heartbeat" not in place.query:
        place = place.update_query(heartbeat=HEARTBEAT_SECONDS)
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        return await aiormq.connect(place, client_properties={"connection_name": name})


def is_blocked(connection: Connection) -> bool:
    """Whether the broker takes no publishes for now (memory or disk alarm). Never waits.

    The library keeps this to itself but for `ready()`, which ends at once unless blocked: one step of it tells.
    """
    step = connection.ready()
    try:
        step.send(None)
    except StopIteration:
        return False
    finally:
        step.close()
    return True


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode("utf-8", "surrogateescape")


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, TIME_OUT_OF_RANGE


def _table(value: bytes) -> tuple[int, dict[str, Any]]:
    end = 4 + int.from_bytes(value[:4], "big")
    table: dict[str, Any] = {}
    offset = 4
    try:
        while offset < end:
            consumed, key = _short_string(value[offset:end])
            offset += consumed
            consumed, table[key] = decode.embedded_value(value[offset:end])
            offset += consumed
    except (ValueError, ArithmeticError, IndexError, TypeError, struct.error):
        table[MALFORMED] = True
    return end, table
