"""`append` on a real database."""

import pytest

from db import cipher
from db.pool import Pool
from db.statements import SQL
from messages.stock import StockCommit
from outbox import append, internal
from outbox.insertion import AAD
from tests.outbox.harness import announce, event, pending


@pytest.mark.parametrize(("announcements", "statements"), [(0, 0), (1, 1), (1000, 1)])
async def test_append_is_one_statement_for_any_number(pool: Pool, announcements: int, statements: int) -> None:
    made = [event(order, 1) for order in range(1, announcements + 1)]
    queries: list[str] = []
    async with pool.acquire() as connection:
        await connection.prepare(SQL["outbox.append_about_orders"])  # at first asyncpg asks for the types
        with connection.query_logger(lambda record: queries.append(record.query)):
            await append(connection, made)
    assert len([query for query in queries if "INSERT" in query]) == len(queries) == statements
    assert await pending(pool) == announcements


async def test_rows_of_a_stream_get_ids_in_the_order_of_their_append(pool: Pool) -> None:
    await announce(pool, [event(order, seq) for seq in range(1, 51) for order in (1, 2, 3)])
    rows = await pool.fetch(
        "SELECT stream, convert_from(headers, 'utf8')::jsonb->>'seq' AS seq FROM outbox ORDER BY id"
    )
    for order in ("1", "2", "3"):
        assert [int(row["seq"]) for row in rows if row["stream"] == order] == list(range(1, 51))


async def test_nothing_is_announced_by_a_transaction_that_rolls_back(pool: Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await append(connection, [event(1, 1), internal(StockCommit(holder_id=1))])
        await transaction.rollback()
    assert await pending(pool) == 0


async def test_a_sensitive_body_is_stored_only_encrypted(pool: Pool) -> None:
    await announce(pool, [event(1, 1, body=b'{"phone":"13800138000"}', sensitive=True), event(1, 2, body=b'{"a":1}')])
    first, second = await pool.fetch("SELECT key_id, body FROM outbox ORDER BY id")
    assert b"13800138000" not in first["body"]
    assert cipher.current().decrypt(first["key_id"], first["body"], AAD) == b'{"phone":"13800138000"}'
    assert (second["key_id"], second["body"]) == (None, b'{"a":1}')
