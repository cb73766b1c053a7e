"""Clients that are not ours place a first order: pika, and Debian's amqp-tools, which set headers only."""

import asyncio
import os
import shutil
import subprocess
from typing import Any
from uuid import uuid4

import orjson
import pika
import pytest

from tests.e2e.system import SKU, RunningSystem, order_create
from tests.e2e.upstream import order_body

WAIT_SECONDS = 20
INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "amqp-tools"]


def request_with_pika(url: str, exchange: str, body: bytes, *, direct: bool) -> tuple[Any, dict[str, Any]]:
    """Publish an order.create, wait for the answer in a queue of its own, and return its properties and body."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    mine = "amq.rabbitmq.reply-to" if direct else channel.queue_declare("", exclusive=True).method.queue
    correlation_id = uuid4().hex
    answers = channel.consume(mine, auto_ack=True, inactivity_timeout=WAIT_SECONDS)
    if direct:
        next(channel.consume(mine, auto_ack=True, inactivity_timeout=0.1))
    channel.basic_publish(
        exchange,
        "order.create",
        body,
        pika.BasicProperties(
            message_id=uuid4().hex,
            type="order.create.v1",
            content_type="application/json",
            delivery_mode=2,
            reply_to=mine,
            correlation_id=correlation_id,
        ),
    )
    for method, properties, answer in answers:
        if method is None:
            break
        assert properties.correlation_id == correlation_id
        connection.close()
        return properties, orjson.loads(answer)
    raise AssertionError(f"no answer within {WAIT_SECONDS} s")


@pytest.mark.parametrize("direct", [False, True], ids=["a queue of its own", "direct reply-to"])
async def test_pika_places_an_order_and_reads_its_outcome(system: RunningSystem, direct: bool) -> None:
    url, exchange = system.broker["upstream"], system.broker.names.commands
    body = order_body((SKU, 2))
    about, answer = await asyncio.to_thread(request_with_pika, url, exchange, orjson.dumps(body), direct=direct)
    assert (about.type, about.content_type, about.app_id) == ("order.created.v1", "application/json", "oms")
    assert (answer["request_id"], answer["state"], answer["amounts"]["payable"]) == (
        body["request_id"],
        "awaiting_payment",
        1000,
    )


async def test_pika_reads_what_is_wrong_with_an_order(system: RunningSystem) -> None:
    url, exchange = system.broker["upstream"], system.broker.names.commands
    about, answer = await asyncio.to_thread(
        request_with_pika, url, exchange, order_create(items=[{"sku_id": SKU, "qty": "2"}]), direct=False
    )
    assert (about.type, answer["code"]) == ("command.rejected.v1", "MESSAGE_INVALID")
    assert (answer["details"]["error"], answer["details"]["path"]) == ("int_type", "$.items[0].qty")


def amqp_publish(system: RunningSystem, body: bytes, *options: str, key: str = "order.create") -> None:
    """Publish with Debian's command, which can set neither message_id nor type."""
    command = ["amqp-publish", "--url", system.broker["upstream"], "-e", system.broker.names.commands, "-r", key]
    subprocess.run([*command, "-p", "-C", "application/json", *options], input=body, check=True, timeout=30)


@pytest.fixture(scope="module")
def amqp_tools() -> None:
    """Debian's amqp-tools, installed where we may."""
    if shutil.which("amqp-publish") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(INSTALL, check=False, capture_output=True, timeout=100)
    if shutil.which("amqp-publish") is None:
        pytest.skip(f"amqp-tools is not installed and could not be; type: sudo {' '.join(INSTALL)}")


def headers(**given: str) -> list[str]:
    """Command line options that set headers, such as -H "message-id: ..."."""
    return [part for name, value in given.items() for part in ("-H", f"{name.replace('_', '-')}: {value}")]


@pytest.mark.usefixtures("amqp_tools")
@pytest.mark.parametrize("reply_as", ["header", "property"])
async def test_amqp_tools_place_an_order_with_headers_only(system: RunningSystem, reply_as: str) -> None:
    body, message_id = order_create(), uuid4().hex
    options = headers(message_id=message_id, type="order.create.v1")
    options += headers(reply_to=system.upstream.inbox) if reply_as == "header" else ["-t", system.upstream.inbox]
    await asyncio.to_thread(amqp_publish, system, body, *options)
    reply = await system.reply(correlation_id=message_id)
    assert (reply["properties"].message_type, reply["request_id"]) == (
        "order.created.v1",
        orjson.loads(body)["request_id"],
    )
    await asyncio.to_thread(amqp_publish, system, body, *options)  # the client sends it twice
    await system.wait_until_idle()
    count = "SELECT count(*) FROM orders WHERE request_id = $1"
    assert await system.pool.fetchval(count, orjson.loads(body)["request_id"]) == 1


@pytest.mark.usefixtures("amqp_tools")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "missing_message_id"),
        ({"type": "order.create.v1"}, "missing_message_id"),
        ({"message_id": "a"}, "missing_type"),
        ({"message_id": "b", "type": "order.create"}, "unknown_type"),
    ],
)
async def test_amqp_tools_without_the_headers_are_refused_with_the_reason(
    system: RunningSystem, given: dict[str, str], error: str
) -> None:
    body = order_create()
    await asyncio.to_thread(amqp_publish, system, body, *headers(**given, reply_to=system.upstream.inbox))
    letter = await system.dead_letter(body)
    assert (letter["reason"], letter["error_type"]) == ("invalid", error)


@pytest.mark.usefixtures("amqp_tools")
async def test_amqp_tools_cannot_act_for_an_operator(system: RunningSystem) -> None:
    body, message_id = order_create(actor={"type": "operator", "id": "ops-1"}), uuid4().hex
    given = headers(message_id=message_id, type="order.create.v1", reply_to=system.upstream.inbox)
    await asyncio.to_thread(amqp_publish, system, body, *given)
    assert (await system.reply(correlation_id=message_id))["code"] == "AUTH_FORBIDDEN"
