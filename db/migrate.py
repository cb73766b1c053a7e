"""Migrates a database to the newest schema. Alembic runs raw SQL files, forward only."""

from pathlib import Path

import psycopg
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
MOVED_ROWS_MAX = 500  # orders in one transaction: a handler that needs one of them waits some 50 ms at most
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
