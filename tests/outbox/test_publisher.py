"""The outcomes of publishes to a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiormq import Connection
from pamqp.commands import Basic
from uuid_utils import uuid7

from outbox.outcome import PublishOutcome
from outbox.publisher import Publisher
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.outbox.harness import AmqpProxy, consume, opened, subscribe, wait_until


@pytest.fixture
async def publisher(declared: Broker) -> AsyncIterator[Publisher]:
    """A publisher that is connected as the relay."""
    async with Publisher(declared["relay"], name="test publisher", timeout_seconds=5) as connected:
        await connected.ready()
        yield connected


def properties(message_id: str | None = None, **more: Any) -> Basic.Properties:
    return Basic.Properties(message_id=message_id or str(uuid7()), delivery_mode=2, **more)


async def send(publisher: Publisher, exchange: str, key: str, *, mandatory: bool = True, **more: Any) -> PublishOutcome:
    return await publisher.publish(exchange, key, properties(**more), b"{}", mandatory)


async def test_a_message_that_a_queue_has_is_confirmed(publisher: Publisher, declared: Broker) -> None:
    assert await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.CONFIRMED
    (message,) = await consume(declared["admin"], declared.names.queue("stock"), 1)
    assert message.body == b"{}"


@pytest.mark.parametrize("size_bytes", [0, 1, 131_064, 131_065, 1_000_000])
async def test_a_body_of_any_size_arrives_whole(publisher: Publisher, declared: Broker, size_bytes: int) -> None:
    body = b"x" * size_bytes
    assert (
        await publisher.publish("", declared.names.queue("stock"), properties(), body, True) is PublishOutcome.CONFIRMED
    )
    (message,) = await consume(declared["admin"], declared.names.queue("stock"), 1)
    assert message.body == body


@pytest.mark.parametrize(
    ("mandatory", "outcome"), [(True, PublishOutcome.UNROUTABLE), (False, PublishOutcome.CONFIRMED)]
)
async def test_an_unroutable_message_fails_only_if_it_is_mandatory(
    publisher: Publisher, mandatory: bool, outcome: PublishOutcome
) -> None:
    assert await send(publisher, "oms.internal", "no.such_queue", mandatory=mandatory) is outcome


async def test_a_full_queue_that_rejects_publishes_is_a_nack(publisher: Publisher, declared: Broker) -> None:
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await subscribe(declared["admin"], declared.names.events, "full", "full.#", **full)
    outcomes = [await send(publisher, declared.names.events, "full.event", mandatory=False) for _ in range(4)]
    assert outcomes[0] is PublishOutcome.CONFIRMED
    assert outcomes[-1] is PublishOutcome.NACKED


async def test_one_message_that_the_broker_refuses_is_found_among_its_neighbours(
    publisher: Publisher, declared: Broker
) -> None:
    waiting = {f"m{number}": "oms.internal" for number in range(9)} | {"culprit": "oms.no-such-exchange"}
    outcomes: dict[str, PublishOutcome] = {}

    async def everything_answered() -> bool:
        left = [name for name in waiting if outcomes.get(name, PublishOutcome.LOST) is PublishOutcome.LOST]
        await publisher.ready()
        answers = await asyncio.gather(
            *(publisher.publish(waiting[name], "stock.commit", properties(name), b"{}", True) for name in left)
        )
        outcomes.update(zip(left, answers, strict=True))
        return PublishOutcome.LOST not in outcomes.values()

    await wait_until(everything_answered)
    assert outcomes.pop("culprit") is PublishOutcome.NO_EXCHANGE
    assert set(outcomes.values()) == {PublishOutcome.CONFIRMED}


async def test_neighbours_of_a_refused_message_are_confirmed_and_the_next_one_has_none(
    publisher: Publisher, declared: Broker
) -> None:
    for _ in range(2):  # the second time the address is known, and the channel lives
        outcomes = await asyncio.gather(
            *(send(publisher, "oms.internal", "stock.commit") for _ in range(50)),
            send(publisher, "", "client.gone", headers={"CC": "no list"}),
        )
        assert outcomes == [PublishOutcome.CONFIRMED] * 50 + [PublishOutcome.REFUSED]
    assert await send(publisher, "", "client.gone", mandatory=False) is PublishOutcome.CONFIRMED


async def test_a_message_that_amqp_cannot_express_is_an_error_and_the_connection_lives(publisher: Publisher) -> None:
    assert await send(publisher, "oms.internal", "k" * 300) is PublishOutcome.ERROR
    assert await send(publisher, "oms.internal", "stock.commit", headers={"h": object()}) is PublishOutcome.ERROR
    assert await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.CONFIRMED


async def test_one_message_id_is_never_in_flight_twice(publisher: Publisher) -> None:
    """Otherwise the client library reports the unroutable one as confirmed and the other one as returned."""
    unroutable, routable = await asyncio.gather(
        publisher.publish("oms.internal", "no.such_queue", properties("same"), b"{}", True),
        publisher.publish("oms.internal", "stock.commit", properties("same"), b"{}", True),
    )
    assert (unroutable, routable) == (PublishOutcome.UNROUTABLE, PublishOutcome.CONFIRMED)


async def test_without_a_connection_the_answer_is_lost_at_once() -> None:
    async with Publisher("amqp://unknown:nothing@127.0.0.1:1/", name="nowhere") as nowhere:
        assert await send(nowhere, "oms.internal", "stock.commit") is PublishOutcome.LOST
        assert not nowhere.healthy


async def test_a_publisher_reconnects_after_the_broker_closed_its_connection(
    publisher: Publisher, declared: Broker, servers: Servers
) -> None:
    if servers.broker.management_url is None:
        pytest.skip("closing connections needs the management interface")
    management = servers.broker.management

    async def closed() -> bool:
        for connection in management.call("GET", "/connections"):
            if connection["vhost"] == declared.vhost:
                management.call("DELETE", f"/connections/{connection['name'].replace(' ', '%20').replace('>', '%3E')}")
                return True
        return False

    await wait_until(closed)

    async def lost() -> bool:
        return not publisher.connected or await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.LOST

    await wait_until(lost)
    await publisher.ready()
    assert await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.CONFIRMED


async def test_many_messages_at_once_are_each_answered(publisher: Publisher, declared: Broker) -> None:
    wanted = [True, False] * 500
    outcomes = await asyncio.gather(
        *(send(publisher, "oms.internal", "stock.commit" if fits else "no.such_queue") for fits in wanted)
    )
    assert [outcome is PublishOutcome.CONFIRMED for outcome in outcomes] == wanted
    async with opened(declared["admin"]) as channel:
        queue = await channel.queue_declare(declared.names.queue("stock"), passive=True)
        assert queue.message_count == 500


async def send_at_one_moment(publisher: Publisher, count: int) -> list[asyncio.Task[PublishOutcome]]:
    """Send messages that all have the same time of sending, however slow the machine is.

    The publisher gives up its connection when one message is overdue, and only those that are overdue by then get
    TIMED_OUT. So if its check came between the times of two messages, the later one would get LOST.
    """
    loop = asyncio.get_running_loop()
    moment = loop.time()
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(loop, "time", lambda: moment)
        sending = [asyncio.create_task(send(publisher, "oms.internal", "stock.commit")) for _ in range(count)]
        await asyncio.sleep(0)  # each task runs until it waits for its answer
    return sending


async def test_no_answer_in_time_is_unknown_and_the_connection_is_replaced(declared: Broker) -> None:
    async with (
        AmqpProxy(declared["relay"]) as proxy,
        Publisher(proxy.url, name="hushed", timeout_seconds=0.5) as publisher,
    ):
        await publisher.ready()
        proxy.hold_answers()
        outcomes = await asyncio.gather(*await send_at_one_moment(publisher, 3))
        assert outcomes == [PublishOutcome.TIMED_OUT] * 3
        proxy.release_answers()

        async def works_again() -> bool:
            return await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.CONFIRMED

        await wait_until(works_again)
        assert proxy.connections == 2
    assert len(await consume(declared["admin"], declared.names.queue("stock"), 4)) == 4


async def test_refusals_in_a_row_do_not_hammer_the_broker_with_connections(declared: Broker) -> None:
    async with (
        AmqpProxy(declared["relay"]) as wire,
        Publisher(wire.url, name="refused", timeout_seconds=5) as publisher,
    ):
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while True:
                    await publisher.ready()
                    await send(publisher, "oms.no-such-exchange", "any")
        assert wire.connections <= 5  # pauses of 0.2, 0.4, 0.8 and 1.6 seconds
        await publisher.ready()
        assert await send(publisher, "oms.internal", "stock.commit") is PublishOutcome.CONFIRMED


async def test_a_publisher_can_be_closed_while_it_connects(declared: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    connecting = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        connecting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("outbox.wire.connect", never)
    publisher = Publisher(declared["relay"], name="slow")
    publisher.start()
    await connecting.wait()
    async with asyncio.timeout(5):
        await publisher.close()


async def test_a_channel_that_cannot_be_opened_leaves_no_connection_behind(
    declared: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_connections: list[Connection] = []

    async def no_channel(connection: Connection, **_: Any) -> None:
        opened_connections.append(connection)
        raise TimeoutError

    monkeypatch.setattr(Connection, "channel", no_channel)
    async with Publisher(declared["relay"], name="no channel"):

        async def tried_twice() -> bool:
            return len(opened_connections) >= 2

        await wait_until(tried_twice)
        assert opened_connections[0].is_closed
