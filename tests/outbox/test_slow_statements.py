"""Statements that take long are counted and logged by their names (S0-45)."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from structlog.testing import capture_logs

from db.pool import open_pool
from db.statements import SQL
from outbox import slow_statements
from outbox.bounded_label import BoundedLabel
from outbox.slow_statements import name_of, slower_than
from tests.metric_values import metric_value

NAMES = ("orders.lock", "other")


def counted() -> dict[str, float]:
    return {name: metric_value("oms_db_slow_statements_total", statement=name) for name in NAMES}


async def test_a_statement_that_waits_or_fails_late_is_counted_by_its_name(database_url: str) -> None:
    pool = await open_pool(database_url, application_name="test", watch=slower_than(0.09))
    before = counted()
    with capture_logs() as logs:
        async with pool.acquire() as other, pool.acquire() as tx:
            async with other.transaction():
                await other.execute("LOCK TABLE orders")
                waiting = asyncio.create_task(tx.fetch(SQL["orders.lock"], [1], 1, 1))
                await asyncio.sleep(0.1)
            await waiting
            await tx.fetch("SELECT pg_sleep(0.1), $1::text", "Ada")
            with suppress(asyncpg.QueryCanceledError):
                await tx.execute("SET statement_timeout = 100; SELECT pg_sleep(9)")
        await asyncio.sleep(0)
    await pool.close()
    assert counted()["orders.lock"] > before["orders.lock"]
    assert counted()["other"] >= before["other"] + 2
    logged = [log["statement"] for log in logs if log["event"] == "slow statement"]
    assert "orders.lock" in logged
    assert "Ada" not in str(logs)


def test_names_are_those_of_the_sql_files_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (name_of(SQL["orders.save"]), name_of("COMMIT;"), name_of("BEGIN;")) == ("orders.save", "commit", "other")
    monkeypatch.setattr(slow_statements, "_NAMES", BoundedLabel(1))
    before = counted()["other"]
    for name in ("orders.insert", "orders.lines", "orders.log"):
        slower_than(1)(SQL[name], 1.0)
        slower_than(1)(SQL[name], 0.999)
    assert counted()["other"] == before + 2
