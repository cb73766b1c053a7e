"""Catalogue entries whose revision was set back, by whom and why."""

from db.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql(__file__)
