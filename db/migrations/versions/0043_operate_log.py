"""The operate log of an order with its cases and stray refunds, as a view; cases by state."""

from db.migrate import run_sql

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    run_sql(__file__)
