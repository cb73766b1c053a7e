"""What may come back for a message."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answers:
    """The types of the events or replies that answer a message, and the codes of its refusals."""

    types: tuple[str, ...]
    codes: tuple[str, ...] = ()
