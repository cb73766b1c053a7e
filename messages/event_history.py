"""The event history: a stream queue of the broker that keeps all events for a time, for consumers that come later."""

from dataclasses import dataclass
from typing import Any

EVENT_HISTORY = "event-history"
"""The stream, without the prefix. No worker of ours reads it, and reading takes nothing out of it."""


@dataclass(frozen=True)
class EventHistory:
    """How long the stream keeps events: the oldest segment goes as soon as all of it is too old, or it is too much.

    Retention removes whole segments, and never the one that is being written.
    """

    max_age_seconds: int
    max_bytes: int
    segment_bytes: int

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments with which the queue is declared."""
        return {
            "x-queue-type": "stream",
            "x-max-age": f"{self.max_age_seconds}s",
            "x-max-length-bytes": self.max_bytes,
            "x-stream-max-segment-size-bytes": self.segment_bytes,
        }
