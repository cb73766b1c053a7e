"""Cases that wait for a decision, and goods that are to go back to the buyer, have timers."""

from db.migrate import run_sql

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    run_sql(__file__)
