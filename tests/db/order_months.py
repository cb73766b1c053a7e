"""Orders of chosen months, written by SQL, and a database whose months begin when a test says."""

from datetime import UTC, datetime

from db.pool import Pool

ORDER = """
INSERT INTO orders (id, root_id, request_id, order_no, business_type, channel, source, user_id, state, version,
    currency, origin_amount, payable_amount, created_at, expire_at, conversation_id)
VALUES ({id}, {id}, 'r{id}', 'n{id}', 'normal', 'pc', 'web', 'u1', 'awaiting_payment', 1, 'CNY',
    5, 5, now(), now(), 'c');
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price,
    origin_amount, payable_amount)
VALUES ({id}, 1, 's1', 'w1', 'p1', 'n', 'physical', 1, 5, 5, 5);
INSERT INTO fulfilment_steps (order_id, warehouse, pre_state, cur_state, number, cause_type, cause_id, happened_at)
VALUES ({id}, 'w1', '', 'requested', 1, 't', 'i', now());
"""
"""Places an order of one line, its first hand-over step included; {id} is its id."""


def month_of(at: datetime, months: int) -> datetime:
    """The first moment of the month that is so many months later."""
    number = at.year * 12 + at.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


async def first_id(pool: Pool, at: datetime) -> int:
    return int(await pool.fetchval("SELECT first_order_id($1)", at))


async def replace_first_partitions(pool: Pool, since: datetime) -> None:
    """Let the months of an empty database begin at `since`, as if it had been made then."""
    names = [row[0] for row in await pool.fetch("SELECT name FROM order_partitions ORDER BY place DESC")]
    bound = await first_id(pool, since)
    for name in names:
        await pool.execute(f"ALTER TABLE {name} DETACH PARTITION {name}_first")
    for name in names:
        await pool.execute(f"DROP TABLE {name}_first")
    for name in reversed(names):
        await pool.execute(f"CREATE TABLE {name}_first PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO ({bound})")
    await pool.fetchval("SELECT make_order_partitions('3 months')")
