"""Buyers' disputes are recorded, and money that a won one brings back counts as never refunded."""

from db.migrate import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql(__file__)
