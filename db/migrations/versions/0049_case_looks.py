"""A look at what people wrote about a case is recorded, as a look at an address is."""

from db.migrate import run_sql

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    run_sql(__file__)
