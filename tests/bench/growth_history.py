"""Fills a database with years of orders: real handlers make some, and SQL copies them with other ids and older times.

A copy differs in its ids, numbers, users and times, so every invariant of `oms audit` holds for it as for the original.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg

from db.pool import open_pool
from messages.orders import OrderConfirmReceipt, OrderCreate
from tests.bench import bulk
from tests.bench.load import Load
from tests.handlers.builders import book, cancel, captured, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result
from workers import shop
from workers.domain.shop import Policy, Shop

ORIGINALS = 1_000
GROUP_ORDERS = 100  # in one batch of a handler
UNPAID_PERCENT, REFUNDED_PERCENT = 10, 8
HISTORY_DAYS = 360  # below the retention of commands, so that nothing is purged while the bench measures
INBOX_DAYS = 40
USERS_PER_ORIGINAL = 200
COPIES_AT_ONCE = 10

# $1 the number of the first copy, $2 of the last, $3 the distance of ids, $4 the distance in time
_ID, _TEXT = "{c} - k * $3::bigint", "{c} || '-' || k"
_USER = f"{{c}} || '-' || k % {USERS_PER_ORIGINAL}"
_KEY = f"CASE WHEN {{c}} LIKE 'u:%' THEN {_USER} ELSE {{c}} END"
_SCOPE = f"""CASE type WHEN 'order.create.v1' THEN {_USER.format(c="scope")}
    ELSE concat_ws(':', split_part(scope, ':', 1), split_part(scope, ':', 2)::bigint - k * $3::bigint,
                   split_part(scope, ':', 3), split_part(scope, ':', 4)) END"""
_OUTCOME = """CASE WHEN outcome ? 'order_id'
    THEN jsonb_set(outcome, '{{order_id}}', to_jsonb(((outcome ->> 'order_id')::bigint - k * $3::bigint)::text))
    ELSE outcome END"""
TABLES: Mapping[str, Mapping[str, str]] = {
    "orders": {
        **dict.fromkeys(("id", "root_id", "parent_id", "intent_id"), _ID),
        "order_no": "lpad(k::text, 8, '0') || substr({c}, 9)",
        "request_id": _TEXT,
        "user_id": _USER,
    },
    "order_numbers": {"order_no": "lpad(k::text, 8, '0') || substr({c}, 9)", "order_id": _ID},
    "order_items": {"order_id": _ID},
    "order_addresses": {"order_id": _ID, "key_id": _KEY},
    "order_snapshots": {"order_id": _ID},
    "operate_logs": {"order_id": _ID},
    "payment_intents": {"id": _ID, "order_id": _ID},
    "payment_facts": {"order_id": _ID, "intent_id": _ID, "trade_no": _TEXT},
    "refunds": {"id": _ID, "order_id": _ID, "intent_id": _ID, "refund_no": _TEXT, "trade_no": _TEXT},
    "refund_lines": {"refund_id": _ID, "order_id": _ID},
    "shipments": {"id": _ID, "tracking_no": _TEXT},
    "shipment_items": {"shipment_id": _ID, "order_id": _ID},
    "shipment_facts": {"shipment_id": _ID, "tracking_no": _TEXT},
    "commands": {"scope": _SCOPE, "request_id": _TEXT, "message_id": _TEXT, "outcome": _OUTCOME, "order_id": _ID},
    "stock_holders": {"holder_id": _ID, "group_id": _ID},
    "stock_ledger": {"holder_id": _ID},
}
"""Table -> column -> what the column of a copy holds. Times move, and all other columns stay as they are."""
COLUMNS = """
SELECT c.relname AS table_name, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname = ANY ($1::text[]) AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = ''
ORDER BY a.attnum
"""
SPAN = """
SELECT max(id) - min(id) + 1 AS span
FROM (SELECT id FROM orders UNION ALL SELECT id FROM shipments UNION ALL SELECT id FROM refunds
      UNION ALL SELECT id FROM payment_intents) AS ids
