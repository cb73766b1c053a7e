"""The answers of a provider about refunds and their effects, on a real database."""

from datetime import timedelta
from typing import Any

import pytest

from messages.payments import PaymentObserved
from messages.providers import ProviderQuery, ProviderRefund, ProviderRefundQuery
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, cancel
from tests.handlers.provider_answers import AT, NO_ANSWER, NOT_FOUND, OpenAttempt, notify
from workers.providers.port import RefundReport
from workers.services.attempts import refunds_of_attempts


async def test_a_refund_that_no_attempt_of_ours_brought_is_tried_again(open_attempt: OpenAttempt) -> None:
    batch = await open_attempt.take_answer(ProviderRefund(refund_no="R404"), None)
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("refund_unknown", True)]


async def test_a_part_goes_back_of_a_whole_that_is_named(open_attempt: OpenAttempt) -> None:
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("captured"))
    declined = PaymentObserved(
        attempt_id=open_attempt.attempt_id,
        trade_no="t1",
        kind="failed",
        amount=999,
        currency="CNY",
        occurred_at=AT - timedelta(hours=1),
    )
    await open_attempt.harness.handle(declined)
    [(order_id,)] = await open_attempt.harness.rows("SELECT id FROM orders")
    part = RefundRequest(request_id="a", actor=OPERATOR, order_id=order_id, amount=300, reason="a scratch")
    await open_attempt.harness.handle(part, trusted=True)
    [refund] = open_attempt.harness.events_of("refund.requested")
    async with open_attempt.harness.pool.acquire() as tx:
        [(provider, order)] = (await refunds_of_attempts(tx, [refund["refund_no"]])).values()
    assert (provider, order.out_trade_no, order.trade_no) == ("alipay", open_attempt.out_trade_no, "t1")
    assert (order.amount, order.total, order.captured_at) == (300, 1000, AT)


@pytest.fixture
async def refund_no(open_attempt: OpenAttempt) -> str:
    """Cancel a paid order; return the number of its refund."""
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("captured"))
    [order_id] = await open_attempt.harness.rows("SELECT id FROM orders")
    await open_attempt.harness.handle(cancel(order_id[0]))
    [refund] = open_attempt.harness.events_of("refund.requested")
    assert open_attempt.calls == ["refund"]
    return str(refund["refund_no"])


async def test_a_refund_notification_ends_the_refund(open_attempt: OpenAttempt, refund_no: str) -> None:
    assert not (await notify(open_attempt, gave(refund_no, "succeeded"))).verdicts
    assert await open_attempt.harness.rows("SELECT state FROM refunds") == [("succeeded",)]


def gave(refund_no: str, status: Any) -> RefundReport:
    return RefundReport(refund_no, status, 1000, "CNY", AT)


REFUNDS = [
    (ProviderRefund, "succeeded", "succeeded", [], False),
    (ProviderRefund, "failed", "failed", [], False),
    (ProviderRefund, "processing", "submitted", [], True),
    (ProviderRefund, NO_ANSWER, "unknown", [], True),
    (ProviderRefund, NOT_FOUND, "failed", [], False),
    (ProviderRefundQuery, "succeeded", "succeeded", [], False),
    (ProviderRefundQuery, "failed", "failed", [], False),
    (ProviderRefundQuery, "processing", "submitted", [], True),
    (ProviderRefundQuery, NO_ANSWER, "unknown", [], True),
    (ProviderRefundQuery, NOT_FOUND, "requested", ["refund"], True),
]


@pytest.mark.parametrize(("message", "answer", "state", "calls", "watched"), REFUNDS)
async def test_a_refund_is_polled_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    open_attempt: OpenAttempt, refund_no: str, message: Any, answer: Any, state: str, calls: list[str], watched: bool
) -> None:
    answer = gave(refund_no, answer) if isinstance(answer, str) else answer
    await open_attempt.take_answer(message(refund_no=refund_no), answer)
    assert await open_attempt.harness.rows("SELECT state, finished_at IS NULL FROM refunds") == [(state, watched)]
    assert (open_attempt.calls, await open_attempt.has_timer("refund")) == (calls, watched)
    ends = [
        event["type"]
        for event in open_attempt.harness.events
        if event["type"] in ("refund.succeeded.v1", "refund.failed.v1")
    ]
    assert ends == ([f"refund.{state}.v1"] if state in ("succeeded", "failed") else [])


async def test_a_refund_without_an_answer_is_requested_again_under_its_number_once_the_provider_knows_of_none(
    open_attempt: OpenAttempt, refund_no: str
) -> None:
    await open_attempt.take_answer(ProviderRefund(refund_no=refund_no), NO_ANSWER)
    await open_attempt.harness.sweep("refund")
    assert open_attempt.calls == ["refund_query"]
    await open_attempt.take_answer(ProviderRefundQuery(refund_no=refund_no), NOT_FOUND)
    assert open_attempt.harness.provider_calls == [("alipay", ProviderRefund(refund_no=refund_no))]
    await open_attempt.take_answer(ProviderRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    await open_attempt.take_answer(ProviderRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    assert len(open_attempt.harness.events_of("refund.succeeded")) == 1
    assert await open_attempt.harness.rows("SELECT captured_amount, refunded_amount FROM orders") == [(1000, 1000)]
