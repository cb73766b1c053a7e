"""The life of a delivery, end to end: real broker, real database, real worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import orjson
import pytest
from aiormq.abc import ChannelFrame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from db.pool import Transaction
from messages.roles import Role
from messages.topology import RETRY_TIERS_SECONDS
from outbox import declare
from outbox.declare import TopologyError
from scripts.servers.find import Servers
from tests.metric_values import metric_value
from tests.runtime.builders import DELETE, PAYMENT, delete, payment
from tests.runtime.harness import WAIT_SECONDS, WorkerHarness, client_of, wait_until, write_effects
from workers.runtime import consumer, settle
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.runtime.run import run_routes
from workers.runtime.subscription import Subscription

QUEUE = "order-changes"


async def refuse(tx: Transaction, batch: Batch[Any]) -> None:
    raise ValueError("no 13812345678")


async def test_a_message_is_handled_and_acknowledged(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        first = await harness.client.publish(DELETE, delete())
        assert await harness.wait_for_effects(1) == [first]
    assert await harness.client.depth(QUEUE) == 0


async def test_waiting_messages_are_taken_together(harness: WorkerHarness) -> None:
    sent = [await harness.client.publish(DELETE, delete()) for _ in range(50)]
    async with harness.running(Route(QUEUE, write_effects)):
        assert await harness.wait_for_effects(50) == sent
    assert await harness.pool.fetchval("SELECT max(batch) FROM effects") > 5


async def test_a_batch_never_exceeds_its_items(harness: WorkerHarness) -> None:
    for _ in range(30):
        await harness.client.publish(DELETE, delete())
    async with harness.running(Route(QUEUE, write_effects, batch_max_items=7)):
        await harness.wait_for_effects(30)
    assert await harness.pool.fetchval("SELECT max(batch) FROM effects") <= 7


async def test_an_invalid_message_is_dead_lettered_and_its_neighbours_are_handled(harness: WorkerHarness) -> None:
    before = await harness.client.publish(DELETE, delete())
    wrong = await harness.client.publish(
        DELETE, delete(order_ids=["13812345678x"]), correlation_id="c", headers={"x-a": 1}
    )
    after = await harness.client.publish(DELETE, delete())
    async with harness.running(Route(QUEUE, write_effects)):
        assert await harness.wait_for_effects(2) == [before, after]
        letter = await harness.client.dead_letter(QUEUE)
    assert (letter["message_id"], letter["reason"], letter["error-type"]) == (
        wrong,
        "invalid",
        "string_pattern_mismatch",
    )
    assert letter["error-path"] == "$.order_ids[0]"
    assert (letter["original-exchange"], letter["original-routing-key"]) == (
        harness.broker.names.commands,
        "order.delete",
    )
    assert orjson.loads(letter["body"])["order_ids"] == ["13812345678x"]
    assert "13812345678" not in str({name: text for name, text in letter.items() if name != "body"})
    assert "x-a" not in letter


async def test_more_messages_arrive_while_the_first_fresh_one_is_handled(harness: WorkerHarness) -> None:
    """A subscription begins with one message. It is wide open before a fresh one is handled, not after it."""
    arrived = asyncio.Event()

    async def wait_for_others(tx: Transaction, batch: Batch[Any]) -> None:
        await asyncio.wait_for(arrived.wait(), WAIT_SECONDS)
        await write_effects(tx, batch)

    async with harness.running(Route(QUEUE, wait_for_others)):
        for _ in range(3):
            await harness.client.publish(DELETE, delete())
        await wait_until(lambda: gauge("oms_messages_in_flight", 3))
        arrived.set()
        assert len(await harness.wait_for_effects(3)) == 3


async def test_a_message_without_an_id_is_a_dead_letter(harness: WorkerHarness) -> None:
    properties = {"message_type": DELETE, "delivery_mode": 2}
    await raw_publish(harness, harness.broker.names.commands, "order.delete", properties)
    async with harness.running(Route(QUEUE, write_effects)):
        letter = await harness.client.dead_letter(QUEUE)
    assert letter["error-type"] == "missing_message_id"


async def test_a_failed_message_is_retried_on_the_ladder_and_then_handled(harness: WorkerHarness) -> None:
    attempts: list[tuple[int, str | None]] = []

    async def once(tx: Transaction, batch: Batch[Any]) -> None:
        attempts.extend((item.attempt, item.user) for item in batch)
        if len(attempts) == 1:
            raise ValueError
        await write_effects(tx, batch)

    async with harness.running(Route(QUEUE, once)):
        sent = await harness.own_client.publish(DELETE, delete())
        assert await harness.wait_for_effects(1) == [sent]
    assert [attempt for attempt, _ in attempts] == [0, 1]
    assert attempts[0][1] == attempts[1][1]


async def test_a_message_without_a_role_gains_none_by_a_retry(harness: WorkerHarness) -> None:
    seen: list[tuple[int, str | None, frozenset[Role]]] = []

    async def once(tx: Transaction, batch: Batch[Any]) -> None:
        seen.extend((item.attempt, item.user, item.roles) for item in batch)
        if len(seen) == 1:
            raise ValueError
        await write_effects(tx, batch)

    async with harness.running(Route(QUEUE, once)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
    assert seen == [(0, None, frozenset()), (1, None, frozenset())]


async def test_a_retry_that_the_delay_exchange_does_not_take_stays_in_its_queue(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is acknowledged only after the broker has confirmed its retry."""
    monkeypatch.setattr(settle, "REQUEUE_WAIT_SECONDS", 0.5)
    names = harness.broker.names
    attempts: list[int] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        attempts.extend(item.attempt for item in batch)
        if len(attempts) < 3:
            raise ValueError
        await write_effects(tx, batch)

    await harness.client.channel.queue_unbind(names.tier_queue(1), names.delay, "1s.#")
    async with harness.running(Route(QUEUE, handler)):
        sent = await harness.client.publish(DELETE, delete())
        assert await harness.wait_for_effects(1) == [sent]
    assert attempts == [0, 0, 0]


