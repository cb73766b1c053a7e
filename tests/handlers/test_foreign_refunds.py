"""Money that a provider gave back by itself is taken into the books, once, and nobody gives it back again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.base import Message
from messages.orders import OrderMerge
from messages.payments import PaymentResult
from messages.providers import ProviderRefundQuery
from messages.refunds import RefundObserved, RefundResult
from scripts.commands.audit import check
from tests.handlers.builders import cancel, captured, create, receive, sku, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result, request_refund
from tests.handlers.statement_builders import configure_fake_statements, reconcile, statement_of
from workers.providers import configure

AT = datetime(2026, 1, 1, tzinfo=UTC)


def foreign(amount: int, number: str = "F1", trade_no: str = "t1", **changes: Any) -> RefundObserved:
    """A refund that Alipay made at its own page."""
    fields: dict[str, Any] = {
        "refund_no": number,
        "status": "succeeded",
        "amount": amount,
        "currency": "CNY",
        "occurred_at": AT,
        "provider": "alipay",
        "trade_no": trade_no,
    }
    return RefundObserved(**fields | changes)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock(qty=100)
    return harness


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    """A paid order of 1000."""
    return await harness.place_paid_order(("s1", 2))


async def taken_in(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows(
        "SELECT cause, provider_no, amount, excess_amount, state FROM refunds WHERE provider_no IS NOT NULL ORDER BY id"
    )


async def totals(harness: HandlerHarness) -> list[tuple[int, int]]:
    return await harness.rows("SELECT captured_amount, refunded_amount FROM orders ORDER BY id")


async def violations(harness: HandlerHarness) -> list[tuple[str, tuple[str, ...]]]:
    async with harness.pool.acquire() as tx:
        return [(found.id, found.first) for found in await check(tx, grace_seconds=60.0) if found.violations]


def alerts(harness: HandlerHarness) -> list[str]:
    return [alert["code"] for alert in harness.events_of("alert.raised")]


async def verdicts(harness: HandlerHarness, *bodies: Message) -> list[tuple[str, bool]]:
    batch = await harness.handle_batch([harness.envelope(body, trusted=True) for body in bodies])
    return [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()]


async def test_it_lowers_what_is_left_and_is_announced_once_with_an_alert(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(foreign(400), foreign(400))
    await harness.handle(foreign(400))
    assert await taken_in(harness) == [("foreign:alipay:F1", "F1", 400, 0, "succeeded")]
    [event] = harness.events_of("refund.succeeded")
    assert (event["order_id"], event["amount"], event["excess_amount"]) == (str(order_id), 400, 0)
    assert alerts(harness) == ["PAY_REFUND_FOREIGN"]
    assert await totals(harness) == [(1000, 400)]
    await harness.handle(request_refund(order_id, "a", 601), trusted=True)
    assert harness.events_of("command.rejected")[-1]["details"]["left"] == 600
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    assert requested["amount"] == 600
    await harness.handle(refund_result(requested), trusted=True)
    assert await totals(harness) == [(1000, 1000)]
    assert await violations(harness) == []


async def test_what_a_request_of_the_same_batch_may_give_back_is_what_it_leaves(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(
        foreign(400), request_refund(order_id, "a", 601), request_refund(order_id, "b", 600), trusted=True
    )
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [600]
    assert await violations(harness) == []


async def test_a_payment_service_reports_one_too(harness: HandlerHarness, order_id: int) -> None:
    fields = {"refund_no": "F1", "status": "succeeded", "amount": 400, "currency": "CNY", "occurred_at": AT}
    await harness.handle(RefundResult(**fields, provider="alipay", trade_no="t1"), trusted=True)  # type: ignore[arg-type]
    assert await taken_in(harness) == [("foreign:alipay:F1", "F1", 400, 0, "succeeded")]


async def test_one_number_at_two_captures_is_two_refunds(harness: HandlerHarness, order_id: int) -> None:
    other = await harness.place_another_paid_order(("s1", 2))
    [trade_no] = (await harness.rows("SELECT trade_no FROM payment_facts WHERE order_id = $1", other))[0]
    await harness.handle(foreign(400), foreign(300, trade_no=trade_no))
    assert await totals(harness) == [(1000, 400), (1000, 300)]


async def test_a_report_that_contradicts_the_books_or_names_nothing_known_waits_for_a_person(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(foreign(400))
    wrong = [
        foreign(401),
        foreign(400, "F2", currency="USD"),
        foreign(400, "F3", "t404"),
        foreign(1, "F4", provider=None),
    ]
    assert await verdicts(harness, *wrong) == [
        ("refund_amount_differs", False),
        ("refund_amount_differs", False),
        ("refund_unknown", True),
        ("refund_unknown", True),
    ]
    assert len(await taken_in(harness)) == 1


@pytest.mark.parametrize("status", ["failed", "submitted", "unknown"])
async def test_one_that_moved_no_money_changes_nothing(harness: HandlerHarness, order_id: int, status: str) -> None:
    assert await verdicts(harness, foreign(400, status=status)) == []
    assert (await taken_in(harness), alerts(harness)) == ([], [])


async def test_above_what_is_left_it_is_in_excess_and_two_alerts_say_so(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    await harness.handle(refund_result(requested), trusted=True)
    await harness.handle(foreign(300, reversal=True))
    assert await taken_in(harness) == [("reversal:alipay:F1", "F1", 300, 300, "excess")]
    assert alerts(harness) == ["PAY_REFUND_FOREIGN", "PAY_REFUND_EXCEEDS"]
    assert await totals(harness) == [(1000, 1000)]
    assert [found for found, _ in await violations(harness)] == ["excess"]


async def test_a_refund_under_way_that_it_leaves_nothing_for_fails_and_leaves_the_rest_to_request(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    await harness.handle(foreign(400))
    assert await violations(harness) == []
    await harness.handle(refund_result(requested, "failed"), trusted=True)
    await harness.handle(request_refund(order_id, "a", 1000, requested["refund_no"]), trusted=True)
    assert harness.events_of("command.rejected")[-1]["details"]["left"] == 600
    await harness.handle(request_refund(order_id, "b", 600), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1]), trusted=True)
    assert await totals(harness) == [(1000, 1000)]
    assert await violations(harness) == []


async def test_of_a_second_capture_it_leaves_nothing_for_the_refund_that_failed(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(captured(order_id, 1000, "t2"), trusted=True)
    [requested] = harness.events_of("refund.requested")
    await harness.handle(refund_result(requested, "failed"), foreign(1000, trade_no="t2"), trusted=True)
    await harness.handle(request_refund(order_id, "a", 1000, requested["refund_no"]), trusted=True)
    assert harness.events_of("command.rejected")[-1]["code"] == "PAY_REFUND_EXCEEDS"
    assert await totals(harness) == [(2000, 1000)]
    assert await violations(harness) == []


async def test_of_a_merged_payment_it_is_shared_out_and_no_order_gives_back_more_than_its_part(
    harness: HandlerHarness,
) -> None:
    a, b = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))
    await harness.handle(OrderMerge(request_id="g1", actor=user(), order_ids=(a, b)))
    intent_id = int(harness.events_of("order.merged")[0]["intent_id"])
    paid = captured(b, 1500).model_copy(update={"intent_id": intent_id})
    assert isinstance(paid, PaymentResult)
    await harness.handle(paid, trusted=True)
    await harness.handle(foreign(700), foreign(700))
    assert [(event["order_id"], event["amount"]) for event in harness.events_of("refund.succeeded")] == [
        (str(a), 500),
        (str(b), 200),
    ]
    assert await totals(harness) == [(500, 500), (1000, 200)]
    await harness.handle(cancel(a), cancel(b, "c2"))
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [800]
    assert await violations(harness) == []


async def test_of_a_split_order_its_children_give_it_back(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", price=300, product_type="virtual"))
    await harness.handle(receive("card", 10))
    await harness.handle(create(("s1", 2), ("card", 1), expected_pay_amount=1300))
    [root] = (await harness.rows("SELECT id FROM orders WHERE parent_id IS NULL"))[0]
    await harness.handle(captured(root, 1300), trusted=True)
    goods, card = await harness.children(root)
    await harness.handle(foreign(1100), foreign(1100))
    assert [(event["order_id"], event["amount"]) for event in harness.events_of("refund.succeeded")] == [
        (str(goods), 1000),
        (str(card), 100),
    ]
    await harness.handle(cancel(goods), cancel(card, "c2"))
    assert [(event["order_id"], event["amount"]) for event in harness.events_of("refund.requested")] == [
        (str(card), 200)
    ]
    assert await violations(harness) == []


async def test_a_day_statement_brings_it_too_and_then_agrees(harness: HandlerHarness, order_id: int) -> None:
    configure_fake_statements("alipay")
    try:
        day = statement_of("refund F1 t1 400 CNY t1", "refund F2 t9 5 CNY")
        await harness.handle(reconcile(day), trusted=True)
        [found, other] = harness.events_of("payment.discrepancy_found")
        assert (found["kind"], found["number"], found["order_id"]) == ("missing_here", "F1", str(order_id))
        assert other["order_id"] is None
        assert await taken_in(harness) == [("foreign:alipay:F1", "F1", 400, 0, "succeeded")]
        await harness.handle(foreign(400))
        await harness.handle(reconcile(day + b"\n"), trusted=True)
        assert [(e["rows"], e["matched"]) for e in harness.events_of("payment.reconciled")] == [(2, 0), (2, 1)]
        assert await totals(harness) == [(1000, 400)]
        assert await violations(harness) == []
    finally:
        configure({})


async def test_a_failed_refund_on_a_day_statement_has_succeeded_after_all(
    harness: HandlerHarness, order_id: int
) -> None:
    configure_fake_statements("alipay")
    try:
        await harness.handle(request_refund(order_id, "a", 400), trusted=True)
        [requested] = harness.events_of("refund.requested")
        await harness.handle(refund_result(requested, "failed"), trusted=True)
        await harness.handle(reconcile(statement_of(f"refund {requested['refund_no']} t1 400 CNY t1")), trusted=True)
        assert await harness.rows("SELECT state, unexpected FROM refunds") == [("succeeded", True)]
    finally:
        configure({})


async def test_a_line_that_is_no_proof_makes_us_poll_the_provider(harness: HandlerHarness, order_id: int) -> None:
    configure_fake_statements("wechat")
    try:
        statement = statement_of("refund F1 t1 400 CNY t1 accepted")
        await harness.handle(reconcile(statement, "wechat"), trusted=True)
        assert harness.provider_calls == [("wechat", ProviderRefundQuery(refund_no="F1", trade_no="t1"))]
        assert await taken_in(harness) == []
    finally:
        configure({})
