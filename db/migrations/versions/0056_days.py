"""The steps and refusals of a day have indexes."""

from db.migrate import run_sql

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    run_sql(__file__)
