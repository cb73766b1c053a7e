"""Buyers' disputes: recorded once, announced and alerted; a won one brings the reversed money back into the books."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.refunds import RefundObserved
from scripts.commands.audit import check
from tests.handlers.builders import cancel, create
from tests.handlers.catalogue_builders import grant
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import AT, dispute, refund_result, request_refund
from workers.services.disputes import returned_by
from workers.store.disputes import GoneRefund


def reversal(amount: int = 400, number: str = "F1", **changes: Any) -> RefundObserved:
    """A refund that the provider made because of a dispute."""
    fields: dict[str, Any] = {
        "refund_no": number,
        "status": "succeeded",
        "amount": amount,
        "currency": "CNY",
        "occurred_at": AT,
        "provider": "alipay",
        "trade_no": "t1",
        "reversal": True,
    }
    return RefundObserved(**fields | changes)


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    """A paid order of 1000."""
    await harness.fill_stock()
    return await harness.place_paid_order(("s1", 2))


def states(harness: HandlerHarness) -> list[str]:
    return [event["state"] for event in harness.events_of("payment.disputed")]


def alerts(harness: HandlerHarness) -> list[tuple[str, str]]:
    return [(alert["title"], alert["level"]) for alert in harness.events_of("alert.raised")]


async def refunds(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows("SELECT state, amount, excess_amount FROM refunds ORDER BY id")


async def refunded(harness: HandlerHarness) -> int:
    return int(await harness.pool.fetchval("SELECT refunded_amount FROM orders"))


async def violations(harness: HandlerHarness) -> list[str]:
    async with harness.pool.acquire() as tx:
        return [found.id for found in await check(tx, grace_seconds=60.0) if found.violations]


async def test_a_dispute_is_recorded_and_alerted_once_in_each_state(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(dispute(), dispute())
    await harness.handle(dispute(), dispute("lost", days=2), dispute(days=1))
    assert states(harness) == ["opened", "lost"]
    assert alerts(harness) == [("payment disputed: opened", "HIGH"), ("payment disputed: lost", "HIGH")]
    [event, _] = harness.events_of("payment.disputed")
    assert (event["order_id"], event["dispute_no"], event["amount"]) == (str(order_id), "D1", 400)
    assert await harness.rows("SELECT dispute_no, state FROM payment_disputes") == [("D1", "lost")]
    assert (await refunds(harness), await refunded(harness)) == ([], 0)


async def test_a_dispute_about_another_amount_is_news(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(dispute(), dispute(amount=300, days=1))
    assert [event["amount"] for event in harness.events_of("payment.disputed")] == [400, 300]


async def test_a_dispute_that_needs_no_answer_any_more_alerts_nobody(harness: HandlerHarness, order_id: int) -> None:
    due_at = datetime.now(UTC) + timedelta(days=9)
    await harness.handle(dispute(due_at=due_at))
    await harness.handle(dispute(days=1))
    assert len(harness.events_of("payment.disputed")) == 2
    assert len(harness.events_of("alert.raised")) == 1
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'dispute'") == [(0,)]
    await harness.handle(dispute("lost", days=2))
    assert len(harness.events_of("alert.raised")) == 2


async def test_a_dispute_about_a_capture_that_is_not_known_is_retried(harness: HandlerHarness, order_id: int) -> None:
    batch = await harness.handle_batch([harness.envelope(dispute(trade_no="t404"))])
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("order_unknown", True)]


async def test_a_won_dispute_returns_its_reversal_and_the_money_can_be_refunded_again(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(reversal())
    await harness.handle(dispute(), dispute("won", days=1), dispute("won", days=2))
    [returned] = harness.events_of("refund.returned")
    assert (returned["order_id"], returned["amount"], returned["cause"]) == (
        str(order_id),
        400,
        "reversal:alipay:F1",
    )
    assert (await refunds(harness), await refunded(harness)) == ([("returned", 400, 0)], 0)
    assert alerts(harness)[-1] == ("payment disputed: won", "HIGH")
    await harness.handle(reversal())
    assert await refunds(harness) == [("returned", 400, 0)], "a copy of the old notification"
    await harness.handle(refund_result(returned), refund_result(returned, "failed"), trusted=True)
    assert await refunds(harness) == [("returned", 400, 0)], "a late copy of its result, under our number"
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    assert requested["amount"] == 1000
    await harness.handle(refund_result(requested), trusted=True)
    assert await refunded(harness) == 1000
    assert await violations(harness) == []


async def test_only_reversals_up_to_the_disputed_amount_come_back(harness: HandlerHarness, order_id: int) -> None:
    merchant = reversal(100, "F0", reversal=False)
    await harness.handle(merchant, reversal(300, "F1"), reversal(200, "F2"))
    await harness.handle(dispute("won", 300))
    assert await refunds(harness) == [("succeeded", 100, 0), ("returned", 300, 0), ("succeeded", 200, 0)]
    assert await refunded(harness) == 300
    assert await violations(harness) == []


async def test_what_was_in_excess_of_the_reversal_no_longer_is(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(request_refund(order_id, "a", 800), trusted=True)
    await harness.handle(reversal())
    await harness.handle(refund_result(harness.events_of("refund.requested")[0]), trusted=True)
    assert await refunds(harness) == [("excess", 800, 200), ("succeeded", 400, 0)]
    await harness.handle(dispute("won"))
    assert (await refunds(harness), await refunded(harness)) == ([("succeeded", 800, 0), ("returned", 400, 0)], 800)
    assert await violations(harness) == []


async def test_money_that_comes_back_to_a_cancelled_order_is_owed_to_its_buyer(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(reversal())
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    assert requested["amount"] == 600
    await harness.handle(refund_result(requested), trusted=True)
    await harness.handle(dispute("won"))
    assert alerts(harness)[-1] == ("payment disputed: won", "HIGH")
    assert "refund.request" in harness.events_of("alert.raised")[-1]["content"]
    assert await violations(harness) == []
    await harness.handle(request_refund(order_id, "b", 400), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1]), trusted=True)
    assert await refunded(harness) == 1000
    assert await violations(harness) == []


async def test_points_follow_the_reversed_money_and_its_return(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(grant(1000))
    order_id = await harness.create_order(create(("s1", 2), use_points=200, expected_pay_amount=800))
    await harness.pay(order_id)
    [(trade_no,)] = await harness.rows("SELECT trade_no FROM payment_facts")
    await harness.handle(reversal(400, trade_no=trade_no))
    assert await harness.rows("SELECT balance FROM points_accounts") == [(900,)]
    await harness.handle(dispute("won", trade_no=trade_no))
    assert await harness.rows("SELECT balance FROM points_accounts") == [(800,)]
    assert await violations(harness) == []


async def test_the_alert_says_until_when_to_answer(harness: HandlerHarness, order_id: int) -> None:
    """A new date is news, the same one is none."""
    first, later = AT + timedelta(days=10), AT + timedelta(days=20)
    await harness.handle(*(dispute().model_copy(update={"due_at": at}) for at in (first, first, later)))
    assert [event["due_at"][:10] for event in harness.events_of("payment.disputed")] == [
        str(at.date()) for at in (first, later)
    ]
    assert first.isoformat(timespec="minutes") in harness.events_of("alert.raised")[0]["content"]


async def test_a_reversal_after_its_dispute_was_won_is_a_refund_that_counts(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(dispute(), dispute("won", days=1))
    assert await refunds(harness) == []
    await harness.handle(reversal(occurred_at=AT + timedelta(days=2)))
    assert (await refunds(harness), await refunded(harness)) == ([("succeeded", 400, 0)], 400)
    await harness.handle(dispute("won", days=1))
    assert await refunded(harness) == 400, "the same report is no news"


async def test_two_disputes_that_are_won_at_once_take_back_one_reversal_each(
    harness: HandlerHarness, order_id: int
) -> None:
    """What comes back makes room for what another refund took above the capture, once for each."""
    await harness.handle(reversal(400, "F1"), reversal(400, "F2"), reversal(800, "F3", reversal=False))
    assert await refunds(harness) == [("succeeded", 400, 0), ("succeeded", 400, 0), ("excess", 800, 600)]
    won = (dispute("won"), dispute("won", dispute_no="D2"), dispute("won", dispute_no="D3"))
    await harness.handle_batch([harness.envelope(one) for one in won])
    await harness.relay()
    assert await refunds(harness) == [("returned", 400, 0), ("returned", 400, 0), ("succeeded", 800, 0)]
    assert (await refunded(harness), len(harness.events_of("refund.returned"))) == (800, 2)


async def test_a_won_dispute_without_a_reversal_owes_nothing_to_the_buyer_of_a_cancelled_order(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(cancel(order_id))
    await harness.handle(dispute("won"))
    assert alerts(harness)[-1] == ("payment disputed: won", "HIGH")


@pytest.mark.parametrize(
    ("state", "trade_no", "ids"), [("won", "t1", [1]), ("lost", "t1", []), ("closed", "t1", []), ("won", "t2", [])]
)
def test_only_a_won_dispute_brings_back_reversals_of_its_capture(state: str, trade_no: str, ids: list[int]) -> None:
    gone = GoneRefund(1, "R1", 7, "alipay", "t1", "reversal:alipay:F1", 400, 0, "CNY")
    assert [refund.id for refund in returned_by(dispute(state, trade_no=trade_no), [gone])] == ids
