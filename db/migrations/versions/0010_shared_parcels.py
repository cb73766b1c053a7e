"""A parcel holds goods of several orders of one user, and its number is free again once it has ended."""

from db.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
