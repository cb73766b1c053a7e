"""A waybill names all its orders, counts its bookings, and is marked if its warehouse stops."""

from db.migrate import run_sql

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    run_sql(__file__)
