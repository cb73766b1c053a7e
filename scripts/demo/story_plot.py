"""What happens in the story of one order: who sends which message, and what the reader should see in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.amqp_client import OutgoingMessage, new_id

USER = "ada"
SKU, WAREHOUSE, CARRIER, TRACKING_NO = "green-tea", "main", "demo-express", "T-0001"
UNITS, PRICE_CENTS = 2, 3_000


@dataclass(frozen=True)
class Chapter:
    """One page of the story. `sends` are role and message; without any, a timer moves the order.

    `ends_with` is the event that must have come before the page ends.
    """

    title: str
    why: str
    ends_with: str
    sends: tuple[tuple[str, OutgoingMessage], ...] = ()
    then: str = ""
    holds_worker: bool = False
    """The worker waits for the next page: what comes next does so by itself."""

    @property
    def announces(self) -> str:
        """The message by which one sees in the outbox that the transaction has ended."""
        return self.ends_with if self.sends else "timer.due.v1"


@dataclass
class Plot:
    """Makes the chapters, one after the other: a later one names the order that an earlier one has placed."""

    order: Mapping[str, Any] = field(default_factory=dict)

    def stocking(self) -> Chapter:
        """The goods come before the order."""
        sku = {"sku_id": SKU, "spu_id": "tea", "revision": 1, "name": "Green tea", "status": "on_sale"}
        receipt = {"ref": "delivery-note-1", "sku_id": SKU, "warehouse": WAREHOUSE, "qty": 10}
        return Chapter(
            "the shop has something to sell",
            "The catalogue puts tea on sale, and the warehouse counts ten packets. Each team publishes as its own "
            "broker user: the broker vouches for the user, and the user's role decides what it may say.",
            "stock.received.v1",
            (
                ("catalogue", OutgoingMessage("sku.upsert.v1", sku | {"price": PRICE_CENTS, "currency": "USD"})),
                ("warehouse", OutgoingMessage("stock.receive.v1", receipt)),
            ),
        )

    def ordering(self) -> Chapter:
        """Ada orders."""
        return Chapter(
            "Ada orders",
            "The checkout publishes order.create. One transaction computes the price anew, places the order, reserves "
            "the stock (two more messages, handled in the same transaction) and writes the event into the outbox.",
            "order.created.v1",
            (("storefront", OutgoingMessage("order.create.v1", self.order_create())),),
            "Had anything failed, nothing of this would be there. A repeat of the command gets the same answer again.",
        )

    def order_create(self) -> dict[str, Any]:
        """The command of Ada's checkout."""
        address = {"receiver": "Ada", "phone": "+44 20 7946 0000", "country": "GB", "detail": "12 St James's Square"}
        return {
            "items": [{"sku_id": SKU, "qty": UNITS}],
            "expected_pay_amount": UNITS * PRICE_CENTS,
            "currency": "USD",
            "user_id": USER,
            "actor": {"type": "user", "id": USER},
            "request_id": new_id(),
            "channel": "pc",
            "address": address,
        }

    def paying(self) -> Chapter:
        """Ada pays at the shop's own payment service, which reports it."""
        amount = {"amount": self.order["amounts"]["payable"], "currency": "USD"}
        fact = {"kind": "captured"} | amount | {"provider": "own-pay", "trade_no": "payment-1"} | self._about()
        return Chapter(
            "Ada pays",
            "The shop's payment service reports a fact: money came in. It has no outcome to wait for; the provider and "
            "its number identify it for ever, so the same payment counts once, however often it is reported.",
            "order.paid.v1",
            (("payments", OutgoingMessage("payment.result.v1", fact | _now())),),
            "A payment of another amount, a second one, or one that comes too late goes back by itself.",
        )

    def booking(self) -> Chapter:
        """A parcel is planned."""
        parcel = {"tracking_no": TRACKING_NO, "carrier": CARRIER, "warehouse": WAREHOUSE}
        return Chapter(
            "the warehouse packs",
            "The warehouse books a parcel for all lines of the order, under the tracking number that the carrier gave. "
            "The goods are still there, so the order stays paid.",
            "shipment.booked.v1",
            (
                (
                    "warehouse",
                    OutgoingMessage("shipment.book.v1", parcel | self._about() | {"order_ids": [], "lines": []}),
                ),
            ),
        )

    def leaving(self) -> Chapter:
        """The parcel leaves."""
        return Chapter(
            "the parcel leaves",
            "The carrier reports that it has the parcel. The last unit that leaves makes the order shipped.",
            "order.shipped.v1",
            (("carrier", self._report("outbound")),),
        )

    def arriving(self) -> Chapter:
        """The parcel arrives."""
        return Chapter(
            "the parcel arrives",
            "The carrier reports the delivery. The transaction also writes a timer: if Ada does not confirm, the order "
            "completes by itself when the time for that is over.",
            "order.delivered.v1",
            (("carrier", self._report("delivered")),),
            holds_worker=True,
        )

    def completing(self) -> Chapter:
        """Nobody confirms, so a timer completes the order."""
        return Chapter(
            "nobody says anything",
            "No message comes from outside. The worker's sweeper finds the timer that is due and sends "
            "timer.due to our own queue. Its handler looks at the order once more and completes it.",
            "order.completed.v1",
            then="The truth is the row of the timer: the message only wakes, so it may be lost or come twice.",
        )

    def _report(self, status: str) -> OutgoingMessage:
        parcel = {"status": status, "tracking_no": TRACKING_NO, "carrier": CARRIER}
        return OutgoingMessage("shipment.update.v1", parcel | self._about() | {"event_id": new_id()} | _now())

    def _about(self) -> dict[str, Any]:
        return {"order_id": self.order["order_id"]}


def _now() -> dict[str, str]:
    return {"occurred_at": (datetime.now(UTC) - timedelta(milliseconds=1)).isoformat()}
