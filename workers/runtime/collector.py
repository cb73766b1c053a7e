"""Natural batching: while one batch commits, the next one collects. On an idle queue one message is a batch at once."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from workers.runtime.decode import Work


@dataclass(eq=False)
class Collector:
    """Holds messages in order of arrival and hands out all that wait, up to the limit. It never waits for more."""

    batch_max_items: int
    dropped: bool = False
    _ended: bool = False
    _waiting: deque[Work] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, work: Work) -> None:
        if not self.dropped:
            self._waiting.append(work)
            self._changed.set()

    def end(self) -> None:
        """End the collection: `take` hands out the rest, then empty batches."""
        self._ended = True
        self._changed.set()

    def drop(self) -> None:
        """Forget all messages: the channel is gone, so they cannot be settled, and the broker delivers them again."""
        self._waiting.clear()
        self.dropped = True
        self.end()

    async def take(self) -> list[Work]:
        """Return the next batch as soon as a message waits. It is empty after the end."""
        await self._changed.wait()
        batch: list[Work] = []
        items = 0
        while self._waiting and (not batch or items + self._waiting[0].items <= self.batch_max_items):
            items += self._waiting[0].items
            batch.append(self._waiting.popleft())
        if not self._waiting and not self._ended:
            self._changed.clear()
        return batch
