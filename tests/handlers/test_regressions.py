"""Defects of the systems that the source documents describe, each with what happened there and what happens here.

MALL and RY are those systems; tests/requirements.md numbers their defects. What is pure is in tests/domain.
"""

from itertools import permutations
from typing import Any

import asyncpg
import pytest
from pydantic import ValidationError

from messages.after_sales import AfterSaleApply
from messages.orders import OrderChangeAddress, OrderConfirmReceipt, OrderCreate
from tests.handlers.adjustment_builders import adjustment
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.case_builders import apply, arrive, end_refund, inspect, open_case, review, revoke
from tests.handlers.catalogue_builders import coupon, grant, promotion, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.order import Trigger
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """s1 for 400 instead of 500 (ten units of it), s2 for 500; a coupon for 100 and 1000 points."""
    await harness.fill_stock(qty=100)
    await harness.handle(template(), coupon(), grant())
    await harness.handle(promotion(kind="flash", prices={"s1": 400}, quantity=10))
    harness.events.clear()
    return harness


def with_everything(request_id: str = "r1") -> OrderCreate:
    """2 * 400, less 100 by the coupon and 200 by points."""
    return create(("s1", 2), request_id=request_id, coupon_id="c1", use_points=200, expected_pay_amount=500)


async def everything(harness: HandlerHarness) -> dict[str, Any]:
    """The present state of coupon, points, limited units and stock."""
    return {
        "coupon": (await harness.rows("SELECT state, order_id FROM coupons"))[0],
        "points": (await harness.rows("SELECT balance, held FROM points_accounts"))[0],
        "sold": (await harness.rows("SELECT sold FROM promotion_quotas"))[0][0],
        "stock": await harness.stock(),
    }


FREE = {"coupon": ("issued", None), "points": (1000, 0), "sold": 0, "stock": (100, 0)}


async def test_mall_1_a_cancelled_order_gives_back_the_points_it_used(harness: HandlerHarness) -> None:
    """There the points were set after the row was written: it never knew them, and gave nothing back."""
    order_id = await harness.create_order(with_everything())
    assert await harness.rows("SELECT use_points FROM orders") == [(200,)]
    assert (await everything(harness))["points"] == (1000, 200)
    await harness.handle(cancel(order_id))
    assert (await everything(harness))["points"] == (1000, 0)


@pytest.mark.parametrize("order", list(permutations(("pay", "cancel", "timeout"))), ids="-".join)
async def test_mall_7_paying_and_cancelling_never_both_succeed(harness: HandlerHarness, order: tuple[str, ...]) -> None:
    """There the state was read first and the row updated by its key: a paid order was closed, its stock freed twice."""
    order_id = await harness.create_order(with_everything())
    await harness.make_timers_due("payment")
    await harness.mark_progress()
    bodies = {
        "pay": captured(order_id, 500),
        "cancel": cancel(order_id),
        "timeout": harness.delayed[0],
    }
    await harness.handle_overlapping(*([bodies[name]] for name in order))
    refunds = [refund["cause"] for refund in harness.events_of("refund.requested")]
    assert await harness.states() == ["cancelled"]
    assert refunds == [f"cancel:{order_id}" if order[0] == "pay" else "late:alipay:t1"]
    assert await everything(harness) == FREE
    assert harness.events_of("stock.discrepancy") == []
    assert len(harness.events_of("order.cancelled")) == 1