async def test_after_the_last_attempt_a_dead_letter_says_why(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, refuse), attempts_max=2):
        sent = await harness.client.publish(DELETE, delete())
        letter = await harness.client.dead_letter(QUEUE)
    assert (letter["message_id"], letter["reason"], letter["attempt"]) == (sent, "failed", "2")
    assert (letter["error-type"], letter["error-message"]) == ("ValueError", "no …")
    assert len(letter["fingerprint"]) == 16
    assert letter["first-failed-at"] < letter["last-failed-at"]
    assert letter["original-exchange"] == harness.broker.names.delayed
    assert letter["worker-version"]


async def test_a_message_sent_on_carries_no_headers_of_the_broker_or_the_sender(harness: WorkerHarness) -> None:
    dangerous = {
        "x-death": [{"queue": harness.broker.names.queue(QUEUE), "reason": "expired", "count": 1}],
        "own": "no",
    }
    async with harness.running(Route(QUEUE, refuse), attempts_max=2):
        await harness.client.publish(DELETE, delete(), headers=dangerous, priority=3, expiration="60000")
        message = await harness.client.get(f"{QUEUE}.dlq")
    properties = message.header.properties
    assert (properties.priority, properties.expiration, properties.delivery_mode) == (None, None, 2)
    ours = {name for name in properties.headers or {} if name.startswith("x-") and name != "x-delivery-count"}
    assert not ours
    assert "own" not in (properties.headers or {})


async def test_a_fact_from_a_user_without_its_role_is_a_dead_letter(harness: WorkerHarness) -> None:
    names = harness.broker.names
    async with (
        harness.running(Route("payment-results", write_effects)),
        client_of(harness.broker["upstream"], names) as anyone,
    ):
        await anyone.publish(PAYMENT, payment())
        assert (await harness.client.dead_letter("payment-results"))["reason"] == "untrusted_user"
    assert await harness.effects() == []


async def test_the_same_id_with_another_body_is_a_dead_letter(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete("one"), message_id="m")
        await harness.client.publish(DELETE, delete("two"), message_id="m")
        assert (await harness.client.dead_letter(QUEUE))["reason"] == "id_reuse"
        assert await harness.wait_for_effects(1) == ["m"]


async def test_a_queue_that_was_deleted_is_consumed_from_again_once_it_is_there(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        await harness.client.channel.queue_delete(harness.broker.names.queue(QUEUE))
        await wait_until(lambda: gauge("oms_consumers", 0))
        await redeclare(harness)
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(2)


async def test_a_consumer_that_the_broker_lost_is_replaced(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Subscription] = []

    class Watched(Subscription):
        async def start(self) -> None:
            made.append(self)
            await super().start()

    monkeypatch.setattr(consumer, "SUPERVISE_SECONDS", 0.2)
    monkeypatch.setattr(consumer, "Subscription", Watched)
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        queue = await made[0].channel.get_queue(harness.broker.names.queue(QUEUE), ensure=False)
        await queue.cancel(made[0]._tag)  # the consumer object is not informed
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(2)


async def test_a_worker_whose_connections_are_cut_goes_on(harness: WorkerHarness, servers: Servers) -> None:
    if servers.broker.management_url is None:
        pytest.skip("cutting connections takes the management interface")
    management = servers.broker.management
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)

        async def workers() -> list[str]:
            found = await asyncio.to_thread(management.call, "GET", f"/vhosts/{harness.broker.vhost}/connections")
            return [
                one["name"] for one in found if "worker" in one.get("client_properties", {}).get("connection_name", "")
            ]

        for name in await wait_until(workers):
            await asyncio.to_thread(management.call, "DELETE", f"/connections/{quote(name)}")
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(2)


async def test_while_the_database_is_away_no_attempt_counts_and_no_message_is_lost(harness: WorkerHarness) -> None:
    """No attempt is counted, because an outage must not push a healthy backlog into the dead letters."""
    attempts: list[int] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        attempts.extend(item.attempt for item in batch)
        if len(attempts) < 3:
            raise asyncpg.AdminShutdownError("terminating connection due to administrator command")
        await write_effects(tx, batch)

    async with harness.running(Route(QUEUE, handler)):
        sent = await harness.client.publish(DELETE, delete())
        assert await harness.wait_for_effects(1) == [sent]
    assert attempts == [0, 0, 0]


