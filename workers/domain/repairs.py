"""What is owed to an order whose stock is behind, because a message to the stock was lost for good.

    the order's state calls for    holder is none   reserved             committed
    -----------------------------  ---------------  -------------------  -----------------------
    units held                     -                nothing              nothing
    units deducted                 -                commit               nothing
    units given back, undeducted   release          release              -
    units given back, deducted     -                commit and restocks  the restocks that lack

"-" cannot be repaired from here: the reservation itself never came, or the books contradict each other. `oms audit`
names such an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workers.domain.order import State
from workers.domain.shop import DeductOn
from workers.domain.stock_reservations import HolderState

ENDED = frozenset({State.CANCELLED, State.REJECTED})


class StockMessage(StrEnum):
    """The stock messages that can be owed."""

    COMMIT = "stock.commit"
    RELEASE = "stock.release"
    RESTOCK = "stock.restock"


@dataclass(frozen=True)
class StockSituation:
    """An order beside its stock. `any_left`: a parcel has left the warehouse."""

    order_id: int
    order_no: str | None
    state: State
    paid: bool
    deduct_on: DeductOn
    any_left: bool
    holder: HolderState | None
    changed_at: datetime

    @property
    def deducted(self) -> bool:
        """True if the order has passed the step at which its units are deducted."""
        match self.deduct_on:
            case DeductOn.CREATE:
                return self.state is not State.REJECTED
            case DeductOn.PAY:
                return self.paid
        return self.any_left


def stock_owed(situation: StockSituation, restock_refs: Sequence[str]) -> tuple[tuple[StockMessage, str], ...]:
    """Return the messages that are owed, each with its ref (empty but for a restock), in the order to send them.

    `restock_refs` are the restocks that the order calls for and the ledger lacks.
    """
    restocks = tuple((StockMessage.RESTOCK, ref) for ref in restock_refs)
    match situation.holder:
        case None | HolderState.RESERVED if situation.state in ENDED and not situation.deducted:
            return ((StockMessage.RELEASE, ""),)
        case HolderState.RESERVED if situation.deducted:
            return ((StockMessage.COMMIT, ""), *restocks)
        case HolderState.COMMITTED:
            return restocks
    return ()
