"""Looks at dead letters in clear, exports and answers on the wire are recorded as looks at an address are."""

from db.migrate import run_sql

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    run_sql(__file__)
