"""Every statement is known by name, prepares on the real schema, and the hot ones keep their plans (S1-39)."""

import re
from datetime import timedelta
from pathlib import Path

import asyncpg
import psycopg
import pytest

from db.pool import Pool
from db.statements import SQL, load
from tests.db import plans


async def test_every_statement_prepares(pool: Pool) -> None:
    broken = {}
    async with pool.acquire() as connection:
        for name, statement in SQL.items():
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                broken[name] = str(error)
    assert broken == {}


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: a.one\nSELECT 1;\n-- name: a.one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"a\.one"):
        load(tmp_path)


def test_a_name_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: b.one\nSELECT 1;\n")
    with pytest.raises(ValueError, match=r"b\.one"):
        load(tmp_path)


def test_a_name_with_a_place_stands_for_a_statement_for_each_table(tmp_path: Path) -> None:
    head = "-- each: table=x key=a,b\n-- each: table=y key=c\n"
    (tmp_path / "t.sql").write_text(
        head + "-- name: t.of_{table}\nSELECT {key} FROM {table};\n-- name: t.one\nSELECT '{}';\n"
    )
    assert load(tmp_path) == {"t.of_x": "SELECT a,b FROM x", "t.of_y": "SELECT c FROM y", "t.one": "SELECT '{}'"}


async def explained(pool: Pool, name: str, *arguments: object) -> str:
    """The plan of a statement with these arguments, on a planner that may choose freely."""
    rows = await pool.fetch(f"EXPLAIN {SQL[name]}", *arguments)
    return "\n".join(row[0] for row in rows)


BIG = (
    *("timers", "inbox", "commands", "cart_lines", "issued_order_numbers", "payment_notifications"),
    *("buyer_notifications", "buying_groups"),
    *("dead_letters", "dead_letter_actions"),
)


@pytest.fixture
async def years_of_rows(pool: Pool) -> Pool:
    """Insert many timers with later due times, and many young rows of all that is purged."""
    await pool.execute(
        "INSERT INTO timers (kind, key, due_at, wake_at) SELECT 'receipt', n, now() + interval '1 day',"
        " now() + interval '1 day' FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO inbox (queue, message_id, body_hash) SELECT 'stock', n::text, '' FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id, outcome_type,"
        " outcome, decided_at) SELECT 's', n::text, 't', '', 'm', 'c', 't', '{}', now()"
        " FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO buyer_notifications (cause, user_id, medium, kind, order_id, content, state, wake_at, expires_at)"
        " SELECT n::text, 'u', 'email', 'order_paid', n, '{}', 'pending', now() + n * interval '1 s', now()"
        " FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO buying_groups (group_id, size, deadline, state, opened_at, ended_at)"
        " SELECT n::text, 2, now(), 'formed', now(), now() FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO cart_lines (user_id, sku_id, qty) SELECT 'u', n::text, 1 FROM generate_series(1, 20000) n",
    )
    await pool.execute(
        "INSERT INTO issued_order_numbers (order_no, user_id) SELECT n::text, 'u' FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "INSERT INTO payment_notifications (id, provider, body_hash, verdict, key_id, notification, received_at)"
        " SELECT n, 'alipay', int4send(n), 'believed', 'k', '', now() FROM generate_series(1, 20000) n"
    )
    await pool.execute(
        "WITH letters AS (INSERT INTO dead_letters (queue, message_id, body_hash, reason, key_id, body, headers, state)"
        " SELECT 'stock', n::text, '', 'x', 'k', '', '', 'discarded' FROM generate_series(1, 20000) n RETURNING id)"
        " INSERT INTO dead_letter_actions (dead_letter_id, action, reason) SELECT id, 'discard', 'r' FROM letters"
    )
    await pool.execute(f"ANALYZE {', '.join(BIG)}")
    return pool


