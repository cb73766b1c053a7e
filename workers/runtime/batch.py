"""What a handler receives: messages in order of arrival, and a way to say which must be tried again or cannot work."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from messages.base import Message
from messages.envelope import Envelope

B = TypeVar("B", bound=Message)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Verdict:
    """Why a message was not done: `reason` is a code that dead letters are grouped by, `why` a sentence."""

    reason: str
    why: str
    retry: bool


class Batch(Generic[B]):
    """Messages that are handled in one transaction. `now` is the database clock at its beginning.

    `answers` is item id -> what was asked outside about it, on routes that ask.
    """

    def __init__(self, items: Sequence[Envelope[B]], now: datetime, answers: Mapping[str, Any] | None = None) -> None:
        self.items = tuple(items)
        self.now = now
        self.answers = answers or {}
        self.verdicts: dict[str, Verdict] = {}

    def __iter__(self) -> Iterator[Envelope[B]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of(self, *types: type[M]) -> list[Envelope[M]]:
        """The messages of these types, in order of arrival."""
        return [cast(Envelope[Any], item) for item in self.items if isinstance(item.body, types)]

    def retry(self, item: Envelope[B], reason: str, why: str) -> None:
        """Try it again later, on the delay ladder; after the last attempt it is dead with this reason."""
        self.verdicts[item.id] = Verdict(reason, why, retry=True)

    def dead(self, item: Envelope[B], reason: str, why: str) -> None:
        """It can never work: a dead letter at once."""
        self.verdicts[item.id] = Verdict(reason, why, retry=False)

    @property
    def handled(self) -> tuple[Envelope[B], ...]:
        """The messages that were neither put off nor given up."""
        return tuple(item for item in self.items if item.id not in self.verdicts)
