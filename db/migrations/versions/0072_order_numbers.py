"""Order numbers are unique by a table of their own; the first months of orders get their bound."""

from db.migrate import run_sql

revision = "0072"
down_revision = "0071"


def upgrade() -> None:
    run_sql(__file__)
