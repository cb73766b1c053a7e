"""The relay publishes from a real database to a real broker."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr

from db.pool import Pool
from messages.stock import StockCommit
from messages.timers import TimerDue
from outbox import Announcement, internal, later, to_queue
from outbox.doorbell import Doorbell
from outbox.packing import shard_of
from outbox.relay import Relay
from outbox.settings import RelaySettings
from scripts.servers.find import Servers
from scripts.servers.private_rabbitmq import PrivateRabbitmq
from tests.broker import Broker
from tests.outbox.harness import (
    AmqpProxy,
    announce,
    consume,
    event,
    header,
    hold,
    opened,
    pending,
    running,
    sequences_by_stream,
    subscribe,
    wait_until,
    wait_until_empty,
)

Settings = Callable[..., RelaySettings]


async def held(pool: Pool) -> dict[str, str]:
    """Stream -> the reason why it is held."""
    return {row["stream"]: row["reason"] for row in await pool.fetch("SELECT stream, reason FROM outbox_holds")}


async def test_every_stream_arrives_whole_and_in_order(pool: Pool, declared: Broker, settings: Settings) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    async with running(settings(relay_batch_rows=100)):
        for start in range(1, 41, 10):
            for seq in range(start, start + 10):
                await announce(pool, [event(order, seq) for order in range(1, 31)])
        arrived = await consume(declared["admin"], "listener", 1200)
        await wait_until_empty(pool)
    assert len(arrived) == 1200
    assert sequences_by_stream(arrived) == {str(order): list(range(1, 41)) for order in range(1, 31)}


async def test_a_message_carries_what_the_wire_promises(pool: Pool, declared: Broker, settings: Settings) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    at = datetime(2026, 5, 4, 3, 2, 1, 7, tzinfo=UTC)
    one = event(7, 3, body=b'{"a":1}', causation_id="parent", occurred_at=at, headers={"origin-user": "upstream"})
    await announce(pool, [one])
    message_id = await pool.fetchval("SELECT message_id FROM outbox")
    async with running(settings()):
        (message,) = await consume(declared["admin"], "listener", 1)
    properties = message.header.properties
    assert message.body == b'{"a":1}'
    assert (properties.message_id, properties.message_type) == (message_id, "order.paid.v1")
    assert (properties.correlation_id, properties.app_id, properties.delivery_mode) == ("order-7", "oms", 2)
    assert properties.user_id == settings().amqp_url.get_secret_value().split("://")[1].split(":")[0]
    assert properties.content_type == "application/json"
    assert properties.timestamp is not None
    assert abs(properties.timestamp - datetime.now(UTC)) < timedelta(minutes=1)
    headers = dict(properties.headers or {})
    assert at < datetime.fromisoformat(str(headers.pop("published-at"))) <= datetime.now(UTC)
    assert headers == {
        "origin-user": "upstream",
        "causation-id": "parent",
        "occurred-at": "2026-05-04T03:02:01.000007+00:00",
        "stream": "7",
        "seq": 1,
        "conversation-id": "order-7",
    }


async def test_every_destination_reaches_its_queue(pool: Pool, declared: Broker, settings: Settings) -> None:
    names, due = declared.names, TimerDue(kind="payment", key=1, due_at=datetime.now(UTC))
    await subscribe(declared["admin"], names.events, "client.replies", "no.event")
    plain = Announcement(type="t.v1", body=b"{}", destination="reply", routing_key="", correlation_id="c")
    await announce(
        pool,
        [
            internal(StockCommit(holder_id=1)),
            later(due, seconds=1, queue="timeouts"),
            to_queue(StockCommit(holder_id=2), queue="refunds"),
            Announcement(type="t.v1", body=b"d", destination="dead", routing_key="stock", correlation_id="c"),
            Announcement(
                type="t.v1",
                body=b"r",
                destination="reply",
                routing_key="client.replies",
                correlation_id="c",
                must_route=False,
            ),
            Announcement(
                type="t.v1",
                body=b"gone",
                destination="reply",
                routing_key="client.gone",
                correlation_id="c",
                must_route=False,
            ),
        ],
    )
    assert plain.must_route
    async with running(settings()):
        for queue in ("stock", "timeouts", "refunds", "stock.dlq"):
            assert len(await consume(declared["admin"], names.queue(queue), 1)) == 1, queue
        assert [message.body for message in await consume(declared["admin"], "client.replies", 1)] == [b"r"]
        await wait_until_empty(pool)


async def test_a_sensitive_body_is_published_in_clear(pool: Pool, declared: Broker, settings: Settings) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    await announce(pool, [event(1, 1, body=b'{"phone":"13800138000"}', sensitive=True)])
    async with running(settings()):
        (message,) = await consume(declared["admin"], "listener", 1)
    assert message.body == b'{"phone":"13800138000"}'


async def test_a_message_that_cannot_be_read_holds_its_stream_only(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener", "order.#")
    await announce(pool, [event(1, 1, sensitive=True), event(1, 2), event(2, 1), event(3, 1)])
    await pool.execute("UPDATE outbox SET key_id = 'lost' WHERE key_id IS NOT NULL")
    await pool.execute("UPDATE outbox SET headers = '{' WHERE stream = '3'")
    async with running(settings()):
        arrived = await consume(declared["admin"], "listener", 4, within_seconds=1.5)
    assert sequences_by_stream(arrived) == {"2": [1]}
    why = {stream: reason.split(":")[:2] for stream, reason in (await held(pool)).items()}
    assert why == {"1": ["unreadable", " MissingKeyError"], "3": ["unreadable", " JSONDecodeError"]}


async def test_an_unroutable_head_holds_only_its_stream_and_goes_on_when_the_binding_is_back(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    names = declared.names
    await subscribe(declared["admin"], names.events, "listener", "order.paid")
    first = event(1, 1, type="order.odd.v1")
    stuck = Announcement(**{**vars(first), "must_route": True})
    await announce(pool, [stuck, event(1, 2), event(2, 1), event(1, 3)])
    async with running(settings(hold_max_seconds=1)):
        arrived = await consume(declared["admin"], "listener", 4, within_seconds=1.5)
        assert sequences_by_stream(arrived) == {"2": [1]}
        assert list(await held(pool)) == ["1"]
        assert await pending(pool) == 3
        await subscribe(declared["admin"], names.events, "listener", "order.odd")
        arrived = await consume(declared["admin"], "listener", 3)
        assert sequences_by_stream(arrived) == {"1": [1, 2, 3]}
        await wait_until_empty(pool)

        async def is_free() -> bool:
            return await held(pool) == {}

        await wait_until(is_free)


async def test_a_ring_after_commit_wakes_the_lane_of_its_shard_before_the_next_poll(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    lazy = settings(poll_min_seconds=10, poll_max_seconds=60, lease_seconds=200)
    async with running(lazy) as relay, Doorbell(pool) as doorbell:

        async def is_listening() -> bool:
            listeners = (
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
            return all(relay.checks().values()) and bool(await pool.fetchval(listeners))

        await wait_until(is_listening)
        await asyncio.sleep(0.5)
        await announce(pool, [event(1, 1)])
        doorbell.ring({shard_of("1") ^ 1})  # the other lane, whose rows could as well be another relay's
        await asyncio.sleep(0.3)
        assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
        doorbell.ring({shard_of("1")})
        assert len(await consume(declared["admin"], "listener", 1, within_seconds=3)) == 1


async def test_without_a_ring_the_poll_finds_announced_messages(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    async with running(settings(lease_seconds=200)) as relay:

        async def is_idle() -> bool:
            return all(relay.checks().values())

        await wait_until(is_idle)
        await announce(pool, [event(1, 1)])
        await wait_until_empty(pool)


async def test_a_packed_message_is_published_as_items(pool: Pool, declared: Broker, settings: Settings) -> None:
    await announce(pool, [internal(StockCommit(holder_id=order)) for order in range(1, 251)])
    async with running(settings()):
        arrived = await consume(declared["admin"], declared.names.queue("stock"), 2)
    assert sorted(len(orjson.loads(message.body)["items"]) for message in arrived) == [50, 200]


async def test_a_stopped_relay_leaves_no_lease_and_nothing_half_done(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    await announce(pool, [event(order, seq) for seq in range(1, 11) for order in range(1, 301)])
    async with running(settings(relay_batch_rows=50)):
        await consume(declared["admin"], "listener", 100)
    left = await pending(pool)
    assert left < 2900
    assert await pool.fetchval("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL") == 0
    assert await pool.fetchval("SELECT count(*) FROM outbox_relays") == 0
    async with opened(declared["admin"]) as channel:
        queue = await channel.queue_declare("listener", passive=True)
    async with running(settings()):
        rest = await consume(declared["admin"], "listener", left + queue.message_count)
        await wait_until_empty(pool)
    ids = [message.header.properties.message_id for message in rest]
    assert len(ids) == len(set(ids))


async def test_two_relays_share_the_work_and_nothing_is_sent_twice(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")

    async def shared() -> bool:
        rows = await pool.fetch("SELECT count(*) AS shards FROM outbox_shards WHERE owner IS NOT NULL GROUP BY owner")
        return [row["shards"] for row in rows] == [32, 32]

    async with running(settings(lease_seconds=6)), running(settings(lease_seconds=6)):
        await wait_until(shared)
        await announce(pool, [event(order, seq) for seq in range(1, 6) for order in range(1, 201)])
        arrived = await consume(declared["admin"], "listener", 1000)
        await wait_until_empty(pool)
    assert len({message.header.properties.message_id for message in arrived}) == len(arrived) == 1000
    assert set(map(tuple, sequences_by_stream(arrived).values())) == {(1, 2, 3, 4, 5)}


async def test_connections_that_are_cut_again_and_again_cost_no_message_and_no_order(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    async with AmqpProxy(declared["relay"]) as link:
        made = settings().model_copy(update={"amqp_url": SecretStr(link.url)})
        async with running(made):
            for seq in range(1, 13):
                await announce(pool, [event(order, seq) for order in range(1, 101)])
                if seq % 4 == 1:
                    link.cut()
                if seq % 4 == 3:
                    await pool.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'oms-relay'"
                        " AND datname = current_database()"
                    )
                await asyncio.sleep(0.1)
            await wait_until_empty(pool)
        assert link.connections > 1
    async with opened(declared["admin"]) as channel:
        queue = await channel.queue_declare("listener", passive=True)
    arrived = await consume(declared["admin"], "listener", queue.message_count)
    assert sequences_by_stream(arrived) == {str(order): list(range(1, 13)) for order in range(1, 101)}


async def test_while_answers_are_slow_other_streams_flow_and_nothing_is_sent_twice(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    await subscribe(declared["admin"], declared.names.events, "later", "order.late")
    async with AmqpProxy(declared["relay"]) as proxy:
        made = settings(lease_seconds=60).model_copy(update={"amqp_url": SecretStr(proxy.url)})
        async with running(made) as relay:

            async def is_ready() -> bool:
                return all(relay.checks().values())

            await wait_until(is_ready)
            proxy.hold_answers()
            await announce(pool, [event(order, seq) for seq in (1, 2) for order in range(1, 51)])
            assert len(await consume(declared["admin"], "listener", 50)) == 50
            await announce(pool, [event(99, 1, type="order.late.v1")])
            assert len(await consume(declared["admin"], "later", 1)) == 1
            proxy.release_answers()
            await wait_until_empty(pool)
    others = await consume(declared["admin"], "listener", 99, within_seconds=1)
    # The queue redelivers messages that the last consumer had taken; the relay did not send them twice.
    assert len([message for message in others if not message.redelivered]) == 51


@contextmanager
def memory_alarm(servers: Servers) -> Iterator[None]:
    """Give the broker a memory alarm, so that it reads from no publisher."""
    node = servers.broker.lifecycle
    if not isinstance(node, PrivateRabbitmq):
        pytest.skip("a memory alarm can only be raised on a private node")

    def watermark(value: str) -> None:
        command = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "set_vm_memory_high_watermark", value]
        subprocess.run(command, env=node._environment(), check=True, capture_output=True)

    watermark("0.000001")
    try:
        yield
    finally:
        watermark("0.4")


async def test_a_blocked_relay_gives_its_shards_away_and_loses_nothing_when_the_alarm_ends(
    pool: Pool, declared: Broker, settings: Settings, servers: Servers
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")

    async def released() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL")

    async def owned() -> bool:
        return not await released()

    async with running(settings(publish_timeout_seconds=1)) as relay:
        await wait_until(owned)
        with memory_alarm(servers):
            await announce(pool, [event(order, 1) for order in range(1, 51)])
            await wait_until(released)
            assert not relay.checks()["not_blocked"]
            assert await pending(pool) == 50
        arrived = await consume(declared["admin"], "listener", 50)
        assert {header(message, "stream") for message in arrived} == {str(order) for order in range(1, 51)}
        await wait_until_empty(pool)
        assert await held(pool) == {}


async def test_a_hold_whose_messages_are_gone_is_forgotten_and_others_are_kept(pool: Pool, settings: Settings) -> None:
    await announce(pool, [event(order, 1) for order in (1, 2, 3)])
    for stream in ("1", "2", "3"):
        await hold(pool, stream, "x", seconds=3600)
    await pool.execute("DELETE FROM outbox_held WHERE stream IN ('2', '3')")
    await pool.execute("UPDATE outbox_holds SET until = now() - interval '2 minutes' WHERE stream = '2'")
    await pool.execute("UPDATE outbox_holds SET until = now() - interval '1 second' WHERE stream = '3'")

    async def forgotten() -> bool:
        return {row["stream"] for row in await pool.fetch("SELECT stream FROM outbox_holds")} == {"1", "3"}

    async with running(settings()):
        await wait_until(forgotten)


@pytest.mark.parametrize(
    "broken", ["outbox.relay.Relay._count", "outbox.lane.Lane.cycle", "outbox.publisher.Publisher._watch"]
)
async def test_a_task_that_ends_by_a_mistake_ends_the_relay_with_its_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    async def mistake(*_: object) -> None:
        raise AssertionError("a mistake")

    monkeypatch.setattr(broken, mistake)
    relay = Relay(settings(shutdown_grace_seconds=1))
    with pytest.raises(AssertionError, match="a mistake"):
        async with asyncio.timeout(20):
            await relay.run(asyncio.Event())
    assert not all(relay.live().values())


async def test_a_relay_that_runs_is_live_and_stays_so_to_its_end(settings: Settings) -> None:
    async with running(settings()) as relay:

        async def is_ready() -> bool:
            return all(relay.checks().values())

        await wait_until(is_ready)
        assert all(relay.live().values())
    assert all(relay.live().values())
