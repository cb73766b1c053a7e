"""The cost of comparing a day depends on that day, not on how many years of payments are stored."""

from datetime import UTC, datetime, timedelta

import pytest

from db.pool import Pool
from db.statements import SQL

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
WINDOW = (["alipay"], [NOON - timedelta(days=1)], [NOON + timedelta(days=1)])
FACTS = """
INSERT INTO payment_facts (provider, trade_no, kind, order_id, amount, currency, verdict, occurred_at)
SELECT 'alipay', 't' || n, 'captured', n, 1, 'CNY', 'late', $1::timestamptz - n * interval '1 hour'
FROM generate_series(1, 20000) n
"""
REFUNDS = """
INSERT INTO refunds (id, refund_no, order_id, provider, trade_no, cause, amount, currency, state, finished_at)
SELECT n, 'R' || n, n, 'alipay', 't' || n, 'c', 1, 'CNY', 'succeeded', $1::timestamptz - n * interval '1 hour'
FROM generate_series(1, 20000) n
"""


@pytest.fixture
async def years(own_pool: Pool) -> Pool:
    """Insert two years of payments, each with a refund."""
    await own_pool.execute("ALTER TABLE refunds DROP CONSTRAINT refunds_order_id_fkey")
    await own_pool.execute(FACTS, NOON)
    await own_pool.execute(REFUNDS, NOON)
    await own_pool.execute("ANALYZE payment_facts, refunds, payment_attempts, reconciliation_rows")
    return own_pool


@pytest.mark.parametrize(
    ("name", "arguments", "table", "index"),
    [
        ("reconciliation.captures", WINDOW, "payment_facts", "payment_facts_captured"),
        ("reconciliation.refunds", (*WINDOW, ["alipay"], ["R7"]), "refunds", "refunds_succeeded"),
        ("reconciliation.owners", (["alipay"], ["R7"]), "refunds", "refunds_refund_no_key"),
    ],
)
async def test_a_comparison_reads_only_its_days(
    years: Pool, name: str, arguments: tuple[object, ...], table: str, index: str
) -> None:
    plan = "\n".join(row[0] for row in await years.fetch(f"EXPLAIN {SQL[name]}", *arguments))
    assert index in plan, plan
    assert f"Seq Scan on {table}" not in plan, plan
