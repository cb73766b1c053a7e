"""What notifies buyers: a sender for each medium behind one port, and the templates of what they send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from messages.media import Medium
from workers.notifiers.port import LetterSender
from workers.notifiers.templates import LetterTemplates


@dataclass(frozen=True)
class Notifying:
    """How this process notifies buyers: by which media, and with which of them it sends itself.

    A notification that could not be sent within `expires_after` is dropped. `attempts_max` is that of the runtime: the
    last attempt ends a notification as failed.
    """

    media: Sequence[Medium] = ()
    senders: Mapping[str, LetterSender] = field(default_factory=dict)
    templates: LetterTemplates = field(default_factory=LetterTemplates)
    language: str = "en"
    expires_after: timedelta = timedelta(days=1)
    attempts_max: int = 7


class _Process:
    notifying = Notifying()


def configure(notifying: Notifying) -> None:
    """Set how this process notifies buyers."""
    _Process.notifying = notifying


def current() -> Notifying:
    """How this process notifies buyers; by no medium before `configure`."""
    return _Process.notifying


async def close() -> None:
    """Close every connection to a medium's server."""
    for sender in _Process.notifying.senders.values():
        await sender.close()
