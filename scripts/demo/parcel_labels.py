"""The labels of parcels: each must have the address that the buyer of its order gave last."""

from dataclasses import dataclass, field
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.purchase import MOVED, address, household_of


@dataclass
class ParcelLabels:
    """What buyers gave, from their own orders; and what the warehouse printed, from the queue of its instructions.

    `given` is order id -> household, or MOVED after a change of the address. `printed` is tracking number -> order id
    and address.
    """

    given: dict[str, str] = field(default_factory=dict)
    printed: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order: it is the buyer's, or its address is changed."""
        order_id = received.body["order_id"]
        if received.type == "order.created.v1":
            self.given.setdefault(order_id, household_of(received.body["user_id"]))
        elif received.type == "order.address_changed.v1":
            self.given[order_id] = MOVED

    def print(self, tracking_no: str, order_id: str, on_label: dict[str, Any]) -> None:
        """Keep the label of a parcel."""
        self.printed[tracking_no] = order_id, on_label

    def compare(self) -> tuple[int, list[str]]:
        """Return how many labels have the address that the buyer gave, and those that have not."""
        different = [
            f"parcel {tracking_no} of order {order_id} has another address than its buyer gave"
            for tracking_no, (order_id, on_label) in self.printed.items()
            if order_id not in self.given or _filled(on_label) != address(self.given[order_id])
        ]
        return len(self.printed) - len(different), different


def _filled(on_label: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an address that have a value."""
    return {name: value for name, value in on_label.items() if value is not None}
