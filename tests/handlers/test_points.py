"""Points are held with an order, spent with its payment, back when it comes to nothing; goods earn new ones."""

from typing import Any

import pytest

from messages.orders import OrderConfirmReceipt, OrderCreate
from messages.refunds import RefundRequest
from tests.handlers.catalogue_builders import coupon, grant, refused, template
from tests.handlers.harness import OPERATOR, Floor, book, cancel, create, receive, sku, update, user
from tests.handlers.order_endings import UNPAID_ENDS
from workers import shop
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def mall(floor: Floor) -> Floor:
    """Things that cost 500, and a user with 1000 points, of which 100 are worth 100."""
    await floor.open_shop(qty=100)
    await floor.say(grant())
    floor.events.clear()
    return floor


def spending(points: int = 300, request_id: str = "r1", qty: int = 2, **changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"use_points": points, "expected_pay_amount": qty * 500 - points}
    return create(("s1", qty), request_id=request_id, **fields | changes)


async def account(mall: Floor, user_id: str = "u1") -> tuple[int, int, int]:
    """Balance, held, growth."""
    [row] = await mall.rows("SELECT balance, held, growth FROM points_accounts WHERE user_id = $1", user_id)
    return row[0], row[1], row[2]


async def ledger_adds_up(mall: Floor) -> None:
    """Every account is what its ledger says (INV-09)."""
    folded = await mall.rows("""
        SELECT user_id,
            sum(CASE WHEN op IN ('grant', 'award', 'return') THEN points
                WHEN op IN ('use', 'revoke') THEN -points ELSE 0 END),
            sum(CASE op WHEN 'hold' THEN points WHEN 'use' THEN -points WHEN 'release' THEN -points ELSE 0 END)
        FROM points_ledger GROUP BY user_id ORDER BY user_id""")
    assert folded == await mall.rows("SELECT user_id, balance, held FROM points_accounts ORDER BY user_id")


def told(mall: Floor) -> list[tuple[str, int, int, int]]:
    return [(e["op"], e["points"], e["balance"], e["held"]) for e in mall.heard("points.changed")]


def ask(order_id: int, amount: int, request_id: str = "f1") -> RefundRequest:
    return RefundRequest(request_id=request_id, actor=OPERATOR, order_id=order_id, amount=amount, reason="goodwill")


async def test_they_are_held_with_the_order_and_spent_with_its_payment(mall: Floor) -> None:
    order_id = await mall.order(spending())
    assert await account(mall) == (1000, 300, 0)
    assert (await mall.rows("SELECT points_amount, use_points, payable_amount FROM orders")) == [(300, 300, 700)]
    await mall.pay(order_id)
    assert await account(mall) == (700, 0, 0)
    assert told(mall) == [("hold", 300, 1000, 300), ("use", 300, 700, 0)]
    await ledger_adds_up(mall)


async def test_what_is_held_cannot_be_spent_again(mall: Floor) -> None:
    await mall.say(spending(500, "r1"), spending(500, "r2"), spending(100, "r3"))
    assert refused(mall) == [("POINTS_INSUFFICIENT", {"asked": 100, "available": 0})]
    assert await account(mall) == (1000, 1000, 0)


@pytest.mark.parametrize("how", UNPAID_ENDS)
async def test_they_are_free_again_when_their_order_ends_unpaid(mall: Floor, how: str) -> None:
    end, state = UNPAID_ENDS[how]
    await end(mall, spending())
    assert await mall.states() == [state]
    assert await account(mall) == (1000, 0, 0)
    assert told(mall) == [("hold", 300, 1000, 300), ("release", 300, 1000, 0)]
    await mall.order(spending(request_id="r2"))
    assert await account(mall) == (1000, 300, 0)
    await ledger_adds_up(mall)


async def test_a_paid_order_that_is_cancelled_gives_all_of_them_back_once(mall: Floor) -> None:
    order_id = await mall.order(spending())
    await mall.pay(order_id)
    await mall.say(cancel(order_id), cancel(order_id, "x2"))
    assert await account(mall) == (1000, 0, 0)
    assert told(mall)[2:] == [("return", 300, 1000, 0)]
    await ledger_adds_up(mall)


async def test_a_free_order_gives_them_back_although_no_money_does(mall: Floor) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    order_id = await mall.order(spending(1000))
    assert await mall.states() == ["paid"]
    assert await account(mall) == (0, 0, 0)
    await mall.say(cancel(order_id))
    assert await account(mall) == (1000, 0, 0)
    assert mall.heard("refund.requested") == []


