"""Operators correct the points of users."""

from db.migrate import run_sql

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    run_sql(__file__)
