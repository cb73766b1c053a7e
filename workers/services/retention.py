"""Purges what is older than its retention, beside the work of a queue: each run is one short transaction."""

import math
import time
from collections.abc import Callable

from prometheus_client import Counter

from db.pool import Transaction
from workers import shop
from workers.domain.retention import Retention
from workers.store import retention

RUN_SECONDS = 5.0
PURGE_ROWS = 1000  # a delete of this size takes some 20 ms; 1000 rows each 5 s are 17 million a day for each worker
REST_SECONDS = 300.0  # after a run that left nothing; the rows of five minutes are gone in one or a few runs
PURGED = Counter("oms_rows_purged_total", "Rows deleted because their retention has passed", ["rule"])
for _rule in Retention().rules():
    PURGED.labels(_rule)


class Purger:
    """Deletes a batch under each rule. A rule under which nothing is left rests for a while.

    Two workers may purge at once: each skips the rows that the other deletes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rests_until: dict[str, float] = {}

    async def __call__(self, tx: Transaction) -> None:
        """Purge once."""
        now = self._clock()
        for rule, days in shop.current().retention.rules().items():
            if now >= self._rests_until.get(rule, -math.inf):
                rows = await retention.purge(tx, rule, days, PURGE_ROWS)
                PURGED.labels(rule).inc(rows)
                if rows < PURGE_ROWS:
                    self._rests_until[rule] = now + REST_SECONDS
