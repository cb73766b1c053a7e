"""A queue that refuses messages holds up only what is for it, and no longer than it refuses."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

import orjson
import pytest
from aiormq.abc import DeliveredMessage
from prometheus_client import REGISTRY
from pydantic import SecretStr
from yarl import URL

from db.pool import Pool
from messages.stock import StockCommit
from outbox import Announcement, internal
from outbox.outcome import Answer, PublishOutcome
from outbox.refusals import Refusals
from outbox.settings import RelaySettings
from outbox.subscribers import matches, who_refuses
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.outbox.harness import (
    announce,
    consume,
    event,
    opened,
    pending,
    running,
    sequences_by_stream,
    subscribe,
    wait_until,
    wait_until_empty,
)

Settings = Callable[..., RelaySettings]
FULL = {"x-max-length": 1, "x-overflow": "reject-publish"}


async def count(declared: Broker, queue: str) -> int:
    """How many messages wait in a queue."""
    async with opened(declared["admin"]) as channel:
        return int((await channel.queue_declare(queue, passive=True)).message_count)


@asynccontextmanager
async def listening(url: str, queue: str) -> AsyncIterator[list[tuple[float, DeliveredMessage]]]:
    """Collect the messages of a queue with the time of each arrival while the block runs."""
    arrived: list[tuple[float, DeliveredMessage]] = []

    async def on_message(message: DeliveredMessage) -> None:
        arrived.append((time.time(), message))

    async with opened(url) as channel:
        await channel.basic_consume(queue, on_message, no_ack=True)
        yield arrived


async def test_beside_a_full_subscriber_another_receives_each_event_once_and_in_order(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "client.full", "#", **FULL)
    await subscribe(declared["admin"], declared.names.events, "honest", "order.*")
    async with running(settings()), listening(declared["admin"], "honest") as arrived:
        for seq in range(1, 11):
            await announce(pool, [event(order, seq) for order in range(1, 6)])
            await asyncio.sleep(0.1)

        async def all_received() -> bool:
            return len(arrived) >= 50

        await wait_until(all_received, within_seconds=10)
        await wait_until_empty(pool)
    assert sequences_by_stream([message for _, message in arrived]) == {
        str(order): list(range(1, 11)) for order in range(1, 6)
    }
    assert len(arrived) == 50
    assert await pool.fetchval("SELECT count(*) FROM outbox_holds") == 0
    assert await count(declared, "client.full") < 50


async def test_the_subscriber_that_refuses_is_named_once_in_an_alert_and_counted(
    pool: Pool, declared: Broker, settings: Settings, servers: Servers
) -> None:
    if servers.broker.management_url is None:
        pytest.skip("only the management interface knows which queue refuses")
    place = URL(servers.broker.management_url)
    if declared.has_roles:  # on-call's user is enough
        of_oncall = URL(declared["oncall"])
        place = place.with_user(of_oncall.user).with_password(of_oncall.password)
    await subscribe(declared["admin"], declared.names.events, "client.full", "order.#", **FULL)
    await subscribe(declared["admin"], declared.names.events, "client.patient", "order.#", **{"x-max-length": 10_000})
    await subscribe(declared["admin"], declared.names.events, "alerts", "alert.raised")
    made = settings().model_copy(update={"management_url": SecretStr(str(place))})
    async with running(made):
        for seq in range(1, 6):
            await announce(pool, [event(1, seq)])
            await asyncio.sleep(0.05)
        (alert,) = await consume(declared["admin"], "alerts", 1)
        await wait_until_empty(pool)
    body = orjson.loads(alert.body)
    assert (body["code"], body["level"]) == ("SUBSCRIBER_REFUSES", "HIGH")
    assert body["content"].startswith("client.full has not received these events, and never will: order.paid (")
    assert REGISTRY.get_sample_value("oms_outbox_dropped_events_total", {"queue": "client.full"})
    assert await count(declared, "alerts") == 0


async def test_without_the_management_interface_the_alert_says_what_to_set(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "client.full", "order.#", **FULL)
    await subscribe(declared["admin"], declared.names.events, "alerts", "alert.raised")
    async with running(settings()):
        for seq in range(1, 6):
            await announce(pool, [event(1, seq)])
            await asyncio.sleep(0.05)
        (alert,) = await consume(declared["admin"], "alerts", 1)
    assert "OMS_MANAGEMENT_URL is not set" in orjson.loads(alert.body)["content"]


@pytest.fixture
def limit(declared: Broker, servers: Servers) -> Callable[[int | None], None]:
    """Returns a function that sets the limit of the queue oms.stock by a policy, or with None removes it."""
    if servers.broker.management_url is None:
        pytest.skip("a policy needs the management interface")

    def set_limit(length: int | None) -> None:
        path = f"/policies/{quote(declared.vhost, safe='')}/short"
        if length is None:
            servers.broker.management.call("DELETE", path)
            return
        policy = {"pattern": "^oms\\.stock$", "definition": {"max-length": length}, "apply-to": "queues"}
        servers.broker.management.call("PUT", path, policy)

    return set_limit


async def test_a_queue_that_refused_for_a_while_gets_all_that_was_held_soon_after(
    pool: Pool, declared: Broker, settings: Settings, limit: Callable[[int | None], None]
) -> None:
    """A channel of RabbitMQ 3.10 that was open meanwhile would refuse for ever."""
    await subscribe(declared["admin"], declared.names.events, "listener", "order.*")
    stock, outage_seconds = declared.names.queue("stock"), 4.0
    async with running(settings()):
        limit(3)
        await asyncio.sleep(0.5)  # until the queue has the policy
        refused_at = time.monotonic()
        for number in range(1, 41):  # events flow beside it, on the same channel
            await announce(pool, [event(number, 1), *one_by_one(number)])
            await asyncio.sleep(outage_seconds / 40)
        held = await pool.fetchval("SELECT count(*) FROM outbox_holds")
        assert held > 100
        limit(None)
        freed_at = time.monotonic()

        async def all_arrived() -> bool:
            return await pending(pool) == 0

        await wait_until(all_arrived, within_seconds=30)
        recovery_seconds = time.monotonic() - freed_at
    assert await count(declared, stock) == 200
    assert recovery_seconds < 2 * (freed_at - refused_at) + 4
    assert len(await consume(declared["admin"], "listener", 40)) == 40


def one_by_one(number: int) -> list[Announcement]:
    """Five messages for the stock that are not packed into one."""
    return [
        Announcement(
            type="stock.commit.v1",
            body=b"{}",
            destination="internal",
            routing_key=internal(StockCommit(holder_id=1)).routing_key,
            correlation_id=f"{number}/{place}",
        )
        for place in range(5)
    ]


@pytest.mark.parametrize(
    ("pattern", "key", "taken"),
    [
        ("#", "order.paid", True),
        ("order.#", "order", True),
        ("order.#", "order.paid.again", True),
        ("order.*", "order.paid", True),
        ("order.*", "order.paid.again", False),
        ("*.paid", "order.paid", True),
        ("#.paid", "paid", True),
        ("order.paid", "order.created", False),
        ("#." * 200 + "#", "order.paid", True),
        ("#." * 200 + "no", "order.paid", False),
    ],
)
def test_a_topic_pattern_takes_keys_as_the_broker_does(pattern: str, key: str, taken: bool) -> None:
    assert matches(pattern, key) is taken


def test_full_queues_are_named_before_those_that_only_may_refuse() -> None:
    bindings = [{"destination": name, "routing_key": "order.*"} for name in ("full", "roomy", "patient")]
    refusing = {"x-overflow": "reject-publish", "x-max-length": 5}
    full = {"name": "full", "arguments": refusing, "messages_ready": 5}
    roomy = {"name": "roomy", "arguments": {}, "messages_ready": 4}
    roomy["effective_policy_definition"] = {"overflow": "reject-publish", "max-length-bytes": 100}
    patient = {"name": "patient", "arguments": {"x-max-length": 5}, "messages_ready": 5}
    assert who_refuses(["order.paid", "sku.changed"], bindings, [full, roomy, patient]) == {"full": ("order.paid",)}
    assert who_refuses(["order.paid"], bindings, [roomy, patient]) == {"roomy": ("order.paid",)}


async def test_five_hundred_refused_messages_for_one_queue_are_one_warning(capsys: pytest.CaptureFixture[str]) -> None:

    refusals = Refusals()
    row = {
        "destination": "internal",
        "routing_key": "stock.commit",
        "message_id": "m",
        "type": "t",
        "headers": b"{}",
        "stream": "m",
        "correlation_id": "c",
        "held_reason": None,
    }
    for _ in range(500):
        assert refusals.note(row, Answer(PublishOutcome.NACKED)).reason == "nacked: internal stock.commit"  # type: ignore[arg-type]
    assert capsys.readouterr().out.count("broker did not take a message") == 1
