"""What became of the letters of a replay is seen without noting it."""

from db.migrate import run_sql

revision = "0089"
down_revision = "0088"


def upgrade() -> None:
    run_sql(__file__)
