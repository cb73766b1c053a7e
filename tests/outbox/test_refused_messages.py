"""A message that the broker answers by ending the channel takes no other message with it.

Each nasty row stands beside healthy rows of other streams. The healthy rows arrive promptly and once or few times; the
nasty row is held with its reason, or leaves.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from pamqp.commands import Connection
from prometheus_client import REGISTRY
from pydantic import SecretStr

from db.pool import Pool
from outbox import Announcement
from outbox.announcement import Destination
from outbox.relay import Relay
from outbox.settings import RelaySettings
from scripts.servers.find import Servers
from tests.broker import Broker, declare_some, new_broker
from tests.outbox.harness import (
    TIERS,
    AmqpProxy,
    announce,
    consume,
    event,
    header,
    opened,
    pending,
    running,
    settings_for,
    subscribe,
    wait_until,
)

Settings = Callable[..., RelaySettings]
HEALTHY = 60
COPIES_MAX = 5
KILLER = "amq.rabbitmq.reply-to.AAAA.B"
"""RabbitMQ up to 4.0 ends the whole connection with an internal error when something is published to this queue."""
WIDE = "\u4e2d"  # three bytes in UTF-8


def row(destination: Destination, routing_key: str, **more: Any) -> Announcement:
    """A row with a field that a stranger chose."""
    plain: dict[str, Any] = {"type": "t.v1", "body": b"{}", "correlation_id": "c", "must_route": False}
    return Announcement(destination=destination, routing_key=routing_key, **(plain | more))


@dataclass(frozen=True)
class Nasty:
    """A row, and how the reason begins with which it is held. The empty reason stands for a row that leaves."""

    row: Announcement
    held: str = ""


ADDRESSES = {
    "killer": Nasty(row("reply", KILLER), "refused: 541"),
    "other_token": Nasty(row("reply", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA=.x"), "refused: 541"),
    "direct_reply_without_token": Nasty(row("reply", "amq.rabbitmq.reply-to")),
    "empty": Nasty(row("reply", "")),
    "nobody": Nasty(row("reply", "client.gone")),
    "control_characters": Nasty(row("reply", "client.\x01\x7f\n")),
    "longest": Nasty(row("reply", "q" * 255)),
    "too_long": Nasty(row("reply", "q" * 256), "error: the routing key takes 256 bytes"),
    "too_wide": Nasty(row("reply", WIDE * 86), "error: the routing key takes 258 bytes"),
}
KEYS = {
    f"{destination}_{name}": Nasty(row(destination, key), held)
    for destination in ("events", "internal", "queue", "dead", "delay")
    for name, key, held in (
        ("unknown_key", "1s.nobody", ""),
        ("too_long_key", "1s." + "k" * 260, "error: the routing key takes"),
    )
}
FIELDS = {
    "correlation_too_wide": Nasty(
        row("reply", "client.x", correlation_id=WIDE * 128), "error: the correlation_id takes"
    ),
    "type_too_long": Nasty(row("events", "k", type="t" * 256), "error: the message_type takes"),
    "message_id_too_long": Nasty(row("events", "k", message_id="m" * 256), "error: the message_id takes"),
    "headers_over_a_frame": Nasty(row("events", "k", headers={"h": "x" * 140_000}), "error: the headers take"),
    "header_name_too_long": Nasty(row("events", "k", headers={"h" * 300: "x"})),
    "cc_of_another_kind": Nasty(row("events", "k", headers={"CC": "client.x"}), "refused: 406"),
    "bcc_of_another_kind": Nasty(row("reply", "client.x", headers={"BCC": "client.x"}), "refused: 406"),
    "empty_body": Nasty(row("reply", "client.x", body=b"")),
    "over_the_largest_message": Nasty(row("internal", "k", body=b"x" * 17 * 1024 * 1024), "refused: 406"),
}
NASTY = ADDRESSES | KEYS | FIELDS
CULPRITS = {
    "ends_the_connection": Nasty(row("reply", KILLER), "refused: 541 INTERNAL_ERROR"),
    "ends_the_channel": Nasty(row("reply", "client.x", headers={"CC": "client.x"}), "refused: 406 PRECONDITION_FAILED"),
}


async def on_this_broker(declared: Broker, nasty: Nasty) -> Nasty:
    """A broker of later versions ignores the reply addresses that end the connection of earlier ones."""
    async with opened(declared["admin"]) as channel:
        version = tuple(map(int, str(channel.connection.server_properties["version"]).split(".")[:2]))
    return replace(nasty, held="") if nasty.held.startswith("refused: 541") and version >= (4, 1) else nasty


@pytest.fixture(params=CULPRITS)
async def culprit(declared: Broker, request: pytest.FixtureRequest) -> Nasty:
    """A row because of which this broker ends the connection, and one because of which it ends the channel."""
    found = await on_this_broker(declared, CULPRITS[request.param])
    if not found.held:
        pytest.skip("this broker takes the row")
    return found


async def reasons(pool: Pool) -> list[str]:
    """Why rows are held."""
    return [row["reason"] for row in await pool.fetch("SELECT reason FROM outbox_holds")]


async def counted(declared: Broker, queue: str) -> int:
    """How many messages wait in a queue."""
    async with opened(declared["admin"]) as channel:
        return int((await channel.queue_declare(queue, passive=True)).message_count)


async def arrivals(declared: Broker, queue: str = "listener") -> Counter[str]:
    """Stream -> how often its event has arrived."""
    messages = await consume(declared["admin"], queue, await counted(declared, queue))
    return Counter(header(message, "stream") for message in messages)


@pytest.fixture(scope="module")
async def used(servers: Servers) -> AsyncIterator[Broker]:
    """A virtual host for all nasty rows, one after the other; each test takes all that its listener has."""
    vhost = f"test-{secrets.token_hex(6)}"
    made = new_broker(servers, vhost, "oms" if servers.broker.management_url else f"oms{secrets.token_hex(4)}")
    await declare_some(made, TIERS, "stock")
    await subscribe(made["admin"], made.names.events, "listener", "order.*")
    yield made
    servers.broker.drop_vhost(vhost)


@pytest.mark.parametrize("name", NASTY)
async def test_a_nasty_row_takes_no_other_row_with_it(pool: Pool, used: Broker, database_url: str, name: str) -> None:
    nasty = await on_this_broker(used, NASTY[name])
    healthy = [event(order, seq) for seq in (1, 2) for order in range(1, HEALTHY // 2 + 1)]
    await announce(pool, [*healthy[:20], nasty.row, *healthy[20:]])
    async with running(settings_for(database_url, used["relay"], used.names)):

        async def all_published() -> bool:
            return await counted(used, "listener") >= HEALTHY

        await wait_until(all_published, within_seconds=10)

        async def settled() -> bool:
            return await pending(pool) == len(nasty.held[:1]) and len(await reasons(pool)) == len(nasty.held[:1])

        await wait_until(settled, within_seconds=10)
        assert [reason[: len(nasty.held)] for reason in await reasons(pool)] == [nasty.held][: len(nasty.held)]
    arrived = await arrivals(used)
    assert len(arrived) == HEALTHY // 2
    assert max(arrived.values()) <= 2 * COPIES_MAX


async def alerts(declared: Broker) -> list[str]:
    """The codes of the alerts that subscribers have received."""
    messages = await consume(declared["admin"], "alerts", await counted(declared, "alerts"))
    return [orjson.loads(message.body)["code"] for message in messages]


async def test_many_refused_rows_cost_the_others_a_moment(
    pool: Pool, declared: Broker, settings: Settings, culprit: Nasty
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    await subscribe(declared["admin"], declared.names.events, "alerts", "alert.raised")
    killers = [replace(culprit.row, correlation_id=f"c{number}") for number in range(30)]
    healthy = [event(order, 1) for order in range(1, 1001)]
    async with running(settings()):
        await announce(pool, [*healthy[:500], *killers, *healthy[500:]])

        async def all_published() -> bool:
            return await counted(declared, "listener") >= len(healthy)

        await wait_until(all_published, within_seconds=10)
        await announce(pool, [event(5000, seq) for seq in range(1, 11)])  # and those that come later are not disturbed

        async def only_killers_left() -> bool:
            return await pending(pool) == len(killers) == len(await reasons(pool))

        await wait_until(only_killers_left, within_seconds=20)
    arrived = await arrivals(declared)
    assert arrived.pop("5000") <= 10 * COPIES_MAX
    assert len(arrived) == len(healthy)
    assert max(arrived.values()) <= COPIES_MAX
    assert all(reason.startswith(culprit.held) for reason in await reasons(pool))
    assert await alerts(declared) == ["MESSAGE_REFUSED"] * 20  # at most so many in a minute


async def test_a_refused_address_is_remembered(
    pool: Pool, declared: Broker, settings: Settings, culprit: Nasty
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    async with running(settings()):
        for wave in (1, 2):
            await announce(pool, [culprit.row, *(event(order, wave) for order in range(1, 101))])

            async def only_culprits_left(wave: int = wave) -> bool:
                return await pending(pool) == wave == len(await reasons(pool))

            await wait_until(only_culprits_left, within_seconds=10)
            arrived = await arrivals(declared)
    assert len(arrived) == sum(arrived.values()) == 100  # in the second wave each event is sent once


async def test_another_relay_tries_a_refused_row_apart_from_all_others(
    pool: Pool, declared: Broker, settings: Settings, culprit: Nasty
) -> None:
    """Also after a restart the row is known as refused, so no other row is in flight with it."""
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    await subscribe(declared["admin"], declared.names.events, "alerts", "alert.raised")
    await announce(pool, [culprit.row])

    async def tried(times: int) -> bool:
        attempts = await pool.fetchval("SELECT attempts FROM outbox_holds")
        return bool(attempts == times and await pending(pool) == 1)

    for relay in (1, 2, 3):
        await announce(pool, [event(order, relay) for order in range(1, 101)])
        await pool.execute("UPDATE outbox_holds SET until = clock_timestamp()")
        async with running(settings()):
            await wait_until(lambda times=relay: tried(times), within_seconds=10)  # type: ignore[misc]
        if relay == 1:
            await arrivals(declared)  # the first relay could not know
    arrived = await arrivals(declared)
    assert set(arrived.values()) == {2}
    assert len(arrived) == 100
    waits = await pool.fetchval("SELECT extract(epoch FROM until - clock_timestamp()) FROM outbox_holds")
    assert 200 < waits <= 240  # 60, 120, 240 seconds
    assert await alerts(declared) == ["MESSAGE_REFUSED"]


async def test_a_broker_that_closes_the_connection_for_itself_holds_nothing(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    async with AmqpProxy(declared["relay"]) as link:
        made = settings().model_copy(update={"amqp_url": SecretStr(link.url)})
        async with running(made) as relay:
            for code, text in ((320, "CONNECTION_FORCED - broker forced connection closure"), (541, "INTERNAL_ERROR")):
                await ready(relay)
                link.hold_answers()
                await announce(pool, [event(order, code) for order in range(1, 101)])
                await asyncio.sleep(0.3)
                link.send_frame(Connection.Close(code, text, 0, 0))
                link.cut()
                link.release_answers()

                async def all_published() -> bool:
                    return await pending(pool) == 0

                await wait_until(all_published, within_seconds=10)
    assert await reasons(pool) == []
    assert len(await arrivals(declared)) == 100


async def ready(relay: Relay) -> None:
    """Wait until the relay can publish."""

    async def is_ready() -> bool:
        return all(relay.checks().values())

    await wait_until(is_ready)


async def test_without_an_exchange_its_rows_wait_and_all_others_leave(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    await subscribe(declared["admin"], declared.names.events, "alerts", "alert.raised")
    letters = [row("dead", "stock", must_route=True, correlation_id=f"c{number}") for number in range(100)]
    async with opened(declared["admin"]) as channel:
        await channel.exchange_delete(declared.names.dlx)
    async with running(settings(hold_max_seconds=2)):
        await announce(pool, [*letters, *(event(order, 1) for order in range(1, 101))])

        async def only_letters_left() -> bool:
            return await pending(pool) == 100 and len(await reasons(pool)) == 100

        await wait_until(only_letters_left, within_seconds=10)
        assert {reason.split(":")[0] for reason in await reasons(pool)} == {"no_exchange"}
        await declare_some(declared, TIERS, "stock")

        async def all_published() -> bool:
            return await pending(pool) == 0

        await wait_until(all_published, within_seconds=15)
    arrived = await arrivals(declared)
    assert len(arrived) == 100
    assert max(arrived.values()) <= COPIES_MAX
    assert await counted(declared, declared.names.dlq("stock")) == 100
    assert await alerts(declared) == ["EXCHANGE_REFUSED"]


async def test_refused_messages_are_counted_by_destination(pool: Pool, declared: Broker, settings: Settings) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("oms_outbox_refused_total", {"destination": "reply"}) or 0

    before = count()
    await announce(pool, [row("reply", "q" * 256)])
    async with running(settings()):

        async def counts() -> bool:
            return count() == before + 1

        await wait_until(counts)
