"""A partly shipped order ends without the units that are short or cancelled."""

from db.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__)
