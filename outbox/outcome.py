"""What became of a publish."""

from enum import StrEnum


class PublishOutcome(StrEnum):
    """Five answers about a message, and one about the connection. Only `CONFIRMED` means that the broker has it."""

    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"  # mandatory, and no queue wanted it
    NACKED = "nacked"  # a queue that should have taken it refused, for instance because it is full
    TIMED_OUT = "timeout"  # no answer in time: it may arrive yet
    ERROR = "error"  # the broker, or the protocol, cannot take this very message
    LOST = "lost"  # no connection, or it ended (or was blocked) before an answer: it may have arrived

    @property
    def concerns_message(self) -> bool:
        """Whether the same message would fare the same now, so that its stream should wait."""
        return self not in (PublishOutcome.CONFIRMED, PublishOutcome.LOST)
