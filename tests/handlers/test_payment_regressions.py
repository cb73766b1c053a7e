"""Defects that the payment races found, each repeated without a race."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from messages.base import Message
from messages.orders import OrderMerge
from messages.payments import PaymentObserved
from messages.providers import ProviderClose, ProviderQuery, ProviderStart
from messages.timers import TimerDue
from tests.handlers.alipay_payments import MERCHANT, notified, opened
from tests.handlers.builders import cancel, user
from tests.handlers.harness import WAITING, HandlerHarness
from tests.handlers.provider_calls import start
from workers import providers, shop
from workers.domain.shop import OnPaymentFailure, Policy, Shop
from workers.handlers.provider_calls import START_TRIES, take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import PaymentReport, ReportedPayment, UnknownOutcome
from workers.runtime.batch import Batch

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def alipay() -> Iterator[None]:
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


async def take_answer(harness: HandlerHarness, body: Message, answer: Any = None, attempt: int = 0) -> None:
    """The provider's answer, or None if the attempt had ended and no call was made."""
    item = replace(harness.envelope(body), attempt=attempt)
    async with harness.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any](
            [item], await tx.fetchval("SELECT clock_timestamp()"), {} if answer is None else {item.id: answer}
        )
        await take_answers(tx, batch, provider="alipay")
    await harness.relay()


async def test_an_order_that_is_paid_with_another_and_alone_in_one_batch_gives_the_second_payment_back(
    harness: HandlerHarness,
) -> None:
    order_id, alone = await opened(harness)
    other = await harness.place_order(("s1", 2))
    await harness.handle(OrderMerge(request_id="m", actor=user(), order_ids=(order_id, other)))
    intent_id = int(harness.events_of("order.merged")[0]["intent_id"])
    await harness.handle(start(order_id, "alipay", "page", "pay-both", amount=2000, intent_id=intent_id))
    both = harness.events_of("payment.started")[-1]
    batch = await harness.handle(notified(both, "t1"), notified(alone, "t2"))
    assert not batch.verdicts
    assert [(event["trade_no"], event["verdict"]) for event in harness.events_of("payment.captured")] == [
        ("t1", "kept"),
        ("t2", "duplicate"),
    ]
    assert [event["trade_no"] for event in harness.events_of("refund.requested")] == ["t2"]


