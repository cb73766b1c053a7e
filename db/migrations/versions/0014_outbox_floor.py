"""Reads of the outbox begin above what can never appear again; a lease is one row for each relay."""

from db.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
