"""The HTTP edge publishes each notification byte for byte, and acknowledges it after the broker's confirmation."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import aiohttp
import pytest

from messages.payments import PaymentCallback
from scripts.amqp_client import AmqpClient, OutgoingMessage
from scripts.gateways import edge as edges
from scripts.gateways.edge import ACKNOWLEDGEMENTS, Edge, Publish
from scripts.gateways.startup import GATEWAYS
from tests.broker import Broker
from tests.scripts.gateways.merchant import keys


@asynccontextmanager
async def open_edge(publish: Publish) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    edge = Edge(publish)
    await edge.start()
    async with aiohttp.ClientSession() as client:
        yield f"{edge.origin}/notify", client
    await edge.close()


class FakeBroker:
    """A broker that confirms at once, unless it is away."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []
        self.away = False

    async def publish(self, message: OutgoingMessage) -> None:
        if self.away:
            await asyncio.sleep(60)
        self.messages.append(message)

    @property
    def callback(self) -> PaymentCallback:
        """The last message, as the order system reads it."""
        message = self.messages[-1]
        assert message.type == PaymentCallback.TYPE
        assert isinstance(message.body, dict)
        return PaymentCallback.model_validate(message.body, strict=False)


BODIES = [b"", b"a=1&a=%F1%BD\xff\x00", b'{"a": "\xe8\x8c\xb6"}', gzip.compress(b"{}"), b"x" * 65_536]


@pytest.mark.parametrize("body", BODIES, ids=len)
async def test_body_and_headers_are_published_unchanged(body: bytes) -> None:
    fake_broker = FakeBroker()
    headers = [("Content-Encoding", "gzip"), ("Wechatpay-Nonce", "a"), ("Wechatpay-Nonce", "b"), ("X-Text", "a b\tc")]
    async with open_edge(fake_broker.publish) as (url, client):
        before = datetime.now(UTC)
        async with client.post(f"{url}/wechat", data=body, headers=headers) as answer:
            assert answer.status == 204
    callback = fake_broker.callback
    assert base64.b64decode(callback.body) == body
    assert callback.provider == "wechat"
    assert callback.headers["content-encoding"] == "gzip"
    assert callback.headers["wechatpay-nonce"] == "a, b"
    assert callback.headers["x-text"] == "a b\tc"
    assert before <= callback.received_at <= before + timedelta(seconds=30)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_each_provider_accepts_its_acknowledgement(name: str) -> None:
    fake_broker = FakeBroker()
    async with open_edge(fake_broker.publish) as (url, client), client.post(f"{url}/{name}", data=b"x") as answer:
        kind: Any = GATEWAYS[name]
        assert kind(url, keys=keys(name)).acknowledged(answer.status, await answer.read())
        assert answer.status == ACKNOWLEDGEMENTS[name][0]
    assert len(fake_broker.messages) == 1


async def test_a_notification_that_the_broker_has_not_confirmed_is_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edges, "CONFIRM_SECONDS", 0.05)
    fake_broker = FakeBroker()
    fake_broker.away = True
    async with open_edge(fake_broker.publish) as (url, client):
        for name in GATEWAYS:
            async with client.post(f"{url}/{name}", data=b"x") as answer:
                kind: Any = GATEWAYS[name]
                assert not kind(url, keys=keys(name)).acknowledged(answer.status, await answer.read())
    assert fake_broker.messages == []


REJECTED = [
    ("wechat", b"x" * 65_537, {}, 413),
    ("adyen", b"x", {}, 404),
    ("wechat", b"x", {f"x-{number}": "1" for number in range(70)}, 400),
    ("wechat", b"x", {"x-name": "茶"}, 400),
    ("wechat", b"x", {"x-long": "1" * 4097}, 400),
]


@pytest.mark.parametrize(("provider", "body", "headers", "status"), REJECTED)
async def test_a_request_that_no_provider_sends_is_rejected_and_not_published(
    provider: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    fake_broker = FakeBroker()
    async with open_edge(fake_broker.publish) as (url, client):
        async with client.post(f"{url}/{provider}", data=body, headers=headers) as answer:
            assert answer.status == status
        async with client.get(f"{url}/wechat") as answer:
            assert answer.status == 405
    assert fake_broker.messages == []


async def test_the_published_message_is_a_payment_callback_from_upstream(declared_broker: Broker) -> None:
    link = AmqpClient(declared_broker["upstream"], "edge", declared_broker.names.prefix)
    running = asyncio.create_task(link.run())
    async with open_edge(link.send) as (url, client):
        async with client.post(f"{url}/alipay", data=b"sign=%2B&x=") as answer:
            assert (answer.status, await answer.read()) == (200, b"success")
        connection = await aio_pika.connect(declared_broker["worker"])
        async with connection:
            channel = await connection.channel()
            queue = await channel.get_queue(declared_broker.names.queue("payment-results"), ensure=False)
            message = await queue.get(no_ack=True)
            assert message is not None, "the notification was acknowledged, so its message is in the queue"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (message.type, message.routing_key) == ("payment.callback.v1", "payment.callback")
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.message_id
    callback = PaymentCallback.model_validate_json(message.body)
    assert base64.b64decode(callback.body) == b"sign=%2B&x="
