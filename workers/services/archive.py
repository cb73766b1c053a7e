"""Archives orders that ended long ago, if the shop wants that. It is a chore of `timeouts`.

Each order becomes a document in archived_orders, without what was personal in it, and its rows are deleted: a family of
a split order at once, a few families in each transaction. Orders with something left to happen stay, and so do orders
that share a payment or a parcel with others, or were exchanged. The oldest months, up to the first that has an
order, lose their partitions.
"""

import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from db.pool import Transaction
from workers import shop
from workers.services import created_orders
from workers.store import archive

RUN_SECONDS = 5.0
FAMILIES = 100  # some 3,000 rows, deleted in about 100 ms; 50,000 orders in an hour
REST_SECONDS = 6 * 3600.0  # after a run that came to the end; then what could not be archived is looked at again
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
        self._after = roots[-1] if roots else 0  # also if this fails: what cannot be archived keeps no others waiting
        await archive_ended(tx, roots)
        if not roots:  # so this transaction locks no order while it waits for those who read orders
            self._rests_until = self._clock() + REST_SECONDS
            await archive.drop_empty_months(tx, below)


async def archive_ended(tx: Transaction, roots: Sequence[int]) -> list[int]:
    """Archive those of the families (locked) for which nothing is left to happen, and return their roots.

    The order.created of each is stored: a repeat of its order.create gets it from there.
    """
    ended = await archive.ended(tx, roots)
    if ended:
        commands = await archive.creations(tx, ended)
        events = await created_orders.render(tx, commands.values())
        outcomes = [(*key, events[order_id].json_bytes.decode()) for key, order_id in commands.items()]
        await archive.save_outcomes(tx, outcomes)
        ARCHIVED.inc(await archive.archive(tx, ended))
    return ended
