"""Normal, flash sale, group buy: the rules of a business type, frozen into the order that was placed under them."""

from datetime import timedelta
from typing import Any

import pytest

from messages.orders import OrderCreate
from tests.handlers.catalogue_builders import coupon, grant, refused, settings, template
from tests.handlers.harness import Floor, book, cancel, captured, create, receive, sku, update
from workers.domain.shop import DEFAULT_POLICIES
from workers.handlers import timeouts

DEDUCTED: dict[str, dict[str, tuple[int, int]]] = {
    # (on hand, locked) of 10, after an order of 3 is ...
    "create": {"placed": (7, 0), "paid": (7, 0), "outbound": (7, 0), "delivered": (7, 0)},
    "pay": {"placed": (10, 3), "paid": (7, 0), "outbound": (7, 0), "delivered": (7, 0)},
    "ship": {"placed": (10, 3), "paid": (10, 3), "outbound": (7, 0), "delivered": (7, 0)},
}
GROUP = "group_buy"


@pytest.fixture
async def mall(floor: Floor) -> Floor:
    await floor.open_shop()
    return floor


async def ruled(mall: Floor, business_type: str = GROUP, revision: int = 1, **policy: Any) -> None:
    await mall.say(settings(business_type, revision=revision, **policy), trusted=True)


def ordering(request_id: str = "r1", qty: int = 3, business_type: str = GROUP, **changes: Any) -> OrderCreate:
    return create(("s1", qty), request_id=request_id, business_type=business_type, **changes)


@pytest.mark.parametrize("deduct_on", DEDUCTED)
async def test_stock_is_deducted_when_the_policy_says(mall: Floor, deduct_on: str) -> None:
    await ruled(mall, deduct_on=deduct_on)
    seen: dict[str, tuple[int, int]] = {}
    order_id = await mall.order(ordering())
    seen["placed"] = await mall.stock()
    await mall.pay(order_id)
    seen["paid"] = await mall.stock()
    await mall.say(book(order_id, "T1", ("s1", 1)), book(order_id, "T2", ("s1", 2)))
    assert await mall.stock() == seen["paid"], "nothing has left"
    await mall.say(update(order_id, "T1", "outbound"))
    seen["outbound"] = await mall.stock()
    await mall.say(*(update(order_id, number, "delivered") for number in ("T1", "T2")))
    seen["delivered"] = await mall.stock()
    assert seen == DEDUCTED[deduct_on]
    assert mall.heard("stock.discrepancy") == []


@pytest.mark.parametrize("deduct_on", DEDUCTED)
@pytest.mark.parametrize("when", ["unpaid", "timeout", "paid", "booked", "a parcel lost"])
async def test_whenever_it_is_deducted_a_cancelled_order_gives_it_back(mall: Floor, deduct_on: str, when: str) -> None:
    await ruled(mall, deduct_on=deduct_on)
    order_id = await mall.order(ordering())
    if when not in ("unpaid", "timeout"):
        await mall.pay(order_id)
    if when in ("booked", "a parcel lost"):
        await mall.say(book(order_id, "T1", ("s1", 1)))
    if when == "a parcel lost":
        await mall.say(update(order_id, "T1", "outbound"), update(order_id, "T1", "lost"))
    await (mall.sweep("payment") if when == "timeout" else mall.say(cancel(order_id)))
    assert await mall.states() == ["cancelled"]
    assert await mall.stock() == ((9, 0) if when == "a parcel lost" else (10, 0))
    assert mall.heard("stock.discrepancy") == []


async def test_each_child_of_a_split_order_is_deducted_with_its_own_parcel(mall: Floor) -> None:
    await ruled(mall, deduct_on="ship")
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    root = await mall.order(create(("s1", 3), ("card", 2), business_type=GROUP))
    await mall.pay(root)
    thing, card = await mall.children(root)
    await mall.deliver(thing)
    assert (await mall.stock("s1"), await mall.stock("card")) == ((7, 0), (10, 2))
    await mall.say(cancel(card))
    assert (await mall.stock("s1"), await mall.stock("card")) == ((7, 0), (10, 0))


async def test_an_unpaid_family_whose_stock_was_deducted_at_once_gives_all_of_it_back(mall: Floor) -> None:
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    root = await mall.order(create(("s1", 3), ("card", 2), business_type="seckill"))
    assert (await mall.stock("s1"), await mall.stock("card")) == ((7, 0), (8, 0))
    await mall.say(cancel(root))
    assert (await mall.stock("s1"), await mall.stock("card")) == ((10, 0), (10, 0))


