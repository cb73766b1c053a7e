"""What waits is found by when it began, and alerts about it are remembered."""

from db.migrate import run_sql

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    run_sql(__file__)
