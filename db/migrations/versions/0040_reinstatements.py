"""A late payment may reinstate an order that timed out."""

from db.migrate import run_sql

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    run_sql(__file__)
