"""What a handler announces to our own queues is handled in its transaction, on a real database.

The outer handler announces stock.commit for each of its messages. The stock's handler writes an effect per holder; in
some tests it announces stock.reserved, which the handler of stock-results takes as the third step of the chain.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import orjson
import pytest

import outbox
from db.pool import Pool, Transaction, open_pool
from messages.catalogue import SkuChanged
from messages.stock import StockCommit, StockReserved
from messages.timers import TimerDue
from tests.runtime.builders import command
from workers.runtime.batch import Batch
from workers.runtime.local_dispatch import STEPS_MAX, LocalRoutes, local_routes
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process
from workers.runtime.route import CallRoute, Handler, Route
from workers.telemetry import metrics

Effects: TypeAlias = Callable[[], Awaitable[list[tuple[str, int]]]]


@pytest.fixture
async def effects(pool: Pool) -> Effects:
    """(who, batch size) of each effect, in the order in which they were written."""
    await pool.execute("CREATE TABLE effects (who text, batch integer)")

    async def rows() -> list[tuple[str, int]]:
        return [tuple(row) for row in await pool.fetch("SELECT who, batch FROM effects ORDER BY ctid")]

    return rows


async def write(tx: Transaction, batch: Batch[Any]) -> None:
    """Write an effect for each message that the handler does."""
    rows = [(f"{item.body.routing_key()} {_key(item.body)}", len(batch)) for item in batch.handled]
    await tx.executemany("INSERT INTO effects VALUES ($1, $2)", rows)


def _key(body: Any) -> Any:
    return getattr(body, "holder_id", None) or getattr(body, "group_id", None) or getattr(body, "request_id", None)


async def commit_stock(tx: Transaction, batch: Batch[Any]) -> None:
    """The outer handler: one stock.commit for each message, whose request id is a number."""
    await write(tx, batch)
    commits = [outbox.internal(StockCommit(holder_id=int(i.body.request_id)), because=i) for i in batch]
    await outbox.append(tx, commits)


async def answer(tx: Transaction, batch: Batch[Any]) -> None:
    """The stock's handler: an effect, and one stock.reserved for each message."""
    await write(tx, batch)
    await outbox.append(
        tx, [outbox.internal(StockReserved(group_id=i.body.holder_id), because=i) for i in batch.handled]
    )


def locals_of(**handlers: Handler) -> LocalRoutes:
    """Local routes of these handlers, by queue."""
    return local_routes([Route(name.replace("_", "-"), handler) for name, handler in handlers.items()], "default")


async def run(pool: Pool, local: LocalRoutes, *keys: int, handler: Handler = commit_stock) -> list[Kind]:
    works = [command(f"m{key}", request_id=str(key)) for key in keys]
    outcomes = await process(QueueContext(Route("order-changes", handler), pool, local=local), works)
    return [outcome.kind for outcome in outcomes]


async def leaving(pool: Pool) -> list[tuple[str, list[Any]]]:
    """(type, keys of the items) of each row of the outbox."""
    rows = await pool.fetch("SELECT type, body FROM outbox ORDER BY id")
    return [(row["type"], [item["body"] for item in orjson.loads(row["body"])["items"]]) for row in rows]


async def test_a_chain_is_handled_in_one_transaction_and_nothing_leaves(pool: Pool, effects: Effects) -> None:
    before = metrics.LOCAL.labels("stock", "stock.commit.v1")._value.get()
    assert await run(pool, locals_of(stock=answer, stock_results=write), 1, 2) == [Kind.ACKED] * 2
    assert await effects() == [(f"{type_} {key}", 2) for type_ in CHAIN for key in (1, 2)]
    assert await leaving(pool) == []
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM effects") == 1
    assert [tuple(row) for row in await pool.fetch("SELECT queue, message_id FROM inbox ORDER BY 2")] == [
        ("order-changes", "m1"),
        ("order-changes", "m2"),
    ]
    assert metrics.LOCAL.labels("stock", "stock.commit.v1")._value.get() == before + 2


CHAIN = ("order.delete", "stock.commit", "stock.reserved")


