"""Counts the statements that a contender sends to PostgreSQL, as the server sees them: by name, calls and time."""

import re
from dataclasses import dataclass

import asyncpg
import psycopg
from psycopg import sql

from db.statements import SQL
from scripts.servers.find import Servers

EXTENSION = "pg_stat_statements"


@dataclass(frozen=True)
class Counted:
    """One statement: its name in db/sql (or its beginning), its calls, rows and total milliseconds."""

    name: str
    calls: int
    rows: int
    milliseconds: float


def prepare(servers: Servers) -> None:
    """Load the counting extension. This restarts the private server."""
    with psycopg.connect(servers.postgres.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SYSTEM SET shared_preload_libraries = {}").format(EXTENSION))
        connection.execute("ALTER SYSTEM SET track_io_timing = on")
    servers.postgres.restart()


async def begin(database_url: str) -> None:
    """Reset the counters: counting starts now."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
    await connection.execute(f"SELECT {EXTENSION}_reset()")
    await connection.close()


async def counted(database_url: str) -> list[Counted]:
    """The statements that were counted in this database, the most expensive first."""
    names = {_bare(text): name for name, text in SQL.items()}
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        f"SELECT query, calls, rows, total_exec_time + total_plan_time AS ms FROM {EXTENSION}"
        " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 4 DESC"
    )
    await connection.close()
    return [Counted(names.get(_bare(r["query"]), r["query"][:60]), r["calls"], r["rows"], r["ms"]) for r in rows]


def _bare(text: str) -> str:
    """A statement without comments and without the constants that the server replaces by parameters."""
    constants = r"'[^']*'|\$?\b\d+\b|\b(NULL|true|false)\b|(?<=extract\()\w+|(?<=extract\()\$\d+"
    return re.sub(rf"--[^\n]*|/\*.*?\*/|{constants}|\s+", "", text)
