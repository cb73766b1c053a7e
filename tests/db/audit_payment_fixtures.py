"""Payments of the audit's world: attempts at a provider that end in every way, and statements that list them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from messages.base import Message
from messages.orders import OrderMerge
from messages.providers import ProviderQuery, ProviderStart
from tests.handlers.alipay_payments import MERCHANT, notified, start
from tests.handlers.builders import cancel, create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.statement_builders import configure_fake_statements, reconcile, statement_of
from workers import providers
from workers.handlers.provider_calls import START_TRIES, take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import PaymentReport, UnknownOutcome
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
DAY = date(2026, 1, 21)
"""Whose notifications tests.handlers.test_payment_attempts writes."""
PRICE = 507
"""Of one s1, delivered."""


async def through_a_provider(harness: HandlerHarness) -> None:
    """Paid, late, twice, another amount, failed, closed, asked in vain, being closed, still open, merged."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    await harness.handle(notified(await begun(harness), "ok-1"))
    late = await begun(harness)
    await harness.handle(cancel(int(late["order_id"]), uuid4().hex))
    await harness.handle(notified(late, "ok-2"))
    first = await begun(harness)
    await harness.handle(notified(await begun(harness, int(first["order_id"])), "ok-3"))
    await harness.handle(notified(first, "ok-4"))
    await harness.handle(notified(await begun(harness), "ok-5", total_amount="0.01"))
    for kind in ("failed", "closed"):
        await ended(harness, await begun(harness), kind)
    await in_vain(harness)
    await begun(harness)
    await begun(harness, int((await begun(harness))["order_id"]))
    await harness.handle(notified(await both(harness), "ok-6"))
    providers.configure({})


async def ordered(harness: HandlerHarness) -> int:
    """An order of one s1."""
    return await harness.create_order(create(("s1", 1), request_id=uuid4().hex, expected_pay_amount=PRICE))


async def begun(harness: HandlerHarness, order_id: int | None = None, **changes: Any) -> dict[str, Any]:
    """What the buyer's client was given, for this order or a new one."""
    amount = changes.pop("amount", PRICE)
    await harness.handle(start(order_id or await ordered(harness), amount, uuid4().hex, **changes))
    return harness.events_of("payment.started")[-1]


async def both(harness: HandlerHarness) -> dict[str, Any]:
    """One payment of two orders."""
    order_ids = [await ordered(harness), await ordered(harness)]
    await harness.handle(OrderMerge(request_id=uuid4().hex, actor=user(), order_ids=tuple(order_ids)))
    intent_id = int(harness.events_of("order.merged")[-1]["intent_id"])
    return await begun(harness, order_ids[0], amount=2 * PRICE, intent_id=intent_id)


async def ended(harness: HandlerHarness, started: dict[str, Any], kind: Any) -> None:
    """As its provider tells when it is asked."""
    attempt_id, number = int(started["attempt_id"]), started["out_trade_no"]
    await told(
        harness, ProviderQuery(attempt_id=attempt_id), PaymentReport(number, f"no-{number}", kind, PRICE, "CNY", AT)
    )
    if kind == "failed":
        assert harness.events_of("payment.failed")[-1]["trade_no"] == f"no-{number}"


async def in_vain(harness: HandlerHarness) -> None:
    """The provider does not say whether it opened this one."""
    harness.provider_calls.clear()
    await harness.handle(start(await ordered(harness), PRICE, uuid4().hex, scene="qr"))
    [(_, asked)] = harness.provider_calls
    assert isinstance(asked, ProviderStart)
    await told(harness, asked, UnknownOutcome("TimeoutError"), attempt=START_TRIES - 1)


async def told(harness: HandlerHarness, body: Message, answer: Any, attempt: int = 0) -> None:
    """What the provider answered."""
    item = replace(harness.envelope(body), attempt=attempt)
    async with harness.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
        await take_answers(tx, batch, provider="alipay")
    await harness.relay()


async def stated(harness: HandlerHarness) -> None:
    """The provider's statements of two days: a capture and what we do not know, and a refund."""
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
