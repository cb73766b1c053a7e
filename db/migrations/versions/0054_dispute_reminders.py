"""A dispute says when people are to be reminded of it."""

from db.migrate import run_sql

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    run_sql(__file__)
