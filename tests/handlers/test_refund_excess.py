"""A provider that gives back more than was captured: recorded, alerted, never counted as ours, never silent."""

from typing import Any

import pytest

from scripts.commands.audit import Finding, check
from tests.handlers.builders import cancel, captured
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result, request_refund


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    """A paid order of 1000."""
    await harness.fill_stock()
    return await harness.place_paid_order(("s1", 2))


async def totals(harness: HandlerHarness) -> list[tuple[int, int]]:
    return await harness.rows("SELECT captured_amount, refunded_amount FROM orders ORDER BY id")


async def violated(harness: HandlerHarness) -> list[Finding]:
    async with harness.pool.acquire() as tx:
        return [finding for finding in await check(tx, grace_seconds=60.0) if finding.violations]


async def failed_and_replaced(harness: HandlerHarness, order_id: int, amount: int = 800) -> tuple[dict[str, Any], ...]:
    """A refund that failed, and one of the same amount that was requested in its place. Neither has succeeded."""
    await harness.handle(request_refund(order_id, "a", amount), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[0], "failed"), trusted=True)
    await harness.handle(request_refund(order_id, "b", amount), trusted=True)
    harness.events[:] = [event for event in harness.events if event["type"] != "alert.raised.v1"]
    return tuple(harness.events_of("refund.requested"))


async def test_a_late_success_above_the_capture_is_recorded_alerted_and_no_violation_of_ours(
    harness: HandlerHarness, order_id: int
) -> None:
    first, second = await failed_and_replaced(harness, order_id)
    await harness.handle(refund_result(second), trusted=True)
    assert harness.events_of("alert.raised") == []
    await harness.handle(refund_result(first), refund_result(first), trusted=True)
    await harness.handle(refund_result(first, "failed"), trusted=True)
    [alert] = harness.events_of("alert.raised")
    assert (alert["code"], alert["level"], alert["order_id"]) == ("PAY_REFUND_EXCEEDS", "HIGH", str(order_id))
    assert "600" in alert["content"]
    assert first["refund_no"] in alert["content"]
    assert [event["excess_amount"] for event in harness.events_of("refund.succeeded")] == [0, 600]
    assert await harness.rows("SELECT state, amount, excess_amount FROM refunds ORDER BY id") == [
        ("excess", 800, 600),
        ("succeeded", 800, 0),
    ]
    assert await totals(harness) == [(1000, 1000)]
    [found] = await violated(harness)
    assert (found.invariant, found.ours) == ("no provider gave back more than was left of a capture", False)
    assert found.first == (f"{order_id} {first['refund_no']} 600 CNY above alipay:t1",)


async def test_what_is_left_counts_a_late_success_also_for_requests_of_the_same_batch(
    harness: HandlerHarness, order_id: int
) -> None:
    first, second = await failed_and_replaced(harness, order_id, 400)
    await harness.handle(refund_result(second), trusted=True)
    bodies = [refund_result(first), request_refund(order_id, "c", 201), request_refund(order_id, "d", 200)]
    await harness.handle(*bodies, trusted=True)
    [refused] = harness.events_of("command.rejected")
    assert (refused["code"], refused["details"]["left"]) == ("PAY_REFUND_EXCEEDS", 200)
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [400, 400, 200]
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1]), trusted=True)
    assert await totals(harness) == [(1000, 1000)]
    assert harness.events_of("alert.raised") == []
    assert await violated(harness) == []


async def test_a_late_success_beside_a_replacement_under_way_leaves_nothing_and_never_less(
    harness: HandlerHarness, order_id: int
) -> None:
    first, second = await failed_and_replaced(harness, order_id)
    await harness.handle(refund_result(first), trusted=True)
    assert await violated(harness) == []
    await harness.handle(request_refund(order_id, "c", 1), trusted=True)
    await harness.handle(cancel(order_id))
    assert harness.events_of("command.rejected")[-1]["details"]["left"] == 0
    assert len(harness.events_of("refund.requested")) == 2
    await harness.handle(refund_result(second), trusted=True)
    assert [event["excess_amount"] for event in harness.events_of("refund.succeeded")] == [0, 600]
    assert len(harness.events_of("alert.raised")) == 1
    assert await totals(harness) == [(1000, 1000)]
    assert {finding.ours for finding in await violated(harness)} == {False}


async def test_after_a_cancel_a_late_success_is_in_excess_of_the_rest_that_went_back(
    harness: HandlerHarness, order_id: int
) -> None:
    first, second = await failed_and_replaced(harness, order_id)
    await harness.handle(refund_result(second), trusted=True)
    await harness.handle(cancel(order_id))
    rest = harness.events_of("refund.requested")[-1]
    assert rest["amount"] == 200
    await harness.handle(refund_result(rest), trusted=True)
    await harness.handle(refund_result(first), trusted=True)
    assert await harness.rows("SELECT excess_amount FROM refunds WHERE state = 'excess'") == [(800,)]
    assert len(harness.events_of("alert.raised")) == 1
    assert await totals(harness) == [(1000, 1000)]
    assert {finding.ours for finding in await violated(harness)} == {False}


async def test_a_late_success_before_the_cancel_lowers_what_the_cancel_requests(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(request_refund(order_id, "a", 800), trusted=True)
    [failed] = harness.events_of("refund.requested")
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    await harness.handle(refund_result(failed), trusted=True)
    await harness.handle(cancel(order_id))
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [800, 200]
    assert await harness.rows("SELECT excess_amount FROM refunds") == [(0,), (0,)]
    assert await violated(harness) == []


async def test_a_failed_refund_that_another_replaced_leaves_a_cancelled_order_without_debt(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(cancel(order_id))
    [failed] = harness.events_of("refund.requested")
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    assert await violated(harness) == []
    await harness.handle(request_refund(order_id, "b"), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1]), trusted=True)
    assert await violated(harness) == []
    await harness.pool.execute("DELETE FROM refunds WHERE state = 'succeeded'")
    await harness.pool.execute("UPDATE refunds SET amount = 999")
    assert "INV-05" in {finding.id for finding in await violated(harness)}


async def test_a_refund_of_a_second_capture_is_not_in_excess_beside_the_refunds_of_the_first(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(captured(order_id, 1000, "t2"), trusted=True)
    await harness.handle(request_refund(order_id, "a"), trusted=True)
    for requested in harness.events_of("refund.requested"):
        await harness.handle(refund_result(requested), trusted=True)
    assert await harness.rows("SELECT DISTINCT state, excess_amount FROM refunds") == [("succeeded", 0)]
    assert await totals(harness) == [(2000, 2000)]
