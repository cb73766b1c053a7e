"""Old orders can be archived, each as one document."""

from db.migrate import run_sql

revision = "0079"
down_revision = "0078"


def upgrade() -> None:
    run_sql(__file__)
