"""Leases decide which shards this relay may publish. Only the database compares lease times, on its own clock."""

import math
import time
from collections.abc import Collection
from uuid import uuid4

import structlog

from db.pool import Pool
from db.statements import SQL
from outbox import metrics
from outbox.doorbell import CHANNEL, SHARDS_FREE
from outbox.packing import SHARDS

log = structlog.get_logger(__name__)

STOP_AT = 0.7  # of the lease; messages in flight by then are answered before another relay can own the shard


class Leases:
    """The leases of one relay. `held` maps shard to epoch. `valid` turns false when leases were not renewed in time."""

    def __init__(self, pool: Pool, *, owner: str = "", lease_seconds: float = 10.0) -> None:
        self.owner = owner or f"relay-{uuid4().hex}"
        self.held: dict[int, int] = {}
        self._pool = pool
        self._lease_seconds = lease_seconds
        self._stop_at = 0.0
        self._leaving: set[int] = set()

    @property
    def valid(self) -> bool:
        """True while publishing may go on. It uses the monotonic clock, which also runs while the process is frozen."""
        return time.monotonic() < self._stop_at

    @property
    def leaving(self) -> bool:
        """True while there are shards to give up, which are not read any more: then the next round is due at once."""
        return bool(self._leaving)

    async def keep(self, in_flight: Collection[int] = ()) -> bool:
        """Renew the leases, then take or give up shards so that each live relay has its share.

        Shards with rows `in_flight` are given up in a later round. True if there may be rows to read that no ring
        announces: in shards that are new, or from before the leases were valid again. While nothing changes it takes
        two statements. Raises what asyncpg raises.
        """
        renewed_at, was_valid, held = time.monotonic(), self.valid, self.held
        others = await self._pool.fetchrow(SQL["outbox.register"], self.owner, self._lease_seconds)
        assert others is not None, "the statement returns one row"
        if others["dead"]:
            await self._pool.execute(SQL["outbox.bury"])
        await self._leave(in_flight)
        mine = {row["shard"]: row["epoch"] for row in await self._pool.fetch(SQL["outbox.owned"], self.owner)}
        self._note_lost(mine)
        mine.update(await self._balance(mine, relays=others["live"] + 1))
        self.held = {shard: epoch for shard, epoch in mine.items() if shard not in self._leaving}
        self._stop_at = renewed_at + STOP_AT * self._lease_seconds
        metrics.SHARDS.set(len(self.held))
        if not was_valid:
            await self._ring()  # the others learn of this relay now, instead of when they renew
        return not was_valid or self.held != held

    async def release(self) -> None:
        """Give up all shards at once, so that other relays take them, and stop counting as a live relay."""
        self.held, self._stop_at, self._leaving = {}, 0.0, set()
        metrics.SHARDS.set(0)
        await self._pool.execute(SQL["outbox.release"], self.owner, list(range(SHARDS)))
        await self._pool.execute(SQL["outbox.withdraw"], self.owner)
        await self._ring()

    async def _ring(self) -> None:
        """Make all relays look at the shards at once, so that a shard is not without a relay for long."""
        await self._pool.execute(f"NOTIFY {CHANNEL}, '{SHARDS_FREE}'")

    async def _leave(self, in_flight: Collection[int]) -> None:
        """Release the shards chosen in an earlier round, which no lane has begun to read since."""
        leaving = self._leaving.difference(in_flight)
        if leaving:
            self._leaving -= leaving
            await self._pool.execute(SQL["outbox.release"], self.owner, sorted(leaving))
            await self._ring()

    async def _balance(self, mine: dict[int, int], *, relays: int) -> dict[int, int]:
        share = math.ceil(SHARDS / relays)
        self._leaving = set(sorted(mine)[share:])
        if self._leaving:
            return {}
        if len(mine) == share:
            return {}
        rows = await self._pool.fetch(SQL["outbox.acquire"], self.owner, share - len(mine))
        return {row["shard"]: row["epoch"] for row in rows}

    def _note_lost(self, mine: dict[int, int]) -> None:
        lost = [shard for shard, epoch in self.held.items() if mine.get(shard) != epoch]
        if lost:
            metrics.LEASES_LOST.inc(len(lost))
            log.warning("leases ran out, other relays may publish these shards", shards=len(lost), owner=self.owner)
