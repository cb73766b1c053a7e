"""Parcels that bring goods of after-sale cases back, and what inspections found."""

from db.migrate import run_sql

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    run_sql(__file__)
