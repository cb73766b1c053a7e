"""One provider's gateway, and purchases that are paid there.

ProviderHarness has the gateway (`set_habits`, `ledger`, `withheld_notifications`) and the clients of the system.
Purchase is one order and its buyer: `start_attempt`, `pay`, `cancel`, then `wait_for_capture` or `wait_for_refund`.
"""

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
from tests.e2e.system import wait_until
from tests.e2e.upstream import Upstream

SCENES = {"wechat": "qr", "alipay": "page", "unionpay": "page", "paypal": "page", "stripe": "page"}
CURRENCIES = {"paypal": "USD"}
PRICE = 500
PAYABLE = 2 * PRICE
USER = {"type": "user", "id": "u1"}
WAKE = """UPDATE timers SET wake_at = now() WHERE kind = $1 AND key IN (
    SELECT id FROM payment_attempts WHERE order_id = $2 UNION SELECT id FROM refunds WHERE order_id = $2)"""


@dataclass
class ProviderHarness:
    """One provider: its gateway, and the system whose orders are paid there."""

    name: str
    gateway: Gateway
    upstream: Upstream
    operator: Upstream
    client: aiohttp.ClientSession
    pool: Pool
    edge: str

    def set_habits(self, **habits: float) -> None:
        """Change the faults of the gateway from now on; without arguments it has none."""
        self.gateway.dice.habits = Habits(**habits)

    async def purchase(self) -> "Purchase":
        """Place an order that awaits payment, in the provider's currency."""
        currency = CURRENCIES.get(self.name, "CNY")
        created = await self.upstream.place_order((f"s-{currency}", 2), currency=currency)
        return Purchase(self, created["order_id"], currency)

    async def paid_purchase(self) -> "Purchase":
        """Place an order and pay it."""
        purchase = await self.purchase()
        await purchase.pay(await purchase.start_attempt())
        await purchase.wait_for_capture("kept")
        return purchase

    @contextmanager
    def withheld_notifications(self) -> Iterator[list[Write]]:
        """Keep the gateway's notifications back while the block runs."""
        kept: list[Write] = []
        with patch.object(self.gateway, "notify", lambda url, write, *, after=0.0: kept.append(write)):
            yield kept

    async def post_notification(self, copy: Copy) -> None:
        """Post one notification to the edge, as the gateway would."""
        async with self.client.post(f"{self.edge}/notify/{self.name}", data=copy.body, headers=copy.headers) as answer:
            assert answer.status == ACKNOWLEDGEMENTS[self.name][0], await answer.text()

    async def ledger(self) -> dict[str, Any]:
        async with self.client.get(f"{self.gateway.origin}/ledger") as answer:
            ledger: dict[str, Any] = await answer.json()
            return ledger

    async def assert_balances(self, captures: Sequence[Any], refunds: Sequence[Any]) -> None:
        """Assert that the gateway's captures and refunds are ours, one by one."""
        theirs = await self.ledger()
        done = [refund for refund in theirs["refunds"] if refund["state"] == "succeeded"]
        for ours, rows, number in ((captures, theirs["captures"], "out_trade_no"), (refunds, done, "refund_no")):
            facts = (number, "trade_no", "amount", "currency")
            here, there = _rows([row for row in ours if row["provider"] == self.name], facts), _rows(rows, facts)
            assert here == there, f"{self.name}: {here} here, {there} there"


def _rows(found: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in names) for row in found)


