"""After-sale cases, and the part of what a line gave back that is shipping."""

from db.migrate import run_sql

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    run_sql(__file__)
