"""Declaring and checking the topology on a real broker."""

from uuid import uuid4

import pytest
from aiormq.exceptions import AMQPError, ChannelAccessRefused
from yarl import URL

from messages.event_history import EVENT_HISTORY, EventHistory
from messages.topology import RETRY_TIERS_SECONDS, Names, topology
from outbox import declare
from outbox.declare import TopologyError
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.runtime.harness import client_of


async def test_declaring_twice_changes_nothing(broker: Broker) -> None:
    first = await declare.declare(broker["topology"], broker.names, RETRY_TIERS_SECONDS)
    assert await declare.declare(broker["topology"], broker.names, RETRY_TIERS_SECONDS) == first
    assert first == topology(broker.names, RETRY_TIERS_SECONDS)
    await declare.verify(
        broker["worker"],
        exchanges=[exchange.name for exchange in first.exchanges],
        queues=[queue.name for queue in first.queues],
    )


async def test_the_event_history_is_a_stream_with_limits_that_takes_every_event(broker: Broker) -> None:
    history = EventHistory(max_age_seconds=86_400, max_bytes=10**9, segment_bytes=10**6)
    declared = await declare.declare(broker["topology"], broker.names, (1,), history=history)
    name = broker.names.queue(EVENT_HISTORY)
    assert [(one.exchange, one.routing_key) for one in declared.bindings if one.queue == name] == [
        (broker.names.events, "#")
    ]
    await declare.verify(broker["oncall"], exchanges=[], queues=[name])
    shorter = EventHistory(max_age_seconds=60, max_bytes=10**9, segment_bytes=10**6)
    with pytest.raises(TopologyError, match=rf"queue {name} exists with other arguments.*x-max-age"):
        await declare.declare(broker["topology"], broker.names, (1,), history=shorter)


def test_there_is_no_event_history_unless_the_shop_wants_one() -> None:
    assert [queue.name for queue in topology(Names(), ()).queues if EVENT_HISTORY in queue.name] == []


async def test_a_queue_with_other_arguments_is_named_with_the_argument(broker: Broker) -> None:
    stock = broker.names.queue("stock")
    async with client_of(broker["admin"], broker.names) as client:
        await client.channel.queue_declare(stock, durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(TopologyError, match=rf"queue {stock} .*x-dead-letter-exchange|queue {stock} .*x-"):
        await declare.declare(broker["topology"], broker.names, RETRY_TIERS_SECONDS)


async def test_an_exchange_of_another_type_is_named(broker: Broker) -> None:
    async with client_of(broker["admin"], broker.names) as client:
        await client.channel.exchange_declare(broker.names.events, exchange_type="direct", durable=True)
    with pytest.raises(TopologyError, match=rf"exchange {broker.names.events} .*'type'"):
        await declare.declare(broker["topology"], broker.names, RETRY_TIERS_SECONDS)


async def test_a_missing_queue_or_exchange_is_named_with_the_command_that_declares_it(broker: Broker) -> None:
    with pytest.raises(TopologyError, match=r"oms.*\.stock: run `oms topology declare`"):
        await declare.verify(broker["worker"], exchanges=[], queues=[broker.names.queue("stock")])


async def test_a_broker_without_the_delay_plugin_says_so_and_declares_nothing(broker: Broker) -> None:
    with pytest.raises(TopologyError, match="OMS_DELAY=ladder"):
        await declare.declare(broker["topology"], broker.names, RETRY_TIERS_SECONDS, delay_plugin=True)
    with pytest.raises(TopologyError, match="does not have"):
        await declare.verify(broker["topology"], exchanges=[broker.names.internal], queues=[])


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a type that every broker offers stand in for that of the plugin."""
    monkeypatch.setattr(declare, "DELAYED_TYPE", "topic")


@pytest.mark.usefixtures("offered")
async def test_a_user_who_may_not_declare_reads_that_and_not_that_the_plugin_is_missing(broker: Broker) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    with pytest.raises(ChannelAccessRefused):
        await declare.probe_delay_plugin(broker["worker"], broker.names)


async def test_a_wrong_password_is_not_a_missing_plugin(broker: Broker) -> None:
    wrong_login = URL(broker["admin"]).with_user("unknown-user")
    with pytest.raises(AMQPError, match="ACCESS_REFUSED"):
        await declare.probe_delay_plugin(str(wrong_login), broker.names)


@pytest.mark.usefixtures("offered")
async def test_the_probe_has_a_name_that_the_topology_user_may_declare(servers: Servers) -> None:
    vhost = f"test-{uuid4().hex}"
    urls = servers.broker.new_vhost(vhost, "shop")
    try:
        await declare.probe_delay_plugin(urls["topology"], Names("shop"))
    finally:
        servers.broker.drop_vhost(vhost)
