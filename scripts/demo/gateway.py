"""A payment gateway as gateways are: most orders are paid once; some late, twice, wrongly, or never."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.demo.crowd import Crowd
from scripts.demo.wire import Heard, Letter, Link, new_id, now

EVENTS = ("order.created", "payment.captured", "refund.requested", "refund.succeeded")
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
"""What happens to how many orders of a hundred."""


class Gateway:
    """Keeps its own books: every capture and every refund is a line `order_id,number,amount` in the journal."""

    def __init__(self, link: Link, crowd: Crowd, journal: Path, window_seconds: float) -> None:
        self.did: Counter[str] = Counter()
        self.captured_cents = 0
        self.refunded_cents = 0
        self.refunds_open: dict[str, str] = {}
        self.captures_open: dict[str, str] = {}
        self._link, self._crowd, self._window_seconds = link, crowd, window_seconds
        self._journal = journal.open("w", encoding="utf-8")

    def hear(self, heard: Heard) -> None:
        """An event of the order system."""
        body = heard.body
        if heard.type == "order.created.v1":
            habit = random.choices(list(HABITS), list(HABITS.values()))[0]
            self.did[habit] += 1
            self._crowd.tell(
                self._pay(habit, body["order_id"], body["amounts"]["payable"], body["amounts"]["currency"])
            )
        elif heard.type == "payment.captured.v1":
            self.captures_open.pop(body["trade_no"], None)
        elif heard.type == "refund.requested.v1":
            self.refunds_open[body["refund_no"]] = body["order_id"]
            self._crowd.tell(self._refund(body))
        elif heard.type == "refund.succeeded.v1":
            self.refunds_open.pop(body["refund_no"], None)

    def flush(self) -> None:
        """Write the books down."""
        self._journal.flush()

    def stuck(self) -> list[str]:
        """What nobody has answered."""
        return [
            f"capture {number} of order {order} unheard" for number, order in list(self.captures_open.items())[:3]
        ] + [f"refund {number} of order {order} unheard" for number, order in list(self.refunds_open.items())[:3]]

    async def _pay(self, habit: str, order_id: str, amount: int, currency: str) -> None:
        if habit == "never pays":
            return
        late = self._window_seconds + random.uniform(2, 6)
        await asyncio.sleep(late if habit == "pays too late" else random.uniform(0.05, 2.5))
        if habit == "fails, then pays":
            await self._tell(order_id, "failed", amount, currency, new_id(), reason="insufficient funds")
            await asyncio.sleep(random.uniform(0.1, 1))
        if habit == "pays the wrong amount":
            amount = max(1, amount + random.choice([-100, -1, 1, 1000]))
        trade_no = new_id()
        await self._capture(order_id, amount, currency, trade_no)
        if habit == "is told twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._tell(order_id, "captured", amount, currency, trade_no)
        if habit == "pays twice":
            await asyncio.sleep(random.choice([0, random.uniform(0, 3)]))
            await self._capture(order_id, amount, currency, new_id())

    async def _capture(self, order_id: str, amount: int, currency: str, trade_no: str) -> None:
        self.captures_open[trade_no] = order_id
        self.captured_cents += amount
        self._journal.write(f"{order_id},{trade_no},{amount}\n")
        await self._tell(order_id, "captured", amount, currency, trade_no)

    async def _tell(self, order_id: str, kind: str, amount: int, currency: str, trade_no: str, **more: Any) -> None:
        body = {
            "order_id": order_id,
            "channel": CHANNEL,
            "trade_no": trade_no,
            "kind": kind,
            "amount": amount,
            "currency": currency,
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
