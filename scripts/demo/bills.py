"""The bills that buyers have to pay: one for each order, or one for several merged orders."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.amqp_client import ReceivedMessage

EVENTS = ("order.created", "order.merged")
ONE_ALONE = 0.06
"""The share of merged payments where one of the orders is also paid alone, before."""


@dataclass
class Bill:
    """One order or several merged orders to pay. `shares` is order -> cents; a payment names the first order."""

    currency: str
    user: str
    shares: dict[str, int] = field(default_factory=dict)
    intent_id: str | None = None

    @property
    def order_id(self) -> str:
        """The order that the payment names."""
        return next(iter(self.shares))

    @property
    def amount(self) -> int:
        """The amount to pay, in cents."""
        return sum(self.shares.values())


class Bills:
    """Collects orders into bills. Calls `begin` once for each bill; `merged` is intent -> bill of several orders."""

    def __init__(self, begin: Callable[[Bill], None], begin_alone: Callable[[Bill], None]) -> None:
        self.did: Counter[str] = Counter()
        self.merged: dict[str, Bill] = {}
        self._begin, self._begin_alone = begin, begin_alone
        self._held: dict[str, Bill | None] = {}
        self._merging: dict[str, Bill] = {}

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an order.created or order.merged."""
        body = received.body
        if received.type == "order.merged.v1":
            self._merge(body)
        elif received.type == "order.created.v1" and body["parent_id"] is None:
            self._open(body["request_id"], bill_of(body))

    def hold(self, request_id: str) -> None:
        """Do not begin the bill of this request's order before it is merged or released."""
        self._held[request_id] = None

    def release(self, request_id: str) -> None:
        """Begin the bill of this order by itself: now, or as soon as order.created arrives."""
        bill = self._held.pop(request_id, None)
        if bill is not None:
            self._begin(bill)

    def _open(self, request_id: str, bill: Bill) -> None:
        if not bill.amount:
            return  # the goods that came back have paid it
        if request_id in self._held:
            self._held[request_id] = bill
        else:
            self._begin(bill)

    def _merge(self, body: Mapping[str, Any]) -> None:
        """Add one merged order to its bill. Each of them has an event of its own; the last one completes the bill."""
        one, intent_id = bill_of(body), body["intent_id"]
        bill = self._merging.setdefault(intent_id, Bill(one.currency, one.user, {}, intent_id))
        bill.shares |= one.shares
        if len(bill.shares) == len(body["order_ids"]):
            self.merged[intent_id] = self._merging.pop(intent_id)
            self.did["merged payments"] += 1
            if random.random() < ONE_ALONE:
                self.did["pays one of merged orders alone"] += 1
                self._begin_alone(one)
            self._begin(bill)


def bill_of(body: Mapping[str, Any]) -> Bill:
    """Return the bill of one order by itself."""
    amounts = body["amounts"]
    return Bill(amounts["currency"], body["user_id"], {body["order_id"]: amounts["payable"]})
