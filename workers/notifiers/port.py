"""The port: what sends a letter to a buyer by one medium, and what its server answers.

The same idempotency key again is the same letter: it is sent again after a crash, and after an answer that was lost.
"""

from dataclasses import dataclass, field
from typing import Protocol

from workers.providers.port import UnknownOutcome


@dataclass(frozen=True)
class BuyerLetter:
    """One rendered notification. `address` is in clear, so a letter lives only as long as its call."""

    idempotency_key: str
    kind: str
    order_id: str
    language: str
    address: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    short: str = field(repr=False)
    html: str = field(repr=False)


@dataclass(frozen=True)
class LetterAccepted:
    """The server of the medium took the letter."""


@dataclass(frozen=True)
class LetterRefused:
    """The server refuses this letter for good. `code` is its answer's number: SMTP_550, HTTP_410."""

    code: str


LetterAnswer = LetterAccepted | LetterRefused | UnknownOutcome


class LetterSender(Protocol):
    """What sends letters by one medium."""

    async def send(self, letter: BuyerLetter) -> LetterAnswer:
        """Send one letter. Raises ProviderAwayError if the server is not reached, and so has nothing."""

    async def close(self) -> None:
        """Close what is open."""