async def test_while_the_database_refuses_connections_the_queue_waits(harness: WorkerHarness) -> None:
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        async with database_away(harness):
            await harness.client.publish(DELETE, delete())
            await wait_until(lambda: gauge("oms_consumer_paused", 1))
            assert await harness.client.depth(f"{QUEUE}.dlq") == 0
        await harness.wait_for_effects(2)
        await wait_until(lambda: gauge("oms_consumer_paused", 0))


async def test_a_long_pause_gives_the_messages_back_before_the_ack_timeout_of_the_broker(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def given_back_while_paused() -> bool:
        return await gauge("oms_consumer_paused", 1) and await harness.client.depth(QUEUE) == 1

    monkeypatch.setattr(consumer, "PAUSE_MAX_SECONDS", 0.1)
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        async with database_away(harness):
            await harness.client.publish(DELETE, delete())
            await wait_until(given_back_while_paused)
        await harness.wait_for_effects(2)


async def test_a_stopping_worker_finishes_and_settles_delivered_messages(harness: WorkerHarness) -> None:
    begun = asyncio.Event()

    async def slow(tx: Transaction, batch: Batch[Any]) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        await write_effects(tx, batch)

    async with harness.running(Route(QUEUE, slow, batch_max_items=2)) as stop:
        for _ in range(3):
            await harness.client.publish(DELETE, delete())
        await begun.wait()
        stop.set()
    done = await harness.effects()
    assert done
    assert len(done) + await harness.client.depth(QUEUE) == 3


async def test_messages_of_a_handler_that_does_not_end_go_back_after_the_grace_period(harness: WorkerHarness) -> None:
    begun = asyncio.Event()

    async def stuck(tx: Transaction, batch: Batch[Any]) -> None:
        begun.set()
        await write_effects(tx, batch)
        await asyncio.sleep(3600)

    async with harness.running(Route(QUEUE, stuck), shutdown_grace_seconds=0.2):
        await harness.client.publish(DELETE, delete())
        await begun.wait()
    assert await harness.effects() == []
    assert await wait_until(lambda: harness.client.depth(QUEUE)) == 1


async def test_a_message_a_crash_returned_is_handled_alone_until_a_new_one_comes(harness: WorkerHarness) -> None:
    """Otherwise a message that kills its process would bring all prefetched ones to the delivery limit too."""
    queue = harness.broker.names.queue(QUEUE)
    for _ in range(10):
        await harness.client.publish(DELETE, delete())
    async with client_of(harness.broker["admin"], harness.broker.names) as crashing:
        for _ in range(10):
            await crashing.channel.basic_get(queue)
    await wait_until(lambda: harness.client.depth(QUEUE))
    async with harness.running(Route(QUEUE, write_effects)):
        await harness.wait_for_effects(10)
        assert await harness.pool.fetchval("SELECT max(batch) FROM effects") == 1


async def test_a_chore_is_repeated_and_survives_its_errors(harness: WorkerHarness) -> None:
    times: list[int] = []

    async def chore(tx: Transaction) -> None:
        times.append(1)
        await tx.execute("INSERT INTO effects VALUES ('chore', 0)")
        if len(times) == 1:
            raise ValueError

    async with harness.running(Route(QUEUE, write_effects, every=(Every(0.02, chore),))):
        await wait_until(harness.effects)
    assert len(times) >= 2
    committed = len(await harness.effects())
    assert 1 <= committed <= len(times) - 1  # the first raised, and the stop may have cancelled the last


async def test_a_worker_without_its_queues_names_the_command_that_declares_them(harness: WorkerHarness) -> None:
    await harness.client.channel.queue_delete(harness.broker.names.queue(QUEUE))
    with pytest.raises(TopologyError, match="oms topology declare"):
        await run_routes([Route(QUEUE, write_effects)], harness.settings(), asyncio.Event())


async def gauge(name: str, value: int) -> bool:
    return metric_value(name, queue=QUEUE) == value


@asynccontextmanager
async def database_away(harness: WorkerHarness) -> AsyncIterator[None]:
    """Forbid connections to the database while the block runs, and end those that exist."""
    url = urlsplit(harness.database_url)
    name = url.path[1:]
    other = await asyncpg.connect(url._replace(path="/postgres").geturl())
    try:
        await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await other.close()


async def redeclare(harness: WorkerHarness) -> None:
    await declare.declare(harness.broker["topology"], harness.broker.names, RETRY_TIERS_SECONDS)


async def raw_publish(harness: WorkerHarness, exchange: str, key: str, properties: dict[str, Any]) -> None:
    """Publish below the client library, which would add an id."""
    channel = harness.client.channel
    header = ContentHeader(properties=Basic.Properties(**properties), body_size=0)
    frames: list[Any] = [Basic.Publish(exchange=exchange, routing_key=key), header]
    await channel.write_queue.put(ChannelFrame.marshall(channel.number, frames))
