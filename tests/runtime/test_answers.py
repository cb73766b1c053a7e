"""Queries are answered together in a read-only transaction, once each, and never stored."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import orjson
import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from prometheus_client import REGISTRY

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.queue_rules import QUESTION_TTL_SECONDS
from messages.topology import Names, topology
from tests.golden.examples import example
from tests.runtime.builders import DELETE, TRUST, delivery, read
from tests.runtime.harness import WorkerHarness, wait_until
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process
from workers.runtime.route import Handler, QueryRoute

QUEUE = "queries"
PREVIEW = "order.preview.v1"


def preview(user_id: str = "u1", **changes: Any) -> dict[str, Any]:
    """The body of an order.preview."""
    body: dict[str, Any] = example(PREVIEW)
    return body | {"user_id": user_id} | changes


async def echo(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
    """Reply with the user of each query and the size of the batch."""
    return [QueryRejected(code="ECHO", message=item.body.user_id, path=str(len(batch))) for item in batch]


def raising(error: Callable[[], BaseException], only: str = "bad") -> Handler:
    async def handler(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
        if any(item.body.user_id == only for item in batch):
            raise error()
        return await echo(tx, batch)

    return handler


async def writing(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
    await tx.execute("INSERT INTO effects VALUES ('x', 1)")
    return await echo(tx, batch)


async def forgetful(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
    return (await echo(tx, batch))[1:]


class QueryClient:
    """Sends queries, and receives the replies on a queue of its own."""

    def __init__(self, harness: WorkerHarness, inbox: str) -> None:
        self.shop, self.inbox = harness, inbox

    async def send(self, body: bytes | dict[str, Any], type_: str = PREVIEW, **properties: Any) -> str:
        given = {"exchange": self.shop.client.names.queries, "reply_to": self.inbox} | properties
        return await self.shop.client.publish(type_, body, **given)

    async def replies(self, count: int = 1) -> list[tuple[DeliveredMessage, dict[str, Any]]]:
        """The next `count` replies, with their bodies."""
        channel, found = self.shop.client.channel, []

        async def one() -> DeliveredMessage | None:
            got = await channel.basic_get(self.inbox, no_ack=True)
            return got if isinstance(got.delivery, Basic.GetOk) else None

        for _ in range(count):
            message = await wait_until(one)
            found.append((message, orjson.loads(message.body)))
        return found

    async def nothing_is_left(self) -> None:
        """Check that no query waits, was dead-lettered or claimed, and that no reply was sent twice."""
        harness = self.shop
        await wait_until(lambda: _empty(harness, QUEUE))
        assert await harness.pool.fetchval("SELECT count(*) FROM inbox") == 0
        assert await harness.pool.fetchval("SELECT count(*) FROM outbox") == 0
        declared = await harness.client.channel.queue_declare(self.inbox, passive=True)
        assert declared.message_count == 0
        assert await harness.client.depth("unrouted") == 0


async def _empty(harness: WorkerHarness, queue: str) -> bool:
    return await harness.client.depth(queue) == 0


@pytest.fixture
async def client(harness: WorkerHarness) -> QueryClient:
    declared = await harness.client.channel.queue_declare("", exclusive=True)
    assert declared.queue
    return QueryClient(harness, declared.queue)


def settled(outcome: str) -> float:
    labels = {"queue": QUEUE, "message_type": PREVIEW, "outcome": outcome}
    return REGISTRY.get_sample_value("oms_messages_processed_total", labels) or 0.0


async def test_a_reply_goes_to_the_sender_of_its_query(harness: WorkerHarness, client: QueryClient) -> None:
    async with harness.running(QueryRoute(QUEUE, echo)):
        sent = await client.send(preview("ada"), correlation_id="c-1")
        [(message, body)] = await client.replies()
        about = message.header.properties
        assert body == {"code": "ECHO", "message": "ada", "path": "1"}
        assert (about.message_type, about.correlation_id, about.app_id) == ("query.rejected.v1", "c-1", "oms")
        assert (about.content_type, about.delivery_mode, about.reply_to) == ("application/json", 1, None)
        assert (about.headers or {})["causation-id"] == sent
        second = await client.send(preview("bob"))
        [(message, _)] = await client.replies()
        # a client that sets no correlation id finds the reply by its message id
        assert message.header.properties.correlation_id == second
    await client.nothing_is_left()


async def test_waiting_queries_are_answered_together_each_to_its_sender(
    harness: WorkerHarness, client: QueryClient
) -> None:
    sent = {await client.send(preview(f"u{number}")): f"u{number}" for number in range(30)}
    async with harness.running(QueryRoute(QUEUE, echo)):
        replies = await client.replies(30)
    assert {m.header.properties.correlation_id: body["message"] for m, body in replies} == sent
    assert max(int(body["path"]) for _, body in replies) > 5
    await client.nothing_is_left()


async def test_a_repeated_query_is_answered_again(harness: WorkerHarness, client: QueryClient) -> None:
    for _ in range(3):
        await client.send(preview(), message_id="same")
    async with harness.running(QueryRoute(QUEUE, echo)):
        assert [body["message"] for _, body in await client.replies(3)] == ["u1"] * 3
    await client.nothing_is_left()


UNREADABLE: list[tuple[str, bytes | dict[str, Any], str, str | None]] = [
    ("no JSON", b"{", PREVIEW, "$"),
    ("no actor", {"user_id": "u1"}, PREVIEW, "$.actor"),
    ("a field that is none", preview(use_points="1"), PREVIEW, "$.use_points"),
    ("an unknown field", preview(colour="red"), PREVIEW, "$.colour"),
    ("an unknown query", {}, "order.fortune.v1", "$"),
    ("an unknown version", {}, "order.preview.v9", "$"),
    ("a command", {}, DELETE, "$"),
    ("too large", b" " * 2000, PREVIEW, "$"),
]


@pytest.mark.parametrize(("body", "type_", "path"), [u[1:] for u in UNREADABLE], ids=[u[0] for u in UNREADABLE])
async def test_an_invalid_query_is_rejected_and_its_neighbours_are_answered(
    harness: WorkerHarness, client: QueryClient, body: bytes | dict[str, Any], type_: str, path: str | None
) -> None:
    await client.send(preview("before"))
    await client.send(body, type_, correlation_id="wrong")
    await client.send(preview("after"))
    async with harness.running(QueryRoute(QUEUE, echo), body_max_bytes=1500):
        replies = {m.header.properties.correlation_id: answer for m, answer in await client.replies(3)}
    refused = replies.pop("wrong")
    assert (refused["code"], refused["path"]) == ("AUTH_REQUIRED" if path == "$.actor" else "QUERY_INVALID", path)
    assert {answer["message"] for answer in replies.values()} == {"before", "after"}
    await client.nothing_is_left()


@pytest.mark.parametrize("reply_to", [None, "oms.stock", ""], ids=["none", "a queue of ours", "empty"])
async def test_a_query_without_a_valid_reply_to_is_dropped_and_counted(
    harness: WorkerHarness, client: QueryClient, reply_to: str | None
) -> None:
    before = settled("refused")
    given = f"{harness.client.names.prefix}.stock" if reply_to == "oms.stock" else reply_to
    async with harness.running(QueryRoute(QUEUE, echo)):
        await client.send(preview("no reply_to"), reply_to=given)
        await client.send(preview("ada"))
        assert [body["message"] for _, body in await client.replies()] == ["ada"]
    assert settled("refused") == before + 1
    assert await harness.client.depth("stock") == 0
    await client.nothing_is_left()


async def test_a_reply_queue_that_is_gone_is_no_failure(harness: WorkerHarness, client: QueryClient) -> None:
    async with harness.running(QueryRoute(QUEUE, echo)):
        await client.send(preview("gone"), reply_to=f"amq.gen-{'x' * 22}")
        await client.send(preview("ada"))
        assert [body["message"] for _, body in await client.replies()] == ["ada"]
    await client.nothing_is_left()


async def test_a_reply_queue_that_refuses_does_not_delay_other_replies(
    harness: WorkerHarness, client: QueryClient
) -> None:
    seen: list[str] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
        seen.extend(item.body.user_id for item in batch)
        return await echo(tx, batch)

    full: Any = {"x-max-length": 1, "x-overflow": "reject-publish"}
    declared = await harness.client.channel.queue_declare("", exclusive=True, arguments=full)
    await harness.client.publish("x", b"x", exchange="", routing_key=declared.queue)
    async with harness.running(QueryRoute(QUEUE, handler)):
        await client.send(preview("full"), reply_to=declared.queue)
        await wait_until(lambda: _true(bool(seen)))
        await client.send(preview("ada"))
        assert [body["message"] for _, body in await client.replies()] == ["ada"]
    assert seen == ["full", "ada"]
    await client.nothing_is_left()


async def _true(value: bool) -> bool:
    return value


@pytest.mark.parametrize("error", [ValueError, AssertionError])
async def test_a_query_that_raises_gets_one_error_reply_and_the_others_are_answered(
    harness: WorkerHarness, client: QueryClient, error: type[Exception]
) -> None:
    for name in ("a", "b", "bad", "c", "d"):
        await client.send(preview(name), correlation_id=name)
    async with harness.running(QueryRoute(QUEUE, raising(lambda: error("no 13812345678")))):
        replies = {m.header.properties.correlation_id: body for m, body in await client.replies(5)}
    assert replies.pop("bad") == {
        "code": "SYSTEM_ERROR",
        "message": "the query failed inside the system; send it again",
        "path": None,
    }
    assert {body["message"] for body in replies.values()} == {"a", "b", "c", "d"}
    await client.nothing_is_left()


async def test_a_query_handler_cannot_write(harness: WorkerHarness, client: QueryClient) -> None:
    async with harness.running(QueryRoute(QUEUE, writing)):
        await client.send(preview())
        assert [body["code"] for _, body in await client.replies()] == ["SYSTEM_ERROR"]
    assert await harness.effects() == []


async def test_a_handler_that_returns_too_few_replies_never_mixes_them_up(
    harness: WorkerHarness, client: QueryClient
) -> None:
    await client.send(preview("a"))
    await client.send(preview("b"))
    async with harness.running(QueryRoute(QUEUE, forgetful)):
        assert [body["code"] for _, body in await client.replies(2)] == ["SYSTEM_ERROR"] * 2


async def test_queries_wait_while_the_database_is_away(harness: WorkerHarness, client: QueryClient) -> None:
    away = asyncio.Event()
    away.set()

    async def handler(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
        if away.is_set():
            raise asyncpg.AdminShutdownError
        return await echo(tx, batch)

    def paused() -> Awaitable[bool]:
        async def look() -> bool:
            return REGISTRY.get_sample_value("oms_consumer_paused", {"queue": QUEUE}) == 1.0

        return look()

    async with harness.running(QueryRoute(QUEUE, handler)):
        await client.send(preview("ada"))
        await wait_until(paused)
        away.clear()
        assert [body["message"] for _, body in await client.replies()] == ["ada"]
    await client.nothing_is_left()


async def test_queries_are_tried_again_after_a_lock_timeout(pool: Any) -> None:
    tries: list[int] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> Sequence[Reply]:
        tries.append(len(batch))
        if len(tries) == 1:
            raise asyncpg.LockNotAvailableError
        return await echo(tx, batch)

    works = [query_delivery("a"), query_delivery("b")]
    outcomes = await process(QueueContext(QueryRoute(QUEUE, handler), pool), works)
    assert [(outcome.kind, outcome.reply is not None) for outcome in outcomes] == [(Kind.ACKED, True)] * 2
    assert tries == [2, 2]


def query_delivery(name: str, **changes: Any) -> Work:
    """A decoded delivery of a query."""
    given: dict[str, Any] = {"exchange": "oms.queries", "reply_to": f"amq.gen-{'x' * 22}"} | changes
    return read(QUEUE, delivery(PREVIEW, preview(name), **given))


NOT_TAKEN = [
    ({"exchange": "oms.commands"}, "forbidden_exchange"),
    ({"exchange": ""}, "forbidden_exchange"),
    ({"routing_key": "order.create"}, "wrong_routing_key"),
    ({"message_id": None}, "missing_message_id"),
    ({"reply_to": None}, "missing_reply_to"),
    ({"reply_to": "oms.orders"}, "forbidden_reply_to"),
]


@pytest.mark.parametrize(("changes", "error"), NOT_TAKEN)
def test_a_query_that_breaks_the_contract_is_invalid(changes: dict[str, Any], error: str) -> None:
    failure = query_delivery("u1", **changes).failure
    assert failure is not None
    assert failure.error_type == error
    assert query_delivery("u1").failure is None


def test_the_sender_of_a_query_is_known_as_for_commands() -> None:
    for user in ("payments", "upstream", "stranger"):
        (envelope,) = query_delivery("u1", user_id=user).envelopes
        assert (envelope.user, envelope.roles) == (user, TRUST.roles_of(user))


def test_old_queries_expire_and_are_never_dead_lettered() -> None:
    made = topology(Names("oms"), (1, 5))
    [queue] = [queue for queue in made.queues if queue.name == "oms.queries"]
    assert queue.arguments == {"x-queue-type": "quorum", "x-message-ttl": QUESTION_TTL_SECONDS * 1000}
    assert "oms.queries.dlq" not in {queue.name for queue in made.queues}
    assert {binding.exchange for binding in made.bindings if binding.queue == "oms.queries"} == {"oms.queries"}
