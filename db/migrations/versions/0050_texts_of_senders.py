"""A text that a person wrote is kept for each sender of a message id."""

from db.migrate import run_sql

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    run_sql(__file__)
