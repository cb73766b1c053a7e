"""The work of a batch is a fixed number of statements: many messages cost as many as one.

Each of the many announces the same as its neighbours, under its own correlation and causation ids.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import orjson
import pytest

from db import cipher
from db.pool import Pool
from messages.base import Event, Internal, Message
from messages.buyer_notifications import BuyerNotificationSend
from messages.carriers import CarrierCall
from messages.media import Medium
from messages.payments import ProgressMark
from messages.providers import AttemptCall, ProviderCertificates, RefundCall
from messages.registry import MODELS
from messages.roles import EVERY_ROLE
from messages.topology import QUEUES, Names
from messages.user_roles import Trust
from outbox.insertion import AAD
from scripts.gateways.carrier import CarrierService
from tests.e2e.after_sale_scenarios import AFTER_SALES
from tests.e2e.annotation_scenarios import ANNOTATIONS
from tests.e2e.audited import Auditor
from tests.e2e.authorization_scenarios import AUTHORIZING
from tests.e2e.cancellation_scenarios import CANCELLATIONS
from tests.e2e.carrier_scenarios import CALLS, CARRIERS
from tests.e2e.draft_scenarios import DRAFTS
from tests.e2e.fulfilment_scenarios import FULFILMENT
from tests.e2e.group_scenarios import GROUPS
from tests.e2e.notification_scenarios import CONTACTS, NOTIFYING, orders_paid
from tests.e2e.payment_scenarios import PAYING as AT_ONCE
from tests.e2e.payment_scenarios import PaymentHarness, Scenario
from tests.e2e.scenarios import SCENARIOS as OTHERS
from tests.e2e.scenarios import issues, placed, unique
from tests.e2e.stock_scenarios import STOCK, reserves
from tests.handlers.harness import QUEUE_OF, HandlerHarness
from tests.notifiers.fake_mailbox import open_mailbox
from tests.runtime.builders import delivery
from tests.scripts.gateways.merchant import open_merchant
from workers import carriers, notifiers, providers, shop
from workers.carriers.http import HttpCarrier
from workers.domain.shop import Policy, Shop
from workers.handlers import buyer_notifications
from workers.notifiers import Notifying
from workers.notifiers.smtp import SmtpSender
from workers.routes import ROUTES, with_carriers, with_media
from workers.runtime.batch import Batch
from workers.runtime.decode import Decoder, Work
from workers.runtime.local_dispatch import LocalRoutes, local_routes
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process
from workers.runtime.route import Route
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters as letters

PAYING = AT_ONCE | AUTHORIZING
SCENARIOS = (
    OTHERS | DRAFTS | STOCK | ANNOTATIONS | CANCELLATIONS | FULFILMENT | CARRIERS | CONTACTS | AFTER_SALES | GROUPS
)
MANY = 12
ONCE_PER_BATCH = {"provider.certificates.v1"}  # one download serves every notification that waits for the certificate
NAMES = Names("oms")
CHAINED = {
    "order.create",
    "order.cancel",
    "payment.result",
    "refund.request",
    "risk.result",
    "timer.due",
}
"""The messages from which chains of local dispatch follow."""
DIRECT = ProgressMark | AttemptCall | RefundCall | ProviderCertificates | CarrierCall | BuyerNotificationSend
TRUST = Trust(own=frozenset({"relay"}), roles={"payments": EVERY_ROLE})
ROUTE = {route.queue: route for route in with_media(with_carriers(ROUTES, ["sf"]), [Medium.EMAIL])}
KEYS = "test:" + "A" * 43 + "="


class CountingPool:
    """A pool of one connection, which records every statement."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements: list[str] = []

    async def acquire(self) -> Any:
        self._connection.add_query_logger(self._note)
        return self._connection

    async def release(self, connection: Any) -> None:
        await asyncio.sleep(0)  # asyncpg tells of a statement in the next turn of the loop
        connection.remove_query_logger(self._note)

    def _note(self, record: Any) -> None:
        self.statements.append(" ".join(record.query.split())[:60])


@asynccontextmanager
async def counting(harness: HandlerHarness) -> AsyncIterator[CountingPool]:
    """Take one connection for the whole test, so that asyncpg loads types only once."""
    async with harness.pool.acquire() as connection:
        yield CountingPool(connection)


def queue_of(body: Message, provider: str = "") -> str:
    """The queue of the message. A call to a provider waits in that provider's own queue."""
    queue = QUEUE_OF[body.TYPE]
    return f"provider-calls.{provider}" if queue.startswith("provider-calls.") else queue


