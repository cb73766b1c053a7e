"""Operators keep a note with an order, and the commands of operators about an order are found."""

from db.migrate import run_sql

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    run_sql(__file__)
