"""Units of stock move from one warehouse to another."""

from db.migrate import run_sql

revision = "0063"
down_revision = "0062"


def upgrade() -> None:
    run_sql(__file__)
