"""One request for a warehouse: what it is to ship where, and how far it is."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class WarehouseJob:
    """One request, with its newest lines. `decided` is set once it is accepted, replaced or withdrawn.

    `released` is set unless the order is held, `answered` unless a booking has no answer yet. `taken` says whether
    another order took along a packed one that waits, and `shared` that its parcel holds goods of others too.
    """

    order_id: str
    number: int
    lines: list[dict[str, Any]]
    address: dict[str, Any]
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    taken: "asyncio.Future[bool] | None" = None
    shared: bool = False
    withdrawn: bool = False
    left: bool = False

    def __post_init__(self) -> None:
        self.released.set()
        self.answered.set()

    @property
    def may_leave(self) -> bool:
        """True unless the order is held or the request is withdrawn."""
        return self.released.is_set() and not self.withdrawn

    def withdraw(self) -> None:
        """Stop the work, wherever it is."""
        self.withdrawn = True
        self.decided.set()
        self.released.set()
        self.stay()

    def take_along(self) -> None:
        """End its wait: it is in the parcel of another order."""
        if self.taken is not None and not self.taken.done():
            self.taken.set_result(True)

    def stay(self) -> None:
        """End its wait, if it waits for another order: none takes it along."""
        if self.taken is not None and not self.taken.done():
            self.taken.set_result(False)
