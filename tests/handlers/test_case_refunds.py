"""A case follows every refund of its money: replaced, late, released, deferred (S0-18, R-08)."""

from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest
import pytest_asyncio

from messages.after_sales import AfterSaleRefundMoved
from messages.authorizations import PaymentCapture
from messages.base import Message
from scripts.commands.audit import check
from tests.db.audit_authorization_fixtures import observed, reserve
from tests.handlers.alipay_payments import MERCHANT
from tests.handlers.builders import OPERATOR, book, update
from tests.handlers.case_builders import apply, close, end_refund, last, open_case, review
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result, request_refund
from workers import providers, shop
from workers.domain.shop import Policy, Shop
from workers.providers.alipay import Alipay, AlipaySettings


async def refunding(harness: HandlerHarness, units: int = 2) -> tuple[int, dict[str, Any]]:
    """A delivered order of two units at 500, and the refund of a case about `units` of them."""
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, (1, units)))
    await harness.handle(review(case), trusted=True)
    return order_id, harness.events_of("refund.requested")[-1]


async def replace(harness: HandlerHarness, order_id: int, refund: dict[str, Any]) -> dict[str, Any]:
    """Let the refund fail, and request another in its place."""
    await harness.handle(refund_result(refund, "failed"), trusted=True)
    request = request_refund(order_id, f"for-{refund['refund_no']}", refund["amount"], replaces=refund["refund_no"])
    await harness.handle(request, trusted=True)
    return harness.events_of("refund.requested")[-1]


async def test_an_approval_that_comes_ten_times_to_two_workers_gives_the_money_once(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, (1, 1)))
    approval = review(case)
    again = [review(case) for _ in range(5)]
    await harness.handle_overlapping([approval, *again[:2]], [approval, *again[2:]], trusted=True)
    await harness.handle(*[approval] * 3, trusted=True)
    refund = harness.events_of("refund.requested")
    assert ([one["amount"] for one in refund], last(harness)["state"]) == ([500], "refunding")
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_ALREADY_REVIEWED"] * 5
    for _ in range(3):
        await end_refund(harness)
    assert await harness.rows("SELECT refunded_amount FROM orders") == [(500,)]


async def test_two_cases_of_one_batch_share_what_is_left(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    await harness.handle(request_refund(order_id, "o1", 300), trusted=True)
    opened = [await open_case(harness, apply(order_id, (1, 1))) for _ in range(2)]
    await harness.handle(*(review(case) for case in opened), trusted=True)
    assert [one["amount"] for one in harness.events_of("refund.requested")] == [300, 500, 200]


async def test_the_refund_that_replaces_a_failed_one_completes_its_case(harness: HandlerHarness) -> None:
    order_id, first = await refunding(harness)
    second = await replace(harness, order_id, first)
    assert (second["replaces"], last(harness)["state"]) == (first["refund_no"], "refunding")
    third = await replace(harness, order_id, second)
    await harness.handle(refund_result(third), trusted=True)
    assert (last(harness)["state"], await harness.states()) == ("completed", ["cancelled"])


async def test_the_failure_of_a_replaced_refund_is_no_news_for_its_case(harness: HandlerHarness) -> None:
    order_id, first = await refunding(harness)
    second = await replace(harness, order_id, first)
    await harness.handle(refund_result(second, "failed"), trusted=True)
    await harness.handle(request_refund(order_id, "again", 1000, second["refund_no"]), trusted=True)
    await harness.handle(refund_result(first, "failed", occurred_at="2026-01-02T00:00:00Z"), trusted=True)
    assert last(harness)["state"] == "refunding"


async def test_the_late_success_of_a_replaced_refund_completes_its_case_once(harness: HandlerHarness) -> None:
    order_id, first = await refunding(harness, units=1)
    second = await replace(harness, order_id, first)
    await harness.handle(refund_result(first), trusted=True)
    assert last(harness)["state"] == "completed"
    await harness.handle(refund_result(second, "failed"), trusted=True)
    assert last(harness)["state"] == "completed"


async def test_a_case_that_was_closed_is_completed_by_the_replacement(harness: HandlerHarness) -> None:
    order_id, first = await refunding(harness, units=1)
    await end_refund(harness, "failed")
    case = last(harness)
    await harness.handle(close(case), trusted=True)
    second = await replace(harness, order_id, first)
    assert last(harness)["state"] == "closed"
    await harness.handle(refund_result(second), trusted=True)
    assert last(harness)["state"] == "completed"


async def news_of(harness: HandlerHarness, message: Message) -> AfterSaleRefundMoved:
    """Handle a message about a refund, and keep back the news of it for its case."""
    await harness.handle_batch([harness.envelope(message, trusted=True)])
    [row] = await harness.pool.fetch("DELETE FROM outbox WHERE type = 'after_sale.refund_moved.v1' RETURNING body")
    await harness.relay()
    return AfterSaleRefundMoved.model_validate_json(row["body"])


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("end", ["failed", "requested", "replaced"])
async def test_a_case_follows_its_refund_whichever_news_comes_first(
    harness: HandlerHarness, end: str, order: tuple[int, ...]
) -> None:
    order_id, first = await refunding(harness)
    number, failed = first["refund_no"], refund_result(first, "failed")
    again = request_refund(order_id, "r1", 1000, number)
    steps = {
        "failed": [failed, again, refund_result(first, "failed", occurred_at="2026-01-02T00:00:00Z")],
        "requested": [failed, again],
        "replaced": [failed, request_refund(order_id, "r2", 1000, replaces=number)],
    }[end]
    news = [await news_of(harness, step) for step in steps]
    for place in order:
        if place < len(news):
            await harness.handle(news[place])
    assert last(harness)["state"] == ("refund_failed" if end == "failed" else "refunding")


@pytest_asyncio.fixture
async def shipped(harness: HandlerHarness) -> AsyncIterator[tuple[int, int]]:
    """An order of two s2 that has left, whose money is only authorised, and its attempt."""
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), shipping_fee_minor_units={"CNY": 7}))
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    await harness.fill_stock(qty=20)
    order_id, attempt_id = await reserve(harness, "auth-1", units=2)
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    yield order_id, attempt_id
    providers.configure({})


