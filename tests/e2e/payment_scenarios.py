"""For every kind of message about payments: what must exist before n of them make sense, and the n messages.

A gateway that speaks the provider's protocol runs on loopback. PaymentHarness joins the handler harness and the
merchant at that gateway; PAYING lists the scenarios and the event that each announces.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from messages.base import Message
from messages.disputes import DisputeDue, DisputeEvidenceObserved, DisputeSubmitEvidence
from messages.payments import DisputeObserved, PaymentCallback, PaymentObserved
from messages.providers import (
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderDisputeEvidence,
    ProviderDisputeQuery,
    ProviderQuery,
    ProviderRefund,
    ProviderRefundQuery,
)
from messages.refunds import RefundObserved
from messages.timers import TimerDue
from scripts.gateways.paypal import PayPalGateway
from tests.e2e.scenarios import unique
from tests.handlers.builders import OPERATOR, cancel, create, sku
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_calls import callback, run_provider_calls, start, take_calls
from tests.scripts.gateways.merchant import WAIT_SECONDS, Merchant
from workers.handlers import payment_results
from workers.services.certificate_fetches import CertificateFetchLimiter

SCENE = {"alipay": "page", "wechat": "qr", "paypal": "page"}


@dataclass(frozen=True)
class PaymentHarness:
    """The handlers of the system, and its merchant at one provider."""

    harness: HandlerHarness
    merchant: Merchant

    @property
    def provider(self) -> str:
        return self.merchant.gateway.name

    async def place_orders(self, n: int) -> list[int]:
        """Place n orders that await payment."""
        dollars = self.provider == "paypal"
        if dollars:
            await self.harness.handle(sku("s1").model_copy(update={"currency": "USD", "revision": 2}))
        self.harness.events.clear()
        bodies = [create(("s1", 2), request_id=unique(), currency="USD" if dollars else "CNY") for _ in range(n)]
        await self.harness.handle(*bodies)
        return [int(event["order_id"]) for event in self.harness.events_of("order.created")]

    def payment_starts(self, order_ids: Sequence[int], **changes: Any) -> list[Message]:
        return [start(key, self.provider, SCENE[self.provider], unique(), **changes) for key in order_ids]

    async def open_attempts(self, n: int) -> list[dict[str, Any]]:
        """Start n attempts; return their payment.started events."""
        order_ids = await self.place_orders(n)
        await self.harness.handle(*self.payment_starts(order_ids))
        await run_provider_calls(self.harness, self.provider)
        started = self.harness.events_of("payment.started")
        assert len(started) == n, self.harness.events[-1]
        return started

    async def pay(self, started: Sequence[Mapping[str, Any]]) -> list[PaymentCallback]:
        """Let the buyers pay; return the provider's notifications."""
        merchant, before = self.merchant, len(self.merchant.notifications)
        for one in started:
            status, answer = await merchant.buyer(**{name: one[name] for name in ("kind", "url", "fields")})
            assert status == 200, answer
        return await self.wait_for_notifications(before, len(started))

    async def wait_for_notifications(self, before: int, count: int) -> list[PaymentCallback]:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.merchant.notifications) < before + count:
                await asyncio.sleep(0.002)
        return [callback(self.provider, notification) for notification in self.merchant.notifications[before:]]

    async def owed_refunds(self, n: int) -> list[Message]:
        """The provider.refund messages of n orders that were paid and cancelled."""
        started = await self.open_attempts(n)
        await self.harness.handle(*await self.pay(started))
        await self.harness.handle(*(cancel(int(one["order_id"]), unique()) for one in started))
        return take_calls(self.harness, self.provider)

    async def expire(self) -> None:
        """End the payment window of every attempt."""
        await self.harness.pool.execute("UPDATE payment_attempts SET expire_at = now()")


Arrange = Callable[[PaymentHarness, int], Awaitable[Sequence[Message]]]


def per_attempt(make: Callable[[int], Message], *, paid: bool = False) -> Arrange:
    """One message for each open attempt."""

    async def arrange(payments: PaymentHarness, n: int) -> list[Message]:
        started = await payments.open_attempts(n)
        if paid:
            await payments.pay(started)
        return [make(int(one["attempt_id"])) for one in started]

    return arrange


