"""Dead letters that name a payment, a refund or a dispute are found with their orders and users."""

from db.migrate import run_sql

revision = "0090"
down_revision = "0089"


def upgrade() -> None:
    run_sql(__file__)
