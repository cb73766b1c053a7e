"""The ids of a family of orders lie less than a day apart: the database refuses others."""

from db.migrate import run_sql

revision = "0086"
down_revision = "0085"


def upgrade() -> None:
    run_sql(__file__)
