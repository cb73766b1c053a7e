"""A merchant at a gateway, who uses it through the product's adapter: HTTP on loopback between them, no broker.

`attempt` and `start` make payments, `pay` pays as a buyer, `query`, `capture`, `close`, `refund` call the gateway.
`notifications` are what the gateway posted; `verified` waits for them and verifies them with the adapter.
"""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from scripts.gateways import alipay_account, paypal_account, stripe_account, unionpay_account, wechat_account
from scripts.gateways.edge import ACKNOWLEDGEMENTS
from scripts.gateways.gateway import Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.startup import GATEWAYS, run_gateways
from workers.providers.abilities import CapturingProvider, CertificateSource, ClosingProvider
from workers.providers.calls import Caller
from workers.providers.configuration import make
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    HttpRequest,
    Notification,
    PaymentOrder,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    RejectedNotification,
    Report,
    UnknownCertificate,
    UnknownOutcome,
)

KEYS: dict[str, Callable[[], Any]] = {
    "alipay": alipay_account.AlipayKeys, "wechat": wechat_account.WeChatKeys, "unionpay": unionpay_account.UnionPayKeys,
    "paypal": paypal_account.PayPalKeys, "stripe": stripe_account.StripeKeys,
}  # fmt: skip
WAIT_SECONDS = 20
QUICK = 0.0001  # of the providers' real retry intervals
Verdict = Report | RejectedNotification | UnknownCertificate
_numbers = itertools.count(382808400870244771)


@cache
def keys(name: str) -> Any:
    """A provider's keys, generated once per session because it takes most of a second."""
    return KEYS[name]()


