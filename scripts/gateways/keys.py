"""The rotation of a provider's signing keys, and notifications whose copies are all the same."""

from datetime import datetime
from typing import Generic, TypeVar

from scripts.gateways.notifier import Copy, Write

T = TypeVar("T")


class KeyRotation(Generic[T]):
    """Two keys of a provider. The second one signs after the first has signed `rotate_after` notifications."""

    def __init__(self, first: T, second: T, rotate_after: int | None) -> None:
        self.first, self.second = first, second
        self._left = rotate_after

    @property
    def current(self) -> T:
        """The key that signs now."""
        return self.second if self._left is not None and self._left <= 0 else self.first

    def next(self) -> T:
        """Return the key that signs the next notification."""
        key = self.current
        if self._left is not None:
            self._left -= 1
        return key


def same_each_time(write: Write) -> Write:
    """Return a writer that writes once and repeats the same bytes."""
    copies: list[Copy] = []

    def first(at: datetime) -> Copy:
        if not copies:
            copies.append(write(at))
        return copies[0]

    return first
