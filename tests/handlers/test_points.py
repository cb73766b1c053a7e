"""Points are held with an order, spent with its payment and returned if it is cancelled; goods earn new ones."""

from typing import Any

import orjson
import pytest

from messages.orders import OrderConfirmReceipt
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, book, cancel, create, receive, sku, update, user
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import UNPAID_ENDS
from tests.handlers.points_accounts import account, ledger_adds_up, point_events, spending
from workers import shop
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """Things that cost 500, and a user with 1000 points, of which 100 are worth 100."""
    await harness.fill_stock(qty=100)
    await harness.handle(grant())
    harness.events.clear()
    return harness


def refund(order_id: int, amount: int, request_id: str = "f1") -> RefundRequest:
    return RefundRequest(request_id=request_id, actor=OPERATOR, order_id=order_id, amount=amount, reason="goodwill")


async def test_they_are_held_with_the_order_and_spent_with_its_payment(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending())
    assert await account(harness) == (1000, 300, 0)
    assert (await harness.rows("SELECT points_amount, use_points, payable_amount FROM orders")) == [(300, 300, 700)]
    await harness.pay(order_id)
    assert await account(harness) == (700, 0, 0)
    assert point_events(harness) == [("hold", 300, 1000, 300), ("use", 300, 700, 0)]
    await ledger_adds_up(harness)


async def test_what_is_held_cannot_be_spent_again(harness: HandlerHarness) -> None:
    await harness.handle(spending(500, "r1"), spending(500, "r2"), spending(100, "r3"))
    assert harness.rejections() == [("POINTS_INSUFFICIENT", {"requested": 100, "available": 0})]
    assert await account(harness) == (1000, 1000, 0)


@pytest.mark.parametrize("how", UNPAID_ENDS)
async def test_they_are_free_again_when_their_order_ends_unpaid(harness: HandlerHarness, how: str) -> None:
    end, state = UNPAID_ENDS[how]
    await end(harness, spending())
    assert await harness.states() == [state]
    assert await account(harness) == (1000, 0, 0)
    assert point_events(harness) == [("hold", 300, 1000, 300), ("release", 300, 1000, 0)]
    await harness.create_order(spending(request_id="r2"))
    assert await account(harness) == (1000, 300, 0)
    await ledger_adds_up(harness)


async def test_a_paid_order_that_is_cancelled_gives_all_of_them_back_once(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending())
    await harness.pay(order_id)
    await harness.handle(cancel(order_id), cancel(order_id, "x2"))
    assert await account(harness) == (1000, 0, 0)
    assert point_events(harness)[2:] == [("return", 300, 1000, 0)]
    await ledger_adds_up(harness)


async def test_a_free_order_gives_them_back_although_no_money_does(harness: HandlerHarness) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    order_id = await harness.create_order(spending(1000))
    assert await harness.states() == ["paid"]
    assert await account(harness) == (0, 0, 0)
    await harness.handle(cancel(order_id))
    assert await account(harness) == (1000, 0, 0)
    assert harness.events_of("refund.requested") == []


async def test_partial_refunds_bring_them_back_in_proportion_to_the_last_one(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending())
    await harness.pay(order_id)
    back, given = [], 0
    for number, amount in enumerate((1, 232, 100, 366, 1)):
        await harness.handle(refund(order_id, amount, f"f{number}"), trusted=True)
        given += amount
        back.append((await account(harness))[0] - 700)
        assert back[-1] == 300 * given // 700
    assert (given, back[-1]) == (700, 300)
    await ledger_adds_up(harness)


async def test_a_cancellation_after_a_partial_refund_brings_back_the_rest(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending())
    await harness.pay(order_id)
    await harness.handle(refund(order_id, 333), trusted=True)
    await harness.handle(cancel(order_id))
    assert await account(harness) == (1000, 0, 0)
    assert [points for op, points, _, _ in point_events(harness) if op == "return"] == [142, 158]


