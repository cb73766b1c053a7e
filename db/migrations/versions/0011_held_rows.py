"""Held rows leave the outbox for a table of their own, so that the read of the others stays short."""

from db.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
