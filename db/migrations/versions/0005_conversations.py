"""Every order remembers the correlation id of the order.create that placed it."""

from db.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
