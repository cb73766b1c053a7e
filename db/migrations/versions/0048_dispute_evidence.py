"""Evidence against disputes is recorded."""

from db.migrate import run_sql

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    run_sql(__file__)
