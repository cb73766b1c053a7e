"""Orders become a table of months; those that exist are its first partition."""

from db.migrate import run_sql

revision = "0074"
down_revision = "0073"


def upgrade() -> None:
    run_sql(__file__)
