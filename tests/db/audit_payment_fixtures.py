"""Payments of the audit's world: attempts at a provider that end in every way, and statements that list them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from messages.base import Message
from messages.orders import OrderMerge
from messages.providers import ProviderQuery, ProviderStart
from tests.handlers.harness import Floor, cancel, create, user
from tests.handlers.statement_builders import on_paper, paper, reconcile
from tests.handlers.test_payment_attempts import MERCHANT, notified, start
from workers import providers
from workers.handlers.provider_calls import START_TRIES, take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import Paid, Unknown
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
DAY = date(2026, 1, 21)
"""Whose notifications tests.handlers.test_payment_attempts writes."""
PRICE = 507
"""Of one s1, delivered."""


async def through_a_provider(floor: Floor) -> None:
    """Paid, late, twice, another amount, failed, closed, asked in vain, being closed, still open, merged."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    await floor.say(notified(await begun(floor), "ok-1"))
    late = await begun(floor)
    await floor.say(cancel(int(late["order_id"]), uuid4().hex))
    await floor.say(notified(late, "ok-2"))
    first = await begun(floor)
    await floor.say(notified(await begun(floor, int(first["order_id"])), "ok-3"))
    await floor.say(notified(first, "ok-4"))
    await floor.say(notified(await begun(floor), "ok-5", total_amount="0.01"))
    for kind in ("failed", "closed"):
        await ended(floor, await begun(floor), kind)
    await in_vain(floor)
    await begun(floor)
    await begun(floor, int((await begun(floor))["order_id"]))
    await floor.say(notified(await both(floor), "ok-6"))
    providers.configure({})


async def ordered(floor: Floor) -> int:
    """An order of one s1."""
    return await floor.order(create(("s1", 1), request_id=uuid4().hex, expected_pay_amount=PRICE))


async def begun(floor: Floor, order_id: int | None = None, **changes: Any) -> dict[str, Any]:
    """What the buyer's client was given, for this order or a new one."""
    amount = changes.pop("amount", PRICE)
    await floor.say(start(order_id or await ordered(floor), amount, uuid4().hex, **changes))
    return floor.heard("payment.started")[-1]


async def both(floor: Floor) -> dict[str, Any]:
    """One payment of two orders."""
    order_ids = [await ordered(floor), await ordered(floor)]
    await floor.say(OrderMerge(request_id=uuid4().hex, actor=user(), order_ids=tuple(order_ids)))
    intent_id = int(floor.heard("order.merged")[-1]["intent_id"])
    return await begun(floor, order_ids[0], amount=2 * PRICE, intent_id=intent_id)


async def ended(floor: Floor, started: dict[str, Any], kind: Any) -> None:
    """As its provider tells when it is asked."""
    attempt_id, number = int(started["attempt_id"]), started["out_trade_no"]
    await told(floor, ProviderQuery(attempt_id=attempt_id), Paid(number, f"no-{number}", kind, PRICE, "CNY", AT))
    if kind == "failed":
        assert floor.heard("payment.failed")[-1]["trade_no"] == f"no-{number}"


async def in_vain(floor: Floor) -> None:
    """The provider does not say whether it opened this one."""
    floor.asked.clear()
    await floor.say(start(await ordered(floor), PRICE, uuid4().hex, scene="qr"))
    [(_, asked)] = floor.asked
    assert isinstance(asked, ProviderStart)
    await told(floor, asked, Unknown("TimeoutError"), attempt=START_TRIES - 1)


async def told(floor: Floor, body: Message, answer: Any, attempt: int = 0) -> None:
    """What the provider answered."""
    item = replace(floor.wrap(body), attempt=attempt)
    async with floor.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
        await take_answers(tx, batch, provider="alipay")
    await floor.pump()


async def stated(floor: Floor) -> None:
    """The provider's statements of two days: a capture and what we do not know, and a refund."""
    on_paper()
    [(number,)] = await floor.rows("SELECT out_trade_no FROM payment_attempts WHERE trade_no = 'ok-1'")
    lines = (f"capture {number} ok-1 {PRICE} CNY", "capture P7 strange 5 CNY")
    await floor.say(reconcile(paper(*lines, day=DAY), day=DAY), trusted=True)
    [(refund_no, at)] = await floor.rows("SELECT refund_no, finished_at FROM refunds WHERE trade_no = 'ok-2'")
    today = at.astimezone(ZoneInfo("Asia/Shanghai")).date()
    await floor.say(reconcile(paper(f"refund {refund_no} ok-2 {PRICE} CNY", day=today), day=today), trusted=True)
    assert [event["matched"] for event in floor.heard("payment.reconciled")] == [1, 1]
    providers.configure({})
