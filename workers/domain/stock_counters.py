"""Stock counters, and the ledger entries that add up to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

NO_HOLDER = 0
"""The holder id of ledger entries that belong to no order: goods that arrive, and corrections."""
ON_HAND_MAX = 2_000_000_000  # units: fits the 32-bit counters with room to spare
Place = tuple[str, str]
"""(sku, warehouse)"""


@dataclass
class Counter:
    """The units of one SKU in one warehouse. 0 <= locked <= on_hand always holds.

    Units in quarantine came back and are not on hand: they are kept apart until the warehouse decides about them.
    It is low when `low_units` or fewer can be sold; None stands for the shop's number.
    """

    on_hand: int
    locked: int
    quarantined: int = 0
    low_units: int | None = None

    @property
    def sellable(self) -> int:
        return self.on_hand - self.locked


class StockOp(StrEnum):
    """The kinds of ledger entries; `apply` says what each does to its counter."""

    RECEIVE = "receive"
    ADJUST = "adjust"
    RESERVE = "reserve"
    RELEASE = "release"
    COMMIT = "commit"
    RESTOCK = "restock"
    QUARANTINE = "quarantine"
    WRITE_OFF = "write_off"
    CLEAR = "clear"
    DISCARD = "discard"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"


RETURNED = (StockOp.RESTOCK, StockOp.QUARANTINE, StockOp.WRITE_OFF)
"""The entries of units that a holder brought back. No unit is in two of them."""


class LedgerEntry(NamedTuple):
    """One change of one counter. (holder, place, op, ref) is unique."""

    holder_id: int
    place: Place
    op: StockOp
    ref: str
    qty: int


def apply(counter: Counter, op: StockOp, qty: int) -> None:
    """Apply a ledger entry to its counter. Applying the whole ledger to empty counters gives the counters back."""
    match op:
        case StockOp.RECEIVE | StockOp.RESTOCK | StockOp.ADJUST | StockOp.TRANSFER_IN:
            counter.on_hand += qty
        case StockOp.TRANSFER_OUT:
            counter.on_hand -= qty
        case StockOp.RESERVE:
            counter.locked += qty
        case StockOp.RELEASE:
            counter.locked -= qty
        case StockOp.COMMIT:
            counter.locked -= qty
            counter.on_hand -= qty
        case StockOp.QUARANTINE:
            counter.quarantined += qty
        case StockOp.CLEAR:
            counter.quarantined -= qty
            counter.on_hand += qty
        case StockOp.DISCARD:
            counter.quarantined -= qty
        case StockOp.WRITE_OFF:
            pass  # these units are neither on hand nor in quarantine
    assert 0 <= counter.locked <= counter.on_hand, f"{op} of {qty} would leave {counter}"
    assert counter.quarantined >= 0, f"{op} of {qty} would leave {counter}"


class Fall(NamedTuple):
    """The units that can be sold in a place fell to `units`: to `threshold` or below, or, without one, to none."""

    place: Place
    units: int
    threshold: int | None


class StockWatch:
    """Sees, in one batch, which places fall to their threshold or are sold out. One that was there before is not seen.

    So each fall is announced once, and again after the units rose (R-21). `low_units` is the shop's threshold, or 0 for
    none.
    """

    def __init__(self, counters: Mapping[Place, Counter], low_units: int) -> None:
        self._counters = counters
        self._low_units = low_units
        self._seen = {place: counter.sellable for place, counter in counters.items()}
        self._entries = 0

    def falls(self, ledger: Sequence[LedgerEntry]) -> Iterator[Fall]:
        """Return what fell by the entries that the ledger has got since the last call."""
        changed = dict.fromkeys(entry.place for entry in ledger[self._entries :])
        self._entries = len(ledger)
        for place in changed:
            counter, before = self._counters[place], self._seen[place]
            now = self._seen[place] = counter.sellable
            threshold = self._low_units if counter.low_units is None else counter.low_units
            if threshold > 0 and now <= threshold < before:
                yield Fall(place, now, threshold)
            if now == 0 < before:
                yield Fall(place, now, None)