@pytest.mark.parametrize(("captured", "state"), [(True, "refunding"), (False, "completed")])
async def test_a_case_follows_the_capture_that_was_under_way(
    harness: HandlerHarness, shipped: tuple[int, int], captured: bool, state: str
) -> None:
    order_id, attempt_id = shipped
    await harness.handle(PaymentCapture(request_id="take", actor=OPERATOR, order_id=order_id), trusted=True)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case), trusted=True)
    assert await harness.rows("SELECT state FROM refunds") == [("deferred",)]
    assert last(harness)["state"] == "refunding"
    end = (
        observed(attempt_id, "captured", "taken", 1007) if captured else observed(attempt_id, "voided", "auth-1", 1007)
    )
    await harness.handle(end)
    assert last(harness)["state"] == state
    if captured:
        await end_refund(harness)
        assert last(harness)["state"] == "completed"


async def test_money_that_is_only_authorised_is_released_by_a_case(
    harness: HandlerHarness, shipped: tuple[int, int]
) -> None:
    order_id, _ = shipped
    case = await open_case(harness, apply(order_id))
    await harness.handle(review(case), trusted=True)
    assert await harness.rows("SELECT state FROM refunds") == [("released",)]
    assert last(harness)["state"] == "completed"


async def violated(harness: HandlerHarness) -> list[str]:
    """The invariants of the audit that do not hold at this moment."""
    async with harness.pool.acquire() as tx:
        return [one.id for one in await check(tx) if one.violations]


@pytest.mark.parametrize("late", [False, True])
async def test_a_completed_case_follows_the_failure_of_what_was_captured_after_all(
    harness: HandlerHarness, shipped: tuple[int, int], late: bool
) -> None:
    order_id, attempt_id = shipped
    case = await open_case(harness, apply(order_id))
    await harness.handle(review(case), trusted=True)
    assert last(harness)["state"] == "completed"
    captured = await news_of(harness, observed(attempt_id, "captured", "taken", 1007))
    if late:
        await end_refund(harness, "failed")
        assert last(harness)["state"] == "completed"
    await harness.handle(captured)
    if not late:
        assert last(harness)["state"] == "refunding"
        await end_refund(harness, "failed")
    assert last(harness)["state"] == "refund_failed"
    assert await violated(harness) == []
    await replace(harness, order_id, harness.events_of("refund.requested")[-1])
    assert last(harness)["state"] == "refunding"
    await end_refund(harness)
    assert last(harness)["state"] == "completed"
    assert await violated(harness) == []
