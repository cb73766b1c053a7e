"""What a provider answers about refunds, and what follows, on a real database."""

from datetime import timedelta
from typing import Any

import pytest

from messages.payments import PaymentObserved
from messages.providers import ProviderQuery, ProviderRefund, ProviderRefundQuery
from messages.refunds import RefundRequest
from tests.handlers.harness import OPERATOR, cancel
from tests.handlers.provider_answers import AT, NO, SILENCE, Line, tells
from workers.providers.port import Refunded
from workers.services.attempts import refunds_of_attempts


async def test_a_refund_that_no_attempt_of_ours_brought_is_tried_again(line: Line) -> None:
    batch = await line.told(ProviderRefund(refund_no="R404"), None)
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("refund_unknown", True)]


async def test_a_part_goes_back_of_a_whole_that_is_named(line: Line) -> None:
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("captured"))
    declined = PaymentObserved(
        attempt_id=line.attempt_id,
        trade_no="t1",
        kind="failed",
        amount=999,
        currency="CNY",
        occurred_at=AT - timedelta(hours=1),
    )
    await line.floor.say(declined)
    [(order_id,)] = await line.floor.rows("SELECT id FROM orders")
    part = RefundRequest(request_id="a", actor=OPERATOR, order_id=order_id, amount=300, reason="a scratch")
    await line.floor.say(part, trusted=True)
    [refund] = line.floor.heard("refund.requested")
    async with line.floor.pool.acquire() as tx:
        [(provider, ask)] = (await refunds_of_attempts(tx, [refund["refund_no"]])).values()
    assert (provider, ask.out_trade_no, ask.trade_no) == ("alipay", line.number, "t1")
    assert (ask.amount, ask.total, ask.captured_at) == (300, 1000, AT)


@pytest.fixture
async def refund_no(line: Line) -> str:
    """A paid order was cancelled, and its money is to go back."""
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("captured"))
    [order_id] = await line.floor.rows("SELECT id FROM orders")
    await line.floor.say(cancel(order_id[0]))
    [refund] = line.floor.heard("refund.requested")
    assert line.asked == ["refund"]
    return str(refund["refund_no"])


async def test_a_refund_that_the_provider_tells_of_has_its_end(line: Line, refund_no: str) -> None:
    assert not (await tells(line, gave(refund_no, "succeeded"))).verdicts
    assert await line.floor.rows("SELECT state FROM refunds") == [("succeeded",)]


def gave(refund_no: str, status: Any) -> Refunded:
    return Refunded(refund_no, status, 1000, "CNY", AT)


REFUNDS = [
    (ProviderRefund, "succeeded", "succeeded", [], False),
    (ProviderRefund, "failed", "failed", [], False),
    (ProviderRefund, "processing", "submitted", [], True),
    (ProviderRefund, SILENCE, "unknown", [], True),
    (ProviderRefund, NO, "failed", [], False),
    (ProviderRefundQuery, "succeeded", "succeeded", [], False),
    (ProviderRefundQuery, "failed", "failed", [], False),
    (ProviderRefundQuery, "processing", "submitted", [], True),
    (ProviderRefundQuery, SILENCE, "unknown", [], True),
    (ProviderRefundQuery, NO, "requested", ["refund"], True),
]


@pytest.mark.parametrize(("message", "answer", "state", "asked", "watched"), REFUNDS)
async def test_a_refund_is_asked_about_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    line: Line, refund_no: str, message: Any, answer: Any, state: str, asked: list[str], watched: bool
) -> None:
    answer = gave(refund_no, answer) if isinstance(answer, str) else answer
    await line.told(message(refund_no=refund_no), answer)
    assert await line.floor.rows("SELECT state, finished_at IS NULL FROM refunds") == [(state, watched)]
    assert (line.asked, await line.is_watched("refund")) == (asked, watched)
    ends = [
        event["type"] for event in line.floor.events if event["type"] in ("refund.succeeded.v1", "refund.failed.v1")
    ]
    assert ends == ([f"refund.{state}.v1"] if state in ("succeeded", "failed") else [])


async def test_a_refund_without_an_answer_is_asked_for_again_under_its_number_once_the_provider_knows_of_none(
    line: Line, refund_no: str
) -> None:
    await line.told(ProviderRefund(refund_no=refund_no), SILENCE)
    await line.floor.sweep("refund")
    assert line.asked == ["refund_query"]
    await line.told(ProviderRefundQuery(refund_no=refund_no), NO)
    assert line.floor.asked == [("alipay", ProviderRefund(refund_no=refund_no))]
    await line.told(ProviderRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    await line.told(ProviderRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    assert len(line.floor.heard("refund.succeeded")) == 1
    assert await line.floor.rows("SELECT captured_amount, refunded_amount FROM orders") == [(1000, 1000)]
