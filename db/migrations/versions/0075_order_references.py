"""Every foreign key to orders is valid again."""

from db.migrate import run_each

revision = "0075"
down_revision = "0074"


def upgrade() -> None:
    run_each(__file__)
