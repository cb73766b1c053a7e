"""Makes the partitions of the months to come, long before an order needs one (S1-40). It is a chore of `timeouts`."""

from prometheus_client import Gauge

from db.pool import Transaction
from workers.store import order_partitions

RUN_SECONDS = 600.0
MONTHS_AHEAD = 3  # if making fails, people have two months to mend it
MADE_UNTIL = Gauge(
    "oms_order_partitions_end_timestamp_seconds", "When the last partition of orders ends; no order can be placed then"
)


async def make_months(tx: Transaction) -> None:
    """Make what is missing. With several workers one at a time does it."""
    await order_partitions.make(tx, MONTHS_AHEAD)
    MADE_UNTIL.set((await order_partitions.made_until(tx)).timestamp())
