"""Orders that ended long ago become documents, nothing else changes, and their months go (S1-40)."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from db import cipher
from db.pool import Pool, Transaction, open_pool
from scripts.commands.audit import check
from tests.db import audit_fixtures
from tests.db.order_months import ORDER, first_id, month_of, replace_first_partitions
from workers import shop
from workers.domain.ids import ID_MAX
from workers.domain.shop import Shop
from workers.services.archive import Archiver, archive_ended
from workers.store import archive

KEPT = {
    *("archived_orders", "order_numbers", "issued_order_numbers", "imported_orders", "coupons", "coupon_ledger"),
    *(
        "points_ledger",
        "promotion_uses",
        "commands",
        "address_accesses",
        "repairs",
        "buyer_notifications",
        "order_drafts",
    ),
}
"""Tables that count things over years, or have a retention of their own: rows of archived orders stay in them."""
ORDER_TABLES = """
SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
    AND a.attname = 'order_id'
"""
PERSONAL = ("ciphertext", "user_remark", "evidence", "place")


@pytest.fixture(autouse=True)
def _rules() -> Iterator[None]:
    yield
    shop.configure(Shop())


async def archive_all(tx: Transaction) -> list[int]:
    return await archive_ended(tx, await archive.lock_roots(tx, ID_MAX, 0, 1000))


async def violations(tx: Transaction) -> dict[str, object]:
    return {seen.id: seen.first for seen in await check(tx, drained=True) if seen.violations}


async def test_what_has_ended_is_a_document_then_and_the_books_still_add_up(database_url: str) -> None:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    await audit_fixtures.build(database_url, guarded=True)
    pool = await open_pool(database_url, application_name="test", max_size=2)
    async with pool.acquire() as tx:
        before = {row["id"]: row["state"] for row in await tx.fetch("SELECT id, state FROM orders")}
        async with tx.transaction():
            ended = await archive_all(tx)
        left = {row["id"] for row in await tx.fetch("SELECT id FROM orders")}
        documents = {row["order_id"]: orjson.loads(row["document"]) for row in await tx.fetch("TABLE archived_orders")}
        assert await violations(tx) == {}
        assert {before[id] for id in ended} >= {"completed", "cancelled", "split"}
        assert left | documents.keys() == before.keys()
        assert not left & documents.keys()
        for table in {row[0] for row in await tx.fetch(ORDER_TABLES)} - KEPT:
            rows = f"SELECT count(*) FROM {table} WHERE order_id = ANY($1::bigint[])"
            assert await tx.fetchval(rows, list(documents)) == 0, table
    for order_id, document in documents.items():
        assert document["id"] == order_id
        assert document["items"] or document["kind"] == "split_parent"
        assert document["log"][-1]["cur_state"] == document["state"]
        assert [word for word in PERSONAL if f'"{word}":' in orjson.dumps(document).decode()] == []
    pool.terminate()


async def test_a_year_of_months_is_archived_up_to_the_months_that_are_kept(own_pool: Pool) -> None:
    """The order of the fourth month has not ended: this month stays, and so do those after it."""
    months = [month_of(datetime.now(UTC), back) for back in range(-12, 1)]
    await replace_first_partitions(own_pool, months[1])
    for month in months:
        await own_pool.execute(ORDER.format(id=await first_id(own_pool, month)))
    open_one = await first_id(own_pool, months[3])
    ended = "UPDATE orders SET state = 'rejected' WHERE id <> $1"
    await own_pool.execute(ended, open_one)
    shop.configure(Shop(archive_after_months=6))

    first, second = Archiver(), Archiver()

    async def work(archiver: Archiver) -> None:
        async with own_pool.acquire() as tx, tx.transaction():
            await archiver(tx)

    await asyncio.gather(work(first), work(second))
    await work(first)

    ids = [await first_id(own_pool, month) for month in months]
    archived = [row[0] for row in await own_pool.fetch("SELECT order_id FROM archived_orders ORDER BY 1")]
    assert archived == [id for id in ids[:6] if id != open_one]
    assert [row[0] for row in await own_pool.fetch("SELECT id FROM orders ORDER BY 1")] == [open_one, *ids[6:]]
    parts = await own_pool.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'orders'::regclass"
    )
    kept = {f"orders_{month:%Y_%m}" for month in months[3:]}
    assert {row[0] for row in parts if row[0] <= f"orders_{months[-1]:%Y_%m}"} == kept


async def test_nothing_is_archived_unless_the_shop_says_after_how_long(own_pool: Pool) -> None:
    await replace_first_partitions(own_pool, month_of(datetime.now(UTC), -12))
    await own_pool.execute(ORDER.format(id=7))
    await own_pool.execute("UPDATE orders SET state = 'rejected'")
    async with own_pool.acquire() as tx, tx.transaction():
        await Archiver()(tx)
    assert await own_pool.fetchval("SELECT count(*) FROM orders") == 1


UNINDEXED = """
SELECT k.conrelid::regclass || ' ' || k.conname FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confdeltype = 'c' AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL AND i.indkey[0] = k.conkey[1])
"""


async def test_a_deleted_order_takes_what_refers_to_it_along_by_indexes(pool: Pool) -> None:
    """A foreign key without an index would read the whole table for each order that is archived."""
    assert [row[0] for row in await pool.fetch(UNINDEXED)] == []


async def test_nobody_can_lead_the_functions_of_their_owner_to_tables_of_their_own(own_pool: Pool) -> None:
    planted = "100); CREATE TABLE planted (id int); --"
    async with own_pool.acquire() as tx, tx.transaction():
        await tx.execute("CREATE TEMPORARY TABLE order_partitions (place integer, name text, fillfactor text)")
        await tx.execute("INSERT INTO order_partitions VALUES (1, 'orders', $1)", planted)
        assert await tx.fetchval("SELECT make_order_partitions('3 months')") > 0
        assert await tx.fetchval("SELECT to_regclass('public.planted')") is None


async def test_a_month_that_has_not_ended_is_not_dropped(own_pool: Pool) -> None:
    await own_pool.fetchval("SELECT make_order_partitions('3 months')")
    assert await own_pool.fetchval("SELECT drop_empty_order_partitions($1)", ID_MAX) == 0
