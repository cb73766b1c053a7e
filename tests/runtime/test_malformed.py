"""A malformed frame does not end the connection: its message is dead-lettered, its neighbours are handled."""

import struct

import orjson
from aiormq.abc import ChannelFrame
from pamqp import frame
from pamqp.commands import Basic

from tests.runtime.builders import DELETE, delete
from tests.runtime.harness import WorkerHarness, write_effects
from workers.runtime.route import Route

QUEUE = "order-changes"
BITS = {
    "headers": 13,
    "delivery_mode": 12,
    "correlation_id": 10,
    "reply_to": 9,
    "message_id": 7,
    "timestamp": 6,
    "type": 5,
}


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def nested(depth: int) -> bytes:
    """A header table that is nested to this depth."""
    content = b""
    for _ in range(depth):
        content = short(b"k") + b"F" + table(content)
    return table(content)


GOOD = {"delivery_mode": b"\x02", "message_id": short(b"bad"), "type": short(DELETE.encode())}
BROKEN: dict[str, dict[str, bytes]] = {
    "a message id that is not UTF-8": {"message_id": short(b"a\xff\xfe")},
    "a type that is not UTF-8": {"type": short(b"order.\xff")},
    "a correlation id that is not UTF-8": {"correlation_id": short(b"\xc3\x28")},
    "a reply address that is not UTF-8": {"reply_to": short(b"client.\xff")},
    "a header key that is not UTF-8": {"headers": table(short(b"\xff\xfe") + b"S" + struct.pack(">I", 1) + b"x")},
    "a timestamp past every calendar": {"timestamp": struct.pack(">Q", 2**63)},
    "a timestamp of all ones": {"timestamp": struct.pack(">Q", 2**64 - 1)},
    "a header time past every calendar": {"headers": table(short(b"when\xff") + b"T" + struct.pack(">Q", 2**63))},
    "headers nested deeper than a stack": {"headers": nested(2_000)},
    "a NUL in the message id": {"message_id": short(b"a\0b")},
}


async def publish_raw(harness: WorkerHarness, properties: dict[str, bytes], body: bytes) -> None:
    """Publish with a header encoded by hand, because the client library does not encode malformed ones."""
    channel = harness.client.channel
    flags = sum(1 << BITS[name] for name in properties)
    content = struct.pack(">HHQH", 60, 0, len(body), flags) + b"".join(
        properties[name] for name in BITS if name in properties
    )
    publish = Basic.Publish(exchange=harness.broker.names.commands, routing_key="order.delete")
    payload = frame.marshal(publish, channel.number)
    payload += struct.pack(">BHI", 2, channel.number, len(content)) + content + b"\xce"
    payload += struct.pack(">BHI", 3, channel.number, len(body)) + body + b"\xce"
    channel.delivery_tag += 1
    await channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))


async def test_a_malformed_frame_is_a_dead_letter_and_its_neighbours_are_handled(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        for number, (case, broken) in enumerate(BROKEN.items(), start=1):
            sent = await harness.client.publish(DELETE, delete())
            await publish_raw(harness, {**GOOD, **broken}, orjson.dumps(delete()))
            letter = await harness.client.dead_letter(QUEUE)
            assert (letter["reason"], letter["error-type"]) == ("invalid", "malformed_frame"), case
            assert (await harness.wait_for_effects(number))[-1] == sent
