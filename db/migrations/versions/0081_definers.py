"""Functions with the rights of their owner cannot be led to tables of their caller."""

from db.migrate import run_sql

revision = "0081"
down_revision = "0080"


def upgrade() -> None:
    run_sql(__file__)
