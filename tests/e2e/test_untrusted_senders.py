"""Messages of users who may not send them: the broker or we refuse them, and keep them for a person to look at."""

from typing import Any
from uuid import uuid4

import aiormq
import orjson
import pytest

from db import cipher
from messages.registry import MODELS
from tests.e2e.raw_amqp import RawClient
from tests.e2e.system import SKU, RunningSystem, order_create, payment, stock_reserve, wait_until
from tests.e2e.upstream import now
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters


async def test_a_delivery_mode_that_does_not_exist_is_refused_by_the_broker_or_by_us(system: RunningSystem) -> None:
    body = order_create()
    async with RawClient.connect(system.broker["upstream"]) as raw:
        try:
            await raw.publish(
                system.broker.names.commands,
                "order.create",
                body,
                type="order.create.v1",
                message_id=uuid4().hex,
                delivery_mode=9,
            )
        except aiormq.exceptions.ChannelPreconditionFailed:
            return
    assert (await system.dead_letter(body))["error_type"] == "malformed_frame"


@pytest.mark.parametrize("key", ["order.unbound", b"order.\xff", "", "stock.reserve", "timer.due", "payment.nudge"])
async def test_a_message_to_an_unbound_key_is_kept(system: RunningSystem, key: str | bytes) -> None:
    body = order_create()
    await system.publish(body, key, type="order.create.v1")
    letter = await system.dead_letter(body)
    shown = key if isinstance(key, str) else r"order.\udcff"
    recorded = (letter["queue"], letter["reason"], letter["routing_key"] or "", letter["origin_user"])
    sender = system.raw.user if system.broker.has_roles else None  # our own user vouches for what it republishes only
    assert recorded == ("unrouted", "unroutable", shown, sender)
    sealed = letter["key_id"], letter["body"], b"dead_letter"
    assert cipher.current().decrypt(*sealed) == body


async def test_the_same_bad_message_again_is_one_dead_letter_with_a_count(system: RunningSystem) -> None:
    message_id, body = uuid4().hex, b"{" + uuid4().hex.encode()
    for _ in range(3):
        await system.publish(body, message_id=message_id)

    async def counted() -> bool:
        rows = await system.pool.fetch("SELECT repeats FROM dead_letters WHERE message_id = $1", message_id)
        return [row["repeats"] for row in rows] == [2]

    await wait_until(counted, "three of them")


async def test_the_same_id_with_another_body_is_id_reuse_and_changes_nothing(system: RunningSystem) -> None:
    message_id, first, other = uuid4().hex, order_create(), order_create()
    await system.publish(first, message_id=message_id)
    await system.wait_until_handled(message_id)
    await system.publish(other, message_id=message_id)
    letter = await system.dead_letter(other)
    assert (letter["reason"], letter["message_id"]) == ("id_reuse", message_id)
    request_id = orjson.loads(other)["request_id"]
    assert not await system.pool.fetchval("SELECT count(*) FROM commands WHERE request_id = $1", request_id)


async def test_the_same_id_with_another_body_in_one_batch_is_id_reuse_too(system: RunningSystem) -> None:
    message_id, first, other = uuid4().hex, order_create(), order_create()
    async with system.inbox_locked():
        await system.publish(order_create())
        await system.wait_until_in_flight("order-creation", 1)
        await system.publish(first, message_id=message_id)
        await system.publish(other, message_id=message_id)
        await system.publish(first, message_id=message_id)
        await system.wait_until_in_flight("order-creation", 4)
    assert (await system.dead_letter(other))["reason"] == "id_reuse"
    [event] = await system.upstream.wait_for_events("order.created", request_id=orjson.loads(first)["request_id"])
    assert event["amounts"]["payable"] == 500
    known = "SELECT count(*) FROM dead_letters WHERE body_hash = ANY($1)"
    assert not await system.pool.fetchval(known, system.letter_hashes(first))


