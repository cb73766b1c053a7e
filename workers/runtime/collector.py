"""Natural batching: while one batch commits, the next collects; an idle queue's message is a batch at once."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from workers.runtime.decode import Work


@dataclass(eq=False)
class Collector:
    """Messages in order of arrival, handed out as many at a time as are there. No lingering, no timer."""

    batch_max_items: int
    dropped: bool = False
    _ended: bool = False
    _waiting: deque[Work] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, work: Work) -> None:
        """A message arrived."""
        if not self.dropped:
            self._waiting.append(work)
            self._changed.set()

    def end(self) -> None:
        """Nothing more will arrive: what is here is handed out, then nothing."""
        self._ended = True
        self._changed.set()

    def drop(self) -> None:
        """The channel is gone, and with it the right to settle what is here: the broker delivers it again."""
        self._waiting.clear()
        self.dropped = True
        self.end()

    async def take(self) -> list[Work]:
        """The next batch, as soon as there is a message. Empty once it has ended."""
        await self._changed.wait()
        batch: list[Work] = []
        items = 0
        while self._waiting and (not batch or items + self._waiting[0].items <= self.batch_max_items):
            items += self._waiting[0].items
            batch.append(self._waiting.popleft())
        if not self._waiting and not self._ended:
            self._changed.clear()
        return batch
