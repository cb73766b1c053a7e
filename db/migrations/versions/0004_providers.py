"""A payment channel is called a provider, and what it posts to us a notification."""

from db.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
