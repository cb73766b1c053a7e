"""Reads the stream that keeps all events, from a place up to the end that it has at the start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aio_pika import exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from messages.event_history import EVENT_HISTORY
from outbox import wire
from scripts.commands.connections import BrokerSettings, broker_url
from scripts.commands.problems import Code, CommandError

OFFSET = "x-stream-offset"
PREFETCH_MESSAGES = 1_000
ACKNOWLEDGED_TOGETHER = 250
FIRST_TIMEOUT_SECONDS = 5.0  # a stream that has events sends the first at once
QUIET_SECONDS = 0.5  # the last chunk comes in one piece, so a pause ends it
BUSY_SECONDS = 3.0  # events keep coming: any of them may count as the end
STALL_TIMEOUT_SECONDS = 30.0
SKEW = timedelta(minutes=1)  # the clocks of the broker and of the workers may differ by this

Start = int | str | datetime
"""Where to begin: an offset, `first`, or a time."""


@dataclass(frozen=True)
class KeptEvent:
    """One event of the stream, at its offset. `stream` and `seq` are those of its headers."""

    offset: int
    message_id: str
    type: str
    correlation_id: str | None
    occurred_at: datetime
    stream: str | None
    seq: int | None
    body: dict[str, Any]
    message: AbstractIncomingMessage


@asynccontextmanager
async def opened(settings: BrokerSettings, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Connect to the broker until the block ends. Raises CommandError if it has no event history."""
    connection = await wire.connect(broker_url(settings), name=name)
    try:
        yield connection
    except exceptions.ChannelNotFoundEntity as error:
        stream = settings.names.queue(EVENT_HISTORY)
        why = f"the stream {stream} does not exist, so no event is kept"
        hint = "OMS_EVENT_HISTORY=on oms topology declare; it keeps the events from then on"
        raise CommandError(Code.NOTHING, "there is no event history", why=why, hint=hint) from error
    finally:
        await wire.close(connection)


async def end_of(connection: AbstractConnection, stream: str) -> int | None:
    """Return the offset of the newest event; None if there is none. Newer ones may come while this looks."""
    channel = await connection.channel(publisher_confirms=False)
    arrived = await _subscribed(channel, stream, "last")
    end: int | None = None
    started = asyncio.get_running_loop().time()
    timeout_seconds = FIRST_TIMEOUT_SECONDS
    while asyncio.get_running_loop().time() - started < BUSY_SECONDS or end is None:
        try:
            async with asyncio.timeout(timeout_seconds):
                message = await arrived.get()
        except TimeoutError:
            break
        end, timeout_seconds = _offset(message), QUIET_SECONDS
        await message.ack()
    await channel.close()
    return end


async def kept(connection: AbstractConnection, stream: str, start: Start, end: int) -> AsyncIterator[KeptEvent]:
    """Yield the events from `start` to the offset `end`.

    A time begins a little earlier: where the broker got what happened then, by a clock that may differ. Raises
    CommandError if the broker stops sending, with the offset from which to go on.
    """
    if isinstance(start, int) and start > end:
        return
    channel = await connection.channel(publisher_confirms=False)
    arrived = await _subscribed(channel, stream, start - SKEW if isinstance(start, datetime) else start)
    last, unacknowledged = -1, 0
    while last < end:
        message = await _next(arrived, start, last)
        if message is None:
            return
        last, unacknowledged = _offset(message), unacknowledged + 1
        if unacknowledged >= ACKNOWLEDGED_TOGETHER:
            await message.ack(multiple=True)
            unacknowledged = 0
        if last <= end:
            yield _event(message)
    await channel.close()


async def _next(
    arrived: "asyncio.Queue[AbstractIncomingMessage]", start: Start, last: int
) -> AbstractIncomingMessage | None:
    """Return the next message; None if the broker got none since the time `start`."""
    beginning = last < 0 and isinstance(start, datetime)
    try:
        async with asyncio.timeout(FIRST_TIMEOUT_SECONDS if beginning else STALL_TIMEOUT_SECONDS):
            return await arrived.get()
    except TimeoutError as error:
        if beginning:
            return None
        why = f"nothing came for {STALL_TIMEOUT_SECONDS:.0f} s, though more events are there"
        hint = f"the same command with --from {last + 1 if last >= 0 else start}"
        raise CommandError(Code.UNREACHABLE, "the broker stopped sending", why=why, hint=hint) from error


async def _subscribed(channel: AbstractChannel, stream: str, start: Start) -> "asyncio.Queue[AbstractIncomingMessage]":
    await channel.set_qos(prefetch_count=PREFETCH_MESSAGES)
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.get_queue(stream, ensure=False)
    await queue.consume(arrived.put, arguments={OFFSET: start})
    return arrived


def _offset(message: AbstractIncomingMessage) -> int:
    offset = message.headers[OFFSET]
    assert isinstance(offset, int), "a stream numbers its messages"
    return offset


def _event(message: AbstractIncomingMessage) -> KeptEvent:
    headers: dict[str, Any] = dict(message.headers)
    seq = headers.get("seq")
    return KeptEvent(
        offset=_offset(message),
        message_id=message.message_id or "",
        type=message.type or "",
        correlation_id=message.correlation_id,
        occurred_at=_moment(headers.get("occurred-at"), message.timestamp),
        stream=headers.get("stream"),
        seq=None if seq is None else int(seq),
        body=orjson.loads(message.body),
        message=message,
    )


def _moment(occurred_at: Any, published_at: datetime | None) -> datetime:
    if occurred_at is not None:
        return datetime.fromisoformat(str(occurred_at))
    return published_at or datetime.min.replace(tzinfo=UTC)
