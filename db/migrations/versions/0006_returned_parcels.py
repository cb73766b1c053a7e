"""Parcels come back after they arrived, so their state follows from all facts about them, by when they happened."""

from db.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