"""
RECEIVED = """
INSERT INTO stock_ledger (holder_id, sku_id, warehouse, op, ref, qty)
SELECT 0, sku_id, warehouse, 'receive', 'fill', on_hand FROM stock
"""
COUNTED = """
UPDATE stock s SET on_hand = f.on_hand
FROM (SELECT sku_id, warehouse,
          sum(CASE op WHEN 'commit' THEN -qty WHEN 'reserve' THEN 0 WHEN 'release' THEN 0 ELSE qty END) AS on_hand
      FROM stock_ledger GROUP BY sku_id, warehouse) AS f
WHERE f.sku_id = s.sku_id AND f.warehouse = s.warehouse
"""
KEYS_OF_USERS = f"""
INSERT INTO user_keys (key_id, user_id, shop_key_id, wrapped)
SELECT {_USER.format(c="key_id")}, {_USER.format(c="user_id")}, shop_key_id, wrapped
FROM user_keys CROSS JOIN generate_series(0, {USERS_PER_ORIGINAL - 1}) AS k
"""
INBOX = f"""
INSERT INTO inbox (queue, message_id, body_hash, processed_at, sender)
SELECT 'order-creation', md5(n::text), sha256(int4send(n)), now() - interval '{INBOX_DAYS} days' * n / $1,
    'oms-storefront'
FROM generate_series(1, $1::integer) n
"""
BACKLOG = """
INSERT INTO outbox
    (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, must_route)
SELECT n % 64, 'b' || n, md5(n::text), 'order.paid.v1', 'events', 'bench.backlog', 'c', '{}',
    convert_to(repeat('x', 400), 'UTF8'), false
FROM generate_series(1, $1::integer) n
"""

SIZES = """
WITH grown AS (
    SELECT coalesce(i.inhparent, c.oid) AS oid, coalesce(i.inhparent, c.oid)::regclass::text AS table_name,
        sum(c.reltuples)::bigint AS rows, sum(pg_total_relation_size(c.oid)) AS total
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    GROUP BY 1 HAVING sum(c.reltuples) > $1::bigint
)
SELECT table_name, '' AS index_name, rows, total AS bytes, total FROM grown
UNION ALL
SELECT table_name, i.indexrelid::regclass::text, rows,
    coalesce((SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(i.indexrelid)),
        pg_relation_size(i.indexrelid)), total
