"""One order, its buyer, and the provider's counter where it is paid: a gateway on the other side of the street."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import aiohttp

from db.pool import Pool
from scripts.gateways.edge import ACKNOWLEDGEMENTS
from scripts.gateways.gateway import Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.notifier import Copy, Write
from tests.e2e.system import eventually
from tests.e2e.upstream import Upstream

SCENES = {"wechat": "qr", "alipay": "page", "unionpay": "page", "paypal": "page"}
CURRENCIES = {"paypal": "USD"}
PRICE = 500
PAYABLE = 2 * PRICE
USER = {"type": "user", "id": "u1"}
WAKE = """UPDATE timers SET wake_at = now() WHERE kind = $1 AND key IN (
    SELECT id FROM payment_attempts WHERE order_id = $2 UNION SELECT id FROM refunds WHERE order_id = $2)"""


@dataclass
class Counter:
    """One provider's: its gateway, and the shop whose orders are paid there."""

    name: str
    gateway: Gateway
    shop: Upstream
    operator: Upstream
    client: aiohttp.ClientSession
    pool: Pool
    edge: str

    def behaves(self, **habits: float) -> None:
        """From now on."""
        self.gateway.dice.habits = Habits(**habits)

    async def sale(self) -> "Sale":
        """An order that awaits payment, in the provider's currency."""
        currency = CURRENCIES.get(self.name, "CNY")
        created = await self.shop.created((f"s-{currency}", 2), currency=currency)
        return Sale(self, created["order_id"], currency)

    async def bought(self) -> "Sale":
        """An order that was paid."""
        sale = await self.sale()
        await sale.pay(await sale.start())
        await sale.captured("kept")
        return sale

    @contextmanager
    def withheld(self) -> Iterator[list[Write]]:
        """Its notifications, which nobody is sent meanwhile."""
        kept: list[Write] = []
        with patch.object(self.gateway, "tell", lambda url, write, *, after=0.0: kept.append(write)):
            yield kept

    async def notify(self, copy: Copy) -> None:
        """Send one by hand, to where the gateway sends them."""
        async with self.client.post(f"{self.edge}/notify/{self.name}", data=copy.body, headers=copy.headers) as answer:
            assert answer.status == ACKNOWLEDGEMENTS[self.name][0], await answer.text()

    async def ledger(self) -> dict[str, Any]:
        async with self.client.get(f"{self.gateway.origin}/ledger") as answer:
            said: dict[str, Any] = await answer.json()
            return said

    async def balances(self, captures: Sequence[Any], refunds: Sequence[Any]) -> None:
        """What the gateway took and gave back is what we say of it, one by one."""
        theirs = await self.ledger()
        done = [refund for refund in theirs["refunds"] if refund["state"] == "succeeded"]
        for ours, rows, number in ((captures, theirs["captures"], "out_trade_no"), (refunds, done, "refund_no")):
            facts = (number, "trade_no", "amount", "currency")
            here, there = _rows([row for row in ours if row["provider"] == self.name], facts), _rows(rows, facts)
            assert here == there, f"{self.name}: {here} here, {there} there"


def _rows(found: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in names) for row in found)


@dataclass
class Sale:
    """One order and what its buyer does."""

    counter: Counter
    order_id: str
    currency: str
    attempts: int = 0

    async def start(self, counter: Counter | None = None) -> dict[str, Any]:
        """The payment.started that answers a payment.start, at this provider or another."""
        name = (counter or self.counter).name
        self.attempts += 1
        await self.counter.shop.say(
            "payment.start",
            {
                "request_id": uuid4().hex,
                "actor": USER,
                "order_id": self.order_id,
                "provider": name,
                "scene": SCENES[name],
                "amount": PAYABLE,
                "currency": self.currency,
            },
        )
        started = await self.counter.shop.hears("payment.started", self.attempts, order_id=self.order_id)
        assert len(started) == self.attempts
        return started[-1]

    async def look(self, started: dict[str, Any]) -> None:
        """The buyer follows the link, which makes it a payment at Alipay, and does not pay yet."""
        if started["kind"] == "redirect":
            async with self.counter.client.get(started["url"]) as page:
                assert "/buyer/pay" in await page.text()

    async def pay(self, started: dict[str, Any], counter: Counter | None = None, *, status: int = 200) -> None:
        """With what the client was given."""
        gateway = (counter or self.counter).gateway
        brought = {name: started[name] for name in ("kind", "url", "fields")}
        async with self.counter.client.post(f"{gateway.origin}/buyer/pay", json=brought) as answer:
            assert answer.status == status, await answer.text()

    async def captured(self, verdict: str, *, asking: bool = False) -> dict[str, Any]:
        """The one payment.captured with this verdict; with `asking`, timers are due until then."""
        return await self._told("payment.captured", "attempt" if asking else None, verdict=verdict)

    async def refunded(self, *, asking: bool = False, **about: Any) -> dict[str, Any]:
        """The one refund.succeeded; with `asking`, timers are due until then."""
        return await self._told("refund.succeeded", "refund" if asking else None, **about)

    async def _told(self, event: str, timer: str | None, **about: Any) -> dict[str, Any]:
        about = {"order_id": self.order_id, **about}
        if timer is not None:

            async def look() -> bool:
                await self.counter.pool.execute(WAKE, timer, int(self.order_id))
                await asyncio.sleep(0.1)
                return bool(self.counter.shop.heard(event, **about))

            await eventually(look, f"{event} {about}")
        [told] = await self.counter.shop.hears(event, **about)
        return told

    async def cancel(self) -> None:
        await self.counter.shop.say(
            "order.cancel", {"request_id": uuid4().hex, "actor": USER, "order_id": self.order_id}
        )
        await self.counter.shop.hears("order.cancelled", order_id=self.order_id)

    async def give_back(self, amount: int) -> None:
        """As an operator does, in part."""
        await self.counter.operator.say(
            "refund.request",
            {
                "request_id": uuid4().hex,
                "actor": {"type": "operator", "id": "ops-7"},
                "order_id": self.order_id,
                "amount": amount,
                "reason": "scratched",
            },
        )

    async def expires(self, started: dict[str, Any]) -> None:
        """Its time is over since long, and it is asked about."""
        await self.counter.pool.execute(
            "UPDATE payment_attempts SET expire_at = now() - interval '1 h' WHERE id = $1", int(started["attempt_id"])
        )
        await self.counter.pool.execute(WAKE, "attempt", int(self.order_id))

    async def is_(self, state: str) -> None:
        """The order is in this state now."""
        found = await self.counter.pool.fetchval("SELECT state FROM orders WHERE id = $1", int(self.order_id))
        assert found == state

    async def refund_is(self, *states: str) -> None:
        """Wait until a refund is in one of these states."""

        async def look() -> bool:
            found = await self.counter.pool.fetch("SELECT state FROM refunds WHERE order_id = $1", int(self.order_id))
            return any(row["state"] in states for row in found)

        await eventually(look, f"a refund that is {states}")

    async def attempt_is(self, started: dict[str, Any], *states: str) -> None:
        """Wait until the attempt is in one of these states."""

        async def look() -> bool:
            state = await self.counter.pool.fetchval(
                "SELECT state FROM payment_attempts WHERE id = $1", int(started["attempt_id"])
            )
            return state in states

        await eventually(look, f"attempt {started['attempt_id']} that is {states}")


def now() -> datetime:
    return datetime.now(UTC)
