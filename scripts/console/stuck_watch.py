"""Remembers for a while how much waits too long: to count it anew at each refresh would load the database."""

import asyncio
import time
from collections.abc import Sequence

from messages.stuck_waits import StuckCount
from scripts.commands.stuck import ask_stuck

KEPT_SECONDS = 30.0


class StuckWatch:
    """What waits too long, as it was at most half a minute ago."""

    def __init__(self) -> None:
        self._counts: Sequence[StuckCount] = ()
        self._read_at = -KEPT_SECONDS
        self._lock = asyncio.Lock()

    async def counts(self) -> Sequence[StuckCount]:
        """Return how many things wait too long, by what they wait for."""
        async with self._lock:
            if time.monotonic() - self._read_at >= KEPT_SECONDS:
                found, _ = await ask_stuck([], None, 1, None)
                self._counts, self._read_at = found.counts, time.monotonic()
            return self._counts
