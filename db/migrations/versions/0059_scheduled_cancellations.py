"""Orders are cancelled at a time that a buyer or an operator names."""

from db.migrate import run_sql

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    run_sql(__file__)
