"""What buyers know that they paid and got back, written down to be compared with everybody's books."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from scripts.amqp_client import ReceivedMessage
from scripts.demo.bills import Bill

REMEMBERED_MAX = 50_000  # what is told of twice is told of soon
EVENTS = ("payment.captured", "refund.requested", "refund.succeeded")


Number: TypeAlias = tuple[str, str]
"""(provider, the number of a payment or a refund)"""


@dataclass(frozen=True)
class Receipt:
    """Money that was taken for a bill, right or wrong; cents."""

    bill: Bill
    amount: int


class Receipts:
    """A line `provider,order_id,number,amount` for each movement: payments by the provider's number, refunds by ours.

    A payment of merged orders has a line for each of them when it is kept, else one for the order that it names: for
    whom the money is, is known when the order system has received of it. Not every payment leaves its buyer a receipt.
    """

    def __init__(self, file: Path, merged: Mapping[str, Bill]) -> None:
        self.captured_cents: Counter[str] = Counter()
        self.refunded_cents: Counter[str] = Counter()
        self.open: dict[Number, Receipt] = {}
        self.refunds_open: dict[str, str] = {}
        self._merged = merged
        self._written: OrderedDict[Number, None] = OrderedDict()
        self._file = file.open("w", encoding="utf-8")

    def paid(self, provider: str, trade_no: str, bill: Bill, amount: int) -> None:
        """A buyer was charged so much; the order system has to receive of it, unless it was faster."""
        if (provider, trade_no) not in self._written:
            self.open[provider, trade_no] = Receipt(bill, amount)

    def gave_back(self, refund: Mapping[str, Any]) -> None:
        """A buyer has money back; received of once more it changes nothing."""
        number = refund["provider"], refund["refund_no"]
        if number not in self._written:
            self.refunded_cents[refund["currency"]] += refund["amount"]
            self._write(number, {refund["order_id"]: -refund["amount"]})

    def receive(self, received: ReceivedMessage) -> None:
        """An event about money."""
        body = received.body
        match received.type:
            case "payment.captured.v1":
                self._captured(body)
            case "refund.requested.v1":
                self.refunds_open[body["refund_no"]] = body["order_id"]
            case "refund.succeeded.v1":
                self.refunds_open.pop(body["refund_no"], None)
                self.gave_back(body)

    def flush(self) -> None:
        """Write everything down."""
        self._file.flush()

    def stuck(self) -> list[str]:
        """What nobody has answered."""
        captures, refunds = list(self.open.items())[:3], list(self.refunds_open.items())[:3]
        return [
            f"capture {no} at {provider} of order {one.bill.order_id} unheard" for (provider, no), one in captures
        ] + [f"refund {number} of order {order_id} unheard" for number, order_id in refunds]

    def _captured(self, body: Mapping[str, Any]) -> None:
        number = body["provider"], body["trade_no"]
        receipt = self.open.pop(number, None) or Receipt(self._bill(body), body["amount"])
        bill, amount = receipt.bill, receipt.amount
        self.captured_cents[bill.currency] += amount
        for_all = body["verdict"] == "kept" and amount == bill.amount
        self._write(number, bill.shares if for_all else {bill.order_id: amount})

    def _bill(self, body: Mapping[str, Any]) -> Bill:
        """Of a payment without a receipt."""
        alone = Bill(body["currency"], "", {body["order_id"]: body["amount"]})
        return self._merged.get(body["intent_id"] or "", alone)

    def _write(self, number: Number, shares: Mapping[str, int]) -> None:
        provider, its_own = number
        self._file.writelines(f"{provider},{order_id},{its_own},{cents}\n" for order_id, cents in shares.items())
        self._written[number] = None
        if len(self._written) > REMEMBERED_MAX:
            self._written.popitem(last=False)