async def test_a_lost_parcel_brings_back_its_part_and_earns_nothing(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=7))
    order_id = await harness.create_order(spending(qty=3))
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await harness.handle(
        update(order_id, "T1", "outbound"), update(order_id, "T2", "outbound"), update(order_id, "T1", "lost")
    )
    assert await account(harness) == (800, 0, 0)
    await harness.handle(update(order_id, "T2", "delivered"))
    await harness.sweep("receipt")
    assert point_events(harness)[3:] == [("award", 14, 814, 0)]
    await ledger_adds_up(harness)


async def test_of_a_split_order_each_child_brings_back_its_part_and_earns_its_own(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", price=250, product_type="virtual", gift_points=3), sku(revision=2, gift_points=10))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 1), ("card", 1), use_points=300, expected_pay_amount=450))
    await harness.pay(root)
    thing, card = await harness.children(root)
    await harness.handle(cancel(card))
    assert await account(harness) == (800, 0, 0)
    await harness.deliver(thing)
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=thing))
    assert await account(harness) == (810, 0, 0)
    await harness.handle(refund(thing, 150), trusted=True)
    assert [change[:2] for change in point_events(harness)[2:]] == [
        ("return", 100),
        ("award", 10),
        ("return", 100),
        ("revoke", 5),
    ]
    await ledger_adds_up(harness)


async def test_points_that_come_back_name_the_refund_that_brought_them_back(harness: HandlerHarness) -> None:
    """Two children of one order are refunded in one batch; the first refund moves the points of both."""
    await harness.handle(sku("card", price=250, product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 1), ("card", 1), use_points=300, expected_pay_amount=450))
    await harness.pay(root)
    thing, card = await harness.children(root)
    refunds = [harness.envelope(refund(key, 100, f"f{key}"), trusted=True) for key in (thing, card)]
    await harness.handle_batch(refunds)
    rows = await harness.rows("SELECT correlation_id, headers FROM outbox WHERE type = 'points.changed.v1' ORDER BY id")
    assert [(row[0], orjson.loads(row[1])["causation-id"]) for row in rows] == [
        (refunds[0].correlation_id, refunds[0].id)
    ]


@pytest.mark.parametrize("how", ["confirmed", "by itself"])
async def test_what_goods_earn_comes_with_completion_and_not_before(harness: HandlerHarness, how: str) -> None:
    await harness.handle(sku(revision=2, gift_points=7, gift_growth=11))
    order_id = await harness.create_order(create(("s1", 3), user_id="new"))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    assert await harness.rows("SELECT * FROM points_accounts WHERE user_id = 'new'") == []
    confirm = OrderConfirmReceipt(request_id="c1", actor=user("new"), order_id=order_id)
    await (harness.handle(confirm, confirm) if how == "confirmed" else harness.sweep("receipt"))
    assert await account(harness, "new") == (21, 0, 33)
    assert point_events(harness) == [("award", 21, 21, 0)]
    assert harness.events_of("points.changed")[0]["growth"] == 33


async def test_what_was_refunded_before_completion_earns_nothing(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=10))
    order_id = await harness.create_order(create(("s1", 2)))
    await harness.pay(order_id)
    await harness.handle(refund(order_id, 501), trusted=True)
    await harness.deliver(order_id)
    await harness.sweep("receipt")
    assert point_events(harness) == [("award", 10, 1010, 0)]


async def test_a_refund_takes_earned_points_away_in_proportion(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=50))
    order_id = await harness.create_order(create(("s1", 2)))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    await harness.sweep("receipt")
    left = []
    for number, amount in enumerate((9, 1, 655, 335)):
        await harness.handle(refund(order_id, amount, f"f{number}"), trusted=True)
        left.append((await account(harness))[0] - 1000)
    assert left == [100, 99, 34, 0]
    await ledger_adds_up(harness)