@dataclass
class Merchant:
    """One merchant at one provider. `answers` are its responses to the next notifications; then it acknowledges."""

    gateway: Gateway
    provider: Provider
    caller: Caller
    client: aiohttp.ClientSession
    folder: Path
    notifications: list[Notification] = field(default_factory=list)
    answers: list[tuple[int, str | None]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.notifications.append(Notification(headers, await request.read(), datetime.now(UTC)))
        status, text = self.answers.pop(0) if self.answers else ACKNOWLEDGEMENTS[self.gateway.name]
        return web.Response(status=status, text=text)

    async def use_provider(self, provider: Provider) -> None:
        """Use another adapter, with connections and tokens of its own."""
        await self.caller.close()
        self.provider, self.caller = provider, Caller(provider, 10.0)

    def set_habits(self, **habits: float) -> None:
        """Change the faults of the gateway from now on."""
        self.gateway.dice.habits = Habits(**habits)

    @property
    def currency(self) -> str:
        return "CNY" if "CNY" in self.provider.currencies else "USD"

    def attempt(self, scene: str | None = None, amount: int = 8888, **more: Any) -> PaymentOrder:
        """A new attempt, in the first scene of the provider by default."""
        now = datetime.now(UTC)
        given: dict[str, Any] = {
            "out_trade_no": f"P{next(_numbers)}",
            "amount": amount,
            "currency": self.currency,
            "subject": "Größe & 100% 茶",
            "scene": scene or sorted(self.provider.scenes)[0],
            "started_at": now,
            "expire_at": now + timedelta(minutes=30),
            "client_ip": "203.0.113.7",
            "payer": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        }
        return PaymentOrder(**given | more)

    async def start(self, attempt: PaymentOrder) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Start an attempt as payment.start and provider.start do."""
        now = datetime.now(UTC)
        started = self.provider.start(attempt, now)
        if not isinstance(started, HttpRequest):
            return started
        build = self.provider.start
        answer = await self.caller.call(
            lambda at: build(attempt, at),  # type: ignore[arg-type,return-value]
            lambda response, at: self.provider.read_start(attempt, response, at),
        )
        assert answer is not None
        return answer

    async def open_attempt(self, attempt: PaymentOrder) -> tuple[PaymentOrder, ClientAction]:
        """Start an attempt; return it as its row would hold it now, and what the buyer's client gets."""
        ready = await self.start(attempt)
        assert isinstance(ready, ClientAction), ready
        return replace(attempt, reference=ready.reference), ready

    async def buyer(self, **payment: Any) -> tuple[int, dict[str, Any]]:
        """Pay as the buyer's client: HTTP status and body of the gateway's answer."""
        async with self.client.post(f"{self.gateway.origin}/buyer/pay", json=payment) as answer:
            return answer.status, await answer.json()

    async def pay(self, ready: ClientAction) -> dict[str, Any]:
        """Pay with what the client got."""
        status, body = await self.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields))
        assert status == 200, body
        return body

    async def verified(self, count: int) -> list[Verdict]:
        """Wait for this many notifications; return all of them, verified."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.notifications) < count:
                await asyncio.sleep(0.005)
        return [self.provider.verify(notification) for notification in self.notifications]

    async def query(
        self, attempt: PaymentOrder
    ) -> PaymentReport | ApprovalReport | ProviderRefusal | UnknownOutcome | None:
        provider = self.provider
        return await self.caller.call(
            lambda at: provider.query(attempt, at), lambda response, at: provider.read_payment(attempt, response, at)
        )

    async def capture(
        self, attempt: PaymentOrder
    ) -> PaymentReport | ApprovalReport | ProviderRefusal | UnknownOutcome | None:
        provider = self.provider
        if not isinstance(provider, CapturingProvider):
            return None
        return await self.caller.call(
            lambda at: provider.capture(attempt, at),
            lambda response, at: self.provider.read_payment(attempt, response, at),
        )

    async def close(self, attempt: PaymentOrder) -> PaymentReport | ProviderRefusal | UnknownOutcome | None:
        provider = self.provider
        if not isinstance(provider, ClosingProvider):
            return None
        return await self.caller.call(
            lambda at: provider.close(attempt, at), lambda response, at: provider.read_close(attempt, response, at)
        )

    async def refund(self, order: RefundOrder) -> RefundReport | ProviderRefusal | UnknownOutcome | None:
        provider = self.provider
        return await self.caller.call(
            lambda at: provider.refund(order, at), lambda response, at: provider.read_refund(order, response, at)
        )

    async def query_refund(self, order: RefundOrder) -> RefundReport | ProviderRefusal | UnknownOutcome | None:
        provider = self.provider
        return await self.caller.call(
            lambda at: provider.query_refund(order, at),
            lambda response, at: provider.read_refund_query(order, response, at),
        )

    async def certificates(self, serial: str) -> Mapping[str, str]:
        """Fetch a certificate as provider.certificates does."""
        provider = self.provider
        assert isinstance(provider, CertificateSource)
        read: Any = provider.read_certificates
        if provider.name == "paypal":  # its answer does not name the address that it came from
            read = partial(read, serial=serial)
        found: Any = await self.caller.call(lambda at: provider.certificates(at, serial), read)
        assert found is not None
        assert isinstance(found, Mapping), found
        return found

    async def paid(self, scene: str | None = None, amount: int = 8888) -> tuple[PaymentOrder, PaymentReport]:
        """An attempt that was paid, and the answer of a query about it."""
        attempt, ready = await self.open_attempt(self.attempt(scene, amount))
        await self.pay(ready)
        found = await self.query(attempt)
        if isinstance(found, ApprovalReport):
            found = await self.capture(attempt)
        assert isinstance(found, PaymentReport), found
        assert found.status == "captured"
        return attempt, found

    def refund_order(self, attempt: PaymentOrder, paid: PaymentReport, amount: int, **more: Any) -> RefundOrder:
        """An order to refund this amount of the payment."""
        now = datetime.now(UTC)
        given: dict[str, Any] = {
            "refund_no": f"R{next(_numbers)}",
            "out_trade_no": attempt.out_trade_no,
            "trade_no": paid.trade_no,
            "amount": amount,
            "total": paid.amount,
            "currency": paid.currency,
            "reason": "late",
            "captured_at": paid.occurred_at,
            "requested_at": now,
            "reference": attempt.reference,
        }
        return RefundOrder(**given | more)

    async def ledger(self) -> dict[str, Any]:
        async with self.client.get(f"{self.gateway.origin}/ledger") as answer:
            ledger: dict[str, Any] = await answer.json()
            return ledger


@asynccontextmanager
async def open_merchant(name: str, *, timeout_seconds: float = 10.0, **more: Any) -> AsyncIterator[Merchant]:
    """Run a gateway and a merchant. `time_factor` and `rotate_after` configure the gateway, all else its habits."""
    about = {key: more.pop(key) for key in ("time_factor", "rotate_after") if key in more}
    runner, waiting = await _listening()
    notify_url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    kind: Any = GATEWAYS[name]
    gateway = kind(notify_url, Habits(**more), keys=keys(name), **{"time_factor": QUICK} | about)
    with tempfile.TemporaryDirectory() as folder:
        async with run_gateways([gateway], Path(folder)) as environment, aiohttp.ClientSession() as client:
            provider = make(name, environment[f"OMS_{name.upper()}"])
            merchant = Merchant(gateway, provider, Caller(provider, timeout_seconds), client, Path(folder))
            waiting.set_result(merchant)
            try:
                yield merchant
            finally:
                await merchant.caller.close()
                await runner.cleanup()


async def _listening() -> tuple[web.AppRunner, "asyncio.Future[Merchant]"]:
    """The web server for notifications, which starts before the merchant exists."""
    merchant: asyncio.Future[Merchant] = asyncio.get_running_loop().create_future()

    async def receive(request: web.Request) -> web.Response:
        return await (await merchant).receive(request)

    app = web.Application()
    app.add_routes([web.post("/notify", receive)])
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, merchant