async def test_partial_refunds_bring_them_back_in_proportion_to_the_last_one(mall: Floor) -> None:
    order_id = await mall.order(spending())
    await mall.pay(order_id)
    back, given = [], 0
    for number, amount in enumerate((1, 232, 100, 366, 1)):
        await mall.say(ask(order_id, amount, f"f{number}"), trusted=True)
        given += amount
        back.append((await account(mall))[0] - 700)
        assert back[-1] == 300 * given // 700
    assert (given, back[-1]) == (700, 300)
    await ledger_adds_up(mall)


async def test_a_cancellation_after_a_partial_refund_brings_back_the_rest(mall: Floor) -> None:
    order_id = await mall.order(spending())
    await mall.pay(order_id)
    await mall.say(ask(order_id, 333), trusted=True)
    await mall.say(cancel(order_id))
    assert await account(mall) == (1000, 0, 0)
    assert [points for op, points, _, _ in told(mall) if op == "return"] == [142, 158]


async def test_a_lost_parcel_brings_back_its_part_and_earns_nothing(mall: Floor) -> None:
    await mall.say(sku(revision=2, gift_points=7))
    order_id = await mall.order(spending(qty=3))
    await mall.pay(order_id)
    await mall.say(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await mall.say(
        update(order_id, "T1", "outbound"), update(order_id, "T2", "outbound"), update(order_id, "T1", "lost")
    )
    assert await account(mall) == (800, 0, 0)
    await mall.say(update(order_id, "T2", "delivered"))
    await mall.sweep("receipt")
    assert told(mall)[3:] == [("award", 14, 814, 0)]
    await ledger_adds_up(mall)


async def test_of_a_split_order_each_child_brings_back_its_part_and_earns_its_own(mall: Floor) -> None:
    await mall.say(sku("card", price=250, product_type="virtual", gift_points=3), sku(revision=2, gift_points=10))
    await mall.say(receive("card", 10))
    root = await mall.order(create(("s1", 1), ("card", 1), use_points=300, expected_pay_amount=450))
    await mall.pay(root)
    thing, card = await mall.children(root)
    await mall.say(cancel(card))
    assert await account(mall) == (800, 0, 0)
    await mall.deliver(thing)
    await mall.say(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=thing))
    assert await account(mall) == (810, 0, 0)
    await mall.say(ask(thing, 150), trusted=True)
    assert [change[:2] for change in told(mall)[2:]] == [("return", 100), ("award", 10), ("return", 100), ("revoke", 5)]
    await ledger_adds_up(mall)


@pytest.mark.parametrize("how", ["confirmed", "by itself"])
async def test_what_goods_earn_comes_with_completion_and_not_before(mall: Floor, how: str) -> None:
    await mall.say(sku(revision=2, gift_points=7, gift_growth=11))
    order_id = await mall.order(create(("s1", 3), user_id="new"))
    await mall.pay(order_id)
    await mall.deliver(order_id)
    assert await mall.rows("SELECT * FROM points_accounts WHERE user_id = 'new'") == []
    confirm = OrderConfirmReceipt(request_id="c1", actor=user("new"), order_id=order_id)
    await (mall.say(confirm, confirm) if how == "confirmed" else mall.sweep("receipt"))
    assert await account(mall, "new") == (21, 0, 33)
    assert told(mall) == [("award", 21, 21, 0)]
    assert mall.heard("points.changed")[0]["growth"] == 33


async def test_what_was_refunded_before_completion_earns_nothing(mall: Floor) -> None:
    await mall.say(sku(revision=2, gift_points=10))
    order_id = await mall.order(create(("s1", 2)))
    await mall.pay(order_id)
    await mall.say(ask(order_id, 501), trusted=True)
    await mall.deliver(order_id)
    await mall.sweep("receipt")
    assert told(mall) == [("award", 10, 1010, 0)]


async def test_a_refund_takes_earned_points_away_in_proportion(mall: Floor) -> None:
    await mall.say(sku(revision=2, gift_points=50))
    order_id = await mall.order(create(("s1", 2)))
    await mall.pay(order_id)
    await mall.deliver(order_id)
    await mall.sweep("receipt")
    left = []
    for number, amount in enumerate((9, 1, 655, 335)):
        await mall.say(ask(order_id, amount, f"f{number}"), trusted=True)
        left.append((await account(mall))[0] - 1000)
    assert left == [100, 99, 34, 0]
    await ledger_adds_up(mall)