@dataclass
class Purchase:
    """One order and its buyer."""

    provider: ProviderHarness
    order_id: str
    currency: str
    attempts: int = 0

    async def start_attempt(self, provider: ProviderHarness | None = None) -> dict[str, Any]:
        """Send payment.start, at this provider or another; return the payment.started event."""
        name = (provider or self.provider).name
        self.attempts += 1
        await self.provider.upstream.publish(
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
        started = await self.provider.upstream.wait_for_events("payment.started", self.attempts, order_id=self.order_id)
        assert len(started) == self.attempts
        return started[-1]

    async def open_link(self, started: dict[str, Any]) -> None:
        """The buyer opens the link, which makes it a trade at Alipay, and does not pay yet."""
        if started["kind"] == "redirect":
            async with self.provider.client.get(started["url"]) as page:
                assert "/buyer/pay" in await page.text()

    async def pay(self, started: dict[str, Any], provider: ProviderHarness | None = None, *, status: int = 200) -> None:
        """The buyer pays with what payment.started carries."""
        gateway = (provider or self.provider).gateway
        brought = {name: started[name] for name in ("kind", "url", "fields")}
        async with self.provider.client.post(f"{gateway.origin}/buyer/pay", json=brought) as answer:
            assert answer.status == status, await answer.text()

    async def wait_for_capture(self, verdict: str, *, polling: bool = False) -> dict[str, Any]:
        """Wait for the one payment.captured with this verdict; with `polling`, timers fire until then."""
        return await self._wait_for("payment.captured", "attempt" if polling else None, verdict=verdict)

    async def wait_for_refund(self, *, polling: bool = False, **about: Any) -> dict[str, Any]:
        """Wait for the one refund.succeeded; with `polling`, timers fire until then."""
        return await self._wait_for("refund.succeeded", "refund" if polling else None, **about)

    async def _wait_for(self, event: str, timer: str | None, **about: Any) -> dict[str, Any]:
        about = {"order_id": self.order_id, **about}
        if timer is not None:

            async def look() -> bool:
                await self.provider.pool.execute(WAKE, timer, int(self.order_id))
                await asyncio.sleep(0.1)
                return bool(self.provider.upstream.events_of(event, **about))

            await wait_until(look, f"{event} {about}")
        [found] = await self.provider.upstream.wait_for_events(event, **about)
        return found

    async def cancel(self) -> None:
        await self.provider.upstream.publish(
            "order.cancel", {"request_id": uuid4().hex, "actor": USER, "order_id": self.order_id}
        )
        await self.provider.upstream.wait_for_events("order.cancelled", order_id=self.order_id)

    async def dispute(self, amount: int, **more: Any) -> None:
        """The buyer disputes this amount; with `outcome` the provider resolves the dispute."""
        await self._post("/buyer/dispute", amount, **more)

    async def refund_at_page(self, amount: int, **more: Any) -> dict[str, Any]:
        """A person refunds this amount at the provider's own page; return the provider's answer."""
        return await self._post("/merchant/refund", amount, **more)

    async def _post(self, path: str, amount: int, **more: Any) -> dict[str, Any]:
        number = await self.provider.pool.fetchval(
            "SELECT out_trade_no FROM payment_attempts WHERE order_id = $1 AND state = 'captured'", int(self.order_id)
        )
        posted = {"out_trade_no": number, "amount": amount, **more}
        async with self.provider.client.post(f"{self.provider.gateway.origin}{path}", json=posted) as answer:
            assert answer.status == 200, await answer.text()
            refunded: dict[str, Any] = await answer.json()
            return refunded

    async def request_refund(self, amount: int) -> None:
        """An operator requests a refund of this amount."""
        await self.provider.operator.publish(
            "refund.request",
            {
                "request_id": uuid4().hex,
                "actor": {"type": "operator", "id": "ops-7"},
                "order_id": self.order_id,
                "amount": amount,
                "reason": "scratched",
            },
        )

    async def expire(self, started: dict[str, Any]) -> None:
        """Make the attempt an hour too old and fire its timer."""
        await self.provider.pool.execute(
            "UPDATE payment_attempts SET expire_at = now() - interval '1 h' WHERE id = $1", int(started["attempt_id"])
        )
        await self.provider.pool.execute(WAKE, "attempt", int(self.order_id))

    async def assert_state(self, state: str) -> None:
        """Assert the state of the order."""
        found = await self.provider.pool.fetchval("SELECT state FROM orders WHERE id = $1", int(self.order_id))
        assert found == state

    async def wait_for_refund_state(self, *states: str) -> None:
        """Wait until a refund is in one of these states."""

        async def look() -> bool:
            found = await self.provider.pool.fetch("SELECT state FROM refunds WHERE order_id = $1", int(self.order_id))
            return any(row["state"] in states for row in found)

        await wait_until(look, f"a refund that is {states}")

    async def wait_for_attempt_state(self, started: dict[str, Any], *states: str) -> None:
        """Wait until the attempt is in one of these states."""

        async def look() -> bool:
            state = await self.provider.pool.fetchval(
                "SELECT state FROM payment_attempts WHERE id = $1", int(started["attempt_id"])
            )
            return state in states

        await wait_until(look, f"attempt {started['attempt_id']} that is {states}")


def now() -> datetime:
    return datetime.now(UTC)
