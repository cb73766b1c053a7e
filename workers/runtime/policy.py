"""Decides the outcome of a message. settle.py carries it out at the broker."""

from dataclasses import dataclass
from enum import StrEnum

from messages.base import Message, MessageCode, QueryRejected
from messages.strict_json import why_unread
from messages.topology import RETRY_TIERS_SECONDS
from workers.runtime.decode import Work
from workers.runtime.errors import Failure

DELAYED_SECONDS = "delayed-seconds"
"""The header of a retried message with the seconds that it was meant to wait before its first try."""
LOCK_TIER_MAX = 2
"""The last tier of a message that waits for a lock, 30 s: it is handled this soon after the lock is released."""


class Kind(StrEnum):
    """What happens to a message; also the label `outcome` of the metrics."""

    ACKED = "acked"
    DUPLICATE = "duplicate"
    RETRIED = "retried"
    SET_ASIDE = "set_aside"
    DEAD_LETTERED = "dead_lettered"
    INVALID = "invalid"
    REQUEUED = "requeued"
    REFUSED = "refused"
    HANDED_ON = "handed_on"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one message. Those that are not done have a failure; queries have a reply."""

    work: Work
    kind: Kind
    failure: Failure | None = None
    reply: Message | None = None


def fail(work: Work, failure: Failure, attempts_max: int) -> Outcome:
    """Retry the message, or dead-letter it if a retry cannot help or this was the last of `attempts_max`.

    One that belongs to another cell is handed on once: if that cell gives it back, the cells disagree.
    """
    if failure.cell is not None and not work.handed_on:
        return Outcome(work, Kind.HANDED_ON, failure)
    if work.failure is not None:
        return Outcome(work, Kind.INVALID, failure)
    again = failure.retry and work.attempt + 1 < attempts_max
    return Outcome(work, Kind.RETRIED if again else Kind.DEAD_LETTERED, failure)


def reject_query(work: Work, failure: Failure) -> Outcome:
    """Answer a query that failed. The code says whether to name an actor, to correct the query or to send it again.

    One that belongs to another cell is handed on as any message.
    """
    if failure.cell is not None and not work.handed_on:
        return Outcome(work, Kind.HANDED_ON, failure)
    reply = QueryRejected(code=MessageCode.SYSTEM_ERROR, message="the query failed inside the system; send it again")
    if work.failure is not None:
        code, message = why_unread(work.failure.faults, MessageCode.QUERY_INVALID)
        reply = QueryRejected(code=code, message=message, path=failure.path)
    return Outcome(work, Kind.REFUSED, failure, reply)


def deliberate_seconds(work: Work) -> int:
    """The seconds that a message was meant to wait before its first try. Later tiers are pauses after failures."""
    if work.attempt or work.lock_waits:
        return work.delivery.number(DELAYED_SECONDS)
    return tier_seconds(work)


def tier_seconds(work: Work) -> int:
    """The tier of the delay exchange that a message came by: the first word of the routing key, `30s.oms.timeouts`."""
    word = work.delivery.routing_key.partition(".")[0]
    ours = word.endswith("s") and word[:-1].isdecimal() and work.delivery.exchange
    return int(word[:-1]) if ours else 0


def delay_seconds(outcome: Outcome) -> int:
    """The delay tier of a message that is retried, or set aside for a lock."""
    if outcome.kind is Kind.SET_ASIDE:
        return RETRY_TIERS_SECONDS[min(outcome.work.lock_waits, LOCK_TIER_MAX)]
    return wait_seconds(outcome.work.attempt)


def wait_seconds(attempt: int) -> int:
    """The delay tier after attempt number `attempt`, which counts from 0. The last tier repeats."""
    return RETRY_TIERS_SECONDS[min(attempt, len(RETRY_TIERS_SECONDS) - 1)]
