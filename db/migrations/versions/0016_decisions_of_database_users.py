"""Who decided is the database user of the session, which a person cannot choose; a free note stays beside it."""

from db.migrate import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql(__file__)
