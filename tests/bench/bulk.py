"""Takes indexes and keys from tables while rows are copied into them, and makes them again: that saves much time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg

PARALLEL = 2
SESSION = {
    "session_replication_role": "replica",  # no trigger fires: what they check holds for the originals
    "synchronous_commit": "off",
    "jit": "off",
    "maintenance_work_mem": "1GB",
    "max_parallel_maintenance_workers": "0",  # as many tables as cores are worked on already
}
KEYS = """
SELECT conrelid::regclass::text AS table_name, contype = 'f' AS foreign_key,
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS removal,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS making,
    format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname) AS check
FROM pg_constraint
WHERE contype IN ('p', 'u', 'x', 'f') AND coninhcount = 0 AND conparentid = 0 AND connamespace = 'public'::regnamespace
    AND (conrelid::regclass::text = ANY ($1::text[]) OR confrelid::regclass::text = ANY ($1::text[]))
ORDER BY contype <> 'f', contype <> 'p', conname
"""
INDEXES = """
SELECT indrelid::regclass::text AS table_name, false AS foreign_key,
    format('DROP INDEX %s', indexrelid::regclass) AS removal,
    replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS making, NULL AS check
FROM pg_index
WHERE indrelid::regclass::text = ANY ($1::text[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
ORDER BY indexrelid::regclass::text
"""


@dataclass(frozen=True)
class Removed:
    """What was removed: the statements that make the indexes of each table, and (making, check) of each foreign key."""

    indexes: dict[str, list[str]]
    foreign_keys: list[tuple[str, str]]


async def remove(connection: "asyncpg.Connection[asyncpg.Record]", tables: Sequence[str]) -> Removed:
    """Drop the indexes, keys and foreign keys of these tables, and the foreign keys that refer to them."""
    rows = [*await connection.fetch(KEYS, tables), *await connection.fetch(INDEXES, tables)]
    removed = Removed({table: [] for table in tables}, [])
    async with connection.transaction():
        for row in rows:
            await connection.execute(row["removal"])
            if row["foreign_key"]:
                removed.foreign_keys.append((f"{row['making']} NOT VALID", row["check"]))
            else:
                removed.indexes[row["table_name"]].append(row["making"])
    return removed


async def restore(url: str, removed: Removed, show: Callable[[str], None]) -> None:
    """Make all again, the largest table first, and check the foreign keys. Tables are vacuumed and analyzed."""
    connection = await asyncpg.connect(url)
    sizes = await connection.fetch(
        "SELECT name FROM unnest($1::text[]) AS name, LATERAL (SELECT sum(pg_relation_size(relid)) AS months"
        " FROM pg_partition_tree(name)) AS t ORDER BY coalesce(months, pg_relation_size(name::regclass)) DESC",
        list(removed.indexes),
    )
    await side_by_side(
        url, [[*removed.indexes[row["name"]], f"VACUUM (FREEZE, ANALYZE) {row['name']}"] for row in sizes]
    )
    show("indexes are made; checking foreign keys")
    for making, _ in removed.foreign_keys:
        await connection.execute(making)
    await connection.close()
    await side_by_side(url, [[check] for _, check in removed.foreign_keys])


async def side_by_side(url: str, work: Sequence[Sequence[str]]) -> None:
    """Run lists of statements, each list in order, on as many connections as the machine has cores for."""
    waiting = iter(work)

    async def run() -> None:
        connection = await asyncpg.connect(url, server_settings=SESSION)
        try:
            for statements in waiting:
                for statement in statements:
                    await connection.execute(statement, timeout=3600)
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(PARALLEL):
            group.create_task(run())
