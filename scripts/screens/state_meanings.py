"""What each state of an order means to a person, and what the order waits for in it."""

from typing import NamedTuple

from workers.domain.order import State


class Meaning(NamedTuple):
    """A sentence about a state. `awaited` is empty if the order waits for nothing."""

    sentence: str
    awaited: str


MEANINGS = {
    State.PLACING: Meaning("its stock is being reserved", "the stock workers (stock.reserved, stock.refused)"),
    State.AWAITING_PAYMENT: Meaning("its stock is reserved and nothing is paid", "the buyer's payment"),
    State.PAID: Meaning("it is paid and has not left", "its warehouses: parcels that leave, or units that are short"),
    State.FULFILLING: Meaning(
        "its warehouses work on it", "its warehouses: parcels that leave, or units that are short"
    ),
    State.SHIPPED: Meaning("everything has left", "the carrier: the end of each parcel"),
    State.DELIVERED: Meaning("everything has arrived", "the buyer's confirmation of receipt"),
    State.CANCELLING: Meaning("it is to be cancelled", "its warehouses: whether they could stop"),
    State.CANCELLED: Meaning("it ended without a sale", ""),
    State.COMPLETED: Meaning("it ended as it should", ""),
    State.DELIVERY_FAILED: Meaning("nothing has arrived", "the carrier: each parcel back, or confirmed as lost"),
    State.SPLIT: Meaning("its children carry the goods", ""),
    State.REJECTED: Meaning("it was never accepted", ""),
}
TIMER_ENDS = {
    "saga": "then it is rejected",
    "payment": "then it is cancelled",
    "receipt": "then it is completed",
    "shortage": "then the shop's rule answers for the buyer",
    "cancelling": "then an alert is raised",
}
"""Kind of timer -> what happens when it is due."""
