"""Whether this process does its work: which queues it consumes, since when not, and whether that is on purpose."""

import time
from collections.abc import Callable, Iterable, Mapping

from workers.runtime import metrics

LIVE_WITHOUT_CONSUMER_SECONDS = 60.0  # several reconnections; what takes longer, a new process does better


class Health:
    """The state of each queue's consumer. `live` and `ready` are for the two probes and never wait."""

    def __init__(self, queues: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lost_at: dict[str, float | None] = dict.fromkeys(queues, clock())
        self._paused: set[str] = set()

    def consuming(self, queue: str, yes: bool) -> None:
        """A consumer came, or went."""
        self._lost_at[queue] = None if yes else self._lost_at[queue] or self._clock()
        metrics.CONSUMERS.labels(queue).set(yes)

    def paused(self, queue: str, yes: bool) -> None:
        """The queue waits for the database on purpose, or goes on."""
        (self._paused.add if yes else self._paused.discard)(queue)
        metrics.PAUSED.labels(queue).set(yes)
        if not yes and self._lost_at[queue] is not None:
            self._lost_at[queue] = self._clock()

    def live(self) -> Mapping[str, bool]:
        """False for a queue that had no consumer for too long: only a new process can help."""
        oldest, lost = self._clock() - LIVE_WITHOUT_CONSUMER_SECONDS, self._lost_at.items()
        return {f"consumer {queue}": queue in self._paused or at is None or at > oldest for queue, at in lost}

    def ready(self) -> Mapping[str, bool]:
        """False for a queue that is not worked on just now."""
        return {f"consumer {queue}": at is None and queue not in self._paused for queue, at in self._lost_at.items()}
