"""What became of a message, decided before anything is said to the broker."""

from dataclasses import dataclass
from enum import StrEnum

from workers.runtime.decode import Work
from workers.runtime.errors import Failure
from workers.runtime.policy import Policy


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
    """One message's. Everything but acked and duplicate has a failure."""

    work: Work
    kind: Kind
    failure: Failure | None = None


def failed(work: Work, failure: Failure, policy: Policy) -> Outcome:
    """Tried again, or dead when that cannot help or was done often enough."""
    kind = Kind.RETRIED if policy.retries(work.attempt, failure.retry) else Kind.DEAD_LETTERED
    return Outcome(work, kind, failure)
