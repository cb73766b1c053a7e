"""What exists is checked against the bound of the first months, and indexed as they will be, while workers run."""

from db.migrate import run_each

revision = "0073"
down_revision = "0072"


def upgrade() -> None:
    run_each(__file__)
