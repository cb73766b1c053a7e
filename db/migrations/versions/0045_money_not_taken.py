"""Since when authorised money that an order wants could not be taken."""

from db.migrate import run_sql

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    run_sql(__file__)
