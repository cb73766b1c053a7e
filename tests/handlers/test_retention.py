"""Old rows that belong to no order go in small batches, young ones stay, and the audit stays clean."""

import asyncio
from collections.abc import Iterator

import pytest

from messages.carts import CartPut
from messages.order_queries import OrderDescribed, OrderGet
from messages.orders import OrderNumberIssue
from scripts.commands.audit import check
from tests.handlers.builders import create, user
from tests.handlers.group_builders import joining, let_end, ready
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers import shop
from workers.domain.retention import Retention
from workers.domain.shop import Policy, Shop
from workers.services import retention

OLD_DAYS, YOUNG_DAYS, KEPT_DAYS = 91, 89, 90
RULES = Retention(**dict.fromkeys(Retention().rules(), KEPT_DAYS))
REPLAYS = """
    WITH runs AS (
        INSERT INTO replay_runs (selection, rate_per_minute, canary, canary_wait_seconds, success_min_percent,
            per_order, one_try, reason)
        SELECT 'of u' || n, 60, 0, 60, 95, 1, false, 'mended' FROM generate_series(1, 2) AS n
        RETURNING id, right(selection, 1)::bigint AS letter
    )
    INSERT INTO replay_run_letters (run_id, place, dead_letter_id, queue, planned_state, repeats, message_id)
    SELECT id, 0, letter, 'stock', 'open', 0, 'm' FROM runs"""
RUNS = """
    WITH letter AS (
        INSERT INTO dead_letters (queue, message_id, body_hash, reason, key_id, body, headers)
        VALUES ('stock', 'm', '', 'x', 'k', '', '') RETURNING id
    ), runs AS (
        INSERT INTO replay_runs (selection, state, rate_per_minute, canary, canary_wait_seconds, success_min_percent,
            per_order, one_try, reason, changed_at)
        SELECT state || ' ' || d, state, 60, 0, 60, 95, 1, false, 'mended', now() - make_interval(days => d)
        FROM unnest($1::integer[]) AS d CROSS JOIN unnest(ARRAY['finished', 'running']) AS state
        RETURNING id
    )
    INSERT INTO replay_run_letters (run_id, place, dead_letter_id, queue, planned_state, repeats, message_id)
    SELECT r.id, 0, l.id, 'stock', 'open', 0, 'm' FROM runs r, letter l"""
LETTER = """
WITH letter AS (
    INSERT INTO dead_letters (queue, message_id, body_hash, reason, key_id, body, headers, state)
    VALUES ('stock', $1, '', 'x', 'k', '', '', $2) RETURNING id)
INSERT INTO dead_letter_actions (dead_letter_id, action, reason, at)
SELECT id, 'discard', 'r', now() - make_interval(days => d) FROM letter, unnest($3::integer[]) AS d
"""
NOTIFICATION = """
INSERT INTO payment_notifications (id, provider, body_hash, verdict, key_id, notification, received_at, recorded_at)
SELECT $1 * 100 + d, 'alipay', int4send(d), $2, 'k', '', now(), now() - make_interval(days => d)
FROM unnest($3::integer[]) AS d
"""
AGES = [OLD_DAYS, YOUNG_DAYS]


@pytest.fixture(autouse=True)
def _rules(harness: HandlerHarness) -> Iterator[None]:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), retention=RULES))
    yield
    shop.configure(Shop())


async def age(harness: HandlerHarness, table: str, column: str, where: str) -> None:
    """Make the rows of a table old."""
    status = await harness.pool.execute(
        f"UPDATE {table} SET {column} = {column} - make_interval(days => {OLD_DAYS}) WHERE {where}"
    )
    assert not status.endswith(" 0")


async def purge(harness: HandlerHarness, *, purgers: int = 1) -> None:
    """Let workers purge, all at the same time."""

    async def one() -> None:
        async with harness.pool.acquire() as tx, tx.transaction():
            await retention.Purger()(tx)

    await asyncio.gather(*(one() for _ in range(purgers)))


async def left(harness: HandlerHarness, what: str) -> list[object]:
    return [row[0] for row in await harness.pool.fetch(f"SELECT {what} ORDER BY 1")]


async def violations(harness: HandlerHarness) -> list[str]:
    async with harness.pool.acquire() as connection:
        return [seen.id for seen in await check(connection) if seen.violations]


