"""Claim, handle, commit, on a real database: every message gets one outcome and at most one effect."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import orjson
import pytest

import outbox
from db import cipher
from db.errors import UnavailableError
from db.pool import Pool, Transaction, open_pool
from messages.strict_json import Fault
from messages.timers import TimerDue
from tests.runtime.builders import DELETE, TIMER, command, delete, delivery, pack, read, timers
from workers.runtime import inbox
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.errors import Failure
from workers.runtime.policy import Kind, Outcome
from workers.runtime.process import QueueContext, process
from workers.runtime.route import Handler, Route

ACKED, DUPLICATE, RETRIED, DEAD = Kind.ACKED, Kind.DUPLICATE, Kind.RETRIED, Kind.DEAD_LETTERED


@pytest.fixture
async def effects(pool: Pool) -> Callable[[], Awaitable[list[str]]]:
    await pool.execute("CREATE TABLE effects (id text, batch integer)")

    async def ids() -> list[str]:
        return [row["id"] for row in await pool.fetch("SELECT id FROM effects ORDER BY ctid")]

    return ids


async def write(tx: Transaction, batch: Batch[Any]) -> None:
    rows = [(item.id, len(batch)) for item in batch.handled]
    await tx.executemany("INSERT INTO effects VALUES ($1, $2)", rows)


def bad(ids: Iterable[str], error: Exception) -> Handler:
    """A handler that writes, then raises if its batch holds one of these ids."""

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        await write(tx, batch)
        if any(item.id in set(ids) for item in batch):
            raise error

    return handler


def judging(judge: Callable[[Batch[Any], Any], None]) -> Handler:
    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        for item in batch:
            judge(batch, item)
        await write(tx, batch)

    return handler


def kinds(outcomes: Iterable[Outcome]) -> dict[str, Kind]:
    return {outcome.work.message_id: outcome.kind for outcome in outcomes}


async def run(
    pool: Pool, handler: Handler, *works: Work, queue: str = "order-changes", attempts_max: int = 7
) -> dict[str, Kind]:
    return kinds(await process(QueueContext(Route(queue, handler), pool, attempts_max), works))


def sent_by(user: str | None = None, message_id: str = "a", **given: Any) -> Work:
    """An order.delete as a broker user published it."""
    about = {"message_id": message_id, "user_id": user} | given
    work = read("order-changes", delivery(DELETE, about.pop("body", None), **about))
    assert work.failure is None, work.failure
    return work


async def claimed(pool: Pool) -> list[str]:
    return [row["message_id"] for row in await pool.fetch("SELECT message_id FROM inbox ORDER BY 1")]


async def leaving(pool: Pool) -> list[dict[str, Any]]:
    rows = await pool.fetch("SELECT message_id, destination, routing_key, headers, body FROM outbox ORDER BY id")
    return [dict(row) | {"headers": orjson.loads(row["headers"]), "body": orjson.loads(row["body"])} for row in rows]


async def test_a_batch_is_handled_together_in_order_of_arrival(pool: Pool, effects: Any) -> None:
    works = [command(name) for name in "cab"]
    assert await run(pool, write, *works) == dict.fromkeys("cab", ACKED)
    assert await effects() == ["c", "a", "b"]
    assert await pool.fetchval("SELECT max(batch) FROM effects") == 3


async def test_a_message_that_comes_again_has_no_second_effect(pool: Pool, effects: Any) -> None:
    await run(pool, write, command("a"))
    assert await run(pool, write, command("a"), command("b")) == {"a": DUPLICATE, "b": ACKED}
    assert await effects() == ["a", "b"]


async def test_a_message_that_comes_twice_in_one_batch_has_one_effect(pool: Pool, effects: Any) -> None:
    outcomes = await process(QueueContext(Route("order-changes", write), pool), [command("a"), command("a", tag=2)])
    assert sorted(outcome.kind for outcome in outcomes) == [ACKED, DUPLICATE]
    assert await effects() == ["a"]


async def test_one_id_counts_once_per_queue(pool: Pool, effects: Any) -> None:
    await run(pool, write, command("a"))
    assert await run(pool, write, timers("a", 1), queue="timeouts") == {"a": ACKED}


@pytest.mark.parametrize("together", [True, False])
async def test_the_id_of_a_stranger_takes_nothing_from_another_sender(pool: Pool, effects: Any, together: bool) -> None:
    works = [sent_by(user, "a") for user in ("stranger", "upstream", None)]
    context = QueueContext(Route("order-changes", write), pool)
    outcomes = [
        outcome
        for batch in ([works] if together else [[work] for work in works])
        for outcome in await process(context, batch)
    ]
    assert [outcome.kind for outcome in outcomes] == [ACKED] * 3
    assert await effects() == ["a"] * 3
    assert await run(pool, write, sent_by("upstream", "a")) == {"a": DUPLICATE}
    retried = {"exchange": "oms.delayed", "user_id": "relay", "headers": {"origin-user": "upstream"}}
    assert await run(pool, write, sent_by("", "a", **retried)) == {"a": DUPLICATE}


async def test_a_verdict_on_one_senders_message_leaves_that_of_another(pool: Pool, effects: Any) -> None:
    works = [sent_by(user, "a", body=delete(user)) for user in ("stranger", "upstream")]

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        for item in batch:
            if item.user == "stranger":
                batch.retry(item, "later", "later")

    outcomes = await process(QueueContext(Route("order-changes", handler), pool), works)
    assert [(outcome.work.user, outcome.kind) for outcome in outcomes] == [
        ("stranger", Kind.RETRIED),
        ("upstream", ACKED),
    ]
    assert [row["sender"] for row in await pool.fetch("SELECT sender FROM inbox")] == ["upstream"]


async def test_other_blanks_and_another_order_of_names_make_the_same_message(pool: Pool, effects: Any) -> None:
    await run(pool, write, command("a"))
    body = orjson.dumps(dict(reversed(delete().items())), option=orjson.OPT_INDENT_2)
    assert await run(pool, write, sent_by(None, "a", body=body)) == {"a": DUPLICATE}


async def test_a_claim_of_an_older_version_is_known_by_the_bytes_of_its_body(pool: Pool, effects: Any) -> None:
    work = timers("a", 1)
    await pool.execute(
        "INSERT INTO inbox (queue, message_id, body_hash) VALUES ('timeouts', 'a', $1)", work.delivery.body_hash
    )
    assert await run(pool, write, work, queue="timeouts") == {"a": DUPLICATE}


async def test_the_inbox_has_no_hash_that_a_known_body_could_be_compared_with(pool: Pool, effects: Any) -> None:
    work = command("a")
    await run(pool, write, work)
    [stored] = [row["body_hash"] for row in await pool.fetch("SELECT body_hash FROM inbox")]
    assert stored not in (work.canonical_hash, work.delivery.body_hash)


async def test_a_message_that_comes_again_after_a_new_key_is_a_repeat_and_another_body_is_not(
    pool: Pool, effects: Any
) -> None:
    await run(pool, write, command("a"), command("b"))
    keys = os.environ["OMS_ENCRYPTION_KEYS"]
    cipher.configure(f"{cipher.new_key('new')},{keys}")
    assert await run(pool, write, command("a"), command("b", request_id="other")) == {"a": DUPLICATE, "b": DEAD}


async def test_a_repeated_command_comes_to_its_handler_if_it_wants_an_answer(pool: Pool) -> None:
    seen: list[tuple[str, bool]] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        seen.extend((item.id, item.repeated) for item in batch)

    asking = {"user_id": "upstream", "reply_to": "client.storefront.a"}
    await run(pool, handler, sent_by(message_id="a", **asking), sent_by(message_id="b"))
    assert await run(pool, handler, sent_by(message_id="a", **asking), sent_by(message_id="b")) == {
        "a": DUPLICATE,
        "b": DUPLICATE,
    }
    assert seen == [("a", False), ("b", False), ("a", True)]


@pytest.mark.parametrize("together", [True, False])
async def test_an_id_with_another_body_is_a_dead_letter(pool: Pool, effects: Any, together: bool) -> None:
    first, second = command("a"), command("a", request_id="other", tag=2)
    context = QueueContext(Route("order-changes", write), pool)
    batches = [[first, second]] if together else [[first], [second]]
    outcomes = [outcome for batch in batches for outcome in await process(context, batch)]
    dead = next(outcome for outcome in outcomes if outcome.kind is DEAD)
    assert dead.work is second
    assert dead.failure is not None
    assert dead.failure.reason == "id_reuse"
    assert await effects() == ["a"]


async def test_one_poison_message_leaves_its_neighbours_unharmed(pool: Pool, effects: Any) -> None:
    works = [command(f"{number:02}") for number in range(20)]
    outcomes = await run(pool, bad(["07"], ValueError("x")), *works)
    assert {name for name, kind in outcomes.items() if kind is RETRIED} == {"07"}
    assert await effects() == [f"{number:02}" for number in range(20) if number != 7]
    assert "07" not in await claimed(pool)


async def test_one_poison_message_costs_about_log_n_transactions(pool: Pool, effects: Any) -> None:
    batches: list[int] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        batches.append(len(batch))
        if any(item.id == "07" for item in batch):
            raise ValueError

    await run(pool, handler, *(command(f"{number:02}") for number in range(64)))
    assert len(batches) == 1 + 2 * 6


async def test_a_message_with_a_failed_assertion_is_isolated_and_dead_lettered_at_once(
    pool: Pool, effects: Any
) -> None:
    outcomes = await run(pool, bad(["b"], AssertionError("impossible")), *(command(name) for name in "abc"))
    assert outcomes == {"a": ACKED, "b": DEAD, "c": ACKED}
    assert await effects() == ["a", "c"]


async def test_after_the_last_attempt_a_message_is_dead_lettered(pool: Pool, effects: Any) -> None:
    work = command("a")
    work.attempt = 2
    assert await run(pool, bad(["a"], ValueError()), work, attempts_max=4) == {"a": RETRIED}
    assert await run(pool, bad(["a"], ValueError()), work, attempts_max=3) == {"a": DEAD}


async def test_a_message_that_its_handler_retries_or_dead_letters_is_not_claimed(pool: Pool, effects: Any) -> None:
    def judge(batch: Batch[Any], item: Any) -> None:
        if item.id == "r":
            batch.retry(item, "order_unknown", "not there yet")
        if item.id == "d":
            batch.dead(item, "order_unknown", "never")

    outcomes = await run(pool, judging(judge), *(command(name) for name in "ard"))
    assert outcomes == {"a": ACKED, "r": RETRIED, "d": DEAD}
    assert await claimed(pool) == ["a"]


async def test_after_a_deadlock_the_whole_batch_is_tried_again(pool: Pool, effects: Any) -> None:
    tries: list[int] = []

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        tries.append(len(batch))
        await write(tx, batch)
        if len(tries) < 5:
            raise asyncpg.DeadlockDetectedError("deadlock detected")

    assert await run(pool, handler, command("a"), command("b")) == {"a": ACKED, "b": ACKED}
    assert tries == [2] * 5
    assert await effects() == ["a", "b"]


async def test_a_batch_whose_deadlock_does_not_end_is_halved(pool: Pool, effects: Any) -> None:
    outcomes = await run(pool, bad(["b"], asyncpg.DeadlockDetectedError("deadlock")), command("a"), command("b"))
    assert outcomes == {"a": ACKED, "b": RETRIED}


async def test_an_unreachable_database_fails_no_message(pool: Pool, effects: Any) -> None:
    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(UnavailableError):
        await run(pool, handler, command("a"), command("b"))
    assert await claimed(pool) == []


async def test_a_refused_login_fails_no_message(database_url: str, pool: Pool) -> None:
    closed = await open_pool(database_url, application_name="test")
    await closed.close()
    with pytest.raises(UnavailableError):
        await run(closed, write, command("a"))


async def test_an_invalid_message_takes_no_transaction(pool: Pool, effects: Any) -> None:
    work = command("a")
    unreadable = command("b")
    unreadable.envelopes, unreadable.failure = (), Failure.invalid(Fault("$", "missing", "Field required"))
    assert await run(pool, write, work, unreadable) == {"a": ACKED, "b": Kind.INVALID}
    assert await claimed(pool) == ["a"]


async def test_overlapping_claims_in_any_order_never_deadlock(pool: Pool) -> None:
    async def claim(works: list[Work]) -> None:
        async with pool.acquire() as tx, tx.transaction():
            await inbox.claim(tx, "order-changes", works)

    for turn in range(10):
        works = [command(f"{turn}-{number:03}") for number in range(300)]
        orders = (works, works[::-1], works[150:] + works[:150])
        await asyncio.gather(*(claim(order) for order in orders))


async def test_the_number_of_statements_does_not_grow_with_the_batch(pool: Pool, effects: Any) -> None:
    async def nothing(tx: Transaction, batch: Batch[Any]) -> None:
        for item in batch:
            batch.retry(item, "later", "later")

    counts = []
    for size in (1, 50):
        queries: list[str] = []

        async def handler(tx: Transaction, batch: Batch[Any], queries: list[str] = queries) -> None:
            tx.add_query_logger(lambda query: queries.append(query.query))
            await nothing(tx, batch)

        await run(pool, handler, *(command(f"{size}-{number}") for number in range(size)))
        counts.append(len(queries))
    assert counts[0] == counts[1]


async def test_a_retried_item_leaves_its_pack_alone(pool: Pool, effects: Any) -> None:
    def judge(batch: Batch[Any], item: Any) -> None:
        if item.body.key == 2:
            batch.retry(item, "not_yet", "too early")

    assert await run(pool, judging(judge), timers("p", 1, 2, 3), queue="timeouts") == {"p": ACKED}
    assert await effects() == ["p/0", "p/2"]
    (row,) = await leaving(pool)
    assert (row["message_id"], row["destination"], row["routing_key"]) == ("p/1", "delay", "1s.timeouts")
    assert (row["headers"]["attempt"], row["headers"]["origin-user"]) == ("1", "relay")
    assert [item["body"]["key"] for item in row["body"]["items"]] == ["2"]
    assert await claimed(pool) == ["p"]


async def test_a_dead_lettered_item_leaves_its_pack(pool: Pool, effects: Any) -> None:
    def judge(batch: Batch[Any], item: Any) -> None:
        if item.body.key == 2:
            batch.dead(item, "order_unknown", "no order 2")

    await run(pool, judging(judge), timers("p", 1, 2), queue="timeouts")
    (row,) = await leaving(pool)
    assert (row["message_id"], row["destination"], row["routing_key"]) == ("p/1", "dead", "timeouts")
    assert row["headers"]["reason"] == "order_unknown"


async def test_an_item_has_the_attempt_of_its_pack(pool: Pool, effects: Any) -> None:
    def judge(batch: Batch[Any], item: Any) -> None:
        batch.retry(item, "not_yet", "too early")

    work = timers("p", 1, 2, attempt="6")
    assert work.attempt == 6
    await run(pool, judging(judge), work, queue="timeouts")
    assert [row["destination"] for row in await leaving(pool)] == ["dead", "dead"]


async def test_a_pack_that_fails_alone_is_taken_apart_in_one_transaction(pool: Pool, effects: Any) -> None:
    outcomes = await run(pool, bad(["p/1"], ValueError()), timers("p", 1, 2, 3), timers("q", 4), queue="timeouts")
    assert outcomes == {"p": ACKED, "q": ACKED}
    assert await effects() == ["q/0"]
    rows = await leaving(pool)
    assert [(row["message_id"], row["destination"], row["routing_key"]) for row in rows] == [
        (f"p/{index}", "queue", "timeouts") for index in range(3)
    ]
    assert await claimed(pool) == ["p", "q"]


async def test_a_pack_that_two_workers_take_apart_leaves_its_items_once(pool: Pool, effects: Any) -> None:
    handler = bad(["p/0"], ValueError())
    await asyncio.gather(*(run(pool, handler, timers("p", 1, 2), queue="timeouts") for _ in range(2)))
    assert len(await leaving(pool)) == 2


async def test_a_pack_of_one_is_retried_as_it_is(pool: Pool, effects: Any) -> None:
    assert await run(pool, bad(["p/0"], ValueError()), timers("p", 1), queue="timeouts") == {"p": RETRIED}
    assert await leaving(pool) == []
    assert await claimed(pool) == []


async def test_announcements_of_a_failed_batch_are_rolled_back(pool: Pool, effects: Any) -> None:
    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        timer = TimerDue(kind="saga", key=1, due_at=batch.now)
        await outbox.append(tx, [outbox.internal(timer, because=item) for item in batch])
        if any(item.id == "b" for item in batch):
            raise ValueError

    await run(pool, handler, command("a"), command("b"))
    assert len(await leaving(pool)) == 1


def unreadable(message_id: str, *bodies: Any) -> Work:
    """A pack of timer.due with these bodies that cannot be decoded."""
    common = {"correlation_id": "c", "causation_id": None, "occurred_at": "2026-01-01T00:00:00Z"}
    items = [body if body is None else {**common, "body": body} for body in bodies]
    one = delivery(TIMER, {"items": items}, message_id=message_id, exchange="oms.internal", user_id="relay")
    work = read("timeouts", one)
    assert work.failure is not None
    return work


GOOD = {"kind": "saga", "key": "1", "due_at": "2026-01-01T00:00:00Z"}


async def test_a_pack_with_an_unreadable_item_is_taken_apart_word_for_word(pool: Pool, effects: Any) -> None:
    work = unreadable("p", GOOD, {**GOOD, "kind": 7}, None)
    assert await run(pool, write, work, command("a"), queue="timeouts") == {"p": ACKED, "a": ACKED}
    rows = await leaving(pool)
    assert [(row["message_id"], row["destination"], row["routing_key"]) for row in rows] == [
        (f"p/{index}", "queue", "timeouts") for index in range(3)
    ]
    items = orjson.loads(work.delivery.body)["items"]
    assert [row["body"] for row in rows] == [{"items": [item]} for item in items]
    assert "p" in await claimed(pool)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"items":[]}', b'{"items":"abc"}', b'{"items":[7]}', b'{"item":[1,2]}']
)
async def test_a_body_that_is_no_pack_of_several_items_is_dead_lettered_whole(
    pool: Pool, effects: Any, body: bytes
) -> None:
    work = read("timeouts", delivery(TIMER, body, message_id="p", exchange="oms.internal", user_id="relay"))
    assert await run(pool, write, work, queue="timeouts") == {"p": Kind.INVALID}
    assert await leaving(pool) == []
    assert await claimed(pool) == []


async def test_a_pack_from_a_forbidden_exchange_is_not_taken_apart(pool: Pool, effects: Any) -> None:
    work = read("timeouts", delivery(TIMER, pack(1, 2), message_id="p", user_id="upstream"))
    assert await run(pool, write, work, queue="timeouts") == {"p": Kind.INVALID}
    assert await leaving(pool) == []
