"""The shop's own payment service reports what it collects: mostly once, sometimes late, twice, wrongly or never."""

import asyncio
import random
from collections import Counter
from typing import Any

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage, new_id, now
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.bills import Bill
from scripts.demo.receipts import Receipts

PROVIDER = "demo-pay"

COURSES = {
    "pays once": 82,
    "is reported twice": 4,
    "pays twice": 3,
    "pays the wrong amount": 2,
    "fails, then pays": 3,
    "pays too late": 3,
    "never pays": 3,
}
"""How many payments of a hundred take each course."""
REFUND_FAILS = 0.5
"""The share of the refunds of after-sale cases that this service refuses at first."""


class PaymentService:
    """Collects bills and reports them as the shop's adapter; refunds what the order system requests."""

    def __init__(self, link: AmqpClient, tasks: BackgroundTasks, receipts: Receipts, window_seconds: float) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._tasks, self._receipts, self._window_seconds = link, tasks, receipts, window_seconds

    def pay(self, bill: Bill) -> None:
        """Begin to collect a bill in one of the courses, by chance."""
        self._begin(random.choices(list(COURSES), list(COURSES.values()))[0], bill)

    def pay_at_once(self, bill: Bill) -> None:
        """Begin to collect a bill without any trouble."""
        self._begin("pays once", bill)

    def receive(self, received: ReceivedMessage) -> None:
        """Handle the request for a refund of a payment that this service collected."""
        if received.type == "refund.requested.v1" and received.body["provider"] == PROVIDER:
            self._tasks.start(self._refund(received.body))

    def _begin(self, course: str, bill: Bill) -> None:
        self.did[course] += 1
        self._tasks.start(self._pay(course, bill))

    async def _pay(self, course: str, bill: Bill) -> None:
        if course == "never pays":
            return
        late = self._window_seconds + random.uniform(2, 6)
        await asyncio.sleep(late if course == "pays too late" else random.uniform(0.05, 2.5))
        if course == "fails, then pays":
            await self._report(bill, "failed", bill.amount, new_id(), reason_code="INSUFFICIENT_FUNDS")
            await asyncio.sleep(random.uniform(0.1, 1))
        amount, trade_no = bill.amount, new_id()
        if course == "pays the wrong amount":
            amount = max(1, amount + random.choice([-100, -1, 1, 1000]))
        await self._capture(bill, amount, trade_no)
        if course == "is reported twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._report(bill, "captured", amount, trade_no)
        if course == "pays twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._capture(bill, bill.amount, new_id())

    async def _capture(self, bill: Bill, amount: int, trade_no: str) -> None:
        self._receipts.note_payment(PROVIDER, trade_no, bill, amount)
        await self._report(bill, "captured", amount, trade_no)

    async def _report(self, bill: Bill, kind: str, amount: int, trade_no: str, **more: Any) -> None:
        body = {
            "order_id": bill.order_id,
            "provider": PROVIDER,
            "trade_no": trade_no,
            "kind": kind,
            "amount": amount,
            "currency": bill.currency,
            "intent_id": bill.intent_id,
            "occurred_at": now(),
        }
        await self._link.send(OutgoingMessage("payment.result.v1", body | more))

    async def _refund(self, refund: dict[str, Any]) -> None:
        self.did["refunds"] += 1
        slow = random.random() < 0.1
        await asyncio.sleep(random.uniform(2, 6) if slow else random.uniform(0.05, 1))
        fails = refund["cause"].startswith("case:") and random.random() < REFUND_FAILS
        self.did["refunds refused"] += fails
        body = {
            "refund_no": refund["refund_no"],
            "status": "failed" if fails else "succeeded",
            "amount": refund["amount"],
            "currency": refund["currency"],
            "occurred_at": now(),
        }
        if not fails:
            self._receipts.note_refund(refund)
        for _ in range(2 if random.random() < 0.1 else 1):
            await self._link.send(OutgoingMessage("refund.result.v1", body))
