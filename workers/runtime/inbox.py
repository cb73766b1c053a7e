"""The inbox: a message is claimed in the transaction that handles it, so its effects and its claim share one fate."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db.pool import Pool, Transaction
from db.statements import SQL
from workers.runtime.decode import Work

RETENTION = timedelta(days=45)  # longer than any sender repeats itself (30 days), and than a dead letter waits
PURGE_ROWS = 2000  # a few milliseconds of one core
PROBE_SECONDS = 10.0


@dataclass
class Claim:
    """What a transaction may handle: each id once. The rest was done before, or wears another message's id."""

    now: datetime
    fresh: list[Work] = field(default_factory=list)
    duplicates: list[Work] = field(default_factory=list)
    reused: list[Work] = field(default_factory=list)


async def claim(tx: Transaction, queue: str, works: Sequence[Work]) -> Claim:
    """Claim what is new, in one statement; a second one only when something was not."""
    first = {work.message_id: work for work in reversed(works)}
    hashes = {message_id: first[message_id].delivery.body_hash for message_id in sorted(first)}
    row = await tx.fetchrow(SQL["inbox.claim"], queue, list(hashes), list(hashes.values()))
    assert row is not None, "the claim returns one row"
    made, fresh = Claim(row["now"]), set(row["fresh"])
    if stale := [message_id for message_id in hashes if message_id not in fresh]:
        hashes |= {row["message_id"]: row["body_hash"] for row in await tx.fetch(SQL["inbox.hashes"], queue, stale)}
    for work in works:
        if first[work.message_id] is work and work.message_id in fresh:
            made.fresh.append(work)
        else:
            same = hashes[work.message_id] == work.delivery.body_hash
            (made.duplicates if same else made.reused).append(work)
    return made


async def unclaim(tx: Transaction, queue: str, message_ids: Sequence[str]) -> None:
    """Forget messages that this transaction claimed but leaves undone."""
    if message_ids:
        await tx.execute(SQL["inbox.unclaim"], queue, message_ids)


async def purge(pool: Pool) -> bool:
    """Forget a few messages that nobody will send again. False when nothing that old is left."""
    return await pool.execute(SQL["inbox.purge"], RETENTION, PURGE_ROWS) == f"DELETE {PURGE_ROWS}"


async def takes_writes(pool: Pool) -> bool:
    """Whether the database is back. Never raises: whatever it says instead, it did not say yes."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return bool(await pool.fetchval(SQL["inbox.probe"]))
    except Exception:
        return False
