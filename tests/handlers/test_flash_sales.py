"""Units at a limited price: never oversold, limited per user, and given back when their order is cancelled."""

from typing import Any

import pytest

from messages.orders import OrderCreate
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, cancel, create, receive, sku
from tests.handlers.catalogue_builders import promotion
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import UNPAID_ENDS

FLASH, NORMAL = 300, 500


def sale(**changes: Any) -> Any:
    """s1 for 300 instead of 500."""
    return promotion("flash", kind="flash", prices={"s1": FLASH}, **changes)


def buying(name: str, qty: int = 1, cheap: int | None = None, user_id: str | None = None) -> OrderCreate:
    """An order of this many units; the client expects `cheap` of them at the flash price."""
    cheap = qty if cheap is None else cheap
    price = cheap * FLASH + (qty - cheap) * NORMAL
    return create(("s1", qty), request_id=name, user_id=user_id or f"user-{name}", expected_pay_amount=price)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock(qty=1000)
    return harness


async def sold(harness: HandlerHarness) -> tuple[int, int]:
    """The units that the quota counts as sold, and the sum of the uses that still count."""
    [(counted,)] = await harness.rows("SELECT sold FROM promotion_quotas")
    [(units,)] = await harness.rows("SELECT coalesce(sum(units), 0) FROM promotion_uses WHERE returned_at IS NULL")
    return counted, units


async def test_workers_at_once_sell_exactly_what_there_is(harness: HandlerHarness) -> None:
    await harness.handle(sale(quantity=37))
    buyers = [buying(f"{n}") for n in range(80)]
    await harness.handle_concurrently(*(buyers[start : start + 5] for start in range(0, 80, 5)))
    assert await sold(harness) == (37, 37)
    assert (await harness.states()).count("awaiting_payment") == 37
    assert [code for code, _ in harness.rejections()] == ["ORDER_PRICE_MISMATCH"] * 43
    assert await harness.stock() == (1000, 37)
    assert await harness.pool.fetchval("SELECT sum(payable_amount) FROM orders") == 37 * FLASH


async def test_the_last_unit_goes_to_the_first_of_two_workers(harness: HandlerHarness) -> None:
    await harness.handle(sale(quantity=1))
    await harness.handle_overlapping([buying("first")], [buying("second")])
    assert await harness.rows("SELECT request_id FROM orders") == [("first",)]
    assert await sold(harness) == (1, 1)


async def test_units_beyond_what_is_left_cost_the_normal_price(harness: HandlerHarness) -> None:
    await harness.handle(sale(quantity=5))
    await harness.handle(buying("a", 3), buying("b", 3, cheap=2), buying("c", 1, cheap=0))
    assert harness.rejections() == []
    assert await harness.rows("SELECT qty, quota_units, promotion_amount FROM order_items ORDER BY 2 DESC") == [
        (3, 3, 600),
        (3, 2, 400),
        (1, 0, 0),
    ]
    assert await sold(harness) == (5, 5)


async def test_units_sold_before_there_was_a_quota_count_and_a_quantity_never_falls_below_them(
    harness: HandlerHarness,
) -> None:
    await harness.handle(sale(quantity=9))
    await harness.handle(buying("a", 3))
    await harness.pool.execute("DELETE FROM promotion_quotas")
    await harness.handle(sale(quantity=8, revision=2))
    assert await harness.rows("SELECT quantity, sold FROM promotion_quotas") == [(8, 3)]
    await harness.handle(sale(quantity=2, revision=3))
    assert await harness.rows("SELECT quantity, sold FROM promotion_quotas") == [(3, 3)]


async def test_a_user_gets_so_many_and_no_more_over_all_orders(harness: HandlerHarness) -> None:
    await harness.handle(sale(per_user_limit=3))
    await harness.handle(
        buying("a", 2, user_id="ada"), buying("b", 2, cheap=1, user_id="ada"), buying("c", 3, user_id="bob")
    )
    await harness.handle(buying("d", 1, cheap=0, user_id="ada"))
    assert harness.rejections() == []
    assert await harness.rows("SELECT user_id, sum(units) FROM promotion_uses GROUP BY user_id ORDER BY 1") == [
        ("ada", 3),
        ("bob", 3),
    ]
    await harness.handle(buying("e", 1, user_id="ada"))
    assert [code for code, _ in harness.rejections()] == ["ORDER_PRICE_MISMATCH"]


async def test_two_workers_do_not_give_one_user_more_than_the_limit(harness: HandlerHarness) -> None:
    await harness.handle(sale(per_user_limit=1))
    await harness.handle_overlapping([buying("a", user_id="ada")], [buying("b", user_id="ada")])
    assert await harness.rows("SELECT request_id FROM orders") == [("a",)]
    assert [code for code, _ in harness.rejections()] == ["ORDER_PRICE_MISMATCH"]


@pytest.mark.parametrize("how", UNPAID_ENDS)
async def test_they_can_be_bought_again_when_their_order_ends_unpaid(harness: HandlerHarness, how: str) -> None:
    await harness.handle(sale(quantity=3, per_user_limit=3))
    end, state = UNPAID_ENDS[how]
    await end(harness, buying("a", 3, user_id="u1"))
    assert await harness.states() == [state]
    assert await sold(harness) == (0, 0)
    await harness.create_order(buying("b", 3, user_id="u1"))
    assert await sold(harness) == (3, 3)


async def test_a_paid_order_gives_them_back_with_its_cancellation_and_not_with_a_partial_refund(
    harness: HandlerHarness,
) -> None:
    await harness.handle(sale(quantity=3))
    order_id = await harness.create_order(buying("a", 2, user_id="u1"))
    await harness.pay(order_id)
    refund = RefundRequest(request_id="f1", actor=OPERATOR, order_id=order_id, amount=599, reason="goodwill")
    await harness.handle(refund, trusted=True)
    assert await sold(harness) == (2, 2)
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert await sold(harness) == (0, 0)


async def test_a_split_order_gives_them_back_with_its_last_child(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", product_type="virtual"), sale(quantity=3))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 2), ("card", 1), expected_pay_amount=2 * FLASH + 500))
    await harness.pay(root)
    thing, card = await harness.children(root)
    await harness.handle(cancel(thing))
    assert await sold(harness) == (2, 2)
    await harness.handle(cancel(card))
    assert await sold(harness) == (0, 0)


async def test_units_that_come_back_go_to_the_buyer_who_waits_for_them(harness: HandlerHarness) -> None:
    await harness.handle(sale(quantity=2))
    a, b = [await harness.create_order(buying(name)) for name in "ab"]
    await harness.handle_overlapping([cancel(a, "xa", OPERATOR)], [buying("c")], trusted=True)
    assert (await sold(harness), harness.rejections()) == ((2, 2), [])
    await harness.handle_overlapping([buying("d")], [cancel(b, "xb", OPERATOR)], trusted=True)
    assert await sold(harness) == (1, 1)
    assert [code for code, _ in harness.rejections()] == ["ORDER_PRICE_MISMATCH"], "it was still sold out"
    await harness.create_order(buying("e"))
    assert await sold(harness) == (2, 2)


async def test_a_flash_price_sells_no_more_than_the_warehouse_has(harness: HandlerHarness) -> None:
    await harness.pool.execute("UPDATE stock SET on_hand = 4")
    await harness.handle(sale(quantity=9))
    await harness.handle(*(buying(f"{n}") for n in range(9)))
    assert sorted(await harness.states()) == ["awaiting_payment"] * 4 + ["rejected"] * 5
    assert await harness.stock() == (4, 4)
    assert await sold(harness) == (4, 4), "who got no goods gave the price back"
