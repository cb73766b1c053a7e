"""What becomes of a message that was not done: again later, or a dead letter."""

from dataclasses import dataclass

from messages.topology import RETRY_TIERS_SECONDS

PAUSE_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between probes of a database that is away; the last one repeats."""
BATCH_TRIES = 5  # a deadlock or a lock that was not granted: the neighbours are through by then


@dataclass(frozen=True)
class Policy:
    """How often a message is tried, and how long it waits in between."""

    attempts_max: int = 7
    tiers_seconds: tuple[int, ...] = RETRY_TIERS_SECONDS

    def retries(self, attempt: int, wanted: bool) -> bool:
        """Whether a message that failed with `attempt` earlier tries is tried again."""
        return wanted and attempt + 1 < self.attempts_max

    def wait_seconds(self, attempt: int) -> int:
        """The delay tier after the try number `attempt` (0 at first). The last tier repeats."""
        return self.tiers_seconds[min(attempt, len(self.tiers_seconds) - 1)]
