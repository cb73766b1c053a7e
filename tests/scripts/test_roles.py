"""A real broker allows each user only what its role needs."""

import re
import urllib.error
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest

from messages.registry import FROM_OUTSIDE, MODELS
from messages.roles import Role, may_send
from messages.topology import Names
from outbox import declare
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.management import Management
from scripts.servers.roles import PATTERN_MAX_CHARACTERS, USERS, permissions
from scripts.servers.users import create
from tests.broker import Broker

ACCESS_REFUSED = 403


def attempt(url: str, act: Callable[[Any], object]) -> bool:
    """Do something on a channel of this user; False if the broker refuses it."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            act(channel)
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == ACCESS_REFUSED:
                return False
            raise
    return True


def declare_queue(url: str, queue: str) -> bool:
    return attempt(url, lambda channel: channel.queue_declare(queue, durable=bool(queue), exclusive=not queue))


DECLARED = [
    ("topology", "oms.stock", True),
    ("topology", "elsewhere", False),
    ("storefront", "", True),  # the broker names it
    ("storefront", "client.storefront.replies", False),
    ("storefront", "oms.stock", False),
    ("storefront-events", "client.storefront.replies", True),
    ("payments-events", "client.payments.replies", True),
    ("payments-events", "client.storefront.replies", False),
    ("storefront-events", "client.warehouse.replies", False),
    ("storefront-events", "client.replies", False),
    ("storefront-events", "oms.stock", False),
    ("worker", "oms.stock", False),
    ("relay", "oms.stock", False),
    ("oncall", "oms.stock", False),
]


def test_a_user_may_declare_only_its_own_queues(broker: Broker) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    found = [(user, queue, declare_queue(broker[user], queue)) for user, queue, _ in DECLARED]
    assert found == DECLARED


def test_a_pattern_names_the_keys_of_others_and_no_more_in_the_characters_that_the_broker_takes() -> None:
    keys = {model.routing_key() for model in MODELS.values()}
    near = {"order", "order.creat", "order.creates", "order.create.x", "", *(f"{key}.x" for key in keys)}
    for role in set(Role) - {Role.NOTIFIER}:
        user = permissions("oms")[role.value]
        for name, pattern in user.topics.items():
            refused = {
                model.routing_key()
                for model in MODELS.values()
                if Names().exchange_of(model.KIND) == name
                and not (model.KIND in FROM_OUTSIDE and may_send(model.SENDERS, frozenset({role})))
            }
            assert {key for key in keys | near if not re.search(pattern, key)} == refused
    patterns = [text for one in permissions("oms").values() for text in (one.configure, one.write, one.read)]
    patterns += [text for one in permissions("oms").values() for text in one.topics.values()]
    assert max(map(len, patterns)) <= PATTERN_MAX_CHARACTERS - 60, (
        "few more keys fit; let permissions name what is allowed"
    )


def publish(url: str, exchange: str, routing_key: str = "unbound.key") -> bool:
    return attempt(url, lambda channel: channel.basic_publish(exchange, routing_key, b"{}"))


PUBLISHED = [
    ("storefront", "oms.commands", True),
    ("storefront", "oms.queries", True),
    ("storefront", "oms.internal", False),
    ("storefront", "oms.events", False),
    ("storefront", "oms.delay", False),
    ("storefront", "", False),
    ("storefront-events", "oms.commands", False),
    ("storefront-events", "oms.queries", False),
    ("notifier-events", "oms.commands", False),
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
]


def test_a_user_may_publish_only_to_the_exchanges_of_its_work(broker: Broker) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    with pika.BlockingConnection(pika.URLParameters(broker["topology"])) as connection:
        for exchange in {exchange for _, exchange, _ in PUBLISHED} - {"", "oms.commands", "oms.queries"}:
            connection.channel().exchange_declare(exchange, "topic", durable=True)
    found = [(user, exchange, publish(broker[user], exchange)) for user, exchange, _ in PUBLISHED]
    assert found == PUBLISHED


def keys_of(role: Role, exchange: str) -> dict[str, bool]:
    """Routing key of every message that the exchange carries -> may this role send it."""
    return {
        model.routing_key(): may_send(model.SENDERS, frozenset({role}))
        for model in MODELS.values()
        if model.KIND in FROM_OUTSIDE and Names().exchange_of(model.KIND) == exchange
    }


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NOTIFIER])
def test_the_topic_patterns_let_through_the_keys_of_the_role_and_unknown_ones(role: Role) -> None:
    for exchange, pattern in permissions()[role].topics.items():
        known = keys_of(role, exchange)
        assert {key: re.match(pattern, key) is not None for key in known} == known
        for mistyped in ("order.creat", "stock.adjust.v1", "xstock.adjust", "", "stock.receiv"):
            assert re.match(pattern, mistyped)


KEYS = [
    ("carrier", "shipment.update", True),
    ("carrier", "payment.callback", True),
    ("carrier", "order.creat", True),  # a mistyped key is answered by us, not by the end of the channel
    ("carrier", "order.create", False),
    ("storefront", "order.create", True),
    ("storefront", "shipment.update", False),  # a lost parcel pays out at once
    ("storefront", "points.grant", False),
    ("storefront", "coupon.issue", False),
    ("storefront", "sku.upsert", False),
    ("storefront", "stock.receive", False),
    ("storefront", "payment.result", False),
    ("storefront", "refund.request", False),
    ("operator", "refund.request", True),
    ("warehouse", "stock.adjust", True),
    ("marketing", "points.grant", True),
    ("catalogue", "sku.upsert", True),
    ("catalogue", "points.grant", False),
]


async def test_the_broker_takes_the_messages_of_a_role_from_its_user_alone(declared_broker: Broker) -> None:
    if not declared_broker.has_roles:
        pytest.skip("one URL serves every role")
    exchange = declared_broker.names.commands
    assert [(user, key, publish(declared_broker[user], exchange, key)) for user, key, _ in KEYS] == KEYS


EVENTS, COMMANDS, QUERIES = "oms.events", "oms.commands", "oms.queries"
BINDINGS = [
    ("storefront", COMMANDS, EVENTS),
    ("storefront", QUERIES, EVENTS),
    ("storefront", COMMANDS, QUERIES),
    ("storefront", "client.storefront.x", EVENTS),
    ("storefront", COMMANDS, "client.storefront.x"),
    ("storefront-events", COMMANDS, EVENTS),
    ("storefront-events", QUERIES, EVENTS),
    ("storefront-events", COMMANDS, "client.storefront.x"),
    ("storefront-events", "client.storefront.x", COMMANDS),
    ("notifier-events", COMMANDS, EVENTS),
]


async def test_no_client_can_turn_our_events_into_commands(declared_broker: Broker) -> None:
    """A client that bound oms.events to oms.commands made each event of every order an unroutable letter."""
    if not declared_broker.has_roles:
        pytest.skip("one URL serves every role")
    urls = declared_broker.urls
    # An exchange under its own name is all that a subscriber can declare; no user who publishes can read it.
    assert attempt(urls["storefront-events"], lambda channel: channel.exchange_declare("client.storefront.x", "fanout"))
    for user, destination, source in BINDINGS:
        assert not attempt(urls[user], lambda channel: channel.exchange_bind(destination, source, "#")), (user, source)  # noqa: B023
    for role in Role:
        if role is not Role.NOTIFIER:
            for name in (f"client.{role}.x2", "client.x", "amq.gen-x"):
                assert not attempt(urls[role], lambda channel: channel.exchange_declare(name, "topic")), (role, name)  # noqa: B023
    through = {"alternate-exchange": COMMANDS}
    assert not attempt(
        urls["storefront-events"],
        lambda channel: channel.exchange_declare("client.storefront.y", "topic", arguments=through),
    )


async def test_a_second_shop_in_a_virtual_host_has_users_of_its_own(servers: Servers, declared_broker: Broker) -> None:
    """The permissions of the first shop stay, and neither shop's users reach the other's exchanges."""
    if not declared_broker.has_roles:
        pytest.skip("one URL serves every role")
    first, vhost = declared_broker.urls, declared_broker.vhost
    address = urlsplit(servers.broker.management_url or "")
    password = {"OMS_STOREFRONT_PASSWORD": "second", "OMS_TOPOLOGY_PASSWORD": "second"}
    made = create(
        {"OMS_MANAGEMENT_URL": address.geturl(), "OMS_VHOST": vhost, "OMS_PREFIX": f"second-{vhost[-6:]}", **password}
    )
    prefix = made[0].removesuffix("-storefront")
    assert made == [f"{prefix}-storefront", f"{prefix}-storefront-events", f"{prefix}-topology"]
    place = first["storefront"].rpartition("@")[2]
    second = {user: f"amqp://{prefix}-{user}:second@{place}" for user in ("storefront", "topology")}
    exchange = f"{prefix}.commands"
    assert attempt(second["topology"], lambda channel: channel.exchange_declare(exchange, passive=True))
    found = [
        publish(first["storefront"], COMMANDS, "order.create"),
        publish(first["storefront"], exchange, "order.create"),
        publish(second["storefront"], exchange, "order.create"),
        publish(second["storefront"], COMMANDS, "order.create"),
        publish(first["storefront"], COMMANDS, "stock.adjust"),
    ]
    assert found == [True, False, True, False, False]


def test_the_prefix_is_taken_literally_in_the_patterns() -> None:
    assert permissions("a.b")["topology"].read == r"^a\.b\..*"
    assert set(permissions("x")) == set(USERS)


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
    assert declare_queue(urls["worker"], "oms.stock")
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
        assert get(declared_broker["worker"], queue)
        for user in ("storefront", "storefront-events", "payments", "relay", "oncall"):
            assert not get(declared_broker[user], queue), user


async def test_a_client_receives_events_on_its_own_queue(declared_broker: Broker) -> None:
    queue = "client.storefront.events"
    with pika.BlockingConnection(pika.URLParameters(declared_broker["storefront-events"])) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, declared_broker.names.events, "order.#")
        assert publish(declared_broker["relay"], declared_broker.names.events, "order.created")
        _, _, body = channel.basic_get(queue, auto_ack=True)
        assert body == b"{}"
        if declared_broker.has_roles:
            assert not get(declared_broker["payments-events"], queue)
            assert not get(declared_broker["storefront"], queue)
        channel.queue_delete(queue)


def get(url: str, queue: str) -> bool:
    return attempt(url, lambda channel: channel.basic_get(queue, auto_ack=True))


def test_only_the_warehouse_reads_what_warehouses_get() -> None:
    queue = "oms.warehouse.main"
    readers = {user for user, allowed in permissions("oms").items() if re.match(allowed.read, queue)}
    writers = {user for user, allowed in permissions("oms").items() if re.match(allowed.write, queue)}
    assert readers == {"warehouse-events", "worker", "topology"}
    assert writers == {"topology"}


def test_only_our_own_users_read_the_event_history() -> None:
    queue = "oms.event-history"
    assert {user for user, allowed in permissions("oms").items() if re.match(allowed.read, queue)} == {
        "worker",
        "oncall",
        "topology",
    }
    assert not re.match(permissions("oms")["oncall"].read, "oms.event-history.dlq")