@pytest.mark.parametrize("local", [{}, locals_of(stock_results=write)], ids=["off", "another database"])
async def test_without_a_local_route_a_message_leaves_by_the_broker(
    pool: Pool, effects: Effects, local: LocalRoutes
) -> None:
    await run(pool, local, 1, 2)
    assert await effects() == [("order.delete 1", 2), ("order.delete 2", 2)]
    assert await leaving(pool) == [("stock.commit.v1", [{"holder_id": "1"}, {"holder_id": "2"}])]


def test_only_plain_routes_of_the_database_take_internal_messages_locally() -> None:
    async def nothing(*_: Any) -> Any: ...

    calls = CallRoute("provider-calls.wechat", write, prepare=nothing, call=nothing)
    routes = [Route("stock", write, database="goods"), Route("timeouts", write), Route("refunds", write), calls]
    assert sorted(local_routes(routes, "default")) == ["refund.observed.v1", "timer.due.v1"]
    assert {route.queue for route in local_routes(routes, "goods").values()} == {"stock"}


async def test_events_leave_in_the_order_in_which_the_chain_made_them(pool: Pool, effects: Effects) -> None:
    def changed(item: Any, version: int) -> outbox.Announcement:
        return outbox.event(SkuChanged(sku_id="s1", revision=version), because=item, stream=1)

    async def outer(tx: Transaction, batch: Batch[Any]) -> None:
        item = batch.items[0]
        inner = outbox.internal(StockCommit(holder_id=1), because=item)
        await outbox.append(tx, [changed(item, 1), inner, changed(item, 2)])

    async def inner(tx: Transaction, batch: Batch[Any]) -> None:
        await outbox.append(tx, [changed(batch.items[0], 3)])

    await run(pool, locals_of(stock=inner), 1, handler=outer)
    rows = await pool.fetch("SELECT headers FROM outbox ORDER BY id")
    assert [orjson.loads(row["headers"])["seq"] for row in rows] == [1, 2, 3]


async def test_an_inner_message_knows_its_cause_and_conversation(pool: Pool, effects: Effects) -> None:
    seen: list[Any] = []

    async def inner(tx: Transaction, batch: Batch[Any]) -> None:
        seen.extend(batch)

    await run(pool, locals_of(stock=inner), 1, 2)
    assert [(item.causation_id, item.correlation_id) for item in seen] == [("m1", "m1"), ("m2", "m2")]
    assert len({item.id for item in seen}) == 2
    assert all(item.user is None and not item.roles and item.attempt == 0 for item in seen)


@pytest.mark.parametrize("error", [ValueError("bad"), AssertionError("impossible")])
async def test_a_failing_inner_handler_sends_the_batch_by_the_broker(
    pool: Pool, effects: Effects, error: Exception
) -> None:
    async def failing(tx: Transaction, batch: Batch[Any]) -> None:
        await write(tx, batch)
        raise error

    assert await run(pool, locals_of(stock=answer, stock_results=failing), 1, 2) == [Kind.ACKED] * 2
    assert await effects() == [("order.delete 1", 2), ("order.delete 2", 2)]
    assert await leaving(pool) == [("stock.commit.v1", [{"holder_id": "1"}, {"holder_id": "2"}])]


async def test_an_outer_handler_that_fails_is_halved_and_its_neighbours_chains_commit(
    pool: Pool, effects: Effects
) -> None:
    async def outer(tx: Transaction, batch: Batch[Any]) -> None:
        await commit_stock(tx, batch)
        if any(item.body.request_id == "3" for item in batch):
            raise ValueError("bad")

    kinds = await run(pool, locals_of(stock=write), 1, 2, 3, 4, handler=outer)
    assert sorted(kinds) == sorted([Kind.ACKED] * 3 + [Kind.RETRIED])
    done = [who for who, _ in await effects()]
    assert sorted(done) == sorted(f"{type_} {key}" for type_ in CHAIN[:2] for key in (1, 2, 4))


