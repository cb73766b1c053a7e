"""The inbox holds the ids of handled messages.

A message is claimed in the transaction that handles it, so claim and effects commit or roll back together.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db.pool import Pool, Transaction
from db.statements import SQL
from workers.runtime.decode import Work

RETENTION = timedelta(days=45)  # senders repeat a message for up to 30 days; dead letters wait less than this
PURGE_ROWS = 2000  # a delete of this size takes a few milliseconds of one core
PROBE_SECONDS = 4.0  # far above what a healthy database takes; readiness follows within 10 seconds


@dataclass
class Claim:
    """The messages of a batch, sorted by what the inbox knows of them.

    `fresh` ones are claimed, each id once. `duplicates` were handled before. `reused` have the id of a message with
    another body. `now` is the database clock.
    """

    now: datetime
    fresh: list[Work] = field(default_factory=list)
    duplicates: list[Work] = field(default_factory=list)
    reused: list[Work] = field(default_factory=list)


async def claim(tx: Transaction, queue: str, works: Sequence[Work]) -> Claim:
    """Claim the messages that are new. This takes one statement, and a second one only if some were not new.

    A message is known by its id and its sender, so that a stranger who uses an id first takes it from no one.
    """
    first = {work.inbox_key: work for work in reversed(works)}
    hashes = {key: first[key].body_hash for key in sorted(first)}
    ids, senders = [message_id for message_id, _ in hashes], [sender for _, sender in hashes]
    row = await tx.fetchrow(SQL["inbox.claim"], queue, ids, senders, list(hashes.values()))
    assert row is not None, "the claim returns one row"
    made, fresh = Claim(row["now"]), set(zip(row["ids"], row["senders"], strict=True))
    if len(fresh) < len(hashes):
        for known in await tx.fetch(SQL["inbox.hashes"], queue, ids, senders):
            hashes[known["message_id"], known["sender"]] = known["body_hash"]
    for work in works:
        if first[work.inbox_key] is work and work.inbox_key in fresh:
            made.fresh.append(work)
        else:
            (made.duplicates if work.has_hash(hashes[work.inbox_key]) else made.reused).append(work)
    return made


async def unclaim(tx: Transaction, queue: str, works: Sequence[Work]) -> None:
    """Delete the claims of messages that this transaction leaves undone."""
    if works:
        keys = [work.inbox_key for work in works]
        await tx.execute(SQL["inbox.unclaim"], queue, [key[0] for key in keys], [key[1] for key in keys])


async def purge(pool: Pool) -> bool:
    """Delete up to PURGE_ROWS claims that are older than RETENTION. True if more may be left."""
    return await pool.execute(SQL["inbox.purge"], RETENTION, PURGE_ROWS) == f"DELETE {PURGE_ROWS}"


async def accepts_writes(pool: Pool) -> bool:
    """True if the database commits a write. It never raises: any error means no."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await answers(pool) and bool(await pool.fetchval(SQL["inbox.probe_commit"]))
    except Exception:
        return False


async def answers(pool: Pool) -> bool:
    """True if the database answers and is writable. It writes nothing, so it may run every few seconds."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return bool(await pool.fetchval(SQL["inbox.probe"]))
    except Exception:
        return False