async def test_mall_7_an_order_that_is_paid_first_is_not_timed_out(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(with_everything())
    await harness.make_timers_due("payment")
    await harness.mark_progress()
    await harness.handle_overlapping([captured(order_id, 500)], harness.delayed)
    assert await harness.states() == ["paid"]
    assert harness.events_of("refund.requested") == []


async def test_mall_8_counters_that_two_workers_change_at_once_lose_nothing(harness: HandlerHarness) -> None:
    """There points, coupons and limits were read, changed in memory and written back."""
    orders = [create(("s1", 1), request_id=name, use_points=100, expected_pay_amount=300) for name in "abc"]
    held = [await harness.create_order(body) for body in orders[:2]]
    await harness.handle_overlapping(
        [cancel(held[0])], [orders[2]], [captured(held[1], 300)], [grant(7, request_id="g2")]
    )
    assert await everything(harness) == {"coupon": ("issued", None), "points": (907, 100), "sold": 2, "stock": (99, 1)}


@pytest.mark.parametrize("paid", [False, True], ids=["unpaid", "paid"])
@pytest.mark.parametrize("by_operator", [False, True], ids=["by its buyer", "by an operator"])
async def test_mall_9_every_cancellation_returns_stock_coupon_points_and_money(
    harness: HandlerHarness, paid: bool, by_operator: bool
) -> None:
    """There an operator's closing took any state and gave back neither stock, coupon, points nor money."""
    order_id = await harness.create_order(with_everything())
    if paid:
        await harness.pay(order_id)
        held = {"coupon": ("used", order_id), "points": (800, 0), "sold": 2, "stock": (98, 0)}
    else:
        held = {"coupon": ("locked", order_id), "points": (1000, 200), "sold": 2, "stock": (100, 2)}
    assert await everything(harness) == held
    await harness.handle(cancel(order_id, actor=OPERATOR if by_operator else user()), trusted=by_operator)
    assert await everything(harness) == FREE
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == ([500] if paid else [])


async def test_mall_9_a_changed_price_is_what_the_buyer_pays(harness: HandlerHarness) -> None:
    """There updateMoneyInfo changes the discount and the freight, and the buyer pays what the order cost before."""
    order_id = await harness.create_order(with_everything())
    await harness.handle(adjustment(order_id, discount=150), trusted=True)
    await harness.handle(captured(order_id, 500, "old"), captured(order_id, 350, "new"), trusted=True)
    assert await harness.states() == ["paid"]
    assert [(refund["trade_no"], refund["amount"]) for refund in harness.events_of("refund.requested")] == [
        ("old", 500)
    ]


@pytest.mark.parametrize("state", ["shipped", "delivered", "completed"])
async def test_mall_9_an_operator_cannot_close_what_is_under_way_or_received(
    harness: HandlerHarness, state: str
) -> None:
    order_id = await harness.create_order(with_everything())
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(update(order_id, "T1", "outbound"))
    if state != "shipped":
        await harness.handle(update(order_id, "T1", "delivered"))
    if state == "completed":
        await harness.sweep("receipt")
    before = await everything(harness)
    await harness.handle(cancel(order_id, actor=OPERATOR), trusted=True)
    assert harness.rejections() == [("ORDER_NOT_CANCELLABLE", {"order_id": str(order_id), "state": state})]
    assert (await harness.states(), await everything(harness)) == ([state], before)


async def test_mall_11_no_two_orders_have_one_number_and_each_says_where_it_came_from(harness: HandlerHarness) -> None:
    """There no index kept order numbers apart, and every order came from the same source."""
    bodies = [create(("s2", 1), request_id=f"{n}", channel=channel) for n, channel in enumerate(("pc", "mobile") * 4)]
    await harness.handle_concurrently(*([body] for body in bodies))
    rows = await harness.rows("SELECT order_no, channel FROM orders")
    assert len({number for number, _ in rows}) == 8
    assert {(number[8:10], channel) for number, channel in rows} == {("00", "pc"), ("01", "mobile")}
    with pytest.raises(asyncpg.UniqueViolationError):
        await harness.pool.execute("UPDATE orders SET order_no = $1", rows[0][0])


async def delivered(harness: HandlerHarness) -> int:
    """Two s1 at 400 and one s2 at 500, less 100 by the coupon, and 60 for shipping: 1260."""
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 60}, policy=Policy(rate_limit_orders=0)))
    order_id = await harness.create_order(create(("s1", 2), ("s2", 1), coupon_id="c1", expected_pay_amount=1260))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    return order_id


async def test_mall_11_a_return_pays_out_what_the_server_computes(harness: HandlerHarness) -> None:
    """There the amount of a return came from the client, and nothing was ever paid."""
    order_id = await delivered(harness)
    application = apply(order_id, (2, 1), type="return_refund")
    for lines in ([{"line_no": 2, "qty": 1, "amount": 1}], [{"line_no": 2, "qty": 1}]):
        with pytest.raises(ValidationError, match="Extra inputs"):
            AfterSaleApply.model_validate(application.model_dump() | {"lines": lines, "amount": 1})
    case = await open_case(harness, application)
    await harness.handle(review(case), arrive(case), inspect(case, (2, 1, "restock")), trusted=True)
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == [500 - 38] == [case["amount"]]
    await end_refund(harness)
    assert await harness.rows("SELECT refunded_amount FROM orders") == [(462,)]


