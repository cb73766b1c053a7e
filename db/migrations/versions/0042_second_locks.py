"""An order that is reinstated locks its coupon once more."""

from db.migrate import run_sql

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    run_sql(__file__)