async def test_earned_points_that_are_spent_or_held_are_not_taken_away(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=100))
    first = await harness.create_order(create(("s1", 2)))
    await harness.pay(first)
    await harness.deliver(first)
    await harness.sweep("receipt")
    held = await harness.create_order(spending(1100, "r2", qty=5))
    await harness.handle(refund(first, 1000), trusted=True)
    assert await account(harness) == (1100, 1100, 0), "100 of the 200 were free"
    await harness.pay(held)
    assert await account(harness) == (0, 0, 0)
    await ledger_adds_up(harness)


RULES: dict[str, tuple[Shop, int, tuple[str, dict[str, Any]]]] = {
    "more than there are": (Shop(), 1001, ("POINTS_INSUFFICIENT", {"requested": 1001, "available": 1000})),
    "less than none": (Shop(), -1, ("POINTS_RULE", {"why": "negative", "requested": -1})),
    "less than a unit": (Shop(), 99, ("POINTS_RULE", {"why": "none_usable", "requested": 99, "unit": 100, "max": 500})),
    "none at all": (
        Shop(points_max_percent=0),
        100,
        ("POINTS_RULE", {"why": "none_usable", "requested": 100, "unit": 100, "max": 0}),
    ),
    "not with a coupon": (
        Shop(points_with_coupon=False),
        100,
        ("POINTS_RULE", {"why": "with_coupon", "requested": 100}),
    ),
}


async def test_points_that_the_rules_do_not_take_are_refused_and_none_is_held(harness: HandlerHarness) -> None:
    await harness.handle(template(), coupon())
    for number, (rules, points, _) in enumerate(RULES.values()):
        shop.configure(rules)
        coupon_id = "c1" if not rules.points_with_coupon else None
        await harness.handle(spending(points, f"r{number}", coupon_id=coupon_id))
    assert harness.rejections() == [refusal for _, _, refusal in RULES.values()]
    assert await account(harness) == (1000, 0, 0)
    assert await harness.states() == []


async def test_no_more_than_the_shops_part_of_the_price_is_paid_with_points(harness: HandlerHarness) -> None:
    await harness.handle(sku("s2", revision=2, points_limit=40))
    await harness.create_order(create(("s1", 1), ("s2", 3), use_points=1000, expected_pay_amount=2000 - 600))
    assert await harness.rows("SELECT sku_id, points_amount FROM order_items ORDER BY sku_id") == [
        ("s1", 480),
        ("s2", 120),
    ]
    assert await account(harness) == (1000, 600, 0)


async def test_two_orders_at_once_do_not_spend_the_same_points(harness: HandlerHarness) -> None:
    await harness.handle_overlapping([spending(600, "r1", qty=4)], [spending(600, "r2", qty=4)])
    assert harness.rejections() == [("POINTS_INSUFFICIENT", {"requested": 600, "available": 400})]
    assert await account(harness) == (1000, 600, 0)
    await ledger_adds_up(harness)


async def test_workers_that_change_one_account_at_once_lose_no_change(harness: HandlerHarness) -> None:
    """An order, a cancellation, a completion and a grant, each handled by its own worker."""
    await harness.handle(sku(revision=2, gift_points=7))
    unpaid, done = await harness.create_order(spending(200, "a")), await harness.create_order(spending(100, "b"))
    await harness.pay(done)
    await harness.deliver(done)
    await harness.handle_overlapping(
        [spending(300, "c")],
        [cancel(unpaid)],
        [OrderConfirmReceipt(request_id="c1", actor=user(), order_id=done)],
        [grant(5, request_id="g2")],
    )
    assert await account(harness) == (1000 - 100 + 14 + 5, 300, 0)
    await ledger_adds_up(harness)


async def test_first_points_that_are_earned_twice_at_once_are_both_there(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=7))
    orders = [await harness.create_order(create(("s1", 1), request_id=name, user_id="new")) for name in "ab"]
    for order_id in orders:
        await harness.pay(order_id)
        await harness.deliver(order_id)
    confirms = [OrderConfirmReceipt(request_id="c1", actor=user("new"), order_id=order_id) for order_id in orders]
    await harness.handle_overlapping(*([confirm] for confirm in confirms))
    assert await account(harness, "new") == (14, 0, 0)
