"""Every line of an order is stored once: order_items is the snapshot, and the outcome of order.create is rendered."""

from db.migrate import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_sql(__file__)