def work(body: Message, items: Sequence[Message] = (), provider: str = "") -> Work:
    """The message as the broker would bring it; with `items`, all of those in one."""
    internal, queue = isinstance(body, Internal | Event), queue_of(body, provider)
    direct = isinstance(
        body, ProgressMark | AttemptCall | RefundCall | ProviderCertificates | CarrierCall | BuyerNotificationSend
    )
    about = {"correlation_id": unique(), "causation_id": None, "occurred_at": datetime.now(UTC).isoformat()}
    parts = [about | {"body": orjson.loads(one.model_dump_json())} for one in (items or [body])]
    content: Any = {"items": parts} if body.PACKABLE else orjson.loads(body.model_dump_json())
    exchange = "" if direct else NAMES.exchange_of(body.KIND)
    arrived = delivery(
        body.TYPE,
        content,
        exchange=exchange,
        correlation_id=unique(),
        user_id="relay" if internal else "payments",
        reply_to=None if internal else "client.payments.a",
    )
    made = Decoder(queue, NAMES, TRUST)(arrived)
    assert made.failure is None, made.failure
    return made


@pytest.fixture
async def harness(pool: Pool, auditor: Auditor) -> AsyncIterator[HandlerHarness]:
    """Handlers on a database that is audited after the test. The providers that a scenario set up are forgotten."""
    cipher.configure(KEYS)
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    yield HandlerHarness(pool)
    providers.configure({})
    assert await auditor.violated() == []


def as_from_the_broker(route: Route) -> Route:
    """The route, whose handler first finds that each message is equal to what its reader would make of its JSON."""

    async def handler(tx: Any, batch: Batch[Any]) -> Any:
        for item in batch:
            assert type(item.body).model_validate_json(item.body.json_bytes) == item.body
        return await route.handler(tx, batch)

    return Route(route.queue, handler, route.batch_max_items)


LOCAL = {type_: as_from_the_broker(route) for type_, route in local_routes(ROUTES, "default").items()}


async def statements(
    pool: CountingPool, works: Sequence[Work], queue: str, local: LocalRoutes | None = None
) -> list[str]:
    """The statements that one batch sends to the database."""
    pool.statements.clear()
    outcomes = await process(QueueContext(ROUTE[queue], cast(Pool, pool), local=local or {}), works)
    assert {outcome.kind for outcome in outcomes} <= {Kind.ACKED, Kind.RETRIED}
    return list(pool.statements)


def test_there_is_a_scenario_for_every_message_that_a_queue_takes() -> None:
    known = {name.split(" ")[0] for name in (*SCENARIOS, *PAYING)}
    assert known == {model.routing_key() for models in QUEUES.values() for model in models}


@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_many_messages_take_as_many_statements_as_one(name: str, harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    await compare(harness, partial(SCENARIOS[name], harness))


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name.split(" ")[0] in CHAINED])
async def test_a_chain_takes_as_many_statements_for_many_messages_as_for_one(
    name: str, harness: HandlerHarness
) -> None:
    await harness.fill_stock(qty=10_000)
    taken = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):
            works = [work(body) for body in await SCENARIOS[name](harness, n)]
            await harness.pool.execute("DELETE FROM outbox")
            taken.append(await statements(pool, works, QUEUE_OF[works[0].type], LOCAL))
            left = await harness.pool.fetch("DELETE FROM outbox RETURNING type, destination")
            assert not [row for row in left if row["destination"] == "internal" and row["type"] in LOCAL]
    assert taken[2] == taken[1]


@pytest.mark.parametrize("name", list(PAYING))
async def test_many_payments_take_as_many_statements_as_one(name: str, harness: HandlerHarness) -> None:
    scenario = PAYING[name]
    await harness.fill_stock(qty=10_000)
    async with open_merchant(scenario.provider, **scenario.more) as merchant:
        providers.configure({scenario.provider: merchant.provider})
        try:
            await compare(harness, partial(scenario.arrange, PaymentHarness(harness, merchant)), scenario)
        finally:
            await providers.close()


