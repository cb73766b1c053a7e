"""SKUs have purchase prices, and lines keep them as they were when they were sold."""

from db.migrate import run_sql

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    run_sql(__file__)
