"""Buyers have contacts, and are notified of what happens to their orders."""

from db.migrate import run_sql

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    run_sql(__file__)
