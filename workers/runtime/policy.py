"""What becomes of a message, decided before anything is said to the broker."""

from dataclasses import dataclass
from enum import StrEnum

from messages.base import Message, MessageCode, QueryRejected
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
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """One message's. Retried, dead-lettered and invalid ones have a failure, questions a reply."""

    work: Work
    kind: Kind
    failure: Failure | None = None
    reply: Message | None = None


def failed(work: Work, failure: Failure, attempts_max: int) -> Outcome:
    """Tried again, or dead when that cannot help or was done often enough."""
    if work.failure is not None:
        return Outcome(work, Kind.INVALID, failure)
    again = failure.retry and work.attempt + 1 < attempts_max
    return Outcome(work, Kind.RETRIED if again else Kind.DEAD_LETTERED, failure)


def refused(work: Work, failure: Failure) -> Outcome:
    """A question without an answer: who asked learns whether to ask otherwise, or again."""
    told = QueryRejected(code=MessageCode.SYSTEM_ERROR, message="this question could not be answered")
    if work.failure is not None:
        told = QueryRejected(code=MessageCode.QUERY_INVALID, message=failure.message, path=failure.path)
    return Outcome(work, Kind.REFUSED, reply=told)


def wait_seconds(attempt: int) -> int:
    """The delay tier after the try number `attempt` (0 at first). The last tier repeats."""
    return RETRY_TIERS_SECONDS[min(attempt, len(RETRY_TIERS_SECONDS) - 1)]
