"""Hand-overs that wait are found by when they came into their state."""

from db.migrate import run_sql

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    run_sql(__file__)
