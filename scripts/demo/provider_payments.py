"""Buyers who pay at providers: they start a payment here, then pay there with what payment.started gave them."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, TypeAlias

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.bills import Bill
from scripts.demo.browser import Browser
from scripts.demo.command_outcomes import REFUSED
from scripts.demo.order_placement import OrderPlacement
from scripts.demo.receipts import Receipts

PROVIDERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "alipay": ("CNY", ("page", "wap", "app", "qr")),
    "wechat": ("CNY", ("qr", "jsapi", "h5", "app")),
    "unionpay": ("CNY", ("page", "wap", "app")),
    "paypal": ("USD", ("page",)),
    "stripe": ("USD", ("page",)),
}
"""Provider -> the currency that buyers of the demo use it for, and its scenes."""
APPROVING = frozenset({"paypal"})
"""At these providers buyers only approve; the order system captures afterwards."""
COURSES = {
    "pays": 72,
    "pays two attempts": 6,
    "pays at another provider than at first": 6,
    "pays one attempt twice": 4,
    "pays in the last second": 3,
    "pays too late": 3,
    "never pays": 3,
    "never comes": 3,
}
"""How many buyers of a hundred take each course."""
WRONG_AMOUNT = 0.02
"""The share of buyers who first start with a wrong amount."""
TRIES = 3
"""A buyer tries so many providers if one does not answer or refuses."""
AGAIN = frozenset({"PAY_PROVIDER_UNKNOWN", "PAY_PROVIDER_ERROR"})
TOO_LATE = frozenset({"PAY_ALREADY_PAID", "PAY_EXPIRED", "ORDER_STATE_INVALID"})
"""Codes of orders that were cancelled, expired or paid meanwhile."""
MISMATCH = "PAY_AMOUNT_MISMATCH"
OK, CONFLICT = 200, 409
Started: TypeAlias = Mapping[str, Any]


class ProviderPayments:
    """Pays each bill at a provider. An answer that must not happen is reported to the order placement."""

    def __init__(self, placement: OrderPlacement, receipts: Receipts, browser: Browser) -> None:
        self.did: Counter[str] = Counter()
        self._placement, self._receipts, self._browser = placement, receipts, browser

    def pay(self, bill: Bill) -> None:
        """Begin to pay a bill in one of the courses, by chance."""
        self._begin(random.choices(list(COURSES), list(COURSES.values()))[0], bill)

    def pay_at_once(self, bill: Bill) -> None:
        """Begin to pay a bill without any trouble."""
        self._begin("pays", bill)

    def _begin(self, course: str, bill: Bill) -> None:
        self.did[course] += 1
        if course != "never comes":
            self._placement.tasks.start(self._pay(course, bill))

    async def _pay(self, course: str, bill: Bill) -> None:
        await asyncio.sleep(random.uniform(0.05, 2.5))
        if random.random() < WRONG_AMOUNT:
            self.did["starts with a wrong amount"] += 1
            await self._start(bill, self._provider(bill), bill.amount + 1, {MISMATCH})
        first = None
        if course == "pays two attempts":
            self._placement.tasks.start(self._start_and_follow(bill))
        elif course == "pays at another provider than at first":
            first = await self._started(bill)
        started = await self._started(bill, but=first["provider"] if first else "")
        if started is None or course == "never pays":
            return
        if course == "pays in the last second":
            await asyncio.sleep(seconds_to(started["pay_before"]) - random.random())
        elif course == "pays too late":
            await asyncio.sleep(seconds_to(started["pay_before"]) + random.uniform(1, 4))
        await self._follow(bill, started)
        if course == "pays one attempt twice":
            await self._follow(bill, started)

    # ------------------------------------------------------------ at the shop

    def _provider(self, bill: Bill, but: str = "") -> str:
        """Return a provider that collects the bill's currency, not `but` if there is another."""
        fit = [name for name, (currency, _) in PROVIDERS.items() if currency == bill.currency]
        return random.choice([name for name in fit if name != but] or fit)

    async def _start_and_follow(self, bill: Bill) -> None:
        started = await self._started(bill)
        if started is not None:
            await self._follow(bill, started)

    async def _started(self, bill: Bill, but: str = "") -> Started | None:
        """Start an attempt, at another provider if one fails. Returns None if the order cannot be paid any more."""
        provider = but
        for _ in range(TRIES):
            provider = self._provider(bill, but=provider)
            received = await self._start(bill, provider, bill.amount, AGAIN | TOO_LATE)
            if received.type != REFUSED:
                return received.body
            if received.body["code"] not in AGAIN:
                break
        return None

    async def _start(self, bill: Bill, provider: str, amount: int, refusals: Set[str]) -> ReceivedMessage:
        scene = random.choice(PROVIDERS[provider][1])
        received = await self._placement.send(request(bill, provider, scene, amount))
        if received.type == REFUSED and received.body["code"] not in refusals | TOO_LATE:
            self._placement.report_unexpected(
                f"payment of order {bill.order_id} by {provider}, {scene}: {received.body}"
            )
        if received.type != REFUSED and amount != bill.amount:
            self._placement.report_unexpected(
                f"payment of order {bill.order_id}: started with {amount}, due are {bill.amount}"
            )
        return received

    # ------------------------------------------------------------ at the provider

    async def _follow(self, bill: Bill, started: Started) -> None:
        """Pay at the provider with the link, code, form or app order that the attempt has."""
        provider = started["provider"]
        status, response = await self._browser.pay(
            provider, {name: started[name] for name in ("kind", "url", "fields")}
        )
        if status == CONFLICT:
            self.did["pays too late and is refused by the provider"] += 1
        elif status != OK:
            self._placement.report_unexpected(f"payment of order {bill.order_id} at {provider}: {status} {response}")
        elif provider not in APPROVING:
            self._receipts.note_payment(provider, response["trade_no"], bill, response["charged"])


def request(bill: Bill, provider: str, scene: str, amount: int) -> OutgoingMessage:
    """Return a payment.start with everything that any scene of any provider needs."""
    body = {
        "request_id": new_id(),
        "actor": {"type": "user", "id": bill.user},
        "order_id": bill.order_id,
        "provider": provider,
        "scene": scene,
        "amount": amount,
        "currency": bill.currency,
        "intent_id": bill.intent_id,
        "client_ip": "203.0.113.7",
        "payer": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    }
    return OutgoingMessage("payment.start.v1", body)


def seconds_to(moment: str) -> float:
    """Return the seconds until this moment, negative if it has passed."""
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
