"""The labels of parcels: each must have the address that the buyer of its order gave last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.purchase import MOVED, address, household_of


@dataclass
class ParcelLabels:
    """What buyers gave, from their own orders; and what the warehouse printed, from the queue of its instructions.

    `given` is order id -> household, or MOVED after a change of the address. `printed` is tracking number -> the ids of
    its orders and the address.
    """

    given: dict[str, str] = field(default_factory=dict)
    printed: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = field(default_factory=dict)

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order: it is the buyer's, or its address is changed."""
        order_id = received.body["order_id"]
        if received.type == "order.created.v1":
            self.given.setdefault(order_id, household_of(received.body["user_id"]))
        elif received.type == "order.address_changed.v1":
            self.given[order_id] = MOVED

    def replace(self, first_order_id: str, order_id: str) -> None:
        """Expect the goods that replace those of another order at its address, unless that of theirs is changed."""
        if self.given.get(order_id) != MOVED:
            self.given[order_id] = self.given[first_order_id]

    def print(self, tracking_no: str, order_ids: Sequence[str], on_label: dict[str, Any]) -> None:
        """Keep the label of a parcel with goods of these orders."""
        self.printed[tracking_no] = tuple(order_ids), on_label

    def compare(self) -> tuple[int, list[str]]:
        """Return how many labels have the address that the buyer gave, and those that have not."""
        different = [
            f"parcel {tracking_no} of order {', '.join(order_ids)} has another address than its buyer gave"
            for tracking_no, (order_ids, on_label) in self.printed.items()
            if any(key not in self.given or _filled(on_label) != address(self.given[key]) for key in order_ids)
        ]
        return len(self.printed) - len(different), different


def _filled(on_label: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an address that have a value."""
    return {name: value for name, value in on_label.items() if value is not None}
