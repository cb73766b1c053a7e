"""The floor of the outbox: an id up to which no row can be waiting or ever appear, so that reads begin above it.

Published rows leave dead entries in the index. PostgreSQL cannot remove them while any transaction is open that is
older than they are (a report, a backup, a forgotten psql), and each read would pass all of them again. The floor does
not depend on such transactions, only on those that write to the outbox:

1. S is the last id that the sequence has given. Then the transactions are listed that hold the table's write lock.
   Each INSERT takes this lock before it takes an id, and keeps it until its transaction has ended. So every id up to S
   belongs to a transaction that has ended or is in the list.
2. When all in the list have ended, no row up to S can appear any more. The floor is S, or the id before the lowest row
   that waits.

Both steps are stored in one row, written after S was read. A server that loses its last writes in a crash loses the
floor before it loses the ids below it. The identity must not cache ids (CACHE 1, the default).
"""

import structlog

from db.pool import Pool
from db.statements import SQL

log = structlog.get_logger(__name__)

STEP_ROWS = 2_000  # a read passes so many dead entries within a millisecond; a smaller step would write more often


async def raise_floor(pool: Pool) -> bool:
    """Take one step. True if another may be due before any more rows are deleted.

    Two relays may do it at once: each floor that one of them finds stays true.

    A sequence that was set back (after a restore by hand) takes the floor back with it.
    """
    row = await pool.fetchrow(SQL["outbox.floor"])
    assert row is not None, "the table outbox_floor has one row"
    if row["last_id"] < max(row["floor"], row["candidate"]):
        log.warning("the ids of the outbox begin anew, so its reads do", last_id=row["last_id"], floor=row["floor"])
        await pool.execute(SQL["outbox.reset_floor"])
        return True
    if row["last_id"] - row["floor"] < STEP_ROWS:
        return False
    writers = set(await pool.fetchval(SQL["outbox.writers"]))
    if row["candidate"] > row["floor"] and not writers.isdisjoint(row["writers"]):
        return True
    # The list was made after last_id was read, so this pair can be the next candidate.
    await pool.execute(SQL["outbox.raise_floor"], row["candidate"], row["last_id"], sorted(writers))
    return True