CHORES: list[tuple[str, tuple[object, ...], str]] = [
    ("timers.sweep", (100, 90.0), "timers_wake_at"),
    ("timers.payment_due", (90.0,), "timers_wake_at"),
    ("inbox.purge", (timedelta(days=45), 1000), "inbox_processed_at"),
    ("retention.commands", (400, 1000), "commands_decided"),
    ("retention.dead_letters", (400, 1000), "dead_letter_actions_at"),
    ("retention.cart_lines", (400, 1000), "cart_lines_updated"),
    ("retention.buyer_notifications", (400, 1000), "buyer_notifications_created"),
    ("retention.buying_groups", (400, 1000), "buying_groups_ended_at"),
    ("buyer_notifications.wake", (500,), "buyer_notifications_waiting"),
    ("retention.issued_order_numbers", (400, 1000), "issued_order_numbers_unused"),
    ("retention.believed_notifications", (400, 1000), "payment_notifications_recorded"),
    ("retention.rejected_notifications", (400, 1000), "payment_notifications_recorded"),
]


async def test_a_chore_reads_only_what_is_due(years_of_rows: Pool) -> None:
    for name, arguments, index in CHORES:
        plan = await explained(years_of_rows, name, *arguments)
        assert index in plan, f"{name}: {plan}"
        assert not [table for table in BIG if f"Seq Scan on {table}" in plan], f"{name}: {plan}"
        assert "Index Cond" in plan, f"{name}: {plan}"


def test_every_lookup_has_an_index(database_url: str) -> None:
    """The plans of a new shop are kept for a while: they must do for its first thousands of orders."""
    assert plans.not_allowed(plans.whole_reads(database_url), plans.ALLOWED_WHEN_YOUNG) == {}


def test_the_life_of_an_order_reads_no_table_whole_that_autovacuum_found_empty(database_url: str) -> None:
    # timers and the outbox are empty each night; the plans of that time are kept while the morning fills them
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT make_order_partitions(interval '3 months')")
        connection.execute("VACUUM ANALYZE")
    found = plans.whole_reads(database_url)
    life = {name: scans for name, scans in found.items() if name.partition(".")[0] in plans.LIFE}
    assert plans.not_allowed(life, {**plans.ALLOWED, **plans.ALLOWED_WHEN_EMPTIED}) == {}


OF_ONE_ORDER = {"dead_letter_lists.orders": "'{1}', '{n1}', '{}'", "repairs.stock": "'{1}', 60"}
"""Statements that a person runs for one order, or for all, and their arguments for one."""


SORTED_PAGE = re.compile(r"Limit *\n *->  (Incremental )?Sort *\n( +[A-Z][^>\n]+\n)* *->  (?!Limit)")
"""A page for which all rows of the list are read and sorted, where an index has them in order; not those of a Limit."""


def test_no_statement_reads_a_whole_index_of_a_grown_table(database_url: str) -> None:
    plans.pretend_rows(database_url, 1_000_000)
    found = plans.whole_reads(database_url)
    assert plans.not_allowed(found, plans.ALLOWED) == {}
    assert {name: set(reasons) for name, reasons in plans.ALLOWED.items()} == plans.not_allowed(found, {})
    for name, arguments in OF_ONE_ORDER.items():
        assert plans.scanned(database_url, name, arguments) <= {"stock_holders"}, name  # whether it has any row
    pages = {name: plan for name, plan in plans.plans(database_url).items() if name.startswith("order_queries.of_")}
    assert len(pages) == 6
    assert [name for name, plan in pages.items() if SORTED_PAGE.search(plan)] == []


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (("commands.conclude", "commands.undecided", "commands.add_reply_tos"), "commands_pkey"),
        (("dashboard.steps", "dashboard.sales"), "operate_logs_day"),
        (("dashboard.exceptions",), "commands_refused"),
        (("orders.save",), "id = ANY (ARRAY[n.id])"),  # each order of a batch by itself: a join is quadratic
    ],
)
def test_a_statement_finds_its_rows_by_the_index_that_is_made_for_it(
    database_url: str, names: tuple[str, ...], index: str
) -> None:
    found = plans.plans(database_url, seqscan=False)
    assert [name for name in names if index not in found[name]] == []
