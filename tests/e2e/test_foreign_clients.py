"""Clients that are not ours place a first order: pika, and Debian's amqp-tools, which set headers only.

A stub answers them as oms does.
"""

import asyncio
import os
import re
import shutil
import subprocess
from typing import Any
from uuid import uuid4

import orjson
import pika
import pytest

from messages.topology import Names
from scripts.commands.contract_files import examples
from scripts.commands.contracts import FOLDER
from scripts.stub.broker import StubBroker
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


KINDS = {
    "a time": r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}\+00:00",
    "an id of 128 bits": r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    "digits": r"\d{5,}",
}
"""What a property or header is that differs each time."""
TRACED = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "shop=buy"}


def seen_of_an_order(url: str, names: Names) -> dict[str, dict[str, str]]:
    """The properties and headers of what comes back for an order, its repeat, and a query about it."""
    found, order, made = dict[str, dict[str, str]](), order_body((SKU, 1)), uuid4().hex
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        inbox, events = (channel.queue_declare("", exclusive=True).method.queue for _ in range(2))
        channel.queue_bind(events, names.events, "order.created")

        def send(exchange: str, key: str, body: Any, what: str) -> None:
            about = {"type": f"{key}.v1", "message_id": f"{made} {what}", "correlation_id": what, "reply_to": inbox}
            about |= {"headers": TRACED}
            channel.basic_publish(exchange, key, orjson.dumps(body), pika.BasicProperties(**about))

        def receive(queue: str, what: str) -> dict[str, Any]:
            answer = next(channel.consume(queue, auto_ack=True, inactivity_timeout=WAIT_SECONDS))
            channel.cancel()
            assert answer[1] is not None, f"no {what} within {WAIT_SECONDS} s"
            given = vars(answer[1]) | {"user_id": "of ours"}
            texts = {name: str(value).replace(made, "sent") for name, value in (given | given.pop("headers")).items()}
            found[what] = {
                name: next((kind for kind, like in KINDS.items() if re.fullmatch(like, value)), value)
                for name, value in texts.items()
            }
            body: dict[str, Any] = orjson.loads(answer[2])
            return body

        send(names.commands, "order.create", order, "created")
        created = receive(inbox, "the outcome")
        receive(events, "the event")
        send(names.commands, "order.create", order, "repeated")
        receive(inbox, "the outcome again")
        send(names.queries, "order.get", {"actor": order["actor"], "order": created["order_id"]}, "queried")
        receive(inbox, "the answer")
    for what in ("the outcome", "the event"):  # by oms it is the stock that was reserved
        found[what]["causation-id"] = "of the message that made it possible"
    return found


async def test_a_stub_sends_what_oms_sends_to_the_last_header(system: RunningSystem) -> None:
    url, names = system.broker["admin"], Names(f"stub{uuid4().hex[:8]}")
    stub = StubBroker(url, names, examples(FOLDER))
    await stub.start()
    theirs = await asyncio.to_thread(seen_of_an_order, url, names)
    await stub.stop()
    assert theirs == await asyncio.to_thread(seen_of_an_order, url, system.broker.names)
