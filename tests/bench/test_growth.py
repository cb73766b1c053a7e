"""The history that the benchmark of growth makes is one that the system could have made."""

import os

import pytest

from db import cipher
from db.pool import Pool
from scripts.commands.audit import check
from tests.bench import growth_history, load

ORIGINALS, ORDERS, INBOX_ROWS = 25, 100, 10
SCHEMA = """
SELECT array(SELECT conrelid::regclass || ' ' || conname || ' ' || convalidated || ' ' || pg_get_constraintdef(oid)
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conparentid = 0
             ORDER BY 1)
    || array(SELECT pg_get_indexdef(oid) FROM pg_class WHERE relkind IN ('i', 'I') AND NOT relispartition
             AND relnamespace = 'public'::regnamespace ORDER BY 1)
"""


async def test_copies_of_orders_are_as_consistent_as_the_originals(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth_history, "ORIGINALS", ORIGINALS)
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    given = load.baskets(ORIGINALS)
    await load.fill(database_url, given.products)
    schema = await pool.fetchval(SCHEMA)
    await growth_history.originals(database_url, given)
    await growth_history.copy(database_url, ORDERS, lambda _: None)
    await growth_history.finish(database_url, INBOX_ROWS)

    async with pool.acquire() as connection:
        assert [(seen.id, seen.first) for seen in await check(connection, drained=True) if seen.violations] == []
    states = await pool.fetch("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state")
    assert [tuple(row) for row in states] == [("cancelled", 16), ("completed", 84)]
    for table in growth_history.TABLES.keys() - {"order_snapshots"}:  # plain orders have none
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") > 1, table
    assert await pool.fetchval(SCHEMA) == schema  # indexes, keys and checked foreign keys are there again
