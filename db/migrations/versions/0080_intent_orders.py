"""The intents of an order are found by an index, also by the foreign key."""

from db.migrate import run_each

revision = "0080"
down_revision = "0079"


def upgrade() -> None:
    run_each(__file__)
