"""Tests of each place where we reach below aio-pika. A test fails when the library changes there.

Where a test shows that aio-pika does not suffice and then fails, the place in outbox/amqp.py may no longer be needed.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from inspect import signature
from typing import Any
from unittest.mock import Mock

import aio_pika
import aio_pika.exceptions
import aiormq
import pamqp.commands
import pamqp.frame
import pytest
from aio_pika.abc import AbstractChannel, UnderlayConnection
from aio_pika.message import IncomingMessage
from aio_pika.tools import OneShotCallback
from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.channel import EXCEPTION_MAPPING as CHANNEL_EXCEPTIONS
from aiormq.channel import Channel
from aiormq.connection import TCPTransportFactory
from pamqp import decode
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from outbox import amqp, wire
from outbox.amqp import ConfirmChannel, Properties
from tests.broker import Broker
from tests.outbox.harness import AmqpProxy, wait_until

QUEUE = "stock"


@pytest.fixture
async def confirming(declared: Broker) -> AsyncIterator[AbstractChannel]:
    """A channel as the publisher opens it."""
    connection = await wire.connect(declared["admin"], name="test")
    yield await connection.channel(publisher_confirms=True, on_return_raises=True)
    await wire.close(connection)


@pytest.fixture
async def consuming(declared: Broker) -> AsyncIterator[AbstractChannel]:
    """A channel as a consumer opens it."""
    connection = await wire.connect(declared["admin"], name="test")
    yield await connection.channel(publisher_confirms=False)
    await wire.close(connection)


def properties(message_id: str) -> Properties:
    return Properties(message_id=message_id, delivery_mode=2)


async def publish(confirming: AbstractChannel, queue: str, *message_ids: str) -> None:
    """Publish all of them in one write."""
    confirms = await ConfirmChannel.below(confirming)
    frames = [confirms.encode("", queue, properties(message_id), b"{}", True) for message_id in message_ids]
    futures = [confirms.expect(message_id) for message_id in message_ids]
    await confirms.write(b"".join(frames))
    for answer in await asyncio.wait_for(asyncio.gather(*futures), 20):
        assert isinstance(answer, pamqp.commands.Basic.Ack)


async def consume(channel: AbstractChannel, queue: str, on_cancelled: Callable[[], None]) -> list[DeliveredMessage]:
    """Start a consumer and return the list that it fills."""
    arrived: list[DeliveredMessage] = []

    async def on_message(message: DeliveredMessage) -> None:
        arrived.append(message)

    await amqp.consume(channel, queue, on_message, on_cancelled, tag="t", timeout_seconds=20)
    return arrived


async def arriving(arrived: list[DeliveredMessage], count: int) -> list[DeliveredMessage]:
    async def enough() -> bool:
        return len(arrived) >= count

    await wait_until(enough, within_seconds=20)
    return arrived


def test_aio_pika_leaves_out_exceptions_that_we_distinguish() -> None:
    for code, ours in ((403, amqp.ChannelAccessRefused), (405, amqp.ChannelLockedResource)):
        assert not hasattr(aio_pika.exceptions, ours.__name__)
        assert ours is getattr(aiormq.exceptions, ours.__name__)
        assert CHANNEL_EXCEPTIONS[code] is ours
        assert issubclass(ours, aio_pika.exceptions.AMQPChannelError)


@pytest.mark.parametrize("code", [311, 403, 404, 405, 406, 540])
def test_a_channel_that_the_broker_closed_says_what_was_refused(code: int) -> None:
    error = aiormq.channel.exception_by_code(pamqp.commands.Channel.Close(code, "WHY", 60, 40))
    assert amqp.refusal(error) == amqp.BrokerRefusal(code, "WHY")


@pytest.mark.parametrize("code", [501, 502, 503, 504, 505, 506, 530, 540, 541])
def test_a_connection_that_the_broker_closed_says_what_was_refused(code: int) -> None:
    error = aiormq.connection.exception_by_code(pamqp.commands.Connection.Close(code, "WHY", 60, 40))
    found = amqp.refusal(error)
    assert found == amqp.BrokerRefusal(code, "WHY")
    assert found.in_doubt is (code in (506, 541))


@pytest.mark.parametrize(
    "error",
    [
        None,
        aiormq.connection.exception_by_code(pamqp.commands.Connection.Close(320, "CONNECTION_FORCED", 0, 0)),
        aiormq.exceptions.ConnectionClosed(0, "normal closed"),
        aiormq.exceptions.ChannelClosed(None, None),
        ConnectionResetError(104, "reset by peer"),
        asyncio.CancelledError(),
    ],
)
def test_a_broker_that_restarts_or_a_connection_that_is_cut_is_no_refusal(error: BaseException | None) -> None:
    assert amqp.refusal(error) is None


def test_a_refusal_of_an_exchange_concerns_all_that_is_sent_to_it() -> None:
    missing = amqp.BrokerRefusal(404, "NOT_FOUND - no exchange 'oms.events' in vhost '/'")
    closed = amqp.BrokerRefusal(
        403, "ACCESS_REFUSED - access to exchange 'oms.events' in vhost '/' refused for user 'relay'"
    )
    assert missing.names("oms.events")
    assert closed.names("oms.events")
    assert not missing.names("oms.dlx")
    topic = "ACCESS_REFUSED - access to topic 'a' in exchange 'oms.events' in vhost '/' refused for user 'relay'"
    assert not amqp.BrokerRefusal(403, topic.replace("access", "write access")).names("oms.events")


def test_a_message_of_aio_pika_has_our_properties_but_never_without_a_priority() -> None:
    built = aio_pika.Message(b"", message_id="m", type="t").properties
    assert isinstance(built, Properties)
    assert (built.message_id, built.message_type) == ("m", "t")
    assert (built.priority, built.delivery_mode) == (0, 1)
    assert (Properties().priority, Properties().delivery_mode) == (None, None)


async def test_a_channel_has_the_fields_that_match_answers_to_messages(confirming: AbstractChannel) -> None:
    channel = await confirming.get_underlay_channel()
    assert isinstance(channel, Channel)
    assert channel.delivery_tag == 0
    assert (dict(channel.confirmations), channel.message_id_delivery_tag) == ({}, {})
    assert channel.write_queue is channel.connection.write_queue
    assert isinstance(channel.write_queue, asyncio.Queue)
    assert list(signature(ChannelFrame).parameters)[:2] == ["payload", "should_close"]
    await publish(confirming, "oms.stock", "a", "b")
    assert channel.delivery_tag == 2
    assert dict(channel.confirmations) == {}


@pytest.mark.parametrize("excess_bytes", [-1, 0, 1, 200_000])
async def test_frames_are_those_that_the_library_makes(confirming: AbstractChannel, excess_bytes: int) -> None:
    channel, confirms = await confirming.get_underlay_channel(), await ConfirmChannel.below(confirming)
    assert isinstance(channel, Channel)
    body = b"x" * (channel.max_content_size + excess_bytes)
    method = pamqp.commands.Basic.Publish(exchange="e", routing_key="k", mandatory=True)
    header = ContentHeader(properties=properties("m"), body_size=len(body))
    expected = ChannelFrame.marshall(channel.number, [method, header, *channel._split_body(body)]).payload
    assert confirms.encode("e", "k", properties("m"), body, True) == expected
    assert len(pamqp.frame.marshal(ContentBody(b""), channel.number)) == Channel.CONTENT_FRAME_SIZE


async def test_our_messages_and_those_of_the_library_are_counted_together(
    confirming: AbstractChannel, declared: Broker
) -> None:
    queue = declared.names.queue(QUEUE)
    await publish(confirming, queue, "a", "b")
    returned = confirming.default_exchange.publish(aio_pika.Message(b"", message_id="c"), "no such queue")
    with pytest.raises(aio_pika.exceptions.PublishError):
        await asyncio.wait_for(returned, 20)
    await publish(confirming, queue, "d")
    assert (await confirming.declare_queue(queue, passive=True)).declaration_result.message_count == 3


async def test_a_returned_message_is_found_by_its_id(confirming: AbstractChannel) -> None:
    confirms, channel = await ConfirmChannel.below(confirming), await confirming.get_underlay_channel()
    future = confirms.expect("lost")
    await confirms.write(confirms.encode("", "no such queue", properties("lost"), b"", True))
    with pytest.raises(aio_pika.exceptions.PublishError):
        await asyncio.wait_for(future, 20)
    assert isinstance(channel, Channel)
    assert channel.message_id_delivery_tag == {"lost": 1}
    confirms.forget("lost")
    assert channel.message_id_delivery_tag == {}


async def test_expected_confirms_stay_open_when_the_channel_ends_and_the_close_callback_reports_the_end(
    confirming: AbstractChannel,
) -> None:
    ended = asyncio.Event()
    confirming.close_callbacks.add(lambda *_: ended.set())
    future = (await ConfirmChannel.below(confirming)).expect("m")
    await confirming.close()
    await asyncio.wait_for(ended.wait(), 20)
    await asyncio.sleep(0)
    assert not future.done()


async def test_a_blocked_connection_is_seen_at_once_and_only_while_it_lasts(declared: Broker) -> None:
    async with AmqpProxy(declared["admin"]) as proxy:
        connection = await wire.connect(proxy.url, name="test")
        assert not amqp.is_blocked(connection)

        async def blocked() -> bool:
            return amqp.is_blocked(connection)

        async def free() -> bool:
            return not amqp.is_blocked(connection)

        proxy.send_frame(pamqp.commands.Connection.Blocked(reason="low on memory"))
        await wait_until(blocked, within_seconds=20)
        assert connection.connected.is_set(), "aio-pika does not report it"
        await asyncio.wait_for(connection.ready(), 20)
        proxy.send_frame(pamqp.commands.Connection.Unblocked())
        await wait_until(free, within_seconds=20)
        await wire.close(connection)
        assert not amqp.is_blocked(connection)


async def test_a_proxy_that_accepts_for_a_broker_that_is_away_is_a_lost_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Docker's proxy accepts and closes. The library then raises StopAsyncIteration, which ended the worker."""
    create = TCPTransportFactory.create

    async def create_late(self: TCPTransportFactory, *arguments: Any, **named: Any) -> Any:
        made = await create(self, *arguments, **named)
        await asyncio.sleep(0.1)  # a busy loop reads the end of the connection before the library reads a frame
        return made

    monkeypatch.setattr(TCPTransportFactory, "create", create_late)
    proxy = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with proxy:
        url = f"amqp://guest:guest@127.0.0.1:{proxy.sockets[0].getsockname()[1]}/"
        with pytest.raises(StopAsyncIteration):
            await aio_pika.connect(url)
        with pytest.raises(ConnectionError):
            await wire.connect(url, name="test")


