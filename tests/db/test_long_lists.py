"""A page of a long list costs as much as a page of a short one: it reads the rows that it shows, and few besides."""

from datetime import UTC, datetime, timedelta
from typing import Any

from db.pool import Pool
from messages.base import Actor
from messages.order_queries import OrderList, OrderListed
from tests.db.order_months import month_of, replace_first_partitions
from tests.domain.builders import envelope
from workers.services import order_pages

ORDERS_A_MONTH = 400
MANY = """
INSERT INTO orders (id, root_id, request_id, order_no, business_type, channel, source, user_id, state, version,
    currency, origin_amount, payable_amount, created_at, expire_at, conversation_id)
SELECT id, id, 'r' || id, 'n' || id, 'normal', 'pc', 'web', 'u1',
    CASE WHEN n % 4 = 0 THEN 'placing' ELSE 'awaiting_payment' END, 1, 'CNY', 5, 5, at, at, 'c'
FROM (SELECT first_order_id(at) AS id, n, at FROM (SELECT n, $1::timestamptz + n * interval '1 minute' AS at
    FROM generate_series(1, $2::integer) AS n) AS t) AS u
"""
LINES = """
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price,
    origin_amount, payable_amount)
SELECT id, 1, 's1', 'w1', 'p1', 'n', 'physical', 1, 5, 5, 5 FROM orders
"""
READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer
FROM pg_stat_xact_user_tables WHERE relname LIKE 'orders%'
"""
READ_MAX = 200
"""A page of 5 orders reads some of them twice, and their families; a list that is read whole has 1,600 orders."""


async def rows_read(pool: Pool, **wanted: Any) -> tuple[int, int]:
    """How many orders a page of five shows, and how many rows of orders were read for it."""
    body = OrderList(actor=Actor(type="operator", id="o1"), limit=5, **wanted)
    async with pool.acquire() as tx, tx.transaction(readonly=True):
        before = await tx.fetchval(READ)
        (reply,) = await order_pages.answer_lists(tx, [envelope(body, "list")])
        assert isinstance(reply, OrderListed)
        return len(reply.orders), await tx.fetchval(READ) - before


async def test_a_page_reads_few_rows_of_a_long_list_wherever_it_begins(own_pool: Pool) -> None:
    months = [month_of(datetime.now(UTC), back) for back in (-4, -3, -2, -1)]
    await replace_first_partitions(own_pool, months[0])
    for month in months:
        await own_pool.execute(MANY, month, ORDERS_A_MONTH)
    await own_pool.execute(LINES)
    await own_pool.execute("ANALYZE orders; ANALYZE order_items")
    late, early = months[3] + timedelta(hours=2), months[1]
    states = {"states": ("placing",)}
    for wanted in (
        {},
        states,
        {"created_before": early},
        {"created_before": early} | states,
        {"created_from": late, "created_before": late + timedelta(minutes=30)} | states,
        {"user_id": "u1"},
        {"user_id": "u1", "created_before": early},
        {"user_id": "u1", "created_before": early} | states,
        {"user_id": "u1", "sku_id": "s1", "created_before": early},
        {"sku_id": "s1", "created_before": early},
    ):
        shown, read = await rows_read(own_pool, **wanted)
        assert (shown, read <= READ_MAX) == (5, True), (wanted, read)
    for wanted in ({"user_id": "u1"}, {"user_id": "u1", "sku_id": "s1"}, {"sku_id": "s1"}, {}):
        since = months[3] + timedelta(minutes=ORDERS_A_MONTH - 2)
        shown, read = await rows_read(own_pool, created_from=since, **wanted)
        assert (shown, read <= READ_MAX) == (3, True), (wanted, read)
