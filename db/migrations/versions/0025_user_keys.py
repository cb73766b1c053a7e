"""Each user has a data key of his own."""

from db.migrate import run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_sql(__file__)
