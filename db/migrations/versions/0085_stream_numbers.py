"""The outbox numbers the events of each order, and each names the conversation that its order.create began."""

from db.migrate import run_sql

revision = "0085"
down_revision = "0084"


def upgrade() -> None:
    run_sql(__file__)
