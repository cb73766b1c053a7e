"""Disputes have a date until which they are to be answered."""

from db.migrate import run_sql

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    run_sql(__file__)
