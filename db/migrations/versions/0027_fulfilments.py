"""Orders are handed over to warehouses, which report how far they are."""

from db.migrate import run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    run_sql(__file__)
