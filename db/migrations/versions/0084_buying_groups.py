"""Orders are bought in groups, of which all go on or none."""

from db.migrate import run_sql

revision = "0084"
down_revision = "0083"


def upgrade() -> None:
    run_sql(__file__)
