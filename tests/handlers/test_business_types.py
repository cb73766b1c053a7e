"""Normal, flash sale, group buy: the rules of a business type, frozen into the order that was placed under them."""

from datetime import timedelta
from typing import Any

import pytest

from messages.orders import OrderCreate
from messages.roles import Role
from tests.handlers.builders import book, cancel, captured, create, receive, sku, update
from tests.handlers.catalogue_builders import coupon, grant, settings, template
from tests.handlers.harness import HandlerHarness
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
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    return harness


async def ruled(harness: HandlerHarness, business_type: str = GROUP, revision: int = 1, **policy: Any) -> None:
    await harness.handle(settings(business_type, revision=revision, **policy), trusted=True)


def ordering(request_id: str = "r1", qty: int = 3, business_type: str = GROUP, **changes: Any) -> OrderCreate:
    return create(("s1", qty), request_id=request_id, business_type=business_type, **changes)


@pytest.mark.parametrize("deduct_on", DEDUCTED)
async def test_stock_is_deducted_when_the_policy_says(harness: HandlerHarness, deduct_on: str) -> None:
    await ruled(harness, deduct_on=deduct_on)
    seen: dict[str, tuple[int, int]] = {}
    order_id = await harness.create_order(ordering())
    seen["placed"] = await harness.stock()
    await harness.pay(order_id)
    seen["paid"] = await harness.stock()
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2", ("s1", 2)))
    assert await harness.stock() == seen["paid"], "nothing has left"
    await harness.handle(update(order_id, "T1", "outbound"))
    seen["outbound"] = await harness.stock()
    await harness.handle(*(update(order_id, number, "delivered") for number in ("T1", "T2")))
    seen["delivered"] = await harness.stock()
    assert seen == DEDUCTED[deduct_on]
    assert harness.events_of("stock.discrepancy") == []


@pytest.mark.parametrize("deduct_on", DEDUCTED)
@pytest.mark.parametrize("when", ["unpaid", "timeout", "paid", "booked", "a parcel lost"])
async def test_whenever_it_is_deducted_a_cancelled_order_gives_it_back(
    harness: HandlerHarness, deduct_on: str, when: str
) -> None:
    await ruled(harness, deduct_on=deduct_on)
    order_id = await harness.create_order(ordering())
    if when not in ("unpaid", "timeout"):
        await harness.pay(order_id)
    if when in ("booked", "a parcel lost"):
        await harness.handle(book(order_id, "T1", ("s1", 1)))
    if when == "a parcel lost":
        await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T1", "lost"))
    await (harness.sweep("payment") if when == "timeout" else harness.handle(cancel(order_id)))
    assert await harness.states() == ["cancelled"]
    assert await harness.stock() == ((9, 0) if when == "a parcel lost" else (10, 0))
    assert harness.events_of("stock.discrepancy") == []


async def test_each_child_of_a_split_order_is_deducted_with_its_own_parcel(harness: HandlerHarness) -> None:
    await ruled(harness, deduct_on="ship")
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 3), ("card", 2), business_type=GROUP))
    await harness.pay(root)
    thing, card = await harness.children(root)
    await harness.deliver(thing)
    assert (await harness.stock("s1"), await harness.stock("card")) == ((7, 0), (10, 2))
    await harness.handle(cancel(card))
    assert (await harness.stock("s1"), await harness.stock("card")) == ((7, 0), (10, 0))


async def test_an_unpaid_split_order_whose_stock_was_deducted_at_once_gives_all_of_it_back(
    harness: HandlerHarness,
) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 3), ("card", 2), business_type="seckill"))
    assert (await harness.stock("s1"), await harness.stock("card")) == ((7, 0), (8, 0))
    await harness.handle(cancel(root))
    assert (await harness.stock("s1"), await harness.stock("card")) == ((10, 0), (10, 0))


async def test_a_flash_sale_takes_its_stock_at_once_and_the_others_with_payment(harness: HandlerHarness) -> None:
    deducted = {}
    for name in DEFAULT_POLICIES:
        await harness.create_order(ordering(name, 1, name))
        deducted[name] = await harness.stock()
    assert deducted == {"normal": (10, 1), "seckill": (9, 1), GROUP: (9, 2)}


