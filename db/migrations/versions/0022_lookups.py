"""Indexes for lookups that read whole tables; one goes that made updates pass dead entries of all commands."""

from db.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_sql(__file__)