@pytest.mark.parametrize("name", list(CALLS))
async def test_many_calls_to_a_carrier_take_as_many_statements_as_one(name: str, harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    service = CarrierService()
    await service.start()
    carriers.configure({"sf": HttpCarrier("sf", service.origin)})
    try:
        await compare(harness, partial(CALLS[name], harness))
    finally:
        await carriers.close()
        carriers.configure({})
        await service.close()


@pytest.mark.parametrize("name", list(NOTIFYING))
async def test_many_notifications_to_buyers_take_as_many_statements_as_one(name: str, harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    async with open_mailbox() as mailbox:
        sender = SmtpSender(mailbox.url, "orders@shop.example", 5.0)
        notifiers.configure(Notifying([Medium.EMAIL], {Medium.EMAIL: sender}))
        await compare(harness, partial(NOTIFYING[name], harness))
        if name == "order.paid":
            await compare_waking(harness)
        notifiers.configure(Notifying())


async def compare_waking(harness: HandlerHarness) -> None:
    """The statements of waking one notification whose quiet hours have ended, and of waking many."""
    taken = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):
            await harness.handle(*await orders_paid(harness, n))
            await harness.pool.execute("UPDATE buyer_notifications SET wake_at = now()")
            connection, pool.statements = await pool.acquire(), []
            await buyer_notifications.wake(connection)
            await pool.release(connection)
            taken.append(list(pool.statements))
    assert taken[2] == taken[1] != []


def assert_each_causes_the_same(works: Sequence[Work], rows: Sequence[Any]) -> None:
    """Every announcement carries the ids of one message of the batch, and each message announces what the others do."""
    items = {item.id: item for arrived in works for item in arrived.envelopes}
    caused: dict[str, Counter[str]] = {item_id: Counter() for item_id in items}
    for row in rows:
        stored = row["body"] if row["key_id"] is None else cipher.current().decrypt(row["key_id"], row["body"], AAD)
        headers, body = orjson.loads(row["headers"]), orjson.loads(stored)
        packed = body["items"] if MODELS[row["type"]].PACKABLE else None
        alone = {"correlation_id": row["correlation_id"], "causation_id": headers.get("causation-id")}
        for one in packed or [alone]:
            assert one["causation_id"] in items, f"{row['type']} names no message of the batch as its cause"
            assert one["correlation_id"] == items[one["causation_id"]].correlation_id, row["type"]
            if row["type"] not in ONCE_PER_BATCH:
                caused[one["causation_id"]][f"{row['destination']} {row['type']}"] += 1
    different = {tuple(sorted(types.items())) for types in caused.values()}
    assert len(different) == 1, different


async def compare(
    harness: HandlerHarness,
    arrange: Callable[[int], Awaitable[Sequence[Message]]],
    scenario: Scenario | None = None,
) -> None:
    """The statements of one message, and of many. With a scenario, each message announces what it shall."""
    provider = scenario.provider if scenario else ""
    taken: list[list[str]] = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):  # in the first run the connection loads the types
            bodies = await arrange(n)
            assert len(bodies) == n
            await harness.pool.execute("DELETE FROM outbox")
            works = [work(body, provider=provider) for body in bodies]
            taken.append(await statements(pool, works, queue_of(bodies[0], provider)))
            rows = await harness.pool.fetch(
                "DELETE FROM outbox RETURNING type, destination, correlation_id, headers, body, key_id"
            )
            announced = [row["type"] for row in rows if row["destination"] != "reply"]
            assert_each_causes_the_same(works, rows)
            assert scenario is None or announced.count(scenario.announces) == (n if scenario.announces else 0), (
                announced
            )
    assert taken[2] == taken[1]
    assert 3 < len(taken[1]) < 30, "something was counted"


async def test_a_pack_of_many_takes_as_many_statements_as_one(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    taken = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):
            bodies = reserves(n)
            taken.append(await statements(pool, [work(bodies[0], bodies)], "stock"))
    assert taken[2] == taken[1]


async def test_many_dead_letters_are_kept_and_replayed_as_one_is(harness: HandlerHarness) -> None:
    taken = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):
            works = [Work(delivery("order.create.v1", b"{" + unique().encode(), tag=tag)) for tag in range(n)]
            kept = await statements(pool, works, "order-creation.dlq")
            rows = await harness.pool.fetch("SELECT id FROM dead_letters WHERE state = 'open'")
            connection, pool.statements = await pool.acquire(), []
            async with connection.transaction():
                await dead_letter_decisions.replay(
                    connection,
                    await letters.lock(connection, [r["id"] for r in rows]),
                    to="order-creation",
                    note="me",
                    reason="again",
                )
            await pool.release(connection)
            assert len(rows) == n
            taken.append(kept + pool.statements)
    assert taken[2] == taken[1]


@pytest.mark.parametrize("queue", [route.queue for route in ROUTES if route.every])
async def test_chores_take_as_many_statements_for_many_as_for_one(queue: str, harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10_000)
    taken = []
    async with counting(harness) as pool:
        for n in (1, 1, MANY):
            await placed(harness, n)
            await harness.make_timers_due("payment")
            await harness.handle(*await issues(harness, n))
            await harness.pool.execute("UPDATE coupons SET valid_to = now()")
            await harness.pool.execute("UPDATE progress SET at = to_timestamp(0)")  # however long the last round took
            connection, pool.statements = await pool.acquire(), []
            for every in ROUTE[queue].every:
                await every.chore(connection)
            await pool.release(connection)
            taken.append(list(pool.statements))
    assert taken[2] == taken[1] != []