async def test_earned_points_that_are_spent_or_held_are_not_taken_away(mall: Floor) -> None:
    await mall.say(sku(revision=2, gift_points=100))
    first = await mall.order(create(("s1", 2)))
    await mall.pay(first)
    await mall.deliver(first)
    await mall.sweep("receipt")
    held = await mall.order(spending(1100, "r2", qty=5))
    await mall.say(ask(first, 1000), trusted=True)
    assert await account(mall) == (1100, 1100, 0), "100 of the 200 were free"
    await mall.pay(held)
    assert await account(mall) == (0, 0, 0)
    await ledger_adds_up(mall)


RULES: dict[str, tuple[Shop, int, tuple[str, dict[str, Any]]]] = {
    "more than there are": (Shop(), 1001, ("POINTS_INSUFFICIENT", {"asked": 1001, "available": 1000})),
    "less than none": (Shop(), -1, ("POINTS_RULE", {"why": "negative", "asked": -1})),
    "less than a unit": (Shop(), 99, ("POINTS_RULE", {"why": "none_usable", "asked": 99, "unit": 100, "max": 500})),
    "none at all": (
        Shop(points_max_percent=0), 100, ("POINTS_RULE", {"why": "none_usable", "asked": 100, "unit": 100, "max": 0}),
    ),
    "not with a coupon": (Shop(points_with_coupon=False), 100, ("POINTS_RULE", {"why": "with_coupon", "asked": 100})),
}  # fmt: skip


async def test_points_that_the_rules_do_not_take_are_refused_and_none_is_held(mall: Floor) -> None:
    await mall.say(template(), coupon())
    for number, (rules, points, _) in enumerate(RULES.values()):
        shop.configure(rules)
        coupon_id = "c1" if not rules.points_with_coupon else None
        await mall.say(spending(points, f"r{number}", coupon_id=coupon_id))
    assert refused(mall) == [refusal for _, _, refusal in RULES.values()]
    assert await account(mall) == (1000, 0, 0)
    assert await mall.states() == []


async def test_no_more_than_the_shops_part_of_the_price_is_paid_with_points(mall: Floor) -> None:
    await mall.say(sku("s2", revision=2, points_limit=40))
    await mall.order(create(("s1", 1), ("s2", 3), use_points=1000, expected_pay_amount=2000 - 600))
    assert await mall.rows("SELECT sku_id, points_amount FROM order_items ORDER BY sku_id") == [
        ("s1", 480),
        ("s2", 120),
    ]
    assert await account(mall) == (1000, 600, 0)


async def test_two_orders_at_once_do_not_spend_the_same_points(mall: Floor) -> None:
    await mall.overlap([spending(600, "r1", qty=4)], [spending(600, "r2", qty=4)])
    assert refused(mall) == [("POINTS_INSUFFICIENT", {"asked": 600, "available": 400})]
    assert await account(mall) == (1000, 600, 0)
    await ledger_adds_up(mall)


async def test_workers_that_change_one_account_at_once_lose_no_change(mall: Floor) -> None:
    """An order, a cancellation, a completion and a grant, each by a worker of its own."""
    await mall.say(sku(revision=2, gift_points=7))
    unpaid, done = await mall.order(spending(200, "a")), await mall.order(spending(100, "b"))
    await mall.pay(done)
    await mall.deliver(done)
    await mall.overlap(
        [spending(300, "c")],
        [cancel(unpaid)],
        [OrderConfirmReceipt(request_id="c1", actor=user(), order_id=done)],
        [grant(5, request_id="g2")],
    )
    assert await account(mall) == (1000 - 100 + 14 + 5, 300, 0)
    await ledger_adds_up(mall)


async def test_first_points_that_are_earned_twice_at_once_are_both_there(mall: Floor) -> None:
    await mall.say(sku(revision=2, gift_points=7))
    orders = [await mall.order(create(("s1", 1), request_id=name, user_id="new")) for name in "ab"]
    for order_id in orders:
        await mall.pay(order_id)
        await mall.deliver(order_id)
    confirms = [OrderConfirmReceipt(request_id="c1", actor=user("new"), order_id=order_id) for order_id in orders]
    await mall.overlap(*([confirm] for confirm in confirms))
    assert await account(mall, "new") == (14, 0, 0)
