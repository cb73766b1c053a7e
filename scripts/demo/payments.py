"""Sends each bill to a provider or to the shop's own payment service, and follows the events about money."""

import random
from collections import Counter
from pathlib import Path

from scripts.amqp_client import AmqpClient, ReceivedMessage
from scripts.demo import bills, receipts
from scripts.demo.bills import Bill, Bills
from scripts.demo.browser import Browser
from scripts.demo.order_placement import OrderPlacement
from scripts.demo.payment_service import PaymentService
from scripts.demo.provider_payments import ProviderPayments
from scripts.demo.receipts import Receipts

OWN_SERVICE = {"orders": 0.1, "merged orders": 0.5}
"""The share of bills that the shop's own service collects."""
REFUSED_NOTIFICATIONS = "notifications refused as not genuine"
COUNTED_EVENTS = {
    "payment.callback_rejected.v1": REFUSED_NOTIFICATIONS,
    "payment.attempt_closed.v1": "attempts closed",
}
EVENTS = (*bills.EVENTS, *receipts.EVENTS, "payment.callback_rejected", "payment.attempt_closed")


class Payments:
    """Divides the bills and passes on the events.

    The service has a link under the broker user with the role payments; buyers use the link of the shop's site.
    """

    def __init__(
        self, service_link: AmqpClient, placement: OrderPlacement, browser: Browser, file: Path, window_seconds: float
    ) -> None:
        self.did: Counter[str] = Counter()
        self.bills = Bills(
            lambda bill: self._payer_of(bill).pay(bill), lambda bill: self._payer_of(bill).pay_at_once(bill)
        )
        self.receipts = Receipts(file, self.bills.merged)
        self.service = PaymentService(service_link, placement.tasks, self.receipts, window_seconds)
        self.provider_payments = ProviderPayments(placement, self.receipts, browser)

    def receive(self, received: ReceivedMessage, *, own: bool = False) -> None:
        """Pass an event on to bills, receipts and the payment service, and count what it means.

        Nobody here pays a person's `own` order; what that person pays is noted all the same, as the database has it.
        """
        if not own:
            self.bills.receive(received)
        self.receipts.receive(received)
        self.service.receive(received)
        if received.type in COUNTED_EVENTS:
            self.did[COUNTED_EVENTS[received.type]] += 1
        elif received.type == "payment.captured.v1":
            self.did[f"payments: {received.body['verdict']}"] += 1

    def _payer_of(self, bill: Bill) -> PaymentService | ProviderPayments:
        share = OWN_SERVICE["merged orders" if bill.intent_id else "orders"]
        return self.service if random.random() < share else self.provider_payments