async def test_a_close_of_aio_pika_goes_on_waiting_when_it_is_cancelled() -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    on_close = OneShotCallback(Mock(side_effect=lambda: asyncio.sleep(0)))
    closing = asyncio.create_task(UnderlayConnection(Mock(close=never), on_close).close(None))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    on_close()
    await asyncio.wait([closing], timeout=20)
    assert closing.cancelled()


async def test_a_close_ends_the_connection_and_calls_back(declared: Broker) -> None:
    connection = await wire.connect(declared["admin"], name="test")
    lost = asyncio.Event()
    connection.close_callbacks.add(lambda *_: lost.set())
    await amqp.close(connection)
    await asyncio.wait_for(lost.wait(), 20)
    assert connection.is_closed
    assert not connection.connected.is_set()
    await amqp.close(connection)


async def test_a_broker_that_reads_nothing_does_not_hold_up_the_close(
    declared: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CLOSE_TIMEOUT_SECONDS", 0.2)
    async with AmqpProxy(declared["admin"]) as proxy:
        connection = await wire.connect(proxy.url, name="test")
        channel = await connection.channel()
        confirms = await ConfirmChannel.below(channel)
        proxy.stop_reading()
        for number in range(3):  # aiormq hands all of it to the socket, which cannot send it
            await confirms.write(confirms.encode("", "q", properties(f"{number}"), b"x" * 8_000_000, False))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(wire.close(connection), 5)

        async def gone() -> bool:
            return not connection.connected.is_set()

        proxy.cut()
        await wait_until(gone, within_seconds=20)


async def test_the_consumer_is_given_a_message_before_an_incoming_message_is_made_of_it(
    confirming: AbstractChannel, consuming: AbstractChannel, declared: Broker
) -> None:
    queue = declared.names.queue(QUEUE)
    await publish(confirming, queue, "m")
    (message,) = await arriving(await consume(consuming, queue, lambda: None), 1)
    assert isinstance(message, DeliveredMessage)
    assert isinstance(message.header.properties, Properties)
    assert message.header.properties.message_id == "m"
    assert (message.delivery_tag, message.exchange, message.routing_key, message.body) == (1, "", queue, b"{}")
    message.header.properties.delivery_mode = 9
    with pytest.raises(ValueError, match="9 is not a valid DeliveryMode"):
        IncomingMessage(message)


async def test_the_end_of_a_consumer_is_reported_only_below_aio_pika(
    consuming: AbstractChannel, declared: Broker
) -> None:
    queue, cancelled = declared.names.queue(QUEUE), asyncio.Event()
    underlay = await consuming.get_underlay_channel()
    assert underlay.on_consumer_cancel_callbacks == set(), "aio-pika would listen"
    await consume(consuming, queue, cancelled.set)
    await consuming.queue_delete(queue)
    await asyncio.wait_for(cancelled.wait(), 20)
    assert not consuming.is_closed


async def test_deliveries_are_acknowledged_and_given_back_without_waiting(
    confirming: AbstractChannel, consuming: AbstractChannel, declared: Broker
) -> None:
    queue = declared.names.queue(QUEUE)
    await publish(confirming, queue, *"abcd")
    arrived = await arriving(await consume(consuming, queue, lambda: None), 4)
    await amqp.acknowledge(consuming, 2, multiple=True)
    await amqp.acknowledge(consuming, 4, multiple=False)
    await amqp.requeue(consuming, 3)
    again = (await arriving(arrived, 5))[4]
    assert again.header.properties.message_id == "c"
    assert (again.header.properties.headers or {})["x-delivery-count"] == 1  # 4.3 has x-acquired-count beside it
    await consuming.close()

    async def one_is_left() -> bool:
        declared_queue = await confirming.declare_queue(queue, passive=True)
        return declared_queue.declaration_result.message_count == 1

    await wait_until(one_is_left, within_seconds=20)


def test_decoders_are_looked_up_where_we_replace_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "METHODS", dict(decode.METHODS))
    monkeypatch.setattr(decode, "TABLE_MAPPING", dict(decode.TABLE_MAPPING))
    assert {"shortstr", "timestamp", "table"} <= decode.METHODS.keys()
    assert b"T" in decode.TABLE_MAPPING
    short_string, timestamp = Mock(return_value=(2, "short")), Mock(return_value=(8, datetime(2026, 1, 1, tzinfo=UTC)))
    table = Mock(return_value=(4, {"a": "table"}))
    amqp.install_decoders(short_string=short_string, timestamp=timestamp, table=table)
    flags = 1 << 13 | 1 << 7 | 1 << 6  # headers, message id, timestamp
    content = struct.pack(">HHQH", 60, 0, 0, flags) + struct.pack(">I", 0) + b"\x01x" + struct.pack(">Q", 2**63)
    _, _, header = pamqp.frame.unmarshal(struct.pack(">BHI", 2, 1, len(content)) + content + b"\xce")
    assert isinstance(header, ContentHeader)
    assert (header.properties.headers, header.properties.message_id) == ({"a": "table"}, "short")
    assert header.properties.timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert amqp.decode_value(b"T" + struct.pack(">Q", 2**63)) == (9, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_decoders_of_the_library_raise_for_values_that_any_client_may_publish() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode.short_str(b"\x01\xff")
    for seconds in (2**63, 2**64 - 1):
        with pytest.raises((ValueError, OverflowError, OSError)):
            amqp.decode_timestamp(struct.pack(">Q", seconds))
    assert amqp.decode_timestamp(struct.pack(">Q", 0)) == (8, datetime.fromtimestamp(0, UTC))
    assert amqp.decode_value(b"") == (0, None)
    assert amqp.decode_value(b"t\x01rest") == (2, True)
    with pytest.raises(ValueError, match="Unknown type"):
        amqp.decode_value(b"?")
    with pytest.raises(UnicodeDecodeError):
        decode.field_table(struct.pack(">I", 4) + b"\x02\xff\xfeV")


async def test_a_silent_connection_ends_after_the_intervals_that_we_set(declared: Broker) -> None:
    """`silence_ends_connections` sets a constant of the library that each new connection reads."""
    connection = await wire.connect(declared["worker"], name="test")
    assert connection.transport is not None
    grace_seconds = vars(connection.transport.connection)["_Connection__heartbeat_grace_timeout"]
    assert grace_seconds == (wire.HEARTBEAT_SECONDS + 1) * wire.SILENT_INTERVALS_MAX
    await wire.close(connection)


async def test_a_connection_awaits_its_pace_before_each_frame(declared: Broker) -> None:
    """`watched_transport` stands between the library and its socket."""
    frames: list[int] = []
    passing = asyncio.Event()

    async def pace() -> None:
        frames.append(1)
        if len(frames) > 6:  # the connection and its channel are open by then
            await passing.wait()

    connection = await wire.connect(declared["worker"], name="test", pace=pace)
    opening = asyncio.ensure_future(connection.channel(publisher_confirms=False))
    for _ in range(10):
        await asyncio.sleep(0.05)
    held = len(frames)
    passing.set()
    channel = await opening
    for _ in range(3):
        await channel.set_qos(prefetch_count=1)
    assert held <= 7
    assert len(frames) > held
    await wire.close(connection)
