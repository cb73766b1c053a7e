"""Dead letters are found among a million, edited, and replayed by runs that can be resumed."""

from db.migrate import run_sql

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    run_sql(__file__)
