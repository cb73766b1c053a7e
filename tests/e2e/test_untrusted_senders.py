"""Who says what is not theirs to say: refused by the broker or by us, and kept for a person to look at."""

from hashlib import blake2b
from uuid import uuid4

import aiormq
import orjson
import pytest

from db import cipher
from tests.e2e.raw_amqp import Raw
from tests.e2e.system import SKU, Hall, eventually, payment, reserve, sound_order
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_delivery_mode_that_does_not_exist_is_refused_by_the_broker_or_by_us(hall: Hall) -> None:
    body = sound_order()
    async with Raw.connect(hall.broker["upstream"]) as raw:
        try:
            await raw.publish(
                hall.broker.names.commands,
                "order.create",
                body,
                type="order.create.v1",
                message_id=uuid4().hex,
                delivery_mode=9,
            )
        except aiormq.exceptions.ChannelPreconditionFailed:
            return
    assert (await hall.letter(body))["error_type"] == "malformed_frame"


@pytest.mark.parametrize("key", ["order.nobody", b"order.\xff", "", "stock.reserve", "timer.due", "payment.nudge"])
async def test_a_key_that_nobody_takes_is_kept(hall: Hall, key: str | bytes) -> None:
    body = sound_order()
    await hall.publish(body, key, type="order.create.v1")
    letter = await hall.letter(body)
    shown = key if isinstance(key, str) else r"order.\udcff"
    said = (letter["queue"], letter["reason"], letter["routing_key"] or "", letter["origin_user"])
    speaker = hall.raw.user if hall.broker.has_roles else None  # our own user vouches for what it republishes only
    assert said == ("unrouted", "unroutable", shown, speaker)
    sealed = letter["key_id"], letter["body"], b"dead_letter"
    assert cipher.current().decrypt(*sealed) == body


async def test_the_same_bad_message_again_is_one_letter_that_counts(hall: Hall) -> None:
    message_id, body = uuid4().hex, b"{" + uuid4().hex.encode()
    for _ in range(3):
        await hall.publish(body, message_id=message_id)

    async def counted() -> bool:
        rows = await hall.pool.fetch("SELECT repeats FROM dead_letters WHERE message_id = $1", message_id)
        return [row["repeats"] for row in rows] == [2]

    await eventually(counted, "three of them")


async def test_the_same_id_with_another_body_is_id_reuse_and_changes_nothing(hall: Hall) -> None:
    message_id, first, other = uuid4().hex, sound_order(), sound_order()
    await hall.publish(first, message_id=message_id)
    await hall.handled(message_id)
    await hall.publish(other, message_id=message_id)
    letter = await hall.letter(other)
    assert (letter["reason"], letter["message_id"]) == ("id_reuse", message_id)
    request_id = orjson.loads(other)["request_id"]
    assert not await hall.pool.fetchval("SELECT count(*) FROM commands WHERE request_id = $1", request_id)


async def test_the_same_id_with_another_body_in_one_batch_is_id_reuse_too(hall: Hall) -> None:
    message_id, first, other = uuid4().hex, sound_order(), sound_order()
    async with hall.standstill():
        await hall.publish(sound_order())
        await hall.taken("order-creation", 1)
        await hall.publish(first, message_id=message_id)
        await hall.publish(other, message_id=message_id)
        await hall.publish(first, message_id=message_id)
        await hall.taken("order-creation", 4)
    assert (await hall.letter(other))["reason"] == "id_reuse"
    [event] = await hall.upstream.hears("order.created", request_id=orjson.loads(first)["request_id"])
    assert event["amounts"]["payable"] == 500
    assert not await hall.pool.fetchval("SELECT count(*) FROM dead_letters WHERE body_hash = $1", _hash(first))


