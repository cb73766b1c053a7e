"""Refused goods of cases go back to the buyer, in parcels of their cases."""

from db.migrate import run_sql

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    run_sql(__file__)
