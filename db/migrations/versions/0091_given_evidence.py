"""What became of evidence that we give to a provider is known."""

from db.migrate import run_sql

revision = "0091"
down_revision = "0090"


def upgrade() -> None:
    run_sql(__file__)
