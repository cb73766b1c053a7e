"""The held streams of a lane: their rows stand in a table of their own, so that healthy streams never pass them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.pool import Pool
from db.statements import SQL
from outbox.insertion import append, noting_shards
from outbox.leases import Leases
from outbox.refusals import Address, Refusals, Unpublished
from outbox.settings import RelaySettings

if TYPE_CHECKING:
    from asyncpg import Record

HOLD_FIRST_SECONDS = 1.0  # doubles up to OMS_HOLD_MAX_SECONDS
FINAL_HOLD_FIRST_SECONDS = 60.0  # of a message that the broker refuses whenever it is sent: a person has to look at it
FINAL_HOLD_MAX_SECONDS = 3600.0
RELEASE_ROWS = 1_000  # held rows that one success releases; if some of them succeed, they release the next ones
LOOK_SECONDS = 0.5  # between looks for streams whose next try is due; so a cycle of healthy streams costs one read
QUIET_LOOK_SECONDS = 5.0  # between looks while nothing is held: another relay may have held a stream of a shard of ours
HELD_LATELY_SECONDS = 15.0  # so long after a stream was held, looks stay frequent; three of the relay's measurements
FULL_LOOK_SECONDS = 60.0  # between looks at all due holds; the others pass over what may be dead entries of the index
WINDOW_SECONDS = 120.0  # a hold is seldom due for longer; what is, the next full look finds
STREAM_ROWS = 100  # of one held stream at once, so that one long stream leaves room for others


@dataclass(frozen=True)
class HeldStream:
    """A stream whose message was not taken, and its rows that were read: the message and those behind it."""

    what: Unpublished
    rows: "Sequence[Record]"
    epoch: int

    @property
    def address(self) -> Address:
        """Where the message goes."""
        return self.rows[0]["destination"], self.rows[0]["routing_key"]


class Holds:
    """Reads held streams that are due, and records what becomes of them.

    A stream is held while it has a row in outbox_holds. Only the relay that owns the shard moves its rows and
    publishes them, so the order of a stream never breaks.
    """

    def __init__(self, pool: Pool, leases: Leases, refusals: Refusals, settings: RelaySettings) -> None:
        self._pool = pool
        self._leases = leases
        self._refusals = refusals
        self._settings = settings
        self._look_at = 0.0
        self._full_look_at = 0.0
        self._held_until = 0.0  # on the loop's clock
        self._confirmed: list[tuple[int, int, int, str]] = []
        self._flowing: set[str] = set()
        self._taken: set[Address] = set()

    @property
    def look_seconds(self) -> float:
        """The time between looks: longer while no stream was held lately."""
        return LOOK_SECONDS if asyncio.get_running_loop().time() < self._held_until else QUIET_LOOK_SECONDS

    def note_held(self) -> None:
        """Note that a stream is held now, of whichever relay, so that looks are frequent."""
        now = asyncio.get_running_loop().time()
        self._held_until = now + HELD_LATELY_SECONDS
        self._look_at = min(self._look_at, now + LOOK_SECONDS)

    async def read(self, shards: Sequence[int], room: int, busy: Sequence[str]) -> "list[Record]":
        """Read rows of streams whose next try is due: at most `room`, and only when a look is due."""
        now = asyncio.get_running_loop().time()
        if room <= 0 or now < self._look_at:
            return []
        full = now >= self._full_look_at
        rows = await self._pool.fetch(
            SQL["outbox.read_held"],
            list(shards),
            max(1, room // len(shards)),
            STREAM_ROWS,
            max(1, self._settings.relay_batch_bytes // self._settings.relay_lanes),
            list(busy),
            None if full else WINDOW_SECONDS,
            room,
        )
        if rows:  # more may be due, and some for longer than the window
            self._look_at = self._full_look_at = 0.0
        else:
            self._look_at = now + self.look_seconds
            self._full_look_at = now + FULL_LOOK_SECONDS if full else self._full_look_at
        return rows

    def confirm(self, row: "Record", epoch: int) -> None:
        """Note that a row of a held stream need not be published again."""
        self._confirmed.append((row["shard"], epoch, row["id"], row["stream"]))
        self._flowing.add(row["stream"])

    def note_taken(self, address: Address) -> None:
        """Note that the broker takes messages for an address for which others may be held."""
        self._taken.add(address)

    async def move(self, rows: "Sequence[Record]", epochs: Mapping[int, int]) -> None:
        """Move rows of held streams out of the outbox, behind those that are held already."""
        self.note_held()
        await self._pool.execute(SQL["outbox.move"], self._leases.owner, *_fenced(rows, epochs))

    async def settle(self, failed: Mapping[str, HeldStream]) -> None:
        """Delete confirmed rows, hold the streams that failed, free those that have no held row left."""
        await self._delete()
        if failed:
            await self._hold(failed)
        flowing = sorted(self._flowing - failed.keys())
        if flowing:
            await self._pool.execute(SQL["outbox.unhold"], flowing)
            self._look_at = self._full_look_at = 0.0
        self._flowing.clear()
        await self._release()

    async def _delete(self) -> None:
        if not self._confirmed:
            return
        confirmed = self._confirmed[:]
        columns = (list(column) for column in zip(*confirmed, strict=True))
        await self._pool.execute(SQL["outbox.delete_held"], self._leases.owner, *columns)
        del self._confirmed[: len(confirmed)]

    async def _hold(self, failed: Mapping[str, HeldStream]) -> None:
        """Hold streams, move their rows, and announce the alerts about them in the same transaction."""
        self.note_held()
        failures = list(failed.values())
        usual = HOLD_FIRST_SECONDS, self._settings.hold_max_seconds
        final = FINAL_HOLD_FIRST_SECONDS, FINAL_HOLD_MAX_SECONDS
        waits = [final if failure.what.outcome.is_final else usual for failure in failures]
        with noting_shards():
            await self._write(failed, failures, waits)

    async def _write(
        self, failed: Mapping[str, HeldStream], failures: Sequence[HeldStream], waits: Sequence[tuple[float, float]]
    ) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                SQL["outbox.hold"],
                list(failed),
                [failure.rows[0]["shard"] for failure in failures],
                [failure.what.reason for failure in failures],
                [first for first, _ in waits],
                [longest for _, longest in waits],
                [failure.address[0] for failure in failures],
                [failure.address[1] for failure in failures],
            )
            epochs = {row["shard"]: failure.epoch for failure in failures for row in failure.rows}
            fresh = [row for failure in failures for row in failure.rows if row["held_reason"] is None]
            if fresh:
                await connection.execute(SQL["outbox.move"], self._leases.owner, *_fenced(fresh, epochs))
            await append(connection, [failure.what.alert for failure in failures if failure.what.alert is not None])

    async def _release(self) -> None:
        """Try at once what is held for an address that takes messages again."""
        while self._taken:
            address = self._taken.pop()
            status = await self._pool.execute(SQL["outbox.release_held"], *address, RELEASE_ROWS)
            if status == "UPDATE 0":
                self._refusals.refusing.discard(address)
            self._look_at = 0.0


def _fenced(rows: "Sequence[Record]", epochs: Mapping[int, int]) -> tuple[list[int], list[int], list[int]]:
    """The columns of the fence: shards, epochs and ids."""
    shards = [row["shard"] for row in rows]
    return shards, [epochs[shard] for shard in shards], [row["id"] for row in rows]
