"""Lines that name no warehouse come from those of lists, and take the one that the stock chose."""

from db.migrate import run_sql

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    run_sql(__file__)
