"""What happens to a batch that waits for a lock which somebody else holds.

A batch waits BATCH_LOCK_TIMEOUT_MS. Then another session holds a row for longer than a batch ever does: a person in
psql, or a frozen process. The batch is halved until the messages that need this row are found, now with the much
shorter SEARCH_LOCK_TIMEOUT_MS, and they are set aside: they come back by the delay exchange, and no attempt is counted.
Their neighbours commit. So one locked row delays the others by the first timeout and about log2(n) short ones.

While all transactions that hold rows are young, other workers' batches are in the way, as on a machine that is full of
work: then the batch waits again, a few times, and nothing is set aside.

A lock on a whole table, as a migration takes it, needs no search: it concerns every message, so the queue pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import UnavailableError
from db.pool import Pool
from db.statements import SQL
from workers.runtime.decode import Work

BATCH_LOCK_TIMEOUT_MS = 300  # three workers with a batch each for one hot row; set on the connection: no round trip
SEARCH_LOCK_TIMEOUT_MS = 20  # the row is known to be held; a neighbour's batch that ends within this time still counts
SEARCH_MAX_SECONDS = 1.0  # of tries that waited in vain; then all that is left of the batch is set aside
BATCH_AGE_MAX_SECONDS = 0.6  # a batch is younger, also on a busy machine; who holds rows for longer is stuck
BATCH_WAITS_MAX = 5  # for other batches, BATCH_LOCK_TIMEOUT_MS each


@dataclass
class Patience:
    """How long the messages of one batch may still wait for locks. Those that waited before begin with the short time.

    `lock_timeout_ms` is None for the time that is set on the connection.
    """

    lock_timeout_ms: int | None = None
    left_seconds: float = SEARCH_MAX_SECONDS
    _searching: bool = False
    _batch_waits: int = 0

    @classmethod
    def of(cls, works: Sequence[Work]) -> "Patience":
        """The patience for messages of which all, or none, waited for a lock before."""
        return cls(SEARCH_LOCK_TIMEOUT_MS if any(work.lock_waits for work in works) else None)

    @property
    def exhausted(self) -> bool:
        """True when the search has taken so long that the rest of the batch is set aside untried."""
        return self.left_seconds <= 0

    async def waits_for_batches(self, pool: Pool) -> bool:
        """True if only batches of other workers were in the way, so that the same batch should wait once more."""
        if self._searching or self._batch_waits >= BATCH_WAITS_MAX or self.lock_timeout_ms is not None:
            return False
        self._batch_waits += 1
        async with pool.acquire() as connection:
            return bool(await connection.fetchval(SQL["locks.only_batches"], BATCH_AGE_MAX_SECONDS))

    async def search(self, pool: Pool, seconds: float) -> None:
        """Note a try that waited in vain for `seconds`. Raises UnavailableError if a whole table is locked."""
        if not self._searching:
            async with pool.acquire() as connection:
                tables = await connection.fetchval(SQL["locks.tables"])
            if tables:
                raise UnavailableError(f"another session locks the whole table {', '.join(tables)}")
        if self.lock_timeout_ms is not None:
            self.left_seconds -= seconds
        self._searching, self.lock_timeout_ms = True, SEARCH_LOCK_TIMEOUT_MS
