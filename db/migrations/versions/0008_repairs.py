"""Repairs are recorded: what was owed to which order, who announced it again and why."""

from db.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__)
