"""Payment attempts at channels of our own, what channels told us, and what we asked of them."""

from db.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
