"""Orders, and what belongs to them, have a partition for each month of the ids of orders (S1-40)."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import asyncpg
import psycopg
import pytest
from alembic import command

from db import migrate
from db.pool import Pool
from db.statements import SQL
from tests.db.order_months import ORDER, first_id, month_of, replace_first_partitions
from workers.services import order_partitions
from workers.store import order_lists, orders
from workers.store.ids import FAMILY_SPREAD, bounds
from workers.store.order_partitions import made_until, make

BEFORE = "0071"
"""The migration before the partitions."""
FILES = "SELECT pg_relation_filenode('{0}'), pg_relation_filenode('{1}')"


async def partition_of(pool: Pool, table: str, order_id: int) -> str:
    key = "id" if table == "orders" else "order_id"
    return str(await pool.fetchval(f"SELECT tableoid::regclass::text FROM {table} WHERE {key} = $1 LIMIT 1", order_id))


async def test_the_months_to_come_are_made_once_by_one_worker(own_pool: Pool) -> None:
    async def work() -> int | None:
        async with own_pool.acquire() as tx, tx.transaction():
            return await make(tx, order_partitions.MONTHS_AHEAD)

    made = await asyncio.gather(work(), work(), work())
    again = await work()

    async with own_pool.acquire() as tx:
        until = await made_until(tx)
    tables = int(await own_pool.fetchval("SELECT count(*) FROM order_partitions"))
    assert sum(one or 0 for one in made) == tables * 2  # the first partition has this month and the next
    assert again == 0
    assert until == month_of(datetime.now(UTC), 4)


async def test_an_order_and_what_belongs_to_it_are_in_the_month_of_its_id(own_pool: Pool) -> None:
    async with own_pool.acquire() as tx:
        await make(tx, 6)
    later = month_of(datetime.now(UTC), 3)
    order_id = await first_id(own_pool, later)
    await own_pool.execute(ORDER.format(id=order_id) + ORDER.format(id=order_id - 1))
    month, before = later.strftime("%Y_%m"), month_of(later, -1).strftime("%Y_%m")
    for table in ("orders", "order_items", "fulfilment_steps"):
        assert await partition_of(own_pool, table, order_id) == f"{table}_{month}"
        assert await partition_of(own_pool, table, order_id - 1) == f"{table}_{before}"
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        await own_pool.execute(ORDER.format(id=await first_id(own_pool, later + timedelta(days=365))))


async def test_a_page_of_a_buyers_recent_orders_reads_one_month(own_pool: Pool) -> None:
    """A page that needs two months reads these two."""
    months = [month_of(datetime.now(UTC), back) for back in (0, -1, -2, -3)]
    await replace_first_partitions(own_pool, months[-1])
    for month in months:
        await own_pool.execute(ORDER.format(id=await first_id(own_pool, month)))
    assert await months_read(own_pool, size=1) == [f"orders_{months[0]:%Y_%m}"]
    assert await months_read(own_pool, size=2) == sorted(f"orders_{one:%Y_%m}" for one in months[:2])


BOUNDED = {
    "carts.remove_ordered": "{ids}, {least}, {most}",
    "fulfilments.of_orders": "{ids}, {least}, {most}",
    "fulfilments.papers": "{ids}, {least}, {most}",
    "fulfilments.shares": "{ids}, {least}, {most}",
    "order_queries.stamps": "{ids}, {least}, {most}",
    "orders.lines": "{ids}, {least}, {most}",
    "orders.lock": "{ids}, {least}, {most}",
    "orders.sold_lines": "{ids}, {least}, {most}",
    "shipments.of_orders": "{ids}, true, {least}, {most}",
}
"""Statements about orders that are given the bounds of their ids, and with which arguments."""


async def test_a_family_in_two_months_is_found_whole_and_other_months_are_not_opened(own_pool: Pool) -> None:
    months = [month_of(datetime.now(UTC), back) for back in (-3, -2, -1, 0)]
    await replace_first_partitions(own_pool, months[0])
    child = await first_id(own_pool, months[2])
    root, others = child - 1, [await first_id(own_pool, months[at]) for at in (1, 3)]
    await own_pool.execute("".join(ORDER.format(id=one) for one in (root, *others)))
    await own_pool.execute(ORDER.format(id=child).replace(f"VALUES ({child}, {child}", f"VALUES ({child}, {root}", 1))
    async with own_pool.acquire() as tx, tx.transaction():
        assert list(await orders.lock(tx, [child])) == [root, child]
        assert list(await orders.lock(tx, [root])) == [root, child]
        marks = [await order_lists.stamps(tx, [one]) for one in (root, child)]
    assert [len(one) for one in marks] == [1, 1]
    least, most = bounds([root, child], FAMILY_SPREAD)
    near = {f"{one:%Y_%m}" for one in months[1:3]}
    for name, given in BOUNDED.items():
        arguments = given.format(ids=f"ARRAY[{root}, {child}]", least=least, most=most)
        assert {part[-7:] for part in await parts_read(own_pool, name, arguments)} == near, name


async def parts_read(pool: Pool, name: str, arguments: str) -> set[str]:
    """The partitions in which a statement looks for rows, by its plan as workers have it."""
    async with pool.acquire() as tx, tx.transaction():
        await tx.execute(f"PREPARE one AS {SQL[name]}")
        plan = await tx.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) EXECUTE one ({arguments})")
        await tx.execute("DEALLOCATE one")
    scans = "\n".join(row[0] for row in plan if "never executed" not in row[0])
    return set(re.findall(r" on (\w+_(?:\d{4}_\d{2}|first))\b", scans))


async def months_read(pool: Pool, size: int) -> list[str]:
    """The partitions of which a page of the user reads anything, by its plan as workers have it."""
    given = "ARRAY['u1'], ARRAY[false], ARRAY['-infinity'::timestamptz], ARRAY['infinity'::timestamptz],"
    given += f" ARRAY[9223372036854775807], ARRAY[{size}]"
    async with pool.acquire() as tx:
        await tx.execute(f"PREPARE page AS {SQL['order_queries.of_users']}")
        plan = await tx.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) EXECUTE page ({given})")
        await tx.execute("DEALLOCATE page")
    scans = [row[0] for row in plan if " on orders_" in row[0]]
    names = {line.split(" on ")[1].split()[0] for line in scans if "never executed" not in line}
    return sorted(names)


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    """A database with two orders from before there were partitions."""
    command.upgrade(migrate.config(empty_database_url), BEFORE)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute((ORDER.format(id=7) + ORDER.format(id=8)).encode())
    return empty_database_url


def test_the_orders_that_exist_become_the_first_partition_where_they_are(old_url: str) -> None:
    with psycopg.connect(old_url, autocommit=True) as connection:
        files = connection.execute(FILES.format("orders", "order_items").encode()).fetchone()
        connection.execute("CREATE ROLE reader; GRANT SELECT ON orders, snapshots TO reader")
        migrate.upgrade(old_url)
        assert connection.execute(FILES.format("orders_first", "order_items_first").encode()).fetchone() == files
        assert connection.execute("SELECT order_no, order_id FROM order_numbers ORDER BY 2").fetchall() == [
            ("n7", 7),
            ("n8", 8),
        ]
        assert connection.execute("SELECT id FROM orders ORDER BY id").fetchall() == [(7,), (8,)]
        steps = "INSERT INTO fulfilment_steps (order_id, warehouse, pre_state, cur_state, number, cause_type, cause_id,"
        steps += " happened_at) VALUES (7, 'w1', '', 'accepted', 1, 't', 'j', now()) RETURNING id"
        assert connection.execute(steps.encode()).fetchone() == (3,)
        for broken in ("DELETE FROM order_numbers; " + ORDER.format(id=7), "UPDATE orders SET tax_amount = 1"):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(broken.encode())
        connection.execute("SET ROLE reader")
        connection.execute("SELECT FROM orders, snapshots")
        connection.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_a_migration_that_cannot_lock_orders_changes_nothing_and_goes_on_the_next_time(
    old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(old_url, autocommit=True) as connection, psycopg.connect(old_url) as busy:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET statement_timeout = '2s'".encode())
        busy.execute("UPDATE orders SET updated_at = now() WHERE id = 7")
        with pytest.raises(Exception, match="timeout"):
            migrate.upgrade(old_url)
        assert next(number for number, _ in migrate.status(old_url).pending) > BEFORE
        busy.commit()
        migrate.upgrade(old_url)
        assert migrate.status(old_url).pending == []
        assert connection.execute("SELECT count(*) FROM orders_first").fetchone() == (2,)