async def two_orders(harness: HandlerHarness) -> None:
    """Create an order long ago, and one now."""
    await harness.fill_stock(qty=50)
    await harness.handle(create(("s1", 1), request_id="old"), create(("s1", 1), request_id="young"))
    await age(harness, "orders", "created_at", "request_id = 'old'")
    await age(harness, "commands", "decided_at", "request_id = 'old'")


async def test_old_commands_go_and_the_audit_excuses_the_orders_that_they_made(harness: HandlerHarness) -> None:
    await two_orders(harness)
    await purge(harness)
    assert await left(harness, "request_id FROM commands WHERE type = 'order.create.v1'") == ["young"]
    assert await violations(harness) == []


async def test_a_command_that_is_missing_above_the_horizon_is_a_violation(harness: HandlerHarness) -> None:
    await two_orders(harness)
    await purge(harness)
    await harness.pool.execute("DELETE FROM commands WHERE request_id = 'young'")
    assert await violations(harness) == ["INV-12"]


async def test_a_command_without_an_outcome_stays(harness: HandlerHarness) -> None:
    await two_orders(harness)
    await harness.pool.execute(
        "UPDATE commands SET outcome_type = NULL, outcome = NULL, order_id = NULL, decided_at = NULL"
    )
    await age(harness, "commands", "received_at", "true")
    await purge(harness)
    assert await left(harness, "request_id FROM commands WHERE type = 'order.create.v1'") == ["old", "young"]


async def test_a_request_id_that_expired_is_a_new_command(harness: HandlerHarness) -> None:
    await two_orders(harness)
    await harness.handle(create(("s1", 1), request_id="old"))
    assert len(harness.events_of("order.created")) == 2
    await purge(harness)
    await harness.handle(create(("s1", 1), request_id="old"))
    assert len(harness.events_of("order.created")) == 3


