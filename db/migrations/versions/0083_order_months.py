"""One view says which ids each partition has."""

from db.migrate import run_sql

revision = "0083"
down_revision = "0082"


def upgrade() -> None:
    run_sql(__file__)
