"""Migrates a database to the newest schema. Alembic runs raw SQL files, forward only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row

from db.statements import SQL

FOLDER = Path(__file__).parent / "migrations"
MOVED_ROWS_MAX = 500  # orders in one transaction: a handler that needs one of them waits some 50 ms at most
LOCK_SLOTS_MIN = 25_600
"""A transaction that places an order beside a year of partitions holds 330 locks; 80 of them at once fit in."""
SLOTS = "SELECT current_setting('max_locks_per_transaction')::bigint * current_setting('max_connections')::bigint"
ONCALL_ROLE = "oms_oncall"
"""The group role to which oncall.sql grants what the commands of on-call engineers use."""


def config(url: str) -> Config:
    """The configuration of Alembic for one database."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return made


def upgrade(url: str) -> str:
    """Apply every missing migration, move old rows, and return the number of the newest migration.

    Several processes may call it at once. Workers may run while rows are moved.
    """
    made = config(url)
    command.upgrade(made, "head")
    newest = ScriptDirectory.from_config(made).get_current_head()
    assert newest is not None, "there is a first migration"
    move_rows(url)
    return newest


@dataclass(frozen=True)
class SchemaStatus:
    """Where a database stands. `revision` is None before the first migration; `pending` are (number, what it does)."""

    revision: str | None
    newest: str
    pending: list[tuple[str, str]]
    partitions: list[dict[str, Any]]
    """Of orders and what belongs to them: see order_partitions.list in db/sql. Empty before they exist."""


def status(url: str) -> SchemaStatus:
    """Read where a database stands, and change nothing."""
    script = ScriptDirectory.from_config(config(url))
    newest = script.get_current_head()
    assert newest is not None, "there is a first migration"
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        revision, partitions = None, []
        if _exists(connection, "alembic_version"):
            revision = next(iter(connection.execute("SELECT version_num FROM alembic_version")), {}).get("version_num")
        if _exists(connection, "order_months"):
            partitions = connection.execute(SQL["order_partitions.list"].encode()).fetchall()
    pending = [one for one in script.walk_revisions() if revision is None or one.revision > revision]
    return SchemaStatus(
        revision=revision,
        newest=newest,
        pending=[(one.revision, (one.doc or "").rstrip(".")) for one in reversed(pending)],
        partitions=partitions,
    )


def lock_table_slots(url: str) -> int:
    """Return how many locks all transactions of the server can hold together."""
    with psycopg.connect(url) as connection:
        row = connection.execute(SLOTS).fetchone()
    assert row is not None, "every server has these settings"
    return int(row[0])


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL AS found", (table,)).fetchone()
    return bool(row and row["found"])


def move_rows(url: str, rows_max: int = MOVED_ROWS_MAX) -> None:
    """Bring rows of an older form into the new one, in small transactions. After the last of them it moves nothing."""
    with psycopg.connect(url, autocommit=True) as connection:
        for move in sorted((FOLDER / "moves").glob("*.sql")):
            after: int | None = -1
            while after is not None:
                given = {"after": after, "rows_max": rows_max}
                row = connection.execute(move.read_bytes(), given).fetchone()
                after = row[0] if row else None


def has_oncall_role(url: str) -> bool:
    """Tell whether the role of on-call engineers exists. Who may not create roles leaves it to an administrator."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT to_regrole(%s) IS NOT NULL", (ONCALL_ROLE,)).fetchone()
    return bool(row and row[0])


def run_sql(migration: str) -> None:
    """Execute the .sql file beside a migration unchanged: colons and percent signs in it are not parameters."""
    sql = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    if context.is_offline_mode():
        op.execute(sql)
        return
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def run_each(migration: str) -> None:
    """Execute each statement of the .sql file beside a migration in a transaction of its own.

    For statements that read whole tables and let workers go on: each ends with a semicolon at the end of its line. If
    one fails, the migration begins anew, so each must allow that it was executed before.
    """
    sql = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    with op.get_context().autocommit_block():
        for statement in sql.rstrip().removesuffix(";").split(";\n"):
            if context.is_offline_mode():
                op.execute(statement)
            else:
                op.get_bind().execution_options(no_parameters=True).exec_driver_sql(statement)
