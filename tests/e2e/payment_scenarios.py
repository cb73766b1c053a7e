"""The same for payments through providers: a gateway that speaks the provider's protocol stands on loopback."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from messages.base import Message
from messages.payments import PaymentCallback, PaymentObserved
from messages.providers import (
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderQuery,
    ProviderRefund,
    ProviderRefundQuery,
)
from messages.refunds import RefundObserved
from messages.timers import TimerDue
from tests.e2e.scenarios import unique
from tests.handlers.builders import cancel, create, sku
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_calls import ask_all, callback, start, taken
from tests.scripts.gateways.merchant import WAIT_SECONDS, Till
from workers.handlers import payment_results
from workers.services.certificate_fetches import CertificateFetchLimiter

SCENE = {"alipay": "page", "wechat": "qr", "paypal": "page"}


@dataclass(frozen=True)
class Checkout:
    """The floor of a shop and its till."""

    harness: HandlerHarness
    till: Till

    @property
    def provider(self) -> str:
        return self.till.gateway.name

    async def ordered(self, n: int) -> list[int]:
        """Orders that await payment."""
        dollars = self.provider == "paypal"
        if dollars:
            await self.harness.handle(sku("s1").model_copy(update={"currency": "USD", "revision": 2}))
        self.harness.events.clear()
        bodies = [create(("s1", 2), request_id=unique(), currency="USD" if dollars else "CNY") for _ in range(n)]
        await self.harness.handle(*bodies)
        return [int(event["order_id"]) for event in self.harness.events_of("order.created")]

    def starts(self, order_ids: Sequence[int], **changes: Any) -> list[Message]:
        return [start(key, self.provider, SCENE[self.provider], unique(), **changes) for key in order_ids]

    async def opened(self, n: int) -> list[dict[str, Any]]:
        """What their buyers' clients were given."""
        order_ids = await self.ordered(n)
        await self.harness.handle(*self.starts(order_ids))
        await ask_all(self.harness, self.provider)
        started = self.harness.events_of("payment.started")
        assert len(started) == n, self.harness.events[-1]
        return started

    async def paid(self, started: Sequence[Mapping[str, Any]]) -> list[PaymentCallback]:
        """Their buyers pay; what the provider notifies of it."""
        till, before = self.till, len(self.till.notifications)
        for one in started:
            status, said = await till.buyer(**{name: one[name] for name in ("kind", "url", "fields")})
            assert status == 200, said
        return await self.notified(before, len(started))

    async def notified(self, before: int, count: int) -> list[PaymentCallback]:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.till.notifications) < before + count:
                await asyncio.sleep(0.002)
        return [callback(self.provider, notification) for notification in self.till.notifications[before:]]

    async def owed(self, n: int) -> list[Message]:
        """provider.refund of orders that were paid and cancelled."""
        started = await self.opened(n)
        await self.harness.handle(*await self.paid(started))
        await self.harness.handle(*(cancel(int(one["order_id"]), unique()) for one in started))
        return taken(self.harness, self.provider)

    async def expire(self) -> None:
        """For us, the buyers' time is over."""
        await self.harness.pool.execute("UPDATE payment_attempts SET expire_at = now()")


Arrange = Callable[[Checkout, int], Awaitable[Sequence[Message]]]


def per_attempt(make: Callable[[int], Message], *, paid: bool = False) -> Arrange:
    """One message for each open attempt."""

    async def arrange(checkout: Checkout, n: int) -> list[Message]:
        started = await checkout.opened(n)
        if paid:
            await checkout.paid(started)
        return [make(int(one["attempt_id"])) for one in started]

    return arrange


async def begun(checkout: Checkout, n: int) -> Sequence[Message]:
    return checkout.starts(await checkout.ordered(n))


async def begun_anew(checkout: Checkout, n: int) -> Sequence[Message]:
    return checkout.starts([int(one["order_id"]) for one in await checkout.opened(n)])


async def mispriced(checkout: Checkout, n: int) -> Sequence[Message]:
    return checkout.starts(await checkout.ordered(n), amount=1)


async def asked_to_open(checkout: Checkout, n: int) -> Sequence[Message]:
    await checkout.harness.handle(*await begun(checkout, n))
    return taken(checkout.harness, checkout.provider)


