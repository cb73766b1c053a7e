"""A Batch gives a handler its messages in order of arrival, and takes its verdicts: retry or dead-letter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from messages.base import Message
from messages.cells import Cell
from messages.envelope import Envelope
from messages.reasons import Reason

B = TypeVar("B", bound=Message)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Verdict:
    """Why a handler did not do a message. Dead letters are grouped by the code `reason`; `why` is a sentence.

    A message that belongs to another `cell` is handed on to it.
    """

    reason: str
    why: str
    retry: bool
    cell: str | None = None


class Batch(Generic[B]):
    """Messages that are handled in one transaction. `now` is the database clock at its beginning.

    `cell` is the cell of this process; None in a shop without cells. On a CallRoute, `answers` maps an item's id to
    what the other system answered about it; on a QueryRoute it is what was recorded.
    """

    cell: Cell | None = None

    def __init__(self, items: Sequence[Envelope[B]], now: datetime, answers: Mapping[Any, Any] | None = None) -> None:
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
        """Retry the item later, on the delay ladder. After the last attempt it is dead-lettered with this reason."""
        self.verdicts[item.id] = Verdict(reason, why, retry=True)

    def dead(self, item: Envelope[B], reason: str, why: str) -> None:
        """Dead-letter the item at once, because no retry can help."""
        self.verdicts[item.id] = Verdict(reason, why, retry=False)

    def hand_on(self, item: Envelope[B], cell: str) -> None:
        """Hand the item on to the cell that it belongs to, which handles it as if it had come there first."""
        self.verdicts[item.id] = Verdict(Reason.WRONG_CELL, f"it belongs to the cell {cell}", retry=False, cell=cell)

    @property
    def handled(self) -> tuple[Envelope[B], ...]:
        """The messages that the handler neither retries, dead-letters nor hands on."""
        return tuple(item for item in self.items if item.id not in self.verdicts)
