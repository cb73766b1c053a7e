"""The outcome of a publish."""

from dataclasses import dataclass
from enum import StrEnum


class PublishOutcome(StrEnum):
    """LOST concerns the connection, all others the message. Only CONFIRMED means that every queue has the message."""

    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"  # it was mandatory, and no queue is bound to its routing key
    NACKED = "nacked"  # a queue refused it, for instance because it is full; other queues have it
    TIMED_OUT = "timeout"  # no answer came in time; the message may still arrive
    ERROR = "error"  # AMQP cannot express this message
    REFUSED = "refused"  # the broker ends the channel or the connection whenever it gets this message
    NO_EXCHANGE = "no_exchange"  # its exchange is missing, or our user may not write to it
    UNREADABLE = "unreadable"  # this process cannot make a message of the row, for instance without the key of its body
    LOST = "lost"  # the connection was away, ended or blocked before an answer; the message may have arrived

    @property
    def concerns_message(self) -> bool:
        """True if the same message would fail again now, so that its stream should wait."""
        return self not in (PublishOutcome.CONFIRMED, PublishOutcome.LOST)

    @property
    def is_final(self) -> bool:
        """True if the message fails whenever it is sent."""
        return self in (PublishOutcome.ERROR, PublishOutcome.REFUSED)

    @property
    def needs_person(self) -> bool:
        """True if the message waits until a person has done something."""
        return self.is_final or self is PublishOutcome.UNREADABLE


@dataclass(frozen=True)
class Answer:
    """The outcome of a publish and, if the broker or the protocol refuses the message, the reason in their words."""

    outcome: PublishOutcome
    reason: str = ""