async def test_a_flash_sale_takes_its_stock_at_once_and_the_others_with_payment(mall: Floor) -> None:
    deducted = {}
    for name in DEFAULT_POLICIES:
        await mall.order(ordering(name, 1, name))
        deducted[name] = await mall.stock()
    assert deducted == {"normal": (10, 1), "seckill": (9, 1), GROUP: (9, 2)}


async def test_an_order_keeps_the_rules_it_was_placed_under(mall: Floor) -> None:
    await ruled(mall, deduct_on="ship", payment_window_seconds=600, on_payment_failure="cancel")
    first = await mall.order(ordering("a", 1))
    await ruled(mall, revision=2, deduct_on="create", payment_window_seconds=120, on_payment_failure="keep_open")
    second = await mall.order(ordering("b", 1))
    windows = await mall.rows(
        "SELECT t.due_at - o.created_at FROM timers t JOIN orders o ON o.id = t.key ORDER BY o.id"
    )
    assert [window >= timedelta(seconds=600) for (window,) in windows] == [True, False]
    assert await mall.stock() == (9, 1)
    await mall.pay(first)
    assert await mall.stock() == (9, 1), "deducted with shipping, as it was when it was placed"
    third = await mall.order(ordering("c", 1, "normal"))
    for order_id in (second, third):
        await mall.say(captured(order_id, 1, f"f{order_id}", kind="failed"), trusted=True)
    assert await mall.states() == ["paid", "awaiting_payment", "awaiting_payment"]


async def test_what_happens_after_a_failed_payment_is_frozen_too(mall: Floor) -> None:
    await ruled(mall, on_payment_failure="cancel")
    order_id = await mall.order(ordering())
    await ruled(mall, revision=2, on_payment_failure="keep_open")
    await mall.say(captured(order_id, 1, kind="failed"), trusted=True)
    assert await mall.states() == ["cancelled"]


async def test_a_window_that_the_delay_exchange_has_travels_and_another_is_the_sweepers(mall: Floor) -> None:
    await ruled(mall, payment_window_seconds=120)
    travelling = await mall.order(ordering("a", 1))
    assert [(wake_up.key, wake_up.kind) for wake_up in mall.delayed] == [(travelling, "payment")]  # type: ignore[attr-defined]
    await ruled(mall, revision=2, payment_window_seconds=77)
    swept = await mall.order(ordering("b", 1))
    assert len(mall.delayed) == 1
    waits = dict(await mall.rows("SELECT key, wake_at - due_at > interval '0' FROM timers"))
    assert waits == {travelling: True, swept: False}, "the sweeper lets the broker go first"
    await mall.pool.execute("UPDATE timers SET due_at = now(), wake_at = now() WHERE key = $1", swept)
    await mall.settle_until_now()
    async with mall.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await mall.pump()
    assert (await mall.state(travelling), await mall.state(swept)) == ("awaiting_payment", "cancelled")


async def test_what_a_business_type_does_not_take_is_refused(mall: Floor) -> None:
    await mall.say(template(), coupon(), grant())
    await ruled(mall, units_max_per_line=2, allow_coupon=False, allow_points=False)
    await mall.say(create(("s2", 1), ("s1", 3), business_type=GROUP, request_id="a"))
    await mall.say(ordering("b", 2, coupon_id="c1"), ordering("c", 2, use_points=100))
    assert [(code, details["field"]) for code, details in refused(mall)] == [
        ("ORDER_PARAM_INVALID", "items[1].qty"),
        ("COUPON_NOT_USABLE", "coupon_id"),
        ("POINTS_RULE", "use_points"),
    ]
    assert (refused(mall)[0][1]["line"], refused(mall)[0][1]["max"]) == (2, 2)
    await mall.order(ordering("d", 2))
    await mall.order(ordering("e", 3, "normal", coupon_id="c1", use_points=100, expected_pay_amount=1300))


async def test_rules_are_for_one_business_type_that_there_is(mall: Floor) -> None:
    await ruled(mall, "wholesale", units_max_per_line=1)
    assert refused(mall) == [("ORDER_BUSINESS_TYPE_INVALID", {"field": "business_type"})]
    await mall.say(settings(GROUP, units_max_per_line=1))
    assert refused(mall)[1][0] == "AUTH_FORBIDDEN"
    await mall.order(ordering(qty=3))
