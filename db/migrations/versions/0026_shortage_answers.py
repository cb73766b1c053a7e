"""A shortage may hold its order until the buyer has answered, and a timer ends the wait."""

from db.migrate import run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_sql(__file__)
