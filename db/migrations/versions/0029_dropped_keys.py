"""The dropped keys of a user are found by the user: `oms subject status` shows when a user was erased."""

from db.migrate import run_sql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    run_sql(__file__)