async def test_an_order_keeps_the_rules_it_was_placed_under(harness: HandlerHarness) -> None:
    await ruled(harness, deduct_on="ship", payment_window_seconds=600, on_payment_failure="cancel")
    first = await harness.create_order(ordering("a", 1))
    await ruled(harness, revision=2, deduct_on="create", payment_window_seconds=120, on_payment_failure="keep_open")
    second = await harness.create_order(ordering("b", 1))
    windows = await harness.rows(
        "SELECT t.due_at - o.created_at FROM timers t JOIN orders o ON o.id = t.key ORDER BY o.id"
    )
    assert [window >= timedelta(seconds=600) for (window,) in windows] == [True, False]
    assert await harness.stock() == (9, 1)
    await harness.pay(first)
    assert await harness.stock() == (9, 1), "deducted with shipping, as it was when it was placed"
    third = await harness.create_order(ordering("c", 1, "normal"))
    for order_id in (second, third):
        await harness.handle(captured(order_id, 1, f"f{order_id}", kind="failed"), trusted=True)
    assert await harness.states() == ["paid", "awaiting_payment", "awaiting_payment"]


async def test_what_happens_after_a_failed_payment_is_frozen_too(harness: HandlerHarness) -> None:
    await ruled(harness, on_payment_failure="cancel")
    order_id = await harness.create_order(ordering())
    await ruled(harness, revision=2, on_payment_failure="keep_open")
    await harness.handle(captured(order_id, 1, kind="failed"), trusted=True)
    assert await harness.states() == ["cancelled"]


async def test_a_window_that_the_delay_exchange_has_travels_and_another_is_the_sweepers(
    harness: HandlerHarness,
) -> None:
    await ruled(harness, payment_window_seconds=120)
    travelling = await harness.create_order(ordering("a", 1))
    assert [(wake_up.key, wake_up.kind) for wake_up in harness.delayed] == [(travelling, "payment")]  # type: ignore[attr-defined]
    await ruled(harness, revision=2, payment_window_seconds=77)
    swept = await harness.create_order(ordering("b", 1))
    assert len(harness.delayed) == 1
    waits = dict(await harness.rows("SELECT key, wake_at - due_at > interval '0' FROM timers"))
    assert waits == {travelling: True, swept: False}, "the sweeper lets the broker go first"
    await harness.pool.execute("UPDATE timers SET due_at = now(), wake_at = now() WHERE key = $1", swept)
    await harness.mark_progress()
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()
    assert (await harness.state(travelling), await harness.state(swept)) == ("awaiting_payment", "cancelled")


async def test_what_a_business_type_does_not_take_is_refused(harness: HandlerHarness) -> None:
    await harness.handle(template(), coupon(), grant())
    await ruled(harness, units_max_per_line=2, allow_coupon=False, allow_points=False)
    await harness.handle(create(("s2", 1), ("s1", 3), business_type=GROUP, request_id="a"))
    await harness.handle(ordering("b", 2, coupon_id="c1"), ordering("c", 2, use_points=100))
    assert [(code, details["field"]) for code, details in harness.rejections()] == [
        ("ORDER_PARAM_INVALID", "items[1].qty"),
        ("COUPON_NOT_USABLE", "coupon_id"),
        ("POINTS_RULE", "use_points"),
    ]
    assert (harness.rejections()[0][1]["line"], harness.rejections()[0][1]["max"]) == (2, 2)
    await harness.create_order(ordering("d", 2))
    await harness.create_order(ordering("e", 3, "normal", coupon_id="c1", use_points=100, expected_pay_amount=1300))


async def test_rules_are_for_one_business_type_that_there_is(harness: HandlerHarness) -> None:
    await ruled(harness, "wholesale", units_max_per_line=1)
    assert harness.rejections() == [("ORDER_BUSINESS_TYPE_INVALID", {"field": "business_type"})]
    await harness.handle(settings(GROUP, units_max_per_line=1), roles=frozenset(Role) - {Role.CATALOGUE})
    assert harness.rejections()[1][0] == "AUTH_FORBIDDEN"
    await harness.create_order(ordering(qty=3))
