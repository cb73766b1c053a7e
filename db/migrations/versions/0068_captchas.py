"""An order waits while its buyer answers a captcha of the risk check."""

from db.migrate import run_sql

revision = "0068"
down_revision = "0067"


def upgrade() -> None:
    run_sql(__file__)
