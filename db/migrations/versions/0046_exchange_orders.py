"""Exchange orders: the goods that replace what comes back in a case."""

from db.migrate import run_sql

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    run_sql(__file__)