async def asked_in_vain(checkout: Checkout, n: int) -> Sequence[Message]:
    """The gateway has a bad day."""
    calls = await asked_to_open(checkout, n)
    checkout.till.behave(error=1.0)
    return calls


async def notified(checkout: Checkout, n: int) -> Sequence[Message]:
    return await checkout.paid(await checkout.opened(n))


async def notified_by_a_stranger(checkout: Checkout, n: int) -> Sequence[Message]:
    """Its certificate is asked for, once."""
    payment_results.CERTIFICATE_FETCHES = CertificateFetchLimiter()
    return await notified(checkout, n)


async def notified_late(checkout: Checkout, n: int) -> Sequence[Message]:
    started = await checkout.opened(n)
    calls = await checkout.paid(started)
    await checkout.harness.handle(*(cancel(int(one["order_id"]), unique()) for one in started))
    return calls


async def notified_of_the_first(checkout: Checkout, n: int) -> Sequence[Message]:
    """Another attempt is open at each order."""
    started = await checkout.opened(n)
    await checkout.harness.handle(*checkout.starts([int(one["order_id"]) for one in started]))
    taken(checkout.harness, checkout.provider)
    await checkout.harness.pool.execute("UPDATE payment_attempts SET state = 'requested' WHERE state <> 'captured'")
    return await checkout.paid(started)


async def forged(checkout: Checkout, n: int) -> Sequence[Message]:
    calls = await checkout.paid(await checkout.opened(n))
    return [call.model_copy(update={"body": call.body[:-8] + "AAAAAAA="}) for call in calls]


async def notified_of_refunds(checkout: Checkout, n: int) -> Sequence[Message]:
    calls = await checkout.owed(n)
    before = len(checkout.till.notifications)
    checkout.harness.provider_calls += [(checkout.provider, call) for call in calls]
    await ask_all(checkout.harness, checkout.provider)
    return await checkout.notified(before, n)


async def refund_queries(checkout: Checkout, n: int) -> Sequence[Message]:
    """Of refunds that were asked for."""
    calls = await checkout.owed(n)
    checkout.till.behave(refund_processing=1.0, refund_seconds=60.0)
    checkout.harness.provider_calls += [(checkout.provider, call) for call in calls]
    await ask_all(checkout.harness, checkout.provider)
    return [ProviderRefundQuery(refund_no=call.refund_no) for call in calls if isinstance(call, ProviderRefund)]


def observed(kind: str) -> Arrange:
    def make(attempt_id: int) -> Message:
        return PaymentObserved(
            attempt_id=attempt_id,
            trade_no=unique(),
            kind=kind,  # type: ignore[arg-type]
            amount=1000,
            currency="CNY",
            occurred_at=datetime.now(UTC),
        )

    return per_attempt(make)


def refund_observed(status: str) -> Arrange:
    async def arrange(checkout: Checkout, n: int) -> list[Message]:
        return [
            RefundObserved(
                refund_no=call.refund_no,
                status=status,  # type: ignore[arg-type]
                amount=1000,
                currency="CNY",
                occurred_at=datetime.now(UTC),
            )
            for call in await checkout.owed(n)
            if isinstance(call, ProviderRefund)
        ]

    return arrange


async def cancels(checkout: Checkout, n: int) -> Sequence[Message]:
    return [cancel(int(one["order_id"]), unique()) for one in await checkout.opened(n)]


async def order_timers(checkout: Checkout, n: int) -> Sequence[Message]:
    started = await checkout.opened(n)
    await checkout.harness.make_timers_due("payment")
    await checkout.harness.mark_progress()
    return [TimerDue(kind="payment", key=int(one["order_id"]), due_at=datetime.now(UTC)) for one in started]


async def refund_timers(checkout: Checkout, n: int) -> Sequence[Message]:
    await checkout.harness.handle(*await refund_observed("submitted")(checkout, n))
    rows = await checkout.harness.pool.fetch("SELECT key FROM timers WHERE kind = 'refund'")
    return [TimerDue(kind="refund", key=row["key"], due_at=datetime.now(UTC)) for row in rows][-n:]


async def overdue(checkout: Checkout, n: int) -> Sequence[Message]:
    started = await checkout.opened(n)
    await checkout.expire()
    return [ProviderQuery(attempt_id=int(one["attempt_id"])) for one in started]


