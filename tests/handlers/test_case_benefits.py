"""What after-sale cases do to coupons, points and limited prices (9.4, 9.5): with the units, once, and back again."""

from typing import Any

import pytest

from scripts.commands.audit import findings
from tests.handlers.builders import create, sku
from tests.handlers.case_builders import apply, arrive, end_refund, inspect, last, open_case, review
from tests.handlers.catalogue_builders import coupon, grant, promotion, template
from tests.handlers.harness import HandlerHarness
from tests.handlers.points_accounts import account, ledger_adds_up
from tests.handlers.refund_builders import request_refund
from workers import shop
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.shop import Policy, Shop

BENEFITS = "SELECT (SELECT state FROM coupons), (SELECT sold FROM promotion_quotas)"


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """s1 for 400 instead of 500 (ten units of it), which earns 10 points each; a coupon for 100 and 1000 points."""
    await harness.fill_stock(qty=20)
    await harness.handle(template(), coupon(), grant(), sku(revision=2, gift_points=10, gift_growth=10))
    await harness.handle(promotion(kind="flash", prices={"s1": 400}, quantity=10))
    return harness


async def received(harness: HandlerHarness, **rules: Any) -> int:
    """A completed order of four units for 1600, less 100 by the coupon and 300 by points, and 80 for shipping: 1280."""
    policy = Policy(rate_limit_orders=0, after_sale=AfterSaleRules(**rules))
    shop.configure(Shop(policy=policy, shipping_fee_minor_units={"CNY": 80}))
    body = create(("s1", 4), coupon_id="c1", use_points=300, expected_pay_amount=1280)
    order_id = await harness.create_order(body)
    await harness.pay(order_id)
    await harness.deliver(order_id)
    await harness.sweep("receipt")
    assert await account(harness) == (1000 - 300 + 40, 0, 40)
    return order_id


async def give_back(harness: HandlerHarness, order_id: int, *units: tuple[int, int]) -> int:
    """Units come back and are paid for. Returns the amount."""
    case = await open_case(harness, apply(order_id, *units, type="return_refund"))
    lines = [(line["line_no"], line["qty"], "restock") for line in case["lines"]]
    await harness.handle(review(case), arrive(case), inspect(case, *lines), trusted=True)
    amount: int = harness.events_of("refund.requested")[-1]["amount"]
    return amount


async def audit_is_clean(harness: HandlerHarness) -> None:
    async with harness.pool.acquire() as tx:
        found = await findings(tx, drained=False, grace_seconds=60.0)
    assert [(one.invariant, one.first) for one in found if one.violations] == []


@pytest.mark.parametrize("closes", [True, False])
async def test_points_come_back_with_the_units_and_the_coupon_with_the_last_one(
    harness: HandlerHarness, closes: bool
) -> None:
    order_id = await received(harness, full_refund_closes=closes)
    assert await give_back(harness, order_id, (1, 1)) == 300
    assert await account(harness) == (740 + 75 - 10, 0, 30)
    await end_refund(harness)
    assert await harness.rows(BENEFITS) == [("used", 4)]
    await audit_is_clean(harness)
    assert await give_back(harness, order_id) == 980
    await end_refund(harness)
    assert (last(harness)["state"], await harness.states()) == ("completed", ["cancelled" if closes else "completed"])
    assert await account(harness) == (1000, 0, 0)
    assert await harness.rows(BENEFITS) == [("issued", 0) if closes else ("used", 4)]
    await ledger_adds_up(harness)
    await audit_is_clean(harness)


async def test_points_stay_where_the_units_are_whatever_becomes_of_their_refund(harness: HandlerHarness) -> None:
    order_id = await received(harness)
    amount = await give_back(harness, order_id, (1, 2))
    for _ in range(2):
        await end_refund(harness, "failed")
        assert await account(harness) == (740 + 150 - 20, 0, 20)
        refund_no = harness.events_of("refund.requested")[-1]["refund_no"]
        await harness.handle(request_refund(order_id, f"a{harness.count}", amount, refund_no), trusted=True)
    await end_refund(harness)
    assert await account(harness) == (740 + 150 - 20, 0, 20)
    await audit_is_clean(harness)


async def test_what_points_paid_for_comes_back_without_a_refund(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), points_max_percent=100))
    order_id = await harness.create_order(create(("s1", 2), use_points=800, expected_pay_amount=0))
    await harness.deliver(order_id)
    for points, state in ((600, "delivered"), (1000, "cancelled")):
        case = await open_case(harness, apply(order_id, (1, 1)))
        await harness.handle(review(case), trusted=True)
        assert (last(harness)["state"], await harness.states()) == ("completed", [state])
        assert await account(harness) == (points, 0, 0)
    assert harness.events_of("refund.requested") == []
    await audit_is_clean(harness)
