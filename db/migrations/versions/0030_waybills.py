"""Parcels are booked at their carriers, which give them their numbers."""

from db.migrate import run_sql

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    run_sql(__file__)
