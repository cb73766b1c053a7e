"""Exchange cases know what their exchange orders replace, and what a buyer owes for goods that never came back."""

from db.migrate import run_sql

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    run_sql(__file__)
