"""Refunds that succeed above their capture are a state of their own."""

from db.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(__file__)