async def test_ry_11_shipping_and_coupon_go_back_with_the_last_unit_whatever_was_revoked(
    harness: HandlerHarness,
) -> None:
    """There cases were counted, revoked and rejected ones, too: the next was taken for that of the last unit."""
    order_id = await delivered(harness)
    for _ in range(2):
        await harness.handle(revoke(await open_case(harness, apply(order_id, (1, 2)))))
        case = await open_case(harness, apply(order_id, (2, 1)))
        await harness.handle(review(case, "reject"), trusted=True)
    for units in ((1, 1), (2, 1), (1, 1)):
        assert (await everything(harness))["coupon"] == ("used", order_id)
        await harness.handle(review(await open_case(harness, apply(order_id, units))), trusted=True)
        await end_refund(harness)
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == [369, 462, 369 + 60]
    assert (await harness.states(), (await everything(harness))["coupon"]) == (["cancelled"], ("issued", None))


async def paid_family(harness: HandlerHarness) -> tuple[int, list[int]]:
    """A split order of three lines of 500, with 100 for shipping."""
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 100}, policy=Policy(rate_limit_orders=0)))
    await harness.handle(*(sku(name, product_type=name) for name in ("a", "b", "c")))
    await harness.handle(*(receive(name, 10) for name in ("a", "b", "c")))
    root = await harness.create_order(create(("a", 1), ("b", 1), ("c", 1), expected_pay_amount=1600))
    children = await harness.children(root)
    await harness.pay(root)
    return root, children


async def test_ry_12_the_shipping_fee_is_the_childrens_to_the_minor_unit(harness: HandlerHarness) -> None:
    """There shipping stayed with the parent, so its sub-orders cost less than the buyer paid."""
    root, children = await paid_family(harness)
    fees = dict(await harness.rows("SELECT id, shipping_fee FROM orders"))
    assert (fees[root], [fees[child] for child in children]) == (100, [34, 33, 33])
    await harness.handle(*(cancel(child) for child in children))
    assert sorted(refund["amount"] for refund in harness.events_of("refund.requested")) == [533, 533, 534]


async def test_ry_12_what_was_reserved_for_a_child_is_released_for_that_child(harness: HandlerHarness) -> None:
    """There stock was deducted for the parent and released for its sub-orders, which had never held any."""
    root, children = await paid_family(harness)
    ledger = await harness.rows("SELECT holder_id, op FROM stock_ledger WHERE holder_id <> 0 ORDER BY holder_id, op")
    assert ledger == [(child, op) for child in sorted(children) for op in ("commit", "reserve")]
    await harness.handle(cancel(children[1]), cancel(children[1], "x2"))
    assert [await harness.stock(name) for name in "abc"] == [(9, 0), (10, 0), (9, 0)]
    assert await harness.rows("SELECT state FROM stock_holders WHERE holder_id = $1", root) == []


async def test_ry_12_every_log_row_says_what_the_order_was_before(harness: HandlerHarness) -> None:
    """There the new state was logged as the one before, because it was overwritten first."""
    root, (a, b, c) = await paid_family(harness)
    await harness.handle(OrderChangeAddress(request_id="a1", actor=user(), order_id=a, address=ADDRESS))
    await harness.deliver(a)
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=a))
    await harness.handle(cancel(b))
    story = {
        root: ["placing", "awaiting_payment", "paid", "split"],
        a: ["placing", "awaiting_payment", "paid", "paid", "shipped", "delivered", "completed"],
        b: ["placing", "awaiting_payment", "paid", "cancelled"],
        c: ["placing", "awaiting_payment", "paid"],
    }
    rows = await harness.rows(
        "SELECT order_id, version, pre_state, cur_state FROM operate_logs ORDER BY order_id, version"
    )
    assert rows == [
        (key, version, before, after)
        for key, states in sorted(story.items())
        for version, (before, after) in enumerate(zip(["", *states], states, strict=False), start=1)
    ]
    [(actor, kind, remark, operate_type)] = await harness.rows(
        "SELECT actor_id, cause_type, remark, operate_type FROM operate_logs WHERE order_id = $1 AND version = 4", b
    )
    assert (actor, kind, remark, operate_type) == ("u1", "order.cancel.v1", "cancel", Trigger.CANCEL.operate_type)
