"""Refunds that count are defined once; the points ledger keeps what was short."""

from db.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
