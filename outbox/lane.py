"""A lane publishes a fixed slice of the shards. It repeats a cycle: record answers, read rows, publish them.

One ring of the doorbell costs one read and one delete: when a read came to the end of what waits, the lane reads again
at the next ring. The next poll finds rows whose ring was lost.

Streams are published side by side. Within a stream a message is sent only after the one before it is confirmed. A slow
answer delays only its own stream.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from db.cipher import CipherError
from db.pool import Pool
from db.statements import SQL
from outbox import metrics
from outbox.crashpoint import crashpoint
from outbox.holds import HeldStream, Holds
from outbox.leases import Leases
from outbox.outcome import Answer, PublishOutcome
from outbox.packing import shard_of
from outbox.publisher import Publisher
from outbox.refusals import Refusals, address_of, named, was_final
from outbox.rendering import Renderer
from outbox.settings import RelaySettings
from outbox.tracebacks import own_place, traceback_of

if TYPE_CHECKING:
    from asyncpg import Record

log = structlog.get_logger(__name__)

STRAGGLER_SECONDS = 0.05  # a cycle waits this long for answers; slower ones are recorded in a later cycle
DISCONNECTED_SECONDS = 0.1  # between checks of a lost connection; the publisher reconnects by itself


class Lane:
    """Publishes the relay's shards that are `number` modulo the count of lanes."""

    def __init__(
        self,
        number: int,
        *,
        pool: Pool,
        leases: Leases,
        publisher: Publisher,
        renderer: Renderer,
        refusals: Refusals,
        settings: RelaySettings,
        hears: Callable[[], bool] = lambda: False,
    ) -> None:
        """`hears` tells whether the relay listens to the doorbell now."""
        self._pool = pool
        self._leases = leases
        self._publisher = publisher
        self._renderer = renderer
        self._refusals = refusals
        self._settings = settings
        self._hears = hears
        self._lane_rows = max(1, settings.relay_batch_rows // settings.relay_lanes)
        self._number = number
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._reading: Collection[int] = ()  # the shards of the read that runs now
        self._confirmed: list[tuple[int, int, int]] = []
        self._failed: dict[str, HeldStream] = {}
        self._is_drained = False  # the last read came to the end of what waits, and all of it was answered
        self.holds = Holds(pool, leases, refusals, settings)
        self.deleted = 0  # rows, since the start
        self.wake = asyncio.Event()

    def serves(self, shards: Collection[int]) -> bool:
        """True if the lane publishes one of these shards now."""
        return not self._epochs().keys().isdisjoint(shards)

    @property
    def in_flight(self) -> set[int]:
        """The shards of which rows are read or published, or are confirmed and not deleted yet."""
        return {*self._reading, *(shard_of(stream) for stream in self._busy)}

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set, then wait for messages in flight and delete them.

        Raises what the database raises.
        """
        idle_seconds = self._settings.poll_min_seconds
        while not stop.is_set():
            self.wake.clear()
            found = await self.cycle()
            if found:
                idle_seconds = self._settings.poll_min_seconds
                if not self._is_drained:
                    continue
                await self._settle()  # what comes from now on rings, so nothing is read with it
            if self._hears():
                await self._rest(self._settings.poll_max_seconds)
                continue
            await self._rest(idle_seconds)
            idle_seconds = min(idle_seconds * 2, self._settings.poll_max_seconds)
        await self.finish()

    async def cycle(self) -> int:
        """Record answers, read waiting rows, start to publish them. Returns the number of rows read."""
        await self._settle()
        epochs = self._epochs()
        if not epochs or not self._leases.valid or not self._publisher.healthy:
            return 0
        self._is_drained = False
        self._reading = epochs.keys()
        try:
            rows = await self._read(epochs)
            for stream, of_stream in _by_stream(rows).items():
                self._busy[stream] = asyncio.create_task(self._publish_stream(stream, of_stream, epochs))
        finally:
            self._reading = ()
        await self._gather(STRAGGLER_SECONDS)
        if not all(task.done() for task in self._busy.values()):
            self._is_drained = False
        return len(rows)

    async def finish(self) -> None:
        """Wait for every answer and record it."""
        await self._gather(None)
        await self._settle()

    def _epochs(self) -> dict[int, int]:
        lanes = self._settings.relay_lanes
        return {shard: epoch for shard, epoch in self._leases.held.items() if shard % lanes == self._number}

    async def _read(self, epochs: dict[int, int]) -> "list[Record]":
        """Read rows to publish. Rows that have come to a held stream are moved behind it, and are not returned."""
        shards, room = list(epochs), self._lane_rows - len(self._busy)
        if room <= 0:
            return []
        busy = list(self._busy)
        rows = await self.holds.read(shards, room, busy)
        room_per_shard = max(1, (room - len(rows)) // len(shards))
        bytes_per_shard = max(1, self._settings.relay_batch_bytes // self._settings.relay_lanes // len(shards))
        found = await self._pool.fetch(SQL["outbox.read"], shards, room_per_shard, bytes_per_shard, busy)
        late = [row for row in found if row["is_held"]]
        if late:
            await self.holds.move(late, epochs)
        is_whole = len(found) < room_per_shard and sum(len(row["body"]) for row in found) < bytes_per_shard
        self._is_drained = is_whole and not busy and not rows
        return [*rows, *(row for row in found if not row["is_held"])]

    async def _gather(self, timeout_seconds: float | None) -> None:
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=timeout_seconds)

    async def _rest(self, seconds: float) -> None:
        """Sleep until the doorbell rings or the next poll is due. While answers are missing, that is soon."""
        if not self._publisher.healthy:
            await asyncio.sleep(DISCONNECTED_SECONDS)
            return
        limit = STRAGGLER_SECONDS if self._busy else self.holds.look_seconds
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), min(seconds, limit))

    async def _publish_stream(self, stream: str, rows: "list[Record]", epochs: dict[int, int]) -> None:
        for place, row in enumerate(rows):
            if not self._leases.valid:
                self._is_drained = False
                return
            answer = await self._publish(row)
            is_taken = answer.outcome is PublishOutcome.CONFIRMED or _is_dropped(row, answer)
            if is_taken or self._is_expired(row, answer):
                self._note_done(row, epochs[row["shard"]], is_taken=is_taken)
                continue
            if answer.outcome.concerns_message:
                self._failed[stream] = HeldStream(self._refusals.note(row, answer), rows[place:], epochs[row["shard"]])
            self._is_drained = False
            return

    def _note_done(self, row: "Record", epoch: int, *, is_taken: bool) -> None:
        is_held = row["held_reason"] is not None
        metrics.WAIT_SECONDS.observe(row["age_seconds"])
        if is_held:
            self.holds.confirm(row, epoch)
        else:
            self._confirmed.append((row["shard"], epoch, row["id"]))
        if is_taken and (is_held or address_of(row) in self._refusals.refusing):
            self.holds.note_taken(address_of(row))

    def _is_expired(self, row: "Record", answer: Answer) -> bool:
        """Tell whether a reply is dropped: it is refused again, and the client has stopped waiting long ago."""
        if row["destination"] != "reply" or row["held_reason"] is None or not answer.outcome.concerns_message:
            return False
        if row["age_seconds"] <= self._settings.reply_max_age_seconds:
            return False
        metrics.DROPPED_REPLIES.labels(answer.outcome).inc()
        return True

    async def _publish(self, row: "Record") -> Answer:
        try:
            one = self._renderer.render(row)
        except CipherError as error:
            return Answer(PublishOutcome.UNREADABLE, f"{type(error).__name__}: {error}")
        except Exception as error:
            where = {"error": type(error).__qualname__, "at": own_place(traceback_of(error))}
            log.error("cannot render a message, its stream waits", **named(row), **where)  # noqa: TRY400 (without values)
            return Answer(PublishOutcome.UNREADABLE, f"{type(error).__name__}: {error}")
        crashpoint("relay.before_publish")
        answer = await self._publisher.send(one, suspect=was_final(row["held_reason"]))
        if _is_dropped(row, answer):
            self._refusals.note_dropped_event(row)
        return answer

    async def _settle(self) -> None:
        """Delete confirmed rows, hold failed streams.

        Rows of these streams are not read again before this has succeeded.
        """
        done = [stream for stream, task in self._busy.items() if task.done()]
        if self._confirmed:
            await self._delete()
        await self.holds.settle({stream: self._failed[stream] for stream in done if stream in self._failed})
        for stream in done:
            self._failed.pop(stream, None)
            self._busy.pop(stream).result()

    async def _delete(self) -> None:
        crashpoint("relay.after_confirm")
        confirmed = self._confirmed[:]
        shards, epochs, ids = (list(column) for column in zip(*confirmed, strict=True))
        status = await self._pool.execute(SQL["outbox.delete"], self._leases.owner, shards, epochs, ids)
        del self._confirmed[: len(confirmed)]
        self.deleted += len(confirmed)
        metrics.REPEATED.inc(len(confirmed) - int(status.rsplit(" ", 1)[1]))


def _is_dropped(row: "Record", answer: Answer) -> bool:
    """True for an event that a subscriber's queue refused: all others have it, so it counts as published."""
    return answer.outcome is PublishOutcome.NACKED and row["destination"] == "events"


def _by_stream(rows: "list[Record]") -> "dict[str, list[Record]]":
    streams: dict[str, list[Record]] = {}
    for row in rows:
        streams.setdefault(row["stream"], []).append(row)
    return streams
