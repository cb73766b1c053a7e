"""Orders are taken from other systems."""

from db.migrate import run_sql

revision = "0078"
down_revision = "0077"


def upgrade() -> None:
    run_sql(__file__)