async def starts(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return payments.payment_starts(await payments.place_orders(n))


async def second_starts(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return payments.payment_starts([int(one["order_id"]) for one in await payments.open_attempts(n)])


async def starts_of_a_wrong_amount(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return payments.payment_starts(await payments.place_orders(n), amount=1)


async def start_calls(payments: PaymentHarness, n: int) -> Sequence[Message]:
    await payments.harness.handle(*await starts(payments, n))
    return take_calls(payments.harness, payments.provider)


async def calls_without_answer(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """The gateway answers every call with an error."""
    calls = await start_calls(payments, n)
    payments.merchant.set_habits(error=1.0)
    return calls


async def notified(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return await payments.pay(await payments.open_attempts(n))


async def notified_with_a_new_certificate(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Notifications signed with a new certificate, which is requested once."""
    payment_results.CERTIFICATE_FETCHES = CertificateFetchLimiter()
    return await notified(payments, n)


async def notified_late(payments: PaymentHarness, n: int) -> Sequence[Message]:
    started = await payments.open_attempts(n)
    calls = await payments.pay(started)
    await payments.harness.handle(*(cancel(int(one["order_id"]), unique()) for one in started))
    return calls


async def notified_of_the_first(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Notifications of the first of two open attempts."""
    started = await payments.open_attempts(n)
    order_ids = [int(one["order_id"]) for one in started]
    await payments.harness.handle(*payments.payment_starts(order_ids))
    take_calls(payments.harness, payments.provider)
    await payments.harness.pool.execute(
        "UPDATE payment_attempts SET state = 'requested' WHERE order_id = ANY ($1)", order_ids
    )
    return await payments.pay(started)


async def forged(payments: PaymentHarness, n: int) -> Sequence[Message]:
    calls = await payments.pay(await payments.open_attempts(n))
    return [call.model_copy(update={"body": call.body[:-8] + "AAAAAAA="}) for call in calls]


async def notified_of_refunds(payments: PaymentHarness, n: int) -> Sequence[Message]:
    calls = await payments.owed_refunds(n)
    before = len(payments.merchant.notifications)
    payments.harness.provider_calls += [(payments.provider, call) for call in calls]
    await run_provider_calls(payments.harness, payments.provider)
    return await payments.wait_for_notifications(before, n)


async def refund_queries(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Queries of refunds that were requested."""
    calls = await payments.owed_refunds(n)
    payments.merchant.set_habits(refund_processing=1.0, refund_seconds=60.0)
    payments.harness.provider_calls += [(payments.provider, call) for call in calls]
    await run_provider_calls(payments.harness, payments.provider)
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
    async def arrange(payments: PaymentHarness, n: int) -> list[Message]:
        return [
            RefundObserved(
                refund_no=call.refund_no,
                status=status,  # type: ignore[arg-type]
                amount=1000,
                currency="CNY",
                occurred_at=datetime.now(UTC),
            )
            for call in await payments.owed_refunds(n)
            if isinstance(call, ProviderRefund)
        ]

    return arrange


async def cancels(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return [cancel(int(one["order_id"]), unique()) for one in await payments.open_attempts(n)]


async def order_timers(payments: PaymentHarness, n: int) -> Sequence[Message]:
    started = await payments.open_attempts(n)
    await payments.harness.make_timers_due("payment")
    await payments.harness.mark_progress()
    return [TimerDue(kind="payment", key=int(one["order_id"]), due_at=datetime.now(UTC)) for one in started]


async def refund_timers(payments: PaymentHarness, n: int) -> Sequence[Message]:
    await payments.harness.handle(*await refund_observed("submitted")(payments, n))
    rows = await payments.harness.pool.fetch("SELECT key FROM timers WHERE kind = 'refund'")
    return [TimerDue(kind="refund", key=row["key"], due_at=datetime.now(UTC)) for row in rows][-n:]


async def queries_after_expiry(payments: PaymentHarness, n: int) -> Sequence[Message]:
    started = await payments.open_attempts(n)
    await payments.expire()
    return [ProviderQuery(attempt_id=int(one["attempt_id"])) for one in started]


async def approved(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Attempts that their buyers have approved, ready to be captured."""
    started = await payments.open_attempts(n)
    await payments.pay(started)
    return [ProviderCapture(attempt_id=int(one["attempt_id"])) for one in started]


async def start_calls_too_late(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Starts of attempts that have expired: the gateway refuses them."""
    calls = await start_calls(payments, n)
    await payments.expire()
    return calls


async def paid_captures(payments: PaymentHarness, n: int) -> list[tuple[str, str]]:
    """(our number, the provider's number) of n payments that were captured."""
    await payments.harness.handle(*await payments.pay(await payments.open_attempts(n)))
    await run_provider_calls(payments.harness, payments.provider)
    rows = await payments.harness.rows(
        "SELECT out_trade_no, trade_no FROM payment_attempts WHERE state = 'captured' ORDER BY id DESC LIMIT $1", n
    )
    assert len(rows) == n, rows
    return [(number, trade_no) for number, trade_no in rows]


async def disputes(payments: PaymentHarness, n: int) -> Sequence[DisputeObserved]:
    """Observed disputes of n captured payments."""
    return [
        DisputeObserved(
            provider=payments.provider,
            dispute_no=unique(),
            trade_no=trade_no,
            state="opened",
            amount=1,
            currency="USD",
            occurred_at=datetime.now(UTC),
        )
        for _, trade_no in await paid_captures(payments, n)
    ]


async def evidence(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Evidence against n disputes that were opened."""
    opened = await disputes(payments, n)
    await payments.harness.handle(*opened)
    return [
        DisputeSubmitEvidence(
            request_id="e1",
            actor=OPERATOR,
            provider=one.provider,
            dispute_no=one.dispute_no,
            evidence=("proof/1",),
            description="signed by the buyer",
        )
        for one in opened
    ]


async def evidence_to_give(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Evidence that PayPal gets against n disputes that buyers opened there."""
    gateway = payments.merchant.gateway
    assert isinstance(gateway, PayPalGateway)
    captures = await paid_captures(payments, n)
    numbers = {no: gateway.open_dispute(gateway.ledger.trades[no], 1) for _, no in captures}
    about: dict[str, Any] = {"provider": "paypal", "amount": 1, "currency": "USD", "occurred_at": datetime.now(UTC)}
    for trade_no, number in numbers.items():
        opened = DisputeObserved(dispute_no=number, trade_no=trade_no, state="opened", **about)
        await payments.harness.handle(opened)
    given: dict[str, Any] = {"request_id": "e1", "actor": OPERATOR, "provider": "paypal", "to_provider": True}
    written = [DisputeSubmitEvidence(**given, dispute_no=number, description="signed") for number in numbers.values()]
    await payments.harness.handle(*written, trusted=True)
    take_calls(payments.harness, payments.provider)
    return [ProviderDisputeEvidence(dispute_no=number, number=1) for number in numbers.values()]


async def answered_evidence(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """What PayPal answers to evidence."""
    given = await evidence_to_give(payments, n)
    return [
        DisputeEvidenceObserved(provider="paypal", dispute_no=one.dispute_no, number=1, state="refused")
        for one in given
        if isinstance(one, ProviderDisputeEvidence)
    ]


async def disputes_to_answer(payments: PaymentHarness, n: int) -> Sequence[DisputeDue]:
    """What wakes the handler of n disputes that have to be answered soon."""
    due_at = datetime.now(UTC) + timedelta(days=9)
    before = await payments.harness.pool.fetchval("SELECT coalesce(max(id), 0) FROM payment_disputes")
    opened = await disputes(payments, n)
    await payments.harness.handle(*(one.model_copy(update={"due_at": due_at}) for one in opened))
    await payments.harness.make_timers_due("dispute")
    rows = await payments.harness.rows("SELECT id FROM payment_disputes WHERE id > $1 ORDER BY id", before)
    return [DisputeDue(dispute_id=key) for (key,) in rows]


async def dispute_timers(payments: PaymentHarness, n: int) -> Sequence[Message]:
    found, at = await disputes_to_answer(payments, n), datetime.now(UTC)
    return [TimerDue(kind="dispute", key=one.dispute_id, due_at=at) for one in found]


async def dispute_queries(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Queries of disputes that n buyers opened."""
    gateway = payments.merchant.gateway
    assert isinstance(gateway, PayPalGateway)
    found = [gateway.open_dispute(gateway.ledger.trades[no], 1) for _, no in await paid_captures(payments, n)]
    return [ProviderDisputeQuery(dispute_no=number) for number in found]


async def foreign_refunds(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Reports of refunds that the provider made by itself."""
    return [
        RefundObserved(
            refund_no=unique(),
            status="succeeded",
            amount=1,
            currency="USD",
            occurred_at=datetime.now(UTC),
            provider=payments.provider,
            trade_no=trade_no,
        )
        for _, trade_no in await paid_captures(payments, n)
    ]


async def unknown_serials(payments: PaymentHarness, n: int) -> Sequence[Message]:
    return [ProviderCertificates(provider="wechat", serial=f"70B{key}") for key in range(n)]


@dataclass(frozen=True)
class Scenario:
    """Arranges n messages at a provider, each of which announces `announces`. `more` configures the gateway."""

    provider: str
    arrange: Arrange
    announces: str | None
    more: Mapping[str, Any] = field(default_factory=dict)


def attempt_timer(attempt_id: int) -> Message:
    return TimerDue(kind="attempt", key=attempt_id, due_at=datetime.now(UTC))


def query(attempt_id: int) -> Message:
    return ProviderQuery(attempt_id=attempt_id)


def close(attempt_id: int) -> Message:
    return ProviderClose(attempt_id=attempt_id)


PAYING: dict[str, Scenario] = {
    "payment.start signed here": Scenario("alipay", starts, "payment.started.v1"),
    "payment.start by a call": Scenario("wechat", starts, "provider.start.v1"),
    "payment.start once more": Scenario("alipay", second_starts, "provider.close.v1"),
    "payment.start refused": Scenario("alipay", starts_of_a_wrong_amount, "command.rejected.v1"),
    "payment.callback by a form": Scenario("alipay", notified, "order.paid.v1"),
    "payment.callback sealed": Scenario("wechat", notified, "order.paid.v1"),
    "payment.callback of an approval": Scenario("paypal", notified, "provider.capture.v1"),
    "payment.callback of a refund": Scenario("wechat", notified_of_refunds, "refund.observed.v1"),
    "payment.callback late": Scenario("wechat", notified_late, "provider.refund.v1"),
    "payment.callback beside another attempt": Scenario("wechat", notified_of_the_first, "provider.close.v1"),
    "payment.callback forged": Scenario("wechat", forged, "payment.callback_rejected.v1"),
    "payment.callback by a new certificate": Scenario(
        "wechat", notified_with_a_new_certificate, None, {"rotate_after": 0}
    ),
    "payment.observed captured": Scenario("wechat", observed("captured"), "order.paid.v1"),
    "payment.observed failed": Scenario("wechat", observed("failed"), "payment.failed.v1"),
    "provider.start": Scenario("wechat", start_calls, "payment.started.v1"),
    "provider.start unanswered": Scenario("wechat", calls_without_answer, None),
    "provider.start refused": Scenario("wechat", start_calls_too_late, "command.rejected.v1"),
    "provider.capture": Scenario("paypal", approved, "payment.observed.v1"),
    "provider.query unpaid": Scenario("wechat", per_attempt(query), None),
    "provider.query paid": Scenario("wechat", per_attempt(query, paid=True), "payment.observed.v1"),
    "provider.query approved": Scenario("paypal", per_attempt(query, paid=True), "provider.capture.v1"),
    "provider.query overdue": Scenario("wechat", queries_after_expiry, "provider.close.v1"),
    "provider.close": Scenario("wechat", per_attempt(close), "payment.attempt_closed.v1"),
    "provider.close paid": Scenario("wechat", per_attempt(close, paid=True), None),
    "provider.refund": Scenario("wechat", PaymentHarness.owed_refunds, "refund.observed.v1"),
    "provider.refund_query": Scenario("wechat", refund_queries, "refund.observed.v1"),
    "provider.dispute_query": Scenario("paypal", dispute_queries, "dispute.observed.v1"),
    "provider.dispute_evidence": Scenario("paypal", evidence_to_give, "dispute.evidence_observed.v1"),
    "dispute.evidence_observed": Scenario("paypal", answered_evidence, "dispute.evidence_answered.v1"),
    "dispute.observed opened": Scenario("paypal", disputes, "payment.disputed.v1"),
    "dispute.submit_evidence": Scenario("paypal", evidence, "dispute.evidence_submitted.v1"),
    "dispute.due": Scenario("paypal", disputes_to_answer, "alert.raised.v1"),
    "timer.due dispute": Scenario("paypal", dispute_timers, "dispute.due.v1"),
    "refund.observed foreign": Scenario("paypal", foreign_refunds, "refund.succeeded.v1"),
    "provider.certificates": Scenario("wechat", unknown_serials, None),
    "refund.observed succeeded": Scenario("wechat", refund_observed("succeeded"), "refund.succeeded.v1"),
    "refund.observed failed": Scenario("wechat", refund_observed("failed"), "refund.failed.v1"),
    "refund.observed unknown": Scenario("wechat", refund_observed("unknown"), None),
    "order.cancel with an attempt": Scenario("wechat", cancels, "provider.close.v1"),
    "timer.due payment with an attempt": Scenario("wechat", order_timers, "provider.close.v1"),
    "timer.due attempt": Scenario("wechat", per_attempt(attempt_timer), "provider.query.v1"),
    "timer.due refund": Scenario("wechat", refund_timers, "provider.refund_query.v1"),
}
