"""Payment results: every capture is kept once or refunded once."""

from datetime import UTC, datetime

import pytest

from messages.payments import ProgressMark
from tests.handlers.builders import cancel, captured, create
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import OnPaymentFailure, Policy, Shop


async def facts(harness: HandlerHarness) -> list[tuple[str, str]]:
    rows = await harness.pool.fetch("SELECT trade_no, verdict FROM payment_facts ORDER BY trade_no")
    return [tuple(row) for row in rows]


async def test_the_same_capture_100_times_in_and_across_batches_is_one_capture(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    capture = captured(order_id, 1000)
    await harness.handle(*[capture] * 50, trusted=True)
    await harness.handle(*[capture] * 50, trusted=True)
    assert await facts(harness) == [("t1", "kept")]
    assert len(harness.events_of("order.paid")) == 1
    assert harness.events_of("refund.requested") == []
    assert await harness.stock() == (8, 0)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(999, "CNY"), (1001, "CNY"), (1000, "USD")],
    ids=["too little", "too much", "other currency"],
)
async def test_another_amount_is_refunded_and_never_marks_the_order_paid(
    harness: HandlerHarness, amount: int, currency: str
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, amount, currency=currency), trusted=True)
    assert await harness.states() == ["awaiting_payment"]
    [refund] = harness.events_of("refund.requested")
    assert (refund["amount"], refund["currency"], refund["cause"]) == (amount, currency, "amount:alipay:t1")
    [alert] = harness.events_of("alert.raised")
    assert (alert["code"], alert["level"], alert["service"]) == ("PAY_AMOUNT_MISMATCH", "HIGH", "payment-results")
    await harness.handle(captured(order_id, 1000, "t2"), trusted=True)
    assert await harness.states() == ["paid"]


async def test_a_capture_after_cancellation_is_refunded_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel(order_id))
    late = captured(order_id, 1000)
    await harness.handle(late, late, trusted=True)
    await harness.handle(late, trusted=True)
    assert await harness.states() == ["cancelled"]
    assert [r["cause"] for r in harness.events_of("refund.requested")] == ["late:alipay:t1"]
    assert await harness.stock() == (10, 0)


async def test_a_second_capture_of_a_paid_order_is_refunded_as_a_duplicate(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, 1000, "t1"), captured(order_id, 1000, "t2"), trusted=True)
    assert await facts(harness) == [("t1", "kept"), ("t2", "duplicate")]
    assert [r["trade_no"] for r in harness.events_of("refund.requested")] == ["t2"]


async def test_capture_and_cancel_in_either_order_end_without_money_or_with_goods(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    first, second = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 1))
    await harness.handle(captured(first, 500, "a"), trusted=True)
    await harness.handle(cancel(first))
    await harness.handle(cancel(second))
    await harness.handle(captured(second, 500, "b"), trusted=True)
    assert await harness.states() == ["cancelled", "cancelled"]
    assert sorted(r["cause"].split(":")[0] for r in harness.events_of("refund.requested")) == ["cancel", "late"]
    assert await harness.stock() == (10, 0)


async def test_a_failed_attempt_leaves_the_order_open_or_cancels_it_by_policy(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    open_id = await harness.place_order(("s1", 1))
    shop.configure(Shop(policy=Policy(on_payment_failure=OnPaymentFailure.CANCEL, rate_limit_orders=0)))
    strict_id = await harness.place_order(("s1", 1))
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.handle(*(captured(i, 500, f"t{i}", kind="failed") for i in (open_id, strict_id)), trusted=True)
    assert await harness.states() == ["awaiting_payment", "cancelled"]
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == "payment_failed"
    assert await harness.stock() == (10, 1)


async def test_money_for_a_placing_or_unknown_order_is_tried_again(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle_batch([harness.envelope(create(("s1", 1)))])
    [order_id] = [row["id"] for row in await harness.pool.fetch("SELECT id FROM orders")]
    batch = await harness.handle_batch(
        [harness.envelope(captured(order_id, 500)), harness.envelope(captured(12345, 500, "t2"))]
    )
    assert sorted(v.reason for v in batch.verdicts.values()) == ["order_placing", "order_unknown"]
    assert all(v.retry for v in batch.verdicts.values())
    assert await facts(harness) == []


async def test_a_trade_number_with_other_data_the_second_time_is_dead_lettered(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    first, second = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 1))
    batch = await harness.handle_batch(
        [harness.envelope(captured(first, 500)), harness.envelope(captured(second, 500))]
    )
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]
    batch = await harness.handle_batch([harness.envelope(captured(first, 501))])
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]
    assert await facts(harness) == [("t1", "kept")]


async def test_the_last_mark_records_how_far_results_are_settled_and_none_takes_that_back(
    harness: HandlerHarness,
) -> None:
    early, late = datetime(2026, 1, 21, 2, 0, tzinfo=UTC), datetime(2026, 1, 21, 3, 0, tzinfo=UTC)
    for marks in ((early, late), (early,)):
        await harness.handle(*(ProgressMark(at=at) for at in marks))
        assert await harness.rows("SELECT at FROM progress") == [(late,)]
