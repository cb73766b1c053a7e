"""One database that many tests use, one after the other: what the test before left is deleted first.

A database of its own costs a test more than the test itself: PostgreSQL copies 600 files, and each new session plans
every statement anew. Tests that need a database's URL, or change its schema, have one of their own (`own_pool`).
"""

import secrets
from dataclasses import dataclass

import asyncpg

from db.pool import Pool, open_pool
from scripts.servers.postgres import PostgresServer

TESTS_PER_DATABASE = 200
"""Then a new one is created: deleted rows are never vacuumed, and what they cost grows with their number."""
TABLES_SQL = """
SELECT oid::regclass::text AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY 1
"""
SEQUENCES_SQL = """
SELECT format('setval(%L, %s, %L)', format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),
    last_value IS NOT NULL)
FROM pg_sequences WHERE schemaname = 'public'
"""
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(frozen=True)
class _Contents:
    """What a new database holds, so that it can be had again: `kept` are the tables with rows, copied to `pristine`."""

    empty: list[str]
    kept: list[str]
    sequences: list[str]


class SharedDatabase:
    """Gives each test the pool of a database that looks new."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server, self._template = server, template
        self._name, self._tests = "", 0
        self.url = ""  # of the present database
        self._pool: Pool | None = None
        self._contents = _Contents([], [], [])

    async def pool(self) -> Pool:
        """Return the pool after the rows of the last test are deleted, or that of a new database if they cannot be."""
        if self._pool is not None and self._tests < TESTS_PER_DATABASE and await self._emptied(self._pool):
            self._tests += 1
            return self._pool
        self.close()
        self._name = f"shared_{secrets.token_hex(4)}"
        self.url = self._server.new_database(self._name, template=self._template)
        pool = self._pool = await open_pool(self.url, application_name="tests", max_size=8)
        self._contents, self._tests = await _contents(pool), 1
        return pool

    def close(self) -> None:
        """End the sessions and drop the database."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
            self._server.drop_database(self._name)

    async def _emptied(self, pool: Pool) -> bool:
        """Delete all rows. Returns False if a session is lost, or still used by what the last test began."""
        if pool.get_idle_size() != pool.get_size():
            return False
        contents = self._contents
        filled = ", ".join(f"CASE WHEN EXISTS (SELECT FROM {name}) THEN '{name}' END" for name in contents.empty)
        try:
            async with pool.acquire() as session:
                found = [name for name in await session.fetchval(f"SELECT ARRAY[{filled}]") if name]
                await session.execute(_emptying(found, contents))
        except LOST:
            return False
        return True


def _emptying(filled: list[str], contents: _Contents) -> str:
    """Write the statements. No trigger fires, so the order of the tables does not matter."""
    deleted = [f"DELETE FROM {name};" for name in (*filled, *contents.kept)]
    again = [f"INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE pristine.{name};" for name in contents.kept]
    rows = "".join([*deleted, *again])
    sequences = ", ".join(contents.sequences)
    return f"BEGIN; SET LOCAL session_replication_role = replica; {rows} SELECT {sequences}; COMMIT"


async def _contents(pool: Pool) -> _Contents:
    tables = [row["name"] for row in await pool.fetch(TABLES_SQL)]
    filled = ", ".join(f"EXISTS (SELECT FROM {name})" for name in tables)
    has_rows = dict(zip(tables, await pool.fetchval(f"SELECT ARRAY[{filled}]"), strict=True))
    kept = [name for name in tables if has_rows[name]]
    copies = "".join(f"CREATE TABLE pristine.{name} AS TABLE public.{name};" for name in kept)
    await pool.execute(f"CREATE SCHEMA pristine; {copies}")
    sequences = [str(row[0]) for row in await pool.fetch(SEQUENCES_SQL)]
    return _Contents([name for name in tables if not has_rows[name]], kept, sequences)
