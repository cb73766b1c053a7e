"""The queues that a person has paused, as this process read them last from its databases.

A pause is a row of the queue's database (`oms consumers pause`). Every worker reads the rows every few seconds, and
before it consumes anything. So all workers obey, and a new process does, too.
"""

from collections.abc import Collection
from contextlib import suppress

from db.pool import Pool
from db.statements import SQL
from outbox.shared_gauge import SharedGauge

BY_HAND = SharedGauge("oms_consumer_paused_by_hand", "1 while a person has paused the queue", "queue")
_read: dict[str, frozenset[str]] = {}


def current() -> Collection[str]:
    """Return the paused queues, without the prefix."""
    return frozenset().union(*_read.values())


async def read(name: str, pool: Pool) -> None:
    """Read the pauses of a database. If it does not answer, those that were read last go on."""
    with suppress(Exception):
        _read[name] = frozenset(row["queue"] for row in await pool.fetch(SQL["consumer_pauses.queues"]))
        BY_HAND.set_each(dict.fromkeys(current(), 1))
