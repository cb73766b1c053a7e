"""Every foreign key to lines is valid again."""

from db.migrate import run_each

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    run_each(__file__)
