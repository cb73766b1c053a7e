"""The payments and refunds that buyers know of, in a file for the comparison with the database and the ledgers."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from scripts.amqp_client import ReceivedMessage
from scripts.demo.bills import Bill

REMEMBERED_MAX = 50_000  # a repeated event comes soon after the first: older numbers are forgotten
EVENTS = ("payment.captured", "refund.requested", "refund.succeeded", "refund.failed")


Number: TypeAlias = tuple[str, str]
"""(provider, number of a payment or a refund)"""


@dataclass(frozen=True)
class Receipt:
    """A payment for a bill, of the right or a wrong amount; in cents."""

    bill: Bill
    amount: int


class Receipts:
    """Writes a line `provider,order_id,number,amount` for each payment and refund.

    A payment goes by the provider's number, a refund by ours. A payment of merged orders has a line for each order if
    it is kept, else one line for the order that it names. Which of the two is known once payment.captured arrives; a
    payment without a receipt is taken from that event.
    """

    def __init__(self, file: Path, merged: Mapping[str, Bill]) -> None:
        self.captured_cents: Counter[str] = Counter()
        self.refunded_cents: Counter[str] = Counter()
        self.open: dict[Number, Receipt] = {}
        self.refunds_open: dict[str, str] = {}
        self._merged = merged
        self._written: OrderedDict[Number, None] = OrderedDict()
        self._file = file.open("w", encoding="utf-8")

    def note_payment(self, provider: str, trade_no: str, bill: Bill, amount: int) -> None:
        """Note that a buyer was charged. Its line is written when payment.captured arrives, if it did not before."""
        if (provider, trade_no) not in self._written:
            self.open[provider, trade_no] = Receipt(bill, amount)

    def note_refund(self, refund: Mapping[str, Any]) -> None:
        """Write the line of a refund, once."""
        number = refund["provider"], refund["refund_no"]
        if number not in self._written:
            self.refunded_cents[refund["currency"]] += refund["amount"]
            self._write(number, {refund["order_id"]: -refund["amount"]})

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event about money."""
        body = received.body
        match received.type:
            case "payment.captured.v1":
                self._captured(body)
            case "refund.requested.v1":
                self.refunds_open[body["refund_no"]] = body["order_id"]
            case "refund.failed.v1":
                self.refunds_open.pop(body["refund_no"], None)
            case "refund.succeeded.v1":
                self.refunds_open.pop(body["refund_no"], None)
                self.note_refund(body)

    def flush(self) -> None:
        """Write all lines to the file."""
        self._file.flush()

    def stuck(self) -> list[str]:
        """Return payments and refunds without an answer, as text."""
        captures, refunds = list(self.open.items())[:3], list(self.refunds_open.items())[:3]
        return [
            f"capture {no} at {provider} of order {one.bill.order_id} is not announced"
            for (provider, no), one in captures
        ] + [f"refund {number} of order {order_id} has no outcome" for number, order_id in refunds]

    def _captured(self, body: Mapping[str, Any]) -> None:
        number = body["provider"], body["trade_no"]
        receipt = self.open.pop(number, None) or Receipt(self._bill(body), body["amount"])
        bill, amount = receipt.bill, receipt.amount
        self.captured_cents[bill.currency] += amount
        for_all = body["verdict"] == "kept" and amount == bill.amount
        self._write(number, bill.shares if for_all else {bill.order_id: amount})

    def _bill(self, body: Mapping[str, Any]) -> Bill:
        """Return the bill of a payment without a receipt."""
        alone = Bill(body["currency"], "", {body["order_id"]: body["amount"]})
        return self._merged.get(body["intent_id"] or "", alone)

    def _write(self, number: Number, shares: Mapping[str, int]) -> None:
        provider, its_own = number
        self._file.writelines(f"{provider},{order_id},{its_own},{cents}\n" for order_id, cents in shares.items())
        self._written[number] = None
        if len(self._written) > REMEMBERED_MAX:
            self._written.popitem(last=False)
