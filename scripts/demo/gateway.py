"""A payment gateway as gateways are: most orders are paid once; some late, twice, wrongly, or never."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.demo.crowd import Crowd
from scripts.demo.wire import Heard, Letter, Link, new_id, now

EVENTS = ("order.created", "order.merged", "payment.captured", "refund.requested", "refund.succeeded")
CHANNEL = "demo-pay"

HABITS = {
    "pays once": 82,
    "is told twice": 4,
    "pays twice": 3,
    "pays the wrong amount": 2,
    "fails, then pays": 3,
    "pays too late": 3,
    "never pays": 3,
}
"""What happens to how many payments of a hundred."""
ONE_ALONE = 0.06
"""How many payments of merged orders come after one of the orders was paid alone."""


@dataclass
class Bill:
    """What is to be paid: one order, or merged ones. `shares` is order -> cents; the first is the one that is named."""

    currency: str
    shares: dict[str, int] = field(default_factory=dict)
    intent_id: str | None = None

    @property
    def order_id(self) -> str:
        """The order that the payment names."""
        return next(iter(self.shares))

    @property
    def amount(self) -> int:
        """Cents."""
        return sum(self.shares.values())


@dataclass(frozen=True)
class Capture:
    """Money that came in for a bill, right or wrong."""

    bill: Bill
    amount: int


class Gateway:
    """Keeps its own books: captures and refunds are lines `order_id,number,amount` in the journal.

    A payment of merged orders has a line for each of them when it is kept, else one for the order that it names.
    """

    def __init__(self, link: Link, crowd: Crowd, journal: Path, window_seconds: float) -> None:
        self.did: Counter[str] = Counter()
        self.captured_cents = 0
        self.refunded_cents = 0
        self.refunds_open: dict[str, str] = {}
        self.captures_open: dict[str, Capture] = {}
        self._held: dict[str, Bill | None] = {}
        self._merging: dict[str, Bill] = {}
        self._link, self._crowd, self._window_seconds = link, crowd, window_seconds
        self._journal = journal.open("w", encoding="utf-8")

    def hear(self, heard: Heard) -> None:
        """An event of the order system."""
        body = heard.body
        match heard.type:
            case "order.created.v1" if body["parent_id"] is None:
                self._open(body["request_id"], bill_of(body))
            case "order.merged.v1":
                self._merge(body)
            case "payment.captured.v1":
                self._captured(body["trade_no"], kept=body["verdict"] == "kept")
            case "refund.requested.v1":
                self.refunds_open[body["refund_no"]] = body["order_id"]
                self._crowd.tell(self._refund(body))
            case "refund.succeeded.v1":
                self.refunds_open.pop(body["refund_no"], None)

    def hold(self, request_id: str) -> None:
        """The order of this request is not paid before it is merged or released."""
        self._held[request_id] = None

    def release(self, request_id: str) -> None:
        """It is paid for itself, now or once it is heard of."""
        bill = self._held.pop(request_id, None)
        if bill is not None:
            self._begin(bill)

    def flush(self) -> None:
        """Write the books down."""
        self._journal.flush()

    def stuck(self) -> list[str]:
        """What nobody has answered."""
        captures, refunds = list(self.captures_open.items())[:3], list(self.refunds_open.items())[:3]
        return [f"capture {number} of order {capture.bill.order_id} unheard" for number, capture in captures] + [
            f"refund {number} of order {order_id} unheard" for number, order_id in refunds
        ]

    # ------------------------------------------------------------ whom to pay for what

    def _open(self, request_id: str, bill: Bill) -> None:
        if request_id in self._held:
            self._held[request_id] = bill
        else:
            self._begin(bill)

    def _merge(self, body: dict[str, Any]) -> None:
        """Every order that was merged says what it costs; the last one completes the bill."""
        bill = self._merging.setdefault(body["intent_id"], Bill(body["amounts"]["currency"], {}, body["intent_id"]))
        bill.shares |= bill_of(body).shares
        if len(bill.shares) == len(body["order_ids"]):
            del self._merging[body["intent_id"]]
            self.did["merged payments"] += 1
            if random.random() < ONE_ALONE:
                self.did["pays one of merged orders alone"] += 1
                self._crowd.tell(self._pay("pays once", Bill(bill.currency, bill_of(body).shares)))
            self._begin(bill)

    def _begin(self, bill: Bill) -> None:
        habit = random.choices(list(HABITS), list(HABITS.values()))[0]
        self.did[habit] += 1
        self._crowd.tell(self._pay(habit, bill))

    # ------------------------------------------------------------ paying

    async def _pay(self, habit: str, bill: Bill) -> None:
        if habit == "never pays":
            return
        late = self._window_seconds + random.uniform(2, 6)
        await asyncio.sleep(late if habit == "pays too late" else random.uniform(0.05, 2.5))
        if habit == "fails, then pays":
            await self._tell(bill, "failed", bill.amount, new_id(), reason="insufficient funds")
            await asyncio.sleep(random.uniform(0.1, 1))
        amount, trade_no = bill.amount, new_id()
        if habit == "pays the wrong amount":
            amount = max(1, amount + random.choice([-100, -1, 1, 1000]))
        await self._capture(bill, amount, trade_no)
        if habit == "is told twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._tell(bill, "captured", amount, trade_no)
        if habit == "pays twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._capture(bill, bill.amount, new_id())

    async def _capture(self, bill: Bill, amount: int, trade_no: str) -> None:
        self.captures_open[trade_no] = Capture(bill, amount)
        self.captured_cents += amount
        await self._tell(bill, "captured", amount, trade_no)

    def _captured(self, trade_no: str, *, kept: bool) -> None:
        """The order system has it: for whom the money is, is known only now."""
        capture = self.captures_open.pop(trade_no, None)
        if capture is None:
            return
        bill, amount = capture.bill, capture.amount
        for order_id, part in (bill.shares if kept and amount == bill.amount else {bill.order_id: amount}).items():
            self._journal.write(f"{order_id},{trade_no},{part}\n")

    async def _tell(self, bill: Bill, kind: str, amount: int, trade_no: str, **more: Any) -> None:
        body = {
            "order_id": bill.order_id,
            "channel": CHANNEL,
            "trade_no": trade_no,
            "kind": kind,
            "amount": amount,
            "currency": bill.currency,
            "intent_id": bill.intent_id,
            "occurred_at": now(),
        }
        await self._link.send(Letter("payment.result.v1", body | more))

    async def _refund(self, asked: dict[str, Any]) -> None:
        self.did["refunds"] += 1
        slow = random.random() < 0.1
        await asyncio.sleep(random.uniform(2, 6) if slow else random.uniform(0.05, 1))
        body = {
            "refund_no": asked["refund_no"],
            "status": "succeeded",
            "amount": asked["amount"],
            "currency": asked["currency"],
            "occurred_at": now(),
        }
        self.refunded_cents += asked["amount"]
        self._journal.write(f"{asked['order_id']},{asked['refund_no']},{-asked['amount']}\n")
        for _ in range(2 if random.random() < 0.1 else 1):
            await self._link.send(Letter("refund.result.v1", body))


def bill_of(body: dict[str, Any]) -> Bill:
    """What one order costs by itself."""
    return Bill(body["amounts"]["currency"], {body["order_id"]: body["amounts"]["payable"]})
