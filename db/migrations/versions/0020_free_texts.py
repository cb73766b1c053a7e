"""Free texts are kept encrypted in a table of their own; what is stored beside orders and money is a coded reason."""

from db.migrate import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql(__file__)