async def test_two_workers_purge_at_once_each_its_own_rows(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PURGE_ROWS", 40)
    await harness.pool.execute(
        "INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id, outcome_type,"
        " outcome, decided_at) SELECT 's', n::text, 't', '', 'm', 'c', 'o', '{}', now() - make_interval(days => $1)"
        " FROM generate_series(1, 100) n",
        OLD_DAYS,
    )
    before = retention.PURGED.labels("commands")._value.get()
    await purge(harness, purgers=2)
    assert len(await left(harness, "request_id FROM commands")) == 20
    assert retention.PURGED.labels("commands")._value.get() == before + 80


async def test_a_row_that_another_transaction_holds_is_passed_over(harness: HandlerHarness) -> None:
    await two_orders(harness)
    async with harness.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM commands WHERE request_id = 'old' FOR UPDATE")
        async with asyncio.timeout(2):
            await purge(harness)
    assert "old" in await left(harness, "request_id FROM commands")


async def test_a_dead_letter_goes_with_its_decisions_when_the_last_one_is_old(harness: HandlerHarness) -> None:
    await harness.pool.execute(LETTER, "decided", "discarded", [OLD_DAYS, OLD_DAYS + 9])
    await harness.pool.execute(LETTER, "decided again", "replayed", AGES)
    await harness.pool.execute(LETTER, "open again", "open", [OLD_DAYS])
    await harness.pool.execute(REPLAYS)
    await purge(harness)
    assert await left(harness, "message_id FROM dead_letters") == ["decided again", "open again"]
    assert await left(harness, "dead_letter_id FROM dead_letter_actions") == [2, 2, 3]
    assert await left(harness, "selection FROM replay_runs") == ["of u2", "past retention"]  # it may name users


async def test_carts_and_numbers_that_nobody_used_go(harness: HandlerHarness) -> None:
    await two_orders(harness)
    for name in ("s1", "s2"):
        await harness.handle(CartPut(request_id=name, actor=user(), user_id="u1", sku_id=name, qty=1))
    for name in ("n1", "n2", "n3"):
        await harness.handle(OrderNumberIssue(request_id=name, actor=user(), user_id="u1", channel="pc"))
    numbers = [event["order_no"] for event in harness.events_of("order_number.issued")]
    await harness.handle(create(("s1", 1), request_id="numbered", order_no=numbers[0]))
    await age(harness, "cart_lines", "updated_at", "sku_id = 's1'")
    await age(harness, "issued_order_numbers", "issued_at", f"order_no IN ('{numbers[0]}', '{numbers[1]}')")
    await purge(harness)
    assert await left(harness, "sku_id FROM cart_lines") == ["s2"]
    assert await left(harness, "order_no FROM issued_order_numbers") == [numbers[0], numbers[2]]
    assert await violations(harness) == []


async def test_records_and_notifications_go_each_by_its_own_rule(harness: HandlerHarness) -> None:
    kept = Retention(
        rejected_notifications=KEPT_DAYS,
        repairs=KEPT_DAYS,
        revision_resets=2,
        free_texts=2,
        address_accesses=2,
        interventions=2,
        dead_letter_notes=2,
        replay_runs=2,
    )
    shop.configure(Shop(retention=kept))
    for number, verdict in enumerate(("believed", "rejected"), 1):
        await harness.pool.execute(NOTIFICATION, number, verdict, AGES)
    made = "now() - make_interval(days => d) FROM unnest($1::integer[]) AS d"
    await harness.pool.execute(f"INSERT INTO repairs (order_id, owed, reason, at) SELECT d, 'o', 'r', {made}", AGES)
    await harness.pool.execute(f"INSERT INTO address_accesses (order_id, reason, at) SELECT d, 'r', {made}", [1, 3])
    await harness.pool.execute(
        "INSERT INTO revision_resets (kind, id, previous, revision, by_user, key_id, reason, at)"
        f" SELECT 'sku', 's1', d, 1, 'u', 'k', '', {made}",
        [1, 3],
    )
    await harness.pool.execute(
        "INSERT INTO free_texts (type, field, about, message_id, key_id, ciphertext, at)"
        f" SELECT 'order.cancel', 'reason', d::text, 'm', 'k', '', {made}",
        [1, 3],
    )
    await harness.pool.execute(
        f"INSERT INTO interventions (action, subject, reason, at) SELECT 'timer.fire', d::text, 'r', {made}", [1, 3]
    )
    await harness.pool.execute(
        f"INSERT INTO dead_letter_notes (group_name, text, at) SELECT d::text, 't', {made}", [1, 3]
    )
    await harness.pool.execute(RUNS, [1, 3])
    for _ in range(2):  # a replay goes when its letters are gone
        await purge(harness)
    assert await left(harness, "subject FROM interventions") == ["1"]
    assert await left(harness, "group_name FROM dead_letter_notes") == ["1"]
    assert await left(harness, "selection FROM replay_runs") == ["finished 1", "running 1", "running 3"]
    assert len(await left(harness, "run_id FROM replay_run_letters")) == 3
    assert await left(harness, "about FROM free_texts") == ["1"]
    assert await left(harness, "id FROM payment_notifications") == [189, 191, 289]
    assert await left(harness, "order_id FROM repairs") == [YOUNG_DAYS]
    assert await left(harness, "order_id FROM address_accesses") == [1]
    assert await left(harness, "previous FROM revision_resets") == [1]


async def test_a_large_group_that_ended_long_ago_goes_in_small_batches_and_its_orders_stay(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PURGE_ROWS", 2)
    await ready(harness)
    order_ids = [await harness.create_order(joining(user_id, "old")) for user_id in "abc"]
    await harness.create_order(joining("a", "young"))
    await let_end(harness)
    await age(harness, "buying_groups", "opened_at", "group_id = 'old'")
    await age(harness, "buying_groups", "ended_at", "group_id = 'old'")
    left_over = list[int]()
    for _ in range(3):
        await purge(harness)
        left_over.append(len(await left(harness, "order_id FROM buying_group_orders")))
    assert left_over == [2, 1, 1], "at most two at a time; the young group has one"
    assert await left(harness, "group_id FROM buying_groups") == ["young"]
    assert await harness.states() == ["cancelled"] * 4
    [reply] = await ask(harness, OrderGet(actor=user("a"), order=str(order_ids[0])))
    assert isinstance(reply, OrderDescribed)
    assert reply.group is None
    assert await violations(harness) == []


async def test_a_rule_under_which_nothing_is_left_rests(harness: HandlerHarness) -> None:
    await two_orders(harness)
    now = 0.0
    purger = retention.Purger(lambda: now)
    async with harness.pool.acquire() as tx, tx.transaction():
        await purger(tx)
        await tx.execute("UPDATE commands SET decided_at = now() - interval '1 year' WHERE request_id = 'young'")
        await purger(tx)
        assert await tx.fetchval("SELECT count(*) FROM commands WHERE request_id = 'young'") == 1
        now = retention.REST_SECONDS
        await purger(tx)
        assert await tx.fetchval("SELECT count(*) FROM commands WHERE request_id = 'young'") == 0