FROM grown JOIN pg_index i ON i.indrelid = grown.oid
ORDER BY total DESC, table_name, bytes DESC
"""


async def originals(url: str, given: Load) -> None:
    """Let handlers make the orders of `given`: most completed, some never paid, some cancelled and refunded."""
    pool = await open_pool(url, application_name="bench", max_size=2)
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    harness = HandlerHarness(pool)
    await pool.execute(RECEIVED)
    for start in range(0, len(given.bodies), GROUP_ORDERS):
        await _lives(
            harness, [OrderCreate.model_validate_json(one) for one in given.bodies[start : start + GROUP_ORDERS]]
        )
    shop.configure(Shop())
    await pool.close()


async def _lives(harness: HandlerHarness, bodies: list[OrderCreate]) -> None:
    """Take a batch of orders from their creation to their end."""
    harness.events.clear()
    await harness.handle(*bodies)
    ids = [int(event["order_id"]) for event in harness.events_of("order.created")]
    made = await harness.rows("SELECT id, user_id, payable_amount FROM orders WHERE id = ANY ($1::bigint[])", ids)
    assert len(made) == len(bodies), harness.events[-1:]
    unpaid = len(made) * UNPAID_PERCENT // 100
    refunded = unpaid + len(made) * REFUNDED_PERCENT // 100
    await harness.handle(*(captured(id, pay, f"t-{id}", currency="USD") for id, _, pay in made[unpaid:]), trusted=True)
    await harness.handle(*(cancel(id, f"x-{id}", user(name)) for id, name, _ in made[:refunded]))
    refunds = harness.events_of("refund.requested")
    await harness.handle(*(refund_result(event) for event in refunds), trusted=True)
    shipped = made[refunded:]
    await harness.handle(*(book(id, f"P-{id}") for id, _, _ in shipped))
    for status in ("outbound", "delivered"):
        await harness.handle(*(update(id, f"P-{id}", status) for id, _, _ in shipped))
    received = (OrderConfirmReceipt(request_id=f"ok-{id}", actor=user(name), order_id=id) for id, name, _ in shipped)
    await harness.handle(*received)


async def copy(url: str, orders: int, show: Callable[[str], None]) -> None:
    """Copy the originals until there are so many orders, on tables without indexes, which are made at the end."""
    first = await asyncpg.connect(url)
    copies = max(1, orders // ORIGINALS - 1)
    step_seconds = HISTORY_DAYS * 86_400 // copies
    id_step = step_seconds * 1000 << 22  # ids begin with their time, which chooses the partition
    assert id_step >= await first.fetchval(SPAN), "copies would have the ids of others"
    statements = await _statements(first)
    removed = await bulk.remove(first, list(TABLES))
    await first.close()
    steps = iter(range(1, copies + 1, COPIES_AT_ONCE))
    started, done = time.monotonic(), 0

    async def work() -> None:
        nonlocal done
        connection = await asyncpg.connect(url, server_settings=bulk.SESSION)
        try:
            for step in steps:
                last = min(step + COPIES_AT_ONCE - 1, copies)
                for statement in statements:
                    await connection.execute(statement, step, last, id_step, float(step_seconds))
                done += last - step + 1
                if done % (COPIES_AT_ONCE * 10) == 0:
                    show(f"{done * ORIGINALS} of {orders} orders after {time.monotonic() - started:.0f} s")
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(bulk.PARALLEL):
            group.create_task(work())
    show(f"rows are copied after {time.monotonic() - started:.0f} s; making indexes")
    await bulk.restore(url, removed, show)
    show(f"copied with indexes and keys after {time.monotonic() - started:.0f} s")


async def _statements(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """One INSERT for each table, which copies the originals."""
    columns: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.fetch(COLUMNS, list(TABLES)):
        columns.setdefault(row["table_name"], []).append((row["name"], row["type"]))
    statements = []
    for table, changes in TABLES.items():
        await connection.execute(f"CREATE TABLE original_{table} AS SELECT * FROM {table}")
        if table == "stock_ledger":
            await connection.execute("DELETE FROM original_stock_ledger WHERE holder_id = 0")
        names = [name for name, _ in columns[table]]
        values = [
            changes[name].format(c=name)
            if name in changes
            else f"{name} - make_interval(secs => k * $4::float8)"
            if type_ == "timestamp with time zone"
            else name
            for name, type_ in columns[table]
        ]
        typed = " WHERE $3::bigint IS NOT NULL AND $4::float8 IS NOT NULL"  # every statement gets all parameters
        statements.append(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM generate_series($1::bigint, $2::bigint) AS k CROSS JOIN original_{table}{typed}"
        )
    return statements


async def finish(url: str, inbox_rows: int) -> None:
    """Recount the stock, fill the inbox, drop the originals, vacuum and analyze."""
    connection = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
    await connection.execute(COUNTED)
    await connection.execute(KEYS_OF_USERS)
    await connection.execute(INBOX, inbox_rows)
    for table in TABLES:
        await connection.execute(f"DROP TABLE original_{table}")
    await connection.execute("VACUUM (ANALYZE)", timeout=1800)
    await connection.execute("CHECKPOINT", timeout=600)
    await connection.close()


@dataclass(frozen=True)
class Bytes:
    """What a table takes with TOAST and indexes; or, with the name of an index, what that one takes."""

    table: str
    index: str
    rows: int
    per_row: float
    per_order: float


async def bytes_per_order(url: str) -> list[Bytes]:
    """The bytes of each table that grows with the orders, the largest first, and of its indexes."""
    connection = await asyncpg.connect(url)
    orders = await connection.fetchval("SELECT count(*) FROM orders")
    found = await connection.fetch(SIZES, orders // 100)
    await connection.close()
    return [
        Bytes(row["table_name"], row["index_name"], row["rows"], row["bytes"] / row["rows"], row["bytes"] / orders)
        for row in found
    ]
