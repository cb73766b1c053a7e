"""`oms order show --reveal` records who saw an address in clear, when and why."""

from db.migrate import run_sql

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    run_sql(__file__)
