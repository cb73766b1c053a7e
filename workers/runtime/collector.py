"""Natural batching: while one batch commits, the next one collects. On an idle queue one message is a batch at once."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from workers.runtime.decode import Work
from workers.runtime.pace import Pace

BATCH_MAX_BYTES = 8 * 1024 * 1024
"""The bodies of one batch: they may have to be copied, all at once, to be published as retries or dead letters."""


@dataclass(eq=False)
class Collector:
    """Holds messages in order of arrival and hands out all that wait, up to the limit. It never waits for more."""

    batch_max_items: int
    pace: Pace = field(default_factory=Pace)
    dropped: bool = False
    _ended: bool = False
    _held_bytes: int = 0
    _waiting: deque[Work] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, work: Work) -> None:
        if not self.dropped:
            self._waiting.append(work)
            self._held_bytes += work.body_bytes
            self.pace.add(work.body_bytes)
            self._changed.set()

    def end(self) -> None:
        """End the collection: `take` hands out the rest, then empty batches."""
        self._ended = True
        self._changed.set()

    def drop(self) -> None:
        """Forget all messages: the channel is gone, so they cannot be settled, and the broker delivers them again."""
        self._waiting.clear()
        self.done(self._held_bytes)
        self.dropped = True
        self.end()

    def done(self, count: int) -> None:
        """Note that bodies of so many bytes are settled, so that others may arrive."""
        count = min(count, self._held_bytes)  # after a drop nothing is held
        self._held_bytes -= count
        self.pace.add(-count)

    async def take(self) -> list[Work]:
        """Return the next batch as soon as a message waits. It is empty after the end."""
        await self._changed.wait()
        batch: list[Work] = []
        items = size = 0
        while self._waiting and (not batch or self._fits(items, size)):
            items, size = items + self._waiting[0].items, size + self._waiting[0].body_bytes
            batch.append(self._waiting.popleft())
        if not self._waiting and not self._ended:
            self._changed.clear()
        return batch

    def _fits(self, items: int, size: int) -> bool:
        one = self._waiting[0]
        return items + one.items <= self.batch_max_items and size + one.body_bytes <= BATCH_MAX_BYTES