async def test_headers_that_are_the_brokers_or_ours_to_set_are_not_believed(system: RunningSystem) -> None:
    body, names = order_create(actor={"type": "operator", "id": "ops-1"}), system.broker.names
    forged = {b"attempt": b"6", b"origin-user": b"operator", b"reason": b"forged", b"error-path": b"$.x"}
    await system.publish(body, user_id=None, headers=forged | {b"CC": [b"order.cancel"], b"BCC": [b"order.delete"]})
    request_id = orjson.loads(body)["request_id"]
    [event] = await system.upstream.wait_for_events("command.rejected", code="AUTH_FORBIDDEN", type="order.create.v1")
    assert await system.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", request_id) == 0
    assert event["properties"].user_id != "operator"
    unroutable = order_create()
    await system.publish(unroutable, "order.unbound", user_id=None, headers=forged)
    letter = await system.dead_letter(unroutable)
    assert (letter["reason"], letter["error_path"], letter["attempts"]) == ("unroutable", None, 0)
    assert names.unrouted.startswith(names.prefix)


@pytest.mark.parametrize(
    "reply_to", ["{prefix}.stock", "client.payments.results", "amq.rabbitmq.reply-to.AAAA.B", "anything"]
)
async def test_an_answer_goes_to_no_queue_but_the_askers(system: RunningSystem, reply_to: str) -> None:
    body = order_create()
    await system.publish(body, reply_to=reply_to.format(prefix=system.broker.names.prefix))
    letter = await system.dead_letter(body)
    assert (letter["error_type"], letter["error_path"]) == ("forbidden_reply_to", "properties.reply_to")
    assert await system.pool.fetchval("SELECT count(*) FROM outbox WHERE destination = 'reply'") == 0


async def test_a_reply_queue_that_is_gone_affects_no_other_message(system: RunningSystem) -> None:
    message_id, gone = uuid4().hex, "client.storefront.gone"
    await system.publish(order_create(), message_id=message_id, reply_to=gone)
    await system.publish(b"{" + uuid4().hex.encode(), reply_to=gone)
    await system.wait_until_handled(message_id)
    follower = await system.upstream.place_order((SKU, 1))
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
async def test_upstream_may_write_to_nothing_but_commands(system: RunningSystem, exchange: str, key: str) -> None:
    if not system.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    async with RawClient.connect(system.broker["upstream"]) as raw:
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await raw.publish(exchange, key, stock_reserve(), type="stock.reserve.v1", message_id=uuid4().hex)


async def test_upstream_may_not_take_what_is_ours(system: RunningSystem) -> None:
    if not system.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    for queue in ("oms.stock", "oms.stock.dlq", "oms.unrouted"):
        async with RawClient.connect(system.broker["upstream"]) as raw:
            with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
                await raw.channel.basic_get(queue, no_ack=True)


async def test_a_message_from_an_untrusted_sender_straight_to_a_queue_is_refused(system: RunningSystem) -> None:
    body, names = stock_reserve(), system.broker.names
    async with RawClient.connect(
        system.broker["admin"]
    ) as raw:  # may write to any queue, but is not one of our workers
        await raw.publish("", names.queue("stock"), body, type="stock.reserve.v1", message_id=uuid4().hex)
    letter = await system.dead_letter(body)
    assert (letter["reason"], letter["error_type"]) == ("invalid", "forbidden_exchange")


GRABS = [
    ("points.grant", {"request_id": "g", "user_id": "u1", "points": 1000, "reason": "for me"}),
    ("coupon.issue", {"coupon_id": "mine", "template_id": "any", "user_id": "u1"}),
    (
        "sku.upsert",
        {"sku_id": SKU, "revision": 9, "spu_id": SKU, "name": SKU, "status": "on_sale", "price": 0, "currency": "CNY"},
    ),
    ("stock.receive", {"ref": "grab", "sku_id": SKU, "warehouse": "main", "qty": 9}),
    ("stock.adjust", {"request_id": "g", "sku_id": SKU, "warehouse": "main", "delta": 9, "reason": "found"}),
]


