"""What becomes of a message, decided before anything is said to the broker."""

from dataclasses import dataclass
from enum import StrEnum

from messages.topology import RETRY_TIERS_SECONDS
from workers.runtime.decode import Work
from workers.runtime.errors import Failure


class Kind(StrEnum):
    """The label `outcome` of the metrics."""

    ACKED = "acked"
    DUPLICATE = "duplicate"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"
    INVALID = "invalid"
    REQUEUED = "requeued"


@dataclass(frozen=True)
class Outcome:
    """One message's. Retried, dead-lettered and invalid ones have a failure."""

    work: Work
    kind: Kind
    failure: Failure | None = None


def failed(work: Work, failure: Failure, attempts_max: int) -> Outcome:
    """Tried again, or dead when that cannot help or was done often enough."""
    if work.failure is not None:
        return Outcome(work, Kind.INVALID, failure)
    again = failure.retry and work.attempt + 1 < attempts_max
    return Outcome(work, Kind.RETRIED if again else Kind.DEAD_LETTERED, failure)


def wait_seconds(attempt: int) -> int:
    """The delay tier after the try number `attempt` (0 at first). The last tier repeats."""
    return RETRY_TIERS_SECONDS[min(attempt, len(RETRY_TIERS_SECONDS) - 1)]
