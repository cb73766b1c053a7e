"""Where bills are paid: by providers, or at the shop's own payment service; and what is heard of money."""

import random
from collections import Counter
from pathlib import Path

from scripts.demo import bills, receipts
from scripts.demo.bills import Bill, Bills
from scripts.demo.browser import Browser
from scripts.demo.payers import Payers
from scripts.demo.receipts import Receipts
from scripts.demo.service import PaymentService
from scripts.demo.till import Till
from scripts.demo.wire import Heard, Link

OWN_SERVICE = {"orders": 0.1, "merged orders": 0.5}
"""Which part of the bills the shop's own service collects."""
DISBELIEVED = "notifications that are not believed"
SIGNS = {
    "payment.callback_rejected.v1": DISBELIEVED,
    "payment.attempt_closed.v1": "attempts that are closed",
}
EVENTS = (*bills.EVENTS, *receipts.EVENTS, "payment.callback_rejected", "payment.attempt_closed")


class Paying:
    """Sends every bill one way or the other, and hears what becomes of it.

    The service speaks under a trusted user on a link of its own, buyers on that of the shop's site.
    """

    def __init__(self, service_link: Link, till: Till, browser: Browser, file: Path, window_seconds: float) -> None:
        self.did: Counter[str] = Counter()
        self.bills = Bills(lambda bill: self._way(bill).pay(bill), lambda bill: self._way(bill).pay_at_once(bill))
        self.receipts = Receipts(file, self.bills.merged)
        self.service = PaymentService(service_link, till.crowd, self.receipts, window_seconds)
        self.payers = Payers(till, self.receipts, browser)

    def hear(self, heard: Heard) -> None:
        """An event."""
        self.bills.hear(heard)
        self.receipts.hear(heard)
        self.service.hear(heard)
        if heard.type in SIGNS:
            self.did[SIGNS[heard.type]] += 1
        elif heard.type == "payment.captured.v1":
            self.did[f"payments: {heard.body['verdict']}"] += 1

    def _way(self, bill: Bill) -> PaymentService | Payers:
        share = OWN_SERVICE["merged orders" if bill.intent_id else "orders"]
        return self.service if random.random() < share else self.payers
