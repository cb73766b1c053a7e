"""Disputes are listed by the date until which to answer."""

from db.migrate import run_sql

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    run_sql(__file__)
