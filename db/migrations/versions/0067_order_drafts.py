"""Buyers save drafts of orders."""

from db.migrate import run_sql

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    run_sql(__file__)
