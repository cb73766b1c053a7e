"""Lines of an order that is reinstated may come from another warehouse."""

from db.migrate import run_sql

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    run_sql(__file__)
