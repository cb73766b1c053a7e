"""A payment may be authorised when the order is placed, and captured when its goods leave."""

from db.migrate import run_sql

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    run_sql(__file__)
