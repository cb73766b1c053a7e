"""A real broker allows each user only what its role needs."""

import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest

from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.management import Management
from scripts.servers.roles import ROLES, permissions
from tests.broker import Broker
from workers.runtime import declare

ROOT = Path(__file__).parents[2]


def declare_queue(url: str, queue: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        connection.channel().queue_declare(queue, durable=True)
    finally:
        connection.close() if connection.is_open else None


@pytest.mark.parametrize(
    ("role", "queue", "allowed"),
    [
        ("topology", "oms.stock", True),
        ("topology", "elsewhere", False),
        ("upstream", "client.upstream.replies", True),
        ("payments", "client.payments.replies", True),
        ("payments", "client.upstream.replies", False),
        ("upstream", "client.warehouse.replies", False),
        ("upstream", "client.replies", False),
        ("upstream", "oms.stock", False),
        ("worker", "oms.stock", False),
        ("relay", "oms.stock", False),
        ("oncall", "oms.stock", False),
    ],
)
def test_a_role_may_declare_only_its_own_queues(broker: Broker, role: str, queue: str, allowed: bool) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    if allowed:
        declare_queue(broker[role], queue)
        return
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        declare_queue(broker[role], queue)


def publish(url: str, exchange: str, routing_key: str = "unbound.key") -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(exchange, routing_key, b"{}")
    finally:
        connection.close() if connection.is_open else None


@pytest.mark.parametrize(
    ("role", "exchange", "allowed"),
    [
        ("upstream", "oms.commands", True),
        ("upstream", "oms.queries", True),
        ("upstream", "oms.internal", False),
        ("upstream", "oms.events", False),
        ("upstream", "oms.delay", False),
        ("upstream", "", False),
        ("payments", "oms.commands", True),
        ("payments", "oms.dlx", False),
        ("worker", "oms.delay", True),
        ("worker", "oms.dlx", True),
        ("worker", "", True),
        ("worker", "oms.events", False),
        ("worker", "oms.commands", False),
        ("worker", "oms.queries", False),
        ("relay", "oms.queries", False),
        ("oncall", "oms.queries", False),
        ("relay", "oms.commands", False),
        ("relay", "oms.internal", True),
        ("relay", "oms.events", True),
        ("relay", "oms.delay", True),
        ("relay", "", True),
        ("oncall", "oms.commands", False),
    ],
)
def test_a_role_may_publish_only_to_the_exchanges_of_its_work(
    broker: Broker, role: str, exchange: str, allowed: bool
) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    if exchange:
        connection = pika.BlockingConnection(pika.URLParameters(broker["topology"]))
        connection.channel().exchange_declare(exchange, "topic", durable=True)
        connection.close()
    if allowed:
        publish(broker[role], exchange)
        return
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        publish(broker[role], exchange)


def test_the_prefix_is_taken_literally_in_the_patterns() -> None:
    assert permissions("a.b")["topology"].read == r"^a\.b\..*"
    assert set(permissions("x")) == set(ROLES)


def test_the_oncall_user_sees_the_management_interface_and_changes_nothing(servers: Servers, broker: Broker) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    login = urlsplit(broker["oncall"])
    address = urlsplit(servers.broker.management_url or "")
    oncall = Management(f"http://{login.username}:{login.password}@{address.hostname}:{address.port}")
    assert oncall.call("GET", f"/queues/{broker.vhost}") == []
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        oncall.call("PUT", f"/queues/{broker.vhost}/oms.stock", {"durable": True})
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        oncall.delete_vhost(broker.vhost)


def test_a_role_uses_its_own_virtual_host_on_a_given_broker(servers: Servers) -> None:
    if servers.broker.management_url is None:
        pytest.skip("the broker was given without its management interface")
    given = find_servers(
        Use.TESTS,
        {
            "OMS_TEST_DATABASE_URL": servers.postgres.admin_url,
            "OMS_TEST_AMQP_URL": servers.broker.admin_url,
            "OMS_TEST_MANAGEMENT_URL": servers.broker.management_url,
        },
    )
    urls = given.broker.new_vhost("given")
    declare_queue(urls["worker"], "oms.stock")
    assert [queue["name"] for queue in given.broker.management.call("GET", "/queues/given")] == ["oms.stock"]
    given.broker.drop_vhost("given")


async def test_a_worker_may_check_the_topology_that_only_the_topology_user_may_declare(
    declared_broker: Broker,
) -> None:
    names = declared_broker.names
    await declare.verify(
        declared_broker["worker"], exchanges=[names.delay, names.dlx], queues=[names.queue("stock"), names.unrouted]
    )


async def test_a_worker_may_read_every_queue_of_ours_and_a_client_none(declared_broker: Broker) -> None:
    if not declared_broker.has_roles:
        pytest.skip("one URL serves every role")
    for queue in (declared_broker.names.queue("stock"), declared_broker.names.dlq("stock")):
        get(declared_broker["worker"], queue)
        for role in ("upstream", "payments", "relay", "oncall"):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
                get(declared_broker[role], queue)


async def test_a_client_receives_events_on_its_own_queue(declared_broker: Broker) -> None:
    with pika.BlockingConnection(pika.URLParameters(declared_broker["upstream"])) as connection:
        channel = connection.channel()
        channel.queue_declare("client.upstream.events", durable=True)
        channel.queue_bind("client.upstream.events", declared_broker.names.events, "order.#")
        publish(declared_broker["relay"], declared_broker.names.events, "order.created")
        _, _, body = channel.basic_get("client.upstream.events", auto_ack=True)
        assert body == b"{}"
        if declared_broker.has_roles:
            with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
                get(declared_broker["payments"], "client.upstream.events")
        channel.queue_delete("client.upstream.events")


def get(url: str, queue: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().basic_get(queue, auto_ack=True)
