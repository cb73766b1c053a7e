"""What deletes old rows: the days before which commands may be missing, and the indexes that find them."""

from db.migrate import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_sql(__file__)
