"""Checks the version of the schema, so that a worker waits for its migration instead of failing every message."""

from pathlib import Path

import asyncpg

from db.errors import UnavailableError
from db.pool import Pool

NEEDED = max(path.stem.split("_")[0] for path in (Path(__file__).parent / "migrations" / "versions").glob("*.sql"))


class SchemaBehindError(UnavailableError):
    """The database is not migrated yet. Workers wait until it is."""


async def check(pool: Pool) -> None:
    """Raises SchemaBehindError if a migration is missing.

    A newer schema is fine: migrations run before their code starts.
    """
    try:
        found = await pool.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        found = None
    if found is None or found < NEEDED:
        raise SchemaBehindError(f"the schema is at {found or 'nothing'}, this version needs {NEEDED}: run oms migrate")
