"""The outcome of a publish."""

from enum import StrEnum


class PublishOutcome(StrEnum):
    """Five outcomes concern the message, LOST the connection. Only CONFIRMED means that the broker has the message."""

    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"  # it was mandatory, and no queue is bound to its routing key
    NACKED = "nacked"  # a queue refused it, for instance because it is full
    TIMED_OUT = "timeout"  # no answer came in time; the message may still arrive
    ERROR = "error"  # the broker or the protocol cannot take this message
    LOST = "lost"  # the connection was away, ended or blocked before an answer; the message may have arrived

    @property
    def concerns_message(self) -> bool:
        """True if the same message would fail again now, so that its stream should wait."""
        return self not in (PublishOutcome.CONFIRMED, PublishOutcome.LOST)
