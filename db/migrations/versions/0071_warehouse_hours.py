"""Warehouses have hours, by which promises count their time."""

from db.migrate import run_sql

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    run_sql(__file__)
