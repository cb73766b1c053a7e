"""Each hold of an order is a row: who placed it, why, and who released it."""

from db.migrate import run_sql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_sql(__file__)
