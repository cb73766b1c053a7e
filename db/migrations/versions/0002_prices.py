"""Promotions, coupons, points, carts, business types; orders that split and merge."""

from db.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
