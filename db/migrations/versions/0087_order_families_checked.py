"""The same is true of the families that exist."""

from db.migrate import run_sql

revision = "0087"
down_revision = "0086"


def upgrade() -> None:
    run_sql(__file__)