async def approved(checkout: Checkout, n: int) -> Sequence[Message]:
    """Their references are known, and the buyers have agreed."""
    started = await checkout.opened(n)
    await checkout.paid(started)
    return [ProviderCapture(attempt_id=int(one["attempt_id"])) for one in started]


async def too_late(checkout: Checkout, n: int) -> Sequence[Message]:
    """To open what has expired: the gateway refuses."""
    calls = await asked_to_open(checkout, n)
    await checkout.expire()
    return calls


async def strange_serials(checkout: Checkout, n: int) -> Sequence[Message]:
    return [ProviderCertificates(provider="wechat", serial=f"70B{key}") for key in range(n)]


@dataclass(frozen=True)
class Scenario:
    """At a provider, n messages, and what each of them announces. `more` is how the gateway is."""

    provider: str
    arrange: Arrange
    told: str | None
    more: Mapping[str, Any] = field(default_factory=dict)


def attempt_timer(attempt_id: int) -> Message:
    return TimerDue(kind="attempt", key=attempt_id, due_at=datetime.now(UTC))


def query(attempt_id: int) -> Message:
    return ProviderQuery(attempt_id=attempt_id)


def close(attempt_id: int) -> Message:
    return ProviderClose(attempt_id=attempt_id)


PAYING: dict[str, Scenario] = {
    "payment.start signed here": Scenario("alipay", begun, "payment.started.v1"),
    "payment.start by a call": Scenario("wechat", begun, "provider.start.v1"),
    "payment.start once more": Scenario("alipay", begun_anew, "provider.close.v1"),
    "payment.start refused": Scenario("alipay", mispriced, "command.rejected.v1"),
    "payment.callback by a form": Scenario("alipay", notified, "order.paid.v1"),
    "payment.callback sealed": Scenario("wechat", notified, "order.paid.v1"),
    "payment.callback of an approval": Scenario("paypal", notified, "provider.capture.v1"),
    "payment.callback of a refund": Scenario("wechat", notified_of_refunds, "refund.observed.v1"),
    "payment.callback late": Scenario("wechat", notified_late, "provider.refund.v1"),
    "payment.callback beside another attempt": Scenario("wechat", notified_of_the_first, "provider.close.v1"),
    "payment.callback forged": Scenario("wechat", forged, "payment.callback_rejected.v1"),
    "payment.callback by a new certificate": Scenario("wechat", notified_by_a_stranger, None, {"rotate_after": 0}),
    "payment.observed captured": Scenario("wechat", observed("captured"), "order.paid.v1"),
    "payment.observed failed": Scenario("wechat", observed("failed"), "payment.failed.v1"),
    "provider.start": Scenario("wechat", asked_to_open, "payment.started.v1"),
    "provider.start unanswered": Scenario("wechat", asked_in_vain, None),
    "provider.start refused": Scenario("wechat", too_late, "command.rejected.v1"),
    "provider.capture": Scenario("paypal", approved, "payment.observed.v1"),
    "provider.query unpaid": Scenario("wechat", per_attempt(query), None),
    "provider.query paid": Scenario("wechat", per_attempt(query, paid=True), "payment.observed.v1"),
    "provider.query approved": Scenario("paypal", per_attempt(query, paid=True), "provider.capture.v1"),
    "provider.query overdue": Scenario("wechat", overdue, "provider.close.v1"),
    "provider.close": Scenario("wechat", per_attempt(close), "payment.attempt_closed.v1"),
    "provider.close paid": Scenario("wechat", per_attempt(close, paid=True), None),
    "provider.refund": Scenario("wechat", Checkout.owed, "refund.observed.v1"),
    "provider.refund_query": Scenario("wechat", refund_queries, "refund.observed.v1"),
    "provider.certificates": Scenario("wechat", strange_serials, None),
    "refund.observed succeeded": Scenario("wechat", refund_observed("succeeded"), "refund.succeeded.v1"),
    "refund.observed failed": Scenario("wechat", refund_observed("failed"), "refund.failed.v1"),
    "refund.observed unknown": Scenario("wechat", refund_observed("unknown"), None),
    "order.cancel with an attempt": Scenario("wechat", cancels, "provider.close.v1"),
    "timer.due payment with an attempt": Scenario("wechat", order_timers, "provider.close.v1"),
    "timer.due attempt": Scenario("wechat", per_attempt(attempt_timer), "provider.query.v1"),
    "timer.due refund": Scenario("wechat", refund_timers, "provider.refund_query.v1"),
}
