"""Stock counters, and the ledger entries that add up to them."""

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
    """

    on_hand: int
    locked: int
    quarantined: int = 0

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
