"""Dead letters through a real broker: from the queue where a message died into the database, and back as it was."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pamqp.commands import Basic
from yarl import URL

from db import cipher
from db.pool import Pool, Transaction
from messages.envelope import Envelope
from messages.roles import Role
from messages.user_roles import Trust
from outbox import wire
from outbox.relay import Relay
from tests.broker import Broker
from workers.handlers import dead_letters as handler
from workers.runtime import settle
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.runtime.run import run_routes
from workers.runtime.settings import RuntimeSettings
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters

ADJUST = b'{"request_id":"r1","sku_id":"s1","warehouse":"main","delta":1,"reason":"counted"}'
WAIT_SECONDS = 30.0  # only a failing test waits that long


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        while not (found := await look()):
            await asyncio.sleep(0.05)
    return found


def user(broker: Broker, role: str) -> str:
    return str(URL(broker[role]).user)


def settings(broker: Broker, database_url: str, role: str) -> RuntimeSettings:
    return RuntimeSettings(
        database_url=database_url,
        amqp_url=broker[role],
        prefix=broker.names.prefix,
        payment_window_seconds=2,
        own_users=frozenset({user(broker, "worker"), user(broker, "relay")}),
        roles={user(broker, "warehouse"): frozenset({Role.WAREHOUSE})},
        encryption_keys=os.environ["OMS_ENCRYPTION_KEYS"],
        shutdown_grace_seconds=5,
    )


@asynccontextmanager
async def working(*coroutines: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run these routes until the block ends."""
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(coroutine(stop)) for coroutine in coroutines]
    try:
        yield
    finally:
        stop.set()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def publish(broker: Broker, role: str, routing_key: str, message_id: str, body: bytes) -> None:
    connection = await wire.connect(broker[role], name="test")
    channel = await (await connection.channel()).get_underlay_channel()
    properties = Basic.Properties(
        message_id=message_id, message_type=f"{routing_key}.v1", user_id=user(broker, role), delivery_mode=2
    )
    await channel.basic_publish(
        body, exchange=broker.names.commands, routing_key=routing_key, properties=properties, mandatory=True
    )
    await connection.close()


async def waiting(broker: Broker, queue: str) -> int:
    """The number of messages that the broker still has."""
    connection = await wire.connect(broker["admin"], name="test")
    channel = await connection.channel()
    declared = await channel.declare_queue(queue, passive=True)
    await connection.close()
    return int(declared.declaration_result.message_count or 0)


@pytest.fixture(autouse=True)
def known(broker: Broker) -> None:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    handler.configure(Trust(frozenset({user(broker, "worker"), user(broker, "relay")})), broker.names)


async def test_a_replayed_message_has_the_roles_of_its_first_sender(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    seen: list[Envelope[Any]] = []

    async def stock(tx: Transaction, batch: Batch[Any]) -> None:
        for item in batch:
            seen.append(item)
            if len(seen) == 1:
                batch.dead(item, "stock_asleep", "not today")

    async def letters() -> Any:
        return await pool.fetch("SELECT * FROM dead_letters")

    worker, relay = settings(declared_broker, database_url, "worker"), settings(declared_broker, database_url, "relay")
    routes = [Route("stock", stock), *handler.ROUTES]
    async with working(lambda stop: run_routes(routes, worker, stop), lambda stop: Relay(relay).run(stop)):
        await publish(declared_broker, "warehouse", "stock.adjust", "m-1", ADJUST)
        (row,) = await until(letters)
        warehouse = user(declared_broker, "warehouse")
        assert (row["queue"], row["reason"], row["origin_user"]) == ("stock", "stock_asleep", warehouse)
        async with pool.acquire() as tx, tx.transaction():
            rows = await dead_letters.lock(tx, [row["id"]])
            await dead_letter_decisions.replay(tx, rows, to="stock", note="ana", reason="awake")

        async def twice() -> bool:
            return len(seen) == 2

        await until(twice)
    first, again = seen
    assert (again.message_id, again.body, again.attempt) == ("m-1", first.body, 0)
    assert (again.user, again.roles) == (first.user, first.roles)
    assert (first.user, Role.WAREHOUSE in first.roles) == (warehouse, True)
    assert [one["state"] for one in await letters()] == ["replayed"]


async def test_an_unroutable_message_is_taken_off_the_broker_once_it_is_stored(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async def letters() -> Any:
        return await pool.fetch("SELECT * FROM dead_letters")

    async def gone() -> bool:
        return await waiting(declared_broker, declared_broker.names.unrouted) == 0

    await publish(declared_broker, "upstream", "order.creat", "m-2", b"{}")
    worker = settings(declared_broker, database_url, "worker")
    async with working(lambda stop: run_routes(handler.ROUTES, worker, stop)):
        (row,) = await until(letters)
        await until(gone)
    upstream = user(declared_broker, "upstream") if declared_broker.has_roles else None  # a single user is our own
    assert (row["queue"], row["reason"], row["origin_user"]) == ("unrouted", "unroutable", upstream)
    assert (row["exchange"], row["routing_key"]) == (declared_broker.names.commands, "order.creat")


async def test_what_cannot_be_stored_stays_on_the_broker_until_it_can(
    declared_broker: Broker, database_url: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "REQUEUE_WAIT_SECONDS", 0.5)

    async def tried_twice() -> Any:
        return await pool.fetchval("SELECT last_value >= 2 FROM tries")

    async def letters() -> Any:
        return await pool.fetch("SELECT * FROM dead_letters")

    await pool.execute("CREATE SEQUENCE tries")
    await pool.execute("ALTER TABLE dead_letters ADD CONSTRAINT no_room CHECK (nextval('tries') < 0)")
    await publish(declared_broker, "upstream", "order.creat", "m-3", b"{}")
    worker = settings(declared_broker, database_url, "worker")
    async with working(lambda stop: run_routes(handler.ROUTES, worker, stop)):
        await until(tried_twice)
    assert await letters() == []
    assert await waiting(declared_broker, declared_broker.names.unrouted) == 1
    await pool.execute("ALTER TABLE dead_letters DROP CONSTRAINT no_room")
    async with working(lambda stop: run_routes(handler.ROUTES, worker, stop)):
        (row,) = await until(letters)
    assert row["message_id"] == "m-3"
