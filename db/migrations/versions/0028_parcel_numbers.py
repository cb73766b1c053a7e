"""Parcels are found by their tracking number alone: a support person seldom knows the carrier."""

from db.migrate import run_sql

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    run_sql(__file__)
