"""A place has a threshold at which its stock is low."""

from db.migrate import run_sql

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    run_sql(__file__)
