"""Archives orders that ended long ago, if the shop wants that. It is a chore of `timeouts`.

Each order becomes a document in archived_orders, without what was personal in it, and its rows are deleted: a family of
a split order at once, a few families in each transaction. Orders with something left to happen stay, and so do orders
that share a payment or a parcel with others, or were exchanged. A month without orders loses its partitions.
"""

import time
from collections.abc import Callable

from prometheus_client import Counter

from db.pool import Transaction
from workers import shop
from workers.store import archive

RUN_SECONDS = 5.0
FAMILIES = 100  # some 3,000 rows, deleted in about 100 ms; 50,000 orders in an hour
REST_SECONDS = (
    6 * 3600.0
)  # after a run that came to the end: orders that could not be archived are looked at again then
ARCHIVED = Counter("oms_orders_archived_total", "Orders that were moved into the archive")


class Archiver:
    """Archives a few families in each run, the oldest first.

    Two workers may archive at once: each skips what the other locks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._after, self._rests_until = 0, 0.0

    async def __call__(self, tx: Transaction) -> None:
        """Archive once."""
        months = shop.current().archive_after_months
        if not months or self._clock() < self._rests_until:
            return
        below = await archive.bound(tx, months)
        roots = await archive.lock_roots(tx, below, self._after, FAMILIES)
        if ended := await archive.ended(tx, roots):
            ARCHIVED.inc(await archive.archive(tx, ended))
        self._after = roots[-1] if roots else 0
        if len(roots) < FAMILIES:
            await archive.drop_empty_months(tx, below)
            self._after, self._rests_until = 0, self._clock() + REST_SECONDS
