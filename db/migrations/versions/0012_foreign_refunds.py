"""Refunds that providers made by themselves are in the books."""

from db.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
