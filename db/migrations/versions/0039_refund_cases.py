"""A refund keeps the after-sale case that follows it."""

from db.migrate import run_sql

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    run_sql(__file__)
