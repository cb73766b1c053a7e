"""Units that come back may be kept apart or written off."""

from db.migrate import run_sql

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    run_sql(__file__)
