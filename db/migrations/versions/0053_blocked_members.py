"""Members can be blocked: they place no orders."""

from db.migrate import run_sql

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    run_sql(__file__)