def _hash(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


async def test_headers_that_are_the_brokers_or_ours_to_set_are_not_believed(hall: Hall) -> None:
    body, names = sound_order(actor={"type": "operator", "id": "ops-1"}), hall.broker.names
    forged = {b"attempt": b"6", b"origin-user": b"operator", b"reason": b"forged", b"error-path": b"$.no"}
    await hall.publish(body, user_id=None, headers=forged | {b"CC": [b"order.cancel"], b"BCC": [b"order.delete"]})
    request_id = orjson.loads(body)["request_id"]
    [event] = await hall.upstream.hears("command.rejected", code="AUTH_FORBIDDEN", type="order.create.v1")
    assert await hall.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", request_id) == 0
    assert event["properties"].user_id != "operator"
    unroutable = sound_order()
    await hall.publish(unroutable, "order.nobody", user_id=None, headers=forged)
    letter = await hall.letter(unroutable)
    assert (letter["reason"], letter["error_path"], letter["attempts"]) == ("unroutable", None, 0)
    assert names.unrouted.startswith(names.prefix)


async def test_a_reply_to_of_ours_is_ignored(hall: Hall) -> None:
    ours = hall.broker.names.queue("stock")
    for body in (sound_order(), sound_order(channel="x"), b"{" + uuid4().hex.encode()):
        message_id = uuid4().hex
        await hall.publish(body, message_id=message_id, reply_to=ours)
        if body.startswith(b'{"'):
            await hall.handled(message_id)
            assert await hall.pool.fetchval("SELECT reply_tos FROM commands WHERE message_id = $1", message_id) == []
        else:
            await hall.letter(body)
    await hall.quiet()
    strays = "SELECT count(*) FROM dead_letters WHERE queue = 'stock' AND type ~ '^(command|order)'"
    assert await hall.pool.fetchval(strays) == 0


async def test_a_reply_to_that_is_gone_harms_nobody(hall: Hall) -> None:
    message_id = uuid4().hex
    await hall.publish(sound_order(), message_id=message_id, reply_to="client.gone")
    await hall.publish(b"{" + uuid4().hex.encode(), reply_to="client.gone")
    await hall.handled(message_id)
    follower = await hall.upstream.created((SKU, 1))
    assert follower["state"] == "awaiting_payment"


FORBIDDEN = [
    ("oms.internal", "stock.reserve"),
    ("oms.events", "order.paid"),
    ("oms.delay", "1s.oms.stock"),
    ("oms.delayed", "1s.oms.stock"),
    ("oms.dlx", "oms.stock"),
    ("oms.unrouted", ""),
    ("", "oms.stock"),
]


@pytest.mark.parametrize(("exchange", "key"), FORBIDDEN)
async def test_upstream_may_write_to_nothing_but_commands(hall: Hall, exchange: str, key: str) -> None:
    if not hall.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    async with Raw.connect(hall.broker["upstream"]) as raw:
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await raw.publish(exchange, key, reserve(), type="stock.reserve.v1", message_id=uuid4().hex)


async def test_upstream_may_not_take_what_is_ours(hall: Hall) -> None:
    if not hall.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    for queue in ("oms.stock", "oms.stock.dlq", "oms.unrouted"):
        async with Raw.connect(hall.broker["upstream"]) as raw:
            with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
                await raw.channel.basic_get(queue, no_ack=True)


async def test_a_message_from_a_stranger_straight_to_a_queue_is_refused(hall: Hall) -> None:
    body, names = reserve(), hall.broker.names
    async with Raw.connect(hall.broker["admin"]) as raw:  # who may write anywhere, but is none of our workers
        await raw.publish("", names.queue("stock"), body, type="stock.reserve.v1", message_id=uuid4().hex)
    letter = await hall.letter(body)
    assert (letter["reason"], letter["error_type"]) == ("invalid", "forbidden_exchange")


@pytest.mark.parametrize("user", ["nobody", "upstream"])
async def test_a_payment_that_no_trusted_user_reports_is_a_dead_letter(hall: Hall, user: str) -> None:
    if user == "upstream" and not hall.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    created = await hall.upstream.created((SKU, 1))
    body = payment(order_id=created["order_id"], kind="captured", amount=500)
    await hall.publish(body, "payment.result", user_id=hall.raw.user if user == "upstream" else None)
    letter = await hall.letter(body)
    assert (letter["queue"], letter["reason"]) == ("payment-results", "untrusted_user")
    facts = "SELECT count(*) FROM payment_facts WHERE order_id = $1"
    assert await hall.pool.fetchval(facts, int(created["order_id"])) == 0
    state = await hall.pool.fetchval("SELECT state FROM orders WHERE id = $1", int(created["order_id"]))
    assert state == "awaiting_payment"


async def test_headers_that_fill_a_frame_do_not_stop_what_answers_them(hall: Hall) -> None:
    message_id, headers = uuid4().hex, {b"traceparent": b"t" * 130_940}
    await hall.publish(sound_order(channel="x"), message_id=message_id, headers=headers)
    await hall.upstream.hears("command.rejected", command_id=message_id, code="ORDER_CHANNEL_INVALID")


async def test_a_letter_whose_headers_fill_a_frame_can_be_replayed(hall: Hall) -> None:
    body, headers = sound_order(), {b"traceparent": b"t" * 130_940}
    await hall.publish(body, "order.nobody", headers=headers, type="order.create.v1")
    letter = await hall.letter(body)
    async with hall.pool.acquire() as tx, tx.transaction():
        locked = await dead_letters.lock(tx, [letter["id"]])
        await dead_letter_decisions.replay(tx, locked, to="order-creation", actor="test", reason="it was a typo")
    await hall.upstream.hears("order.created", request_id=orjson.loads(body)["request_id"])