async def begun(harness: HandlerHarness) -> tuple[int, int, str]:
    """An order whose attempt is being started at the provider: order, attempt and its number."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, "alipay", "qr", "pay-1"))
    [(attempt_id, number)] = await harness.rows("SELECT id, out_trade_no FROM payment_attempts")
    return order_id, attempt_id, number


async def closed(harness: HandlerHarness, order_id: int, attempt_id: int, number: str) -> None:
    """Cancel the order and close its attempt."""
    await harness.handle(cancel(order_id))
    await take_answer(
        harness,
        ProviderClose(attempt_id=attempt_id),
        PaymentReport(number, number, ReportedPayment.CLOSED, 1000, "CNY", AT),
    )
    assert await harness.rows("SELECT state FROM payment_attempts") == [("closed",)]


async def test_a_start_is_answered_though_its_attempt_ended_before_the_provider_did(harness: HandlerHarness) -> None:
    order_id, attempt_id, number = await begun(harness)
    await take_answer(harness, ProviderStart(attempt_id=attempt_id), UnknownOutcome("TimeoutError"))
    await closed(harness, order_id, attempt_id, number)
    await take_answer(harness, ProviderStart(attempt_id=attempt_id), attempt=1)
    assert len(harness.events_of("command.rejected")) == 1
    assert await harness.rows("SELECT count(*) FROM commands WHERE outcome_type IS NULL") == [(0,)]


async def test_a_start_whose_attempt_was_paid_meanwhile_is_rejected_with_that_reason(harness: HandlerHarness) -> None:
    _, attempt_id, number = await begun(harness)
    await take_answer(
        harness,
        ProviderQuery(attempt_id=attempt_id),
        PaymentReport(number, "t1", ReportedPayment.CAPTURED, 1000, "CNY", AT),
    )
    await take_answer(harness, ProviderStart(attempt_id=attempt_id), attempt=1)
    assert [event["code"] for event in harness.events_of("command.rejected")] == ["PAY_ALREADY_PAID"]


async def test_a_closed_attempt_stays_closed_after_any_answer_to_its_start(
    harness: HandlerHarness,
) -> None:
    order_id, attempt_id, number = await begun(harness)
    await closed(harness, order_id, attempt_id, number)
    await take_answer(
        harness, ProviderStart(attempt_id=attempt_id), UnknownOutcome("TimeoutError"), attempt=START_TRIES - 1
    )
    assert await harness.rows("SELECT state FROM payment_attempts") == [("closed",)]
    assert len(harness.events_of("command.rejected")) == 1


def tried(started: dict[str, Any], kind: Any, trade_no: str) -> PaymentObserved:
    return PaymentObserved(
        attempt_id=int(started["attempt_id"]), trade_no=trade_no, kind=kind, amount=1000, currency="CNY", occurred_at=AT
    )


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_a_card_that_was_declined_before_it_was_charged_does_not_hide_the_money_from_its_refund(
    harness: HandlerHarness, together: bool
) -> None:
    order_id, started = await opened(harness)
    paid, declined = tried(started, "captured", "t1"), tried(started, "failed", "t0")
    for bodies in [(paid, declined)] if together else [(paid,), (declined,)]:
        await harness.handle(*bodies)
    assert await harness.rows("SELECT state, trade_no FROM payment_attempts") == [("captured", "t1")]
    await harness.handle(cancel(order_id))
    assert [event["trade_no"] for event in harness.events_of("refund.requested")] == ["t1"]


async def waiting(harness: HandlerHarness, how_many: int) -> None:
    """Wait until this many connections wait for a lock."""
    while await harness.pool.fetchval(WAITING) < how_many:
        await asyncio.sleep(0.002)


async def test_a_failed_attempt_beside_another_one_and_questions_about_both_do_not_wait_for_each_other(
    harness: HandlerHarness,
) -> None:
    """Every handler locks attempts in the order of their ids."""
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, on_payment_failure=OnPaymentFailure.CANCEL)))
    order_id, first = await opened(harness)
    await harness.handle(start(order_id, "alipay", "page", "pay-2"))
    both = [ProviderQuery(attempt_id=int(event["attempt_id"])) for event in harness.events_of("payment.started")]
    items = [harness.envelope(body) for body in both]

    async def query_again() -> None:
        async with harness.pool.acquire() as tx, tx.transaction():
            answers = {item.id: UnknownOutcome("TimeoutError") for item in items}
            batch = Batch[Any](items, await tx.fetchval("SELECT clock_timestamp()"), answers)
            await take_answers(tx, batch, provider="alipay")

    async with held_up(harness, order_id) as workers:
        workers.create_task(harness.handle_batch([harness.envelope(tried(first, "failed", "t0"))]))
        await waiting(harness, 1)
        workers.create_task(query_again())
        await asyncio.sleep(0.05)
    assert await harness.states() == ["awaiting_payment"]


@asynccontextmanager
async def held_up(harness: HandlerHarness, order_id: int) -> AsyncIterator[asyncio.TaskGroup]:
    """While the block runs, the handler of the failure t0 waits before it writes attempts and timers."""
    async with harness.pool.acquire() as other, asyncio.TaskGroup() as workers:
        same = other.transaction()
        await same.start()
        await other.execute(
            "INSERT INTO payment_facts (provider, trade_no, kind, order_id, amount, currency, verdict, occurred_at)"
            " VALUES ('alipay', 't0', 'failed', $1, 1000, 'CNY', 'failed', now())",
            order_id,
        )
        yield workers
        await same.rollback()


async def test_timers_of_an_order_and_of_its_attempt_in_one_batch_do_not_deadlock_with_a_notification(
    harness: HandlerHarness,
) -> None:
    """Every handler locks orders first."""
    order_id, started = await opened(harness)
    await harness.make_timers_due("payment")
    await harness.make_timers_due("attempt")
    keys: list[tuple[Any, int]] = [("attempt", int(started["attempt_id"])), ("payment", order_id)]
    due = [harness.envelope(TimerDue(kind=kind, key=key, due_at=AT)) for kind, key in keys]
    async with held_up(harness, order_id) as workers:
        workers.create_task(harness.handle_batch([harness.envelope(tried(started, "failed", "t0"))]))
        await waiting(harness, 1)
        workers.create_task(harness.handle_batch(due))
        await waiting(harness, 2)
    assert await harness.rows("SELECT state FROM payment_attempts") == [("failed",)]
