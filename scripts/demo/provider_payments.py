"""Buyers who pay through providers: they start here, and pay there with what their client was given."""

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
}
"""Provider -> the currency that buyers use it for here, and its scenes."""
APPROVING = frozenset({"paypal"})
"""Buyers approve here; the order system takes the money afterwards."""
HABITS = {
    "pays": 72,
    "pays two attempts": 6,
    "pays at another provider than at first": 6,
    "pays one attempt twice": 4,
    "pays in the last second": 3,
    "pays too late": 3,
    "never pays": 3,
    "never comes": 3,
}
"""What so many buyers of a hundred do."""
WRONG_AMOUNT = 0.02
"""How many see another amount at first than is due."""
TRIES = 3
"""So many providers a buyer tries that do not answer or say no."""
AGAIN = frozenset({"PAY_PROVIDER_UNKNOWN", "PAY_PROVIDER_ERROR"})
TOO_LATE = frozenset({"PAY_ALREADY_PAID", "PAY_EXPIRED", "ORDER_STATE_INVALID"})
"""An order that is cancelled, expired or paid meanwhile cannot be paid."""
MISMATCH = "PAY_AMOUNT_MISMATCH"
OK, CONFLICT = 200, 409
Started: TypeAlias = Mapping[str, Any]


class ProviderPayments:
    """Every bill finds its provider. What must not happen is a surprise at the placement."""

    def __init__(self, placement: OrderPlacement, receipts: Receipts, browser: Browser) -> None:
        self.did: Counter[str] = Counter()
        self._placement, self._receipts, self._browser = placement, receipts, browser

    def pay(self, bill: Bill) -> None:
        """Begin to pay, somehow."""
        self._begin(random.choices(list(HABITS), list(HABITS.values()))[0], bill)

    def pay_at_once(self, bill: Bill) -> None:
        """Begin to pay, well."""
        self._begin("pays", bill)

    def _begin(self, habit: str, bill: Bill) -> None:
        self.did[habit] += 1
        if habit != "never comes":
            self._placement.tasks.start(self._pay(habit, bill))

    async def _pay(self, habit: str, bill: Bill) -> None:
        await asyncio.sleep(random.uniform(0.05, 2.5))
        if random.random() < WRONG_AMOUNT:
            self.did["sees another amount at first"] += 1
            await self._start(bill, self._provider(bill), bill.amount + 1, {MISMATCH})
        first = None
        if habit == "pays two attempts":
            self._placement.tasks.start(self._start_and_follow(bill))
        elif habit == "pays at another provider than at first":
            first = await self._started(bill)
        started = await self._started(bill, but=first["provider"] if first else "")
        if started is None or habit == "never pays":
            return
        if habit == "pays in the last second":
            await asyncio.sleep(seconds_to(started["pay_before"]) - random.random())
        elif habit == "pays too late":
            await asyncio.sleep(seconds_to(started["pay_before"]) + random.uniform(1, 4))
        await self._follow(bill, started)
        if habit == "pays one attempt twice":
            await self._follow(bill, started)

    # ------------------------------------------------------------ at the shop

    def _provider(self, bill: Bill, but: str = "") -> str:
        """One that collects the bill's currency, another one where there is."""
        fit = [name for name, (currency, _) in PROVIDERS.items() if currency == bill.currency]
        return random.choice([name for name in fit if name != but] or fit)

    async def _start_and_follow(self, bill: Bill) -> None:
        started = await self._started(bill)
        if started is not None:
            await self._follow(bill, started)

    async def _started(self, bill: Bill, but: str = "") -> Started | None:
        """An attempt that is open, at whichever provider answers; None when the order cannot be paid any more."""
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
        """Follow the link, scan the code, post the form or open the app, and pay."""
        provider = started["provider"]
        status, said = await self._browser.pay(provider, {name: started[name] for name in ("kind", "url", "fields")})
        if status == CONFLICT:
            self.did["is told by a provider that it is too late"] += 1
        elif status != OK:
            self._placement.report_unexpected(f"payment of order {bill.order_id} at {provider}: {status} {said}")
        elif provider not in APPROVING:
            self._receipts.paid(provider, said["trade_no"], bill, said["charged"])


def request(bill: Bill, provider: str, scene: str, amount: int) -> OutgoingMessage:
    """payment.start, with what any scene of any provider asks for."""
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
    """From now; negative when it is over."""
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
