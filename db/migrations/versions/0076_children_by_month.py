"""What belongs to an order becomes tables of months as well."""

from db.migrate import run_sql

revision = "0076"
down_revision = "0075"


def upgrade() -> None:
    run_sql(__file__)