@pytest.mark.parametrize(("type_", "body"), GRABS)
async def test_a_storefront_changes_neither_points_nor_coupons_nor_prices_nor_stock(
    system: RunningSystem, type_: str, body: dict[str, Any]
) -> None:
    """The broker refuses its user these keys; what comes past it is refused here, and only the refusal is stored."""
    message_id = uuid4().hex
    await system.publish(orjson.dumps(body), type_, message_id=message_id, user_id=None)
    [event] = await system.upstream.wait_for_events("command.rejected", command_id=message_id)
    model = MODELS[f"{type_}.v1"]
    roles = sorted(model.SENDERS)
    assert (event["code"], event["details"]) == ("AUTH_FORBIDDEN", {"roles": roles})
    scopes = await system.pool.fetch("SELECT scope FROM commands WHERE message_id = $1", message_id)
    assert [row["scope"].partition(f":{type_}:")[0] for row in scopes] == ["refused"]


async def test_only_a_carrier_reports_that_a_parcel_is_lost(system: RunningSystem) -> None:
    """A lost parcel pays out at once."""
    created = await system.upstream.place_order((SKU, 1))
    await system.payments.pay(created)
    await system.upstream.ship(created["order_id"], created["order_id"], "picked_up")
    about = {"order_id": created["order_id"], "carrier": "sf", "tracking_no": created["order_id"]}
    lost = about | {"event_id": "lost", "status": "lost", "occurred_at": now()}
    body = orjson.dumps(lost)
    await system.publish(body, "shipment.update", user_id=None)
    letter = await system.dead_letter(body)
    assert (letter["queue"], letter["reason"]) == ("shipping-updates", "untrusted_user")
    await system.upstream.wait_for_events("shipment.updated", order_id=created["order_id"], status="picked_up")
    assert system.upstream.events_of("shipment.updated", order_id=created["order_id"], status="lost") == []
    await system.upstream.publish("shipment.update", lost)
    await system.upstream.wait_for_events("shipment.updated", order_id=created["order_id"], status="lost")


@pytest.mark.parametrize("user", ["unknown", "upstream"])
async def test_a_payment_that_no_trusted_user_reports_is_a_dead_letter(system: RunningSystem, user: str) -> None:
    if user == "upstream" and not system.broker.has_roles:
        pytest.skip("this broker lends one user for all roles")
    created = await system.upstream.place_order((SKU, 1))
    body = payment(order_id=created["order_id"], kind="captured", amount=500)
    await system.publish(body, "payment.result", user_id=system.raw.user if user == "upstream" else None)
    letter = await system.dead_letter(body)
    assert (letter["queue"], letter["reason"]) == ("payment-results", "untrusted_user")
    facts = "SELECT count(*) FROM payment_facts WHERE order_id = $1"
    assert await system.pool.fetchval(facts, int(created["order_id"])) == 0
    state = await system.pool.fetchval("SELECT state FROM orders WHERE id = $1", int(created["order_id"]))
    assert state == "awaiting_payment"


async def test_headers_that_fill_a_frame_do_not_stop_what_answers_them(system: RunningSystem) -> None:
    message_id, headers = uuid4().hex, {b"traceparent": b"t" * 130_940}
    await system.publish(order_create(channel="x"), message_id=message_id, headers=headers)
    await system.upstream.wait_for_events("command.rejected", command_id=message_id, code="ORDER_CHANNEL_INVALID")


async def test_a_letter_whose_headers_fill_a_frame_can_be_replayed(system: RunningSystem) -> None:
    body, headers = order_create(), {b"traceparent": b"t" * 130_940}
    await system.publish(body, "order.unbound", headers=headers, type="order.create.v1")
    letter = await system.dead_letter(body)
    async with system.pool.acquire() as tx, tx.transaction():
        locked = await dead_letters.lock(tx, [letter["id"]])
        await dead_letter_decisions.replay(tx, locked, to="order-creation", note="test", reason="it was a typo")
    await system.upstream.wait_for_events("order.created", request_id=orjson.loads(body)["request_id"])
