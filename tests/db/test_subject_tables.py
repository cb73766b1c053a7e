"""Every table says whether a user's rows of it are exported and what of them is erased, or why not (S1-47).

One row about user u1 and order 1 is planted in each table, with a value of its own in each column. So a table or a
column that is new is found in neither the export nor the reasons here, and fails a test until someone decides.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import sql

from db import cipher
from db.pool import Pool
from db.statements import SQL
from messages.base import Command, free_text_fields
from messages.registry import MODELS
from tests.db.plans import CHECKS
from workers.services import subject_exports
from workers.store import exports, keys, subjects

_QUEUED = "a message under way: a user is not erased while one with personal data waits"
_OURS = "about the shop and its processes"
_STOCK = "may be in a database of its own; the lines and parcels of the order say the same"
NOT_EXPORTED = {
    **dict.fromkeys(("outbox", "outbox_held", "outbox_holds"), _QUEUED),
    **dict.fromkeys(
        ("outbox_shards", "outbox_floor", "outbox_relays", "progress", "retention_horizons", "standing_alerts"), _OURS
    ),
    **dict.fromkeys(("alembic_version", "provider_certificates", "reconciliations", "business_policies"), _OURS),
    **dict.fromkeys(("warehouse_lists", "warehouse_hours", "standing_alerts"), _OURS),
    **dict.fromkeys(("skus", "promotions", "promotion_quotas", "coupon_templates"), "the catalogue, of no user"),
    **dict.fromkeys(("stock", "stock_holders", "stock_ledger"), _STOCK),
    "outbox_streams": "how many events an order has had, and the id of the message that began it",
    "interventions": "what people did to timers, messages and processes, of no user",
    "consumer_pauses": _OURS,
    "dead_letter_notes": "about all letters that failed alike, of no user",
    "inbox": "ids of messages, and hashes that nobody can compute without a key",
    "reconciliation_rows": "that a statement listed a payment or refund, which is exported",
    "timers": "when a worker looks at an order again",
    "order_numbers": "the numbers of orders, which the orders have",
}
"""Table -> why `subject.export` has nothing of it."""

REMOVED: Mapping[str, set[str]] = {
    "user_keys": {"shop_key_id", "wrapped", "erased_at"},
    "order_addresses": {"key_id", "ciphertext"},
    "orders": {"remark_key_id", "user_remark"},
    "payment_attempts": {"key_id", "details"},
    "order_notes": {"key_id", "ciphertext"},
    "payment_notifications": {"key_id", "notification"},
    "free_texts": {"key_id", "ciphertext"},
    "revision_resets": {"key_id", "reason"},
    "dead_letters": {"key_id", "body", "headers"},
    "dead_letter_actions": {"reason"},
    "dead_letter_edits": {"key_id", "body", "reason"},
    "replay_runs": {"selection", "reason", "why"},
    "repairs": {"reason"},
    "address_accesses": {"reason"},
    "shipment_facts": {"place"},
    "after_sales": {"evidence"},
    "dispute_evidence": {"evidence"},
    "cart_lines": {"every column"},
    "user_contacts": {"every column"},
    "order_drafts": {"every column"},
}
"""Table -> the personal columns, which `subject.erase` empties where no key of the user encrypts them."""
NOT_PERSONAL = {
    **dict.fromkeys(("inbox.body_hash", "commands.payload_hash", "dead_letters.body_hash"), "sealed with a key"),
    "payment_notifications.body_hash": "of a body with a signature, which nobody can guess",
    "reconciliations.file_hash": "of a whole statement",
    **dict.fromkeys(("outbox.body", "outbox.headers", "outbox_held.body", "outbox_held.headers"), _QUEUED),
}
"""Column of bytes that stays -> why it may."""
OF_THE_SHOP = {"order_items.purchase_price": "what the shop pays its suppliers is no data about the buyer"}
"""Column of a table about a user -> why it is not exported."""
NOT_OF_A_USER = {
    "dispute.submit_evidence:{provider}:{dispute_no}": "the dispute has its evidence",
    "coupon.issue": "the coupon has all that it says",
    "order.import:{source}": "the order has all that it says",
    "fulfilment.get:{warehouse}": "of a warehouse; the hand-over has its steps",
    "revision.reset": "revision_resets has it",
    **dict.fromkeys(("coupon_template.upsert:{template_id}", "promotion.upsert:{promo_id}"), "the catalogue"),
    **dict.fromkeys(("sku.upsert:{sku_id}", "settings.set:{business_type}"), "the catalogue"),
    "warehouses.set:{country}/{province}/{sku_id}": "the catalogue",
    "warehouse_hours.set:{warehouse}": "the catalogue",
    **dict.fromkeys(
        (f"stock.{name}:{{warehouse}}:{{sku_id}}" for name in ("receive", "adjust", "end_quarantine")), "the stock"
    ),
    "stock.threshold.set:{warehouse}:{sku_id}": "the stock",
    "stock.transfer:{warehouse}:{to_warehouse}": "the stock",
    "payment.reconcile:{provider}:{day}": "a statement",
}
"""Scope of commands -> why they are not exported."""

IDS = {
    "id",
    "case_id",
    "dispute_id",
    "order_id",
    "root_id",
    "intent_id",
    "refund_id",
    "shipment_id",
    "dead_letter_id",
    "run_id",
    "line_no",
    "group_key",
    "key",
}
LINKS = {"user_id": "u1", "provider": "p", "trade_no": "t", "coupon_id": "c", "warehouse": "w"}
"""Columns by which rows lead to each other, and their values."""
SPECIAL: Mapping[str, Any] = {
    "commands.scope": "order.cancel:1:user:u1",
    "free_texts.about": "1",
    "dead_letters.about": ["user:u1"],
    "payment_notifications.about": "payment_attempts.out_trade_no",
    "revision_resets.kind": "member",
    "revision_resets.id": "u1",
    "user_keys.erased_at": None,
    "orders.parent_id": None,
}
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
COLUMNS = """
SELECT c.relname, a.attname, t.typname, t.typcategory
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY 1, a.attnum
"""


def value_of(table: str, column: str, kind: str, category: str, number: int) -> tuple[Any, str | None]:
    """The value to plant in a column, and by what it is found in an export; None if it is not looked for."""
    name = f"{table}.{column}"
    if name in SPECIAL:
        return SPECIAL[name], None
    if column in LINKS or column in IDS or column.endswith("key_id"):
        return LINKS.get(column, name if category == "S" else 1), None
    moment = FIRST + timedelta(minutes=number)
    known: dict[str, tuple[Any, str | None]] = {
        "S": (name, name),
        "N": (10_000 + number, str(10_000 + number)),
        "D": (moment, moment.strftime("%Y-%m-%dT%H:%M" if kind == "timestamptz" else "%Y-%m-%d")),
        "B": (False, None),
        "A": ([name], name) if kind == "_text" else ([], None),
    }
    return (orjson.dumps({"of": name}).decode(), name) if kind == "jsonb" else known.get(category, (b"\x01", None))


def plant(url: str) -> dict[str, dict[str, str]]:
    """Plant a row in each table. Returns table -> column -> by what its value is found."""
    tables: dict[str, dict[str, Any]] = {}
    marks: dict[str, dict[str, str]] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for number, (table, column, kind, category) in enumerate(connection.execute(COLUMNS).fetchall()):
            value, mark = value_of(table, column, kind, category, number)
            tables.setdefault(table, {})[column] = value
            marks.setdefault(table, {}).update({} if mark is None else {column: mark})
        for (statement,) in connection.execute(CHECKS).fetchall():
            connection.execute(statement)
        for table in tables:
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
        for table, row in tables.items():
            names, places = map(sql.Identifier, row), [sql.Placeholder()] * len(row)
            insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})")
            query = insert.format(sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join(places))
            connection.execute(query, list(row.values()))
    return marks


@pytest.fixture
def marks(database_url: str) -> dict[str, dict[str, str]]:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    return plant(database_url)


async def test_every_column_of_every_table_about_a_user_is_exported(
    marks: dict[str, dict[str, str]], pool: Pool
) -> None:
    async with pool.acquire() as tx, tx.transaction(readonly=True):
        part = await subject_exports.part(tx, "u1", exports.SECTIONS[0], None)
    text = orjson.dumps(part.data).decode()
    missing = {
        table: columns
        for table, of_columns in marks.items()
        if (
            columns := {
                column
                for column, mark in of_columns.items()
                if f'"{mark}' not in text and f":{mark}" not in text and f"{table}.{column}" not in OF_THE_SHOP
            }
        )
    }
    assert {table: columns for table, columns in missing.items() if table not in NOT_EXPORTED} == {}
    assert missing.keys() == NOT_EXPORTED.keys()


async def rows(pool: Pool, tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {table: dict(await pool.fetchrow(f'SELECT * FROM "{table}"') or {}) for table in tables}


async def test_erasing_empties_every_personal_column_and_no_other(marks: dict[str, dict[str, str]], pool: Pool) -> None:
    before = await rows(pool, marks)
    async with pool.acquire() as tx, tx.transaction():
        await subjects.erase(tx, ["u1"])
    after = await rows(pool, marks)
    changed = {
        table: {name for name, value in row.items() if after[table][name] != value}
        if after[table]
        else {"every column"}
        for table, row in before.items()
        if after[table] != row
    }
    assert changed == REMOVED
    kept = {table: row for table, row in before.items() if after[table]}
    sealed = {f"{table}.{name}" for table, row in kept.items() for name, value in row.items() if value == b"\x01"}
    assert sealed - {f"{table}.{name}" for table, names in REMOVED.items() for name in names} == NOT_PERSONAL.keys()


def test_every_command_is_exported_or_has_a_reason() -> None:
    scopes = {
        model.SCOPE.replace("{command}", model.routing_key()) for model in MODELS.values() if issubclass(model, Command)
    }
    assert scopes - {scope for section in exports.SCOPES.values() for scope in section} == NOT_OF_A_USER.keys()


def test_every_text_about_a_user_is_exported_and_erased_and_none_waits_in_clear() -> None:
    """Most texts are about an order, a refund or a payment; those about a user are found by the type of the message."""
    texts = [model for model in MODELS.values() if free_text_fields(model)]
    about_users = [m.routing_key() for m in texts if issubclass(m, Command) and "{user_id}" in m.SCOPE]
    named = ", ".join(f"'{name}'" for name in sorted(about_users))
    for statement in ("exports.texts", "subjects.erase"):
        assert SQL[statement].count(f"IN ({named})") == 2, statement
    assert {m.TYPE for m in texts if f"'{m.TYPE}'" not in SQL["audit.personal_data"]} == set()


async def test_every_table_with_ciphertexts_is_rotated(marks: dict[str, dict[str, str]], pool: Pool) -> None:
    found = await rows(pool, marks)
    assert {table for table, row in found.items() if any(name.endswith("key_id") for name in row)} == keys.PLACES.keys()
