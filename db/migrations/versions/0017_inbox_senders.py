"""The inbox knows a message by its id and its sender, so that no one can use up the ids of another."""

from db.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql(__file__)
