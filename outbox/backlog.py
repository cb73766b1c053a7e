"""Measures what waits in the outbox. Relays and workers do it, so that the values are right when no relay lives."""

from db.pool import Pool, Transaction
from db.statements import SQL
from outbox import metrics
from outbox.announcement import MUST_ROUTE

MEASURE_SECONDS = 5.0  # between measurements; a usual scrape interval has three


async def measure(tx: Transaction) -> None:
    """Set the gauges of the outbox. Until the transaction ends, the planner scans no whole table."""
    await tx.execute("SET LOCAL enable_seqscan = off")  # a scan would read all that is dead, too
    await record(tx)


async def record(database: Pool | Transaction) -> int:
    """Set the gauges of the outbox over connections whose planner scans no whole table. Return the streams held."""
    row = await database.fetchrow(SQL["outbox.backlog"])
    assert row is not None, "the statement returns one row"
    held = {}
    if row["held_streams"]:  # no row is held without a stream
        held = {row["destination"]: row["held"] for row in await database.fetch(SQL["outbox.held_rows"])}
    metrics.PENDING.set(row["pending"])
    metrics.OLDEST_AGE.set(row["oldest_age_seconds"])
    metrics.HELD_STREAMS.set(row["held_streams"])
    metrics.HELD.set_each({destination: held.get(destination, 0) for destination in MUST_ROUTE})
    metrics.RELAYS.set(row["relays"])
    return int(row["held_streams"])
