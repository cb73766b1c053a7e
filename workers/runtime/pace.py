"""Bounds the memory of the messages that a process holds: above a limit it reads more slowly from the broker.

Prefetch counts messages, and RabbitMQ has no prefetch by bytes. So the reader of the connection waits before each frame
while the bodies that are delivered and not settled exceed IN_FLIGHT_MAX_BYTES: then the broker waits too. It never
waits longer than TRICKLE_SECONDS for a frame, so that heartbeats and answers still pass, and no connection is lost.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

IN_FLIGHT_MAX_BYTES = 64 * 1024 * 1024  # 400 messages of 160 KiB; an order of 200 lines takes 40 KiB
TRICKLE_SECONDS = 1.0  # a frame holds at most 128 KiB, so this lets 128 KiB/s pass, and a heartbeat in time


@dataclass(eq=False)
class Pace:
    """Counts the bytes in flight of all consumers of one connection."""

    in_flight_bytes: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, count: int) -> None:
        """Count the bytes of bodies that arrived, or with a negative number of those that were settled or dropped."""
        self.in_flight_bytes += count
        if self.full:
            self._room.clear()
        else:
            self._room.set()

    @property
    def full(self) -> bool:
        """True while nothing more should arrive."""
        return self.in_flight_bytes >= IN_FLIGHT_MAX_BYTES

    async def __call__(self) -> None:
        """Wait while too many bytes are in flight, but not for long."""
        if self.full:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), TRICKLE_SECONDS)
