"""Operators change what an unpaid order costs, each time with a row."""

from db.migrate import run_sql

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    run_sql(__file__)