@pytest.mark.parametrize("verdict", ["retry", "dead"])
async def test_an_item_with_a_verdict_leaves_alone_and_its_neighbours_are_done(
    pool: Pool, effects: Effects, verdict: str
) -> None:
    async def judge(tx: Transaction, batch: Batch[Any]) -> None:
        (batch.retry if verdict == "retry" else batch.dead)(batch.items[1], "not_yet", "too early")
        await answer(tx, batch)

    assert await run(pool, locals_of(stock=judge, stock_results=write), 1, 2, 3) == [Kind.ACKED] * 3
    inner = [who for who, _ in await effects() if not who.startswith("order.delete")]
    assert inner == ["stock.commit 1", "stock.commit 3", "stock.reserved 1", "stock.reserved 3"]
    assert await leaving(pool) == [("stock.commit.v1", [{"holder_id": "2"}])]
    destination = await pool.fetchrow("SELECT destination, routing_key, headers FROM outbox")
    assert destination is not None
    assert (destination["destination"], destination["routing_key"]) == ("internal", "stock.commit")
    assert orjson.loads(destination["headers"])["causation-id"] == "m2"


async def test_more_than_a_batch_is_handled_in_batches_of_the_inner_route(pool: Pool, effects: Effects) -> None:
    local = {type_: replace(route, batch_max_items=2) for type_, route in locals_of(stock=write).items()}
    await run(pool, local, 1, 2, 3, 4, 5)
    assert [size for who, size in await effects() if who.startswith("stock")] == [2, 2, 2, 2, 1]


async def test_a_circle_of_messages_leaves_by_the_broker(pool: Pool, effects: Effects) -> None:
    async def again(tx: Transaction, batch: Batch[Any]) -> None:
        await write(tx, batch)
        await outbox.append(tx, [outbox.internal(StockCommit(holder_id=1), because=item) for item in batch])

    await run(pool, locals_of(stock=again), 1)
    assert len(await effects()) == 1 + STEPS_MAX
    assert await leaving(pool) == [("stock.commit.v1", [{"holder_id": "1"}])]


async def test_a_delayed_timer_is_not_handled_now(pool: Pool, effects: Effects) -> None:
    async def outer(tx: Transaction, batch: Batch[Any]) -> None:
        item = batch.items[0]
        due = TimerDue(kind="saga", key=1, due_at=batch.now)
        await outbox.append(tx, [outbox.later(due, seconds=30, queue="timeouts", because=item)])

    await run(pool, locals_of(timeouts=write), 1, handler=outer)
    assert await effects() == []
    assert await pool.fetchval("SELECT destination FROM outbox") == "delay"


async def test_two_chains_in_each_others_way_both_commit(pool: Pool, effects: Effects) -> None:
    """Each chain holds the row that the other's inner handler wants: PostgreSQL ends one, which is done again."""
    await pool.execute("CREATE TABLE counters AS SELECT generate_series(1, 2) AS id, 0 AS n")
    both, waiting = asyncio.Event(), 0

    async def outer(tx: Transaction, batch: Batch[Any]) -> None:
        nonlocal waiting
        await commit_stock(tx, batch)
        await tx.execute("UPDATE counters SET n = n + 1 WHERE id = $1", int(batch.items[0].body.request_id))
        waiting += 1
        both.set() if waiting == 2 else None
        await both.wait()

    async def inner(tx: Transaction, batch: Batch[Any]) -> None:
        await write(tx, batch)
        await tx.execute("UPDATE counters SET n = n + 1 WHERE id = $1", 3 - batch.items[0].body.holder_id)

    local = locals_of(stock=inner)
    answers = await asyncio.gather(run(pool, local, 1, handler=outer), run(pool, local, 2, handler=outer))
    assert list(answers) == [[Kind.ACKED]] * 2
    assert await pool.fetchval("SELECT sum(n) FROM counters") == 4
    assert sorted(who for who, _ in await effects()) == [f"{type_} {key}" for type_ in CHAIN[:2] for key in (1, 2)]


async def test_a_row_that_an_inner_handler_waits_for_in_vain_delays_only_the_inner_message(
    pool: Pool, effects: Effects, database_url: str
) -> None:
    impatient = await open_pool(database_url, application_name="impatient", lock_timeout_ms=50)
    await pool.execute("CREATE TABLE counters AS SELECT 1 AS id, 0 AS n")

    async def inner(tx: Transaction, batch: Batch[Any]) -> None:
        await tx.execute("UPDATE counters SET n = n + 1")

    async with pool.acquire() as person, person.transaction():
        await person.execute("UPDATE counters SET n = 5")
        assert await run(impatient, locals_of(stock=inner), 1) == [Kind.ACKED]
        assert await leaving(pool) == [("stock.commit.v1", [{"holder_id": "1"}])]
    await impatient.close()
