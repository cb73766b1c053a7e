"""On-call engineers fire and cancel timers, hold messages and pause consumers, and it is recorded."""

from db.migrate import run_sql

revision = "0082"
down_revision = "0081"


def upgrade() -> None:
    run_sql(__file__)
