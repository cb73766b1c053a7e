"""Order numbers come from a sequence: no row that every batch locks."""

from db.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql(__file__)
