"""Payments in the audit's database: attempts at Alipay that end in every way, and statements that list them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from messages.base import Message
from messages.orders import OrderMerge
from messages.providers import ProviderQuery, ProviderStart
from messages.refunds import RefundObserved
from tests.handlers.alipay_payments import MERCHANT, notified, start
from tests.handlers.builders import cancel, create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import dispute, evidence
from tests.handlers.statement_builders import configure_fake_statements, reconcile, statement_of
from workers import providers
from workers.handlers.provider_calls import START_TRIES, take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import PaymentReport, UnknownOutcome
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
DAY = date(2026, 1, 21)
"""The day of the notifications that tests.handlers.test_payment_attempts writes."""
PRICE = 507
"""The price of one s1, delivered, in minor units."""


async def add_attempts(harness: HandlerHarness) -> None:
    """Attempts: paid, late, twice, of another amount, failed, closed, without an answer, being closed, open, merged."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    await harness.handle(notified(await start_attempt(harness), "ok-1"))
    late = await start_attempt(harness)
    await harness.handle(cancel(int(late["order_id"]), uuid4().hex))
    await harness.handle(notified(late, "ok-2"))
    first = await start_attempt(harness)
    await harness.handle(notified(await start_attempt(harness, int(first["order_id"])), "ok-3"))
    await harness.handle(notified(first, "ok-4"))
    await harness.handle(notified(await start_attempt(harness), "ok-5", total_amount="0.01"))
    for kind in ("failed", "closed"):
        await end_attempt(harness, await start_attempt(harness), kind)
    await start_without_answer(harness)
    await start_attempt(harness)
    await start_attempt(harness, int((await start_attempt(harness))["order_id"]))
    await harness.handle(notified(await start_merged_attempt(harness), "ok-6"))
    providers.configure({})


async def place_order(harness: HandlerHarness) -> int:
    """Place an order of one s1."""
    return await harness.create_order(create(("s1", 1), request_id=uuid4().hex, expected_pay_amount=PRICE))


async def start_attempt(harness: HandlerHarness, order_id: int | None = None, **changes: Any) -> dict[str, Any]:
    """Start an attempt for this order or a new one; return its payment.started event."""
    amount = changes.pop("amount", PRICE)
    await harness.handle(start(order_id or await place_order(harness), amount, uuid4().hex, **changes))
    return harness.events_of("payment.started")[-1]


async def start_merged_attempt(harness: HandlerHarness) -> dict[str, Any]:
    """Start one attempt that pays two merged orders."""
    order_ids = [await place_order(harness), await place_order(harness)]
    await harness.handle(OrderMerge(request_id=uuid4().hex, actor=user(), order_ids=tuple(order_ids)))
    intent_id = int(harness.events_of("order.merged")[-1]["intent_id"])
    return await start_attempt(harness, order_ids[0], amount=2 * PRICE, intent_id=intent_id)


async def end_attempt(harness: HandlerHarness, started: dict[str, Any], kind: Any) -> None:
    """End an attempt by a query that reports this state."""
    attempt_id, number = int(started["attempt_id"]), started["out_trade_no"]
    await take_answer(
        harness, ProviderQuery(attempt_id=attempt_id), PaymentReport(number, f"no-{number}", kind, PRICE, "CNY", AT)
    )
    if kind == "failed":
        assert harness.events_of("payment.failed")[-1]["trade_no"] == f"no-{number}"


async def start_without_answer(harness: HandlerHarness) -> None:
    """Start an attempt whose call never gets an answer."""
    harness.provider_calls.clear()
    await harness.handle(start(await place_order(harness), PRICE, uuid4().hex, scene="qr"))
    [(_, call)] = harness.provider_calls
    assert isinstance(call, ProviderStart)
    await take_answer(harness, call, UnknownOutcome("TimeoutError"), attempt=START_TRIES - 1)


async def take_answer(harness: HandlerHarness, body: Message, answer: Any, attempt: int = 0) -> None:
    """Handle the answer of a call to the provider."""
    item = replace(harness.envelope(body), attempt=attempt)
    async with harness.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
        await take_answers(tx, batch, provider="alipay")
    await harness.relay()


async def add_statements(harness: HandlerHarness) -> None:
    """Reconcile the statements of two days: a capture, a line that we do not know, and a refund."""
    configure_fake_statements()
    [(number,)] = await harness.rows("SELECT out_trade_no FROM payment_attempts WHERE trade_no = 'ok-1'")
    lines = (f"capture {number} ok-1 {PRICE} CNY", "capture P7 strange 5 CNY")
    await harness.handle(reconcile(statement_of(*lines, day=DAY), day=DAY), trusted=True)
    [(refund_no, at)] = await harness.rows("SELECT refund_no, finished_at FROM refunds WHERE trade_no = 'ok-2'")
    today = at.astimezone(ZoneInfo("Asia/Shanghai")).date()
    await harness.handle(
        reconcile(statement_of(f"refund {refund_no} ok-2 {PRICE} CNY", day=today), day=today), trusted=True
    )
    assert [event["matched"] for event in harness.events_of("payment.reconciled")] == [1, 1]
    providers.configure({})


async def add_disputes(harness: HandlerHarness) -> None:
    """Disputes: open with evidence, lost, won, lost beside a closed one; each of the last three with its reversal."""
    for number, states in {"D1": ("opened",), "D2": ("lost",), "D3": ("won",), "D4": ("lost", "closed")}.items():
        order_id = await place_order(harness)
        await harness.pay(order_id)
        about: dict[str, Any] = {"trade_no": f"t-{order_id}", "amount": 100}
        await harness.handle(dispute(dispute_no=number, due_at=datetime.now(UTC) + timedelta(days=9), **about))
        await harness.handle(evidence(f"{number}-1", dispute_no=number), trusted=True)
        for place, state in enumerate(states):
            if state == "opened":
                continue
            reversal = RefundObserved(
                refund_no=f"{number}-{place}",
                status="succeeded",
                amount=100,
                currency="CNY",
                occurred_at=AT,
                provider="alipay",
                trade_no=about["trade_no"],
                reversal=True,
            )
            await harness.handle(reversal)
            await harness.handle(dispute(state, days=1, dispute_no=f"{number}{'b' * place}", **about))
