"""The schema that a reviewer reads is the schema that the migrations build."""

import io
import re
from pathlib import Path

import asyncpg
import pytest
from alembic import command

import db
from db import migrate, version
from db.pool import open_pool

CATALOGUE = """
SELECT 'column' AS kind, c.relname || '.' || a.attname AS name,
    format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attidentity::text || ' '
        || coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND c.relkind IN ('r', 'p', 'v', 'S') AND NOT c.relispartition
UNION ALL SELECT 'table', relname, relkind::text
        || coalesce(array_to_string(nullif(reloptions, '{fillfactor=100}'), ','), '')
        || coalesce(pg_get_partkeydef(oid), '') || coalesce(pg_get_expr(relpartbound, oid), '')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
UNION ALL SELECT 'index', x.indexname, x.indexdef
    FROM pg_indexes x JOIN pg_class c ON c.oid = format('%I.%I', x.schemaname, x.tablename)::regclass
    WHERE x.schemaname = 'public' AND NOT c.relispartition
UNION ALL SELECT 'constraint', k.conrelid::regclass::text || '.' || k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = 'public'::regnamespace AND c.relispartition IS NOT TRUE AND k.conparentid = 0
UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"


async def everything(url: str) -> set[tuple[str, str, str]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(CATALOGUE)
    finally:
        await connection.close()
    return {tuple(row) for row in rows if "alembic_version" not in row["name"]}


async def test_the_migrations_build_what_schema_sql_says(database_url: str, empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute((Path(db.__file__).parent / "schema.sql").read_text(encoding="utf-8"))
    await connection.close()

    written, migrated = await everything(empty_database_url), await everything(database_url)

    assert written == migrated
    assert len(written) > 200


async def test_the_lookups_of_the_documents_have_an_index(database_url: str) -> None:
    """S3-31 and S1-39. The time of an order is in its id, by which its lists go; `paid_at` of those that were paid."""
    connection = await asyncpg.connect(database_url)
    found = {row[0].partition(" USING btree ")[2].partition(" WHERE ")[0] for row in await connection.fetch(INDEXES)}
    await connection.close()
    assert found >= {
        "(user_id, id)",  # user + time
        "(user_id, state, id)",  # user + status + time
        "(state, created_at)",  # status + time
        "(paid_at)",
        "(order_id, line_no)",  # item (order, product)
        "(sku_id, order_id)",  # item (sku, time)
        "(order_id, kind)",  # payment (order, pay status)
        "(out_trade_no)",
    }


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    before = await everything(database_url)
    migrate.upgrade(database_url)
    assert await everything(database_url) == before


def test_the_printed_sql_validates_a_constraint_after_it_has_given_back_its_locks() -> None:
    made = migrate.config("postgresql://nobody@nowhere/none")
    made.output_buffer = printed = io.StringIO()
    command.upgrade(made, "0085:head", sql=True)
    transactions = printed.getvalue().split("COMMIT;")
    assert any("VALIDATE CONSTRAINT" in one for one in transactions)
    assert not [one for one in transactions if "NOT VALID" in one and "VALIDATE CONSTRAINT" in one]


def test_a_migration_does_not_stop_a_shop_behind_a_long_read() -> None:
    # who changes a table waits for all who read it, and everyone else then waits behind
    newest = [file for file in (migrate.FOLDER / "versions").glob("*.sql") if file.name >= "0084"]
    texts = {file.name: file.read_text("utf-8") for file in newest}
    locking = [name for name, text in texts.items() if re.search(r"^ALTER TABLE (?!\w+ VALIDATE)", text, re.MULTILINE)]
    assert [name for name in locking if "SET LOCAL lock_timeout" not in texts[name]] == []


async def test_postgresql_17_is_enough(database_url: str) -> None:
    text = (Path(db.__file__).parent / "schema.sql").read_text(encoding="utf-8").lower()
    assert not [word for word in ("uuidv7(", "virtual", "returning old", "without overlaps") if word in text]


async def test_a_worker_waits_for_its_migration_and_takes_a_newer_schema(
    database_url: str, empty_database_url: str
) -> None:
    behind, current = (
        await open_pool(empty_database_url, application_name="t"),
        await open_pool(database_url, application_name="t"),
    )
    try:
        with pytest.raises(version.SchemaBehindError, match="oms migrate"):
            await version.check(behind)
        await version.check(current)
        await current.execute("UPDATE alembic_version SET version_num = '9999'")
        await version.check(current)
    finally:
        behind.terminate()
        current.terminate()
