"""What waits for a timer that a person has cancelled is found by the records of that."""

from db.migrate import run_sql

revision = "0088"
down_revision = "0087"


def upgrade() -> None:
    run_sql(__file__)
