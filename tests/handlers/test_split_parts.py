"""Points, growth, prices and addresses where the parts of an order differ: what belongs to which part."""

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.catalogue import SkuUpsert
from messages.orders import OrderChangeAddress, OrderConfirmReceipt
from messages.refunds import RefundRequest
from messages.risk import RiskResult
from tests.handlers.catalogue_builders import coupon, grant, settings, template
from tests.handlers.harness import ADDRESS, OPERATOR, Floor, book, cancel, captured, create, receive, sku, update, user
from workers import shop
from workers.domain.shop import Policy, Shop


def of_seller(sku_id: str, seller: str | None, **changes: Any) -> SkuUpsert:
    return sku(sku_id).model_copy(update={"seller_id": seller, **changes})


async def stocked(floor: Floor, *goods: SkuUpsert) -> None:
    await floor.say(*goods)
    await floor.say(*(receive(one.sku_id, 50) for one in goods))
    await floor.say(grant(1000))
    floor.events.clear()


async def root(floor: Floor, *lines: tuple[str, int], due: int, **changes: Any) -> int:
    await floor.say(create(*lines, expected_pay_amount=due, **changes))
    created = [event for event in floor.heard("order.created") if event["parent_id"] is None]
    assert created, floor.events
    return int(created[-1]["order_id"])


async def children(floor: Floor, root_id: int) -> list[int]:
    rows = await floor.pool.fetch("SELECT id FROM orders WHERE parent_id = $1 ORDER BY id", root_id)
    return [row["id"] for row in rows]


async def balance(floor: Floor) -> int:
    found: int = await floor.pool.fetchval("SELECT balance FROM points_accounts WHERE user_id = 'u1'")
    return found


@pytest.mark.parametrize(("cancelled", "back"), [(0, 0), (1, 500)], ids=["paid with money", "paid with points"])
async def test_points_come_back_with_the_goods_they_paid_for(floor: Floor, cancelled: int, back: int) -> None:
    """s1 takes no points, so all 500 pay for s2."""
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(floor, of_seller("s1", "a", points_limit=0), of_seller("s2", "b"))
    order_id = await root(floor, ("s1", 1), ("s2", 1), due=500, use_points=500)
    await floor.say(captured(order_id, 500), trusted=True)
    parts = await children(floor, order_id)
    await floor.say(cancel(parts[cancelled]))
    assert await balance(floor) == 500 + back
    assert sum(event["amount"] for event in floor.heard("refund.requested")) == 500 - back
    await floor.say(cancel(parts[1 - cancelled], "x2"))
    assert await balance(floor) == 1000


async def test_a_lost_parcel_that_was_paid_with_points_brings_them_back_without_any_money(floor: Floor) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(floor, of_seller("s1", None, points_limit=0), of_seller("s2", None))
    order_id = await root(floor, ("s1", 1), ("s2", 1), due=500, use_points=500)
    await floor.say(captured(order_id, 500), trusted=True)
    await floor.say(book(order_id, "T1", ("s1", 1)), book(order_id, "T2", ("s2", 1)))
    await floor.say(update(order_id, "T1", "outbound"), update(order_id, "T2", "outbound"))
    await floor.say(update(order_id, "T2", "lost"))
    assert floor.heard("refund.requested") == []
    assert await balance(floor) == 1000


async def test_a_free_part_of_a_paid_order_earns_what_its_goods_earn(floor: Floor) -> None:
    await stocked(floor, of_seller("s1", "a"), of_seller("s2", "b", gift_points=7, gift_growth=2))
    await floor.say(template("t9", amount=500, scope="sku", scope_ids=("s2",)))
    await floor.say(coupon("c9", template_id="t9"))
    order_id = await root(floor, ("s1", 1), ("s2", 1), due=500, coupon_id="c9")
    await floor.say(captured(order_id, 500), trusted=True)
    free = (await children(floor, order_id))[1]
    await floor.say(book(free, "T1"))
    await floor.say(update(free, "T1", "outbound"), update(free, "T1", "delivered"))
    await floor.say(OrderConfirmReceipt(request_id="c", actor=user(), order_id=free))
    assert await balance(floor) == 1007


async def test_growth_goes_away_with_the_money(floor: Floor) -> None:
    await stocked(floor, of_seller("s1", None, gift_points=10, gift_growth=20))
    order_id = await root(floor, ("s1", 2), due=1000)
    await floor.say(captured(order_id, 1000), trusted=True)
    await floor.say(book(order_id, "T1"))
    await floor.say(update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    await floor.say(OrderConfirmReceipt(request_id="c", actor=user(), order_id=order_id))
    for number, amount in enumerate((250, 750)):
        refund = RefundRequest(
            request_id=f"r{number}", actor=OPERATOR, order_id=order_id, amount=amount, reason="sorry"
        )
        await floor.say(refund, trusted=True)
        row = await floor.pool.fetchrow("SELECT balance, growth FROM points_accounts")
        assert row is not None
        assert tuple(row) == [(1015, 30), (1000, 0)][number]


async def test_gifts_and_points_may_be_more_than_32_bits_hold(floor: Floor) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(floor, of_seller("s1", None, price=10**9, gift_points=1_000_000))
    await floor.say(receive("s1", 10_000, "note-2"))
    await floor.say(*(grant(10**9, request_id=f"g{n}") for n in range(2, 8)))
    await root(floor, ("s1", 2500), due=2500 * 10**9 - 5 * 10**9, use_points=5 * 10**9)
    row = await floor.pool.fetchrow("SELECT use_points, gift_points FROM orders")
    assert row is not None
    assert tuple(row) == (5 * 10**9, 2500 * 1_000_000)


async def test_a_verdict_that_nobody_asked_for_leaves_no_stock_behind(floor: Floor) -> None:
    await floor.open_shop()
    await floor.handle([floor.wrap(create(("s1", 2)))])
    order_id = await floor.pool.fetchval("SELECT id FROM orders")
    await floor.handle([floor.wrap(RiskResult(order_id=order_id, verdict="rejected"), trusted=True)])
    await floor.pump()
    assert (await floor.states(), await floor.stock()) == (["rejected"], (10, 0))


async def test_an_order_stays_in_the_country_that_it_was_priced_for(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 1))
    abroad = ADDRESS.model_copy(update={"country": "US"})
    await floor.say(OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=abroad))
    [refused] = floor.heard("command.rejected")
    assert (refused["code"], refused["details"]["field"]) == ("ORDER_ADDRESS_LOCKED", "country")


async def test_the_parent_of_a_split_order_moves_with_its_children(floor: Floor) -> None:
    await stocked(floor, of_seller("s1", "a"), of_seller("s2", "b"))
    order_id = await root(floor, ("s1", 1), ("s2", 1), due=1000)
    await floor.say(captured(order_id, 1000), trusted=True)
    moved = ADDRESS.model_copy(update={"detail": "Huaihai Road 9"})
    await floor.say(OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=moved))
    assert await floor.pool.fetchval("SELECT count(*) FROM order_addresses WHERE modify_count = 1") == 3


async def test_a_limit_per_sku_counts_all_its_lines(floor: Floor) -> None:
    await floor.open_shop()
    await floor.say(settings("seckill", units_max_per_line=2), trusted=True)
    await floor.say(create(("s1", 2), ("s2", 2), ("s1", 1), business_type="seckill"))
    assert [event["details"]["line"] for event in floor.heard("command.rejected")] == [3]


@pytest.mark.parametrize("channel", ["pc", "mobile", "api", "third_party"])
async def test_orders_come_from_every_channel(floor: Floor, channel: str) -> None:
    """S0-04; the digits of the number say which (S4-24)."""
    await floor.open_shop()
    await floor.say(create(("s1", 1), channel=channel))
    [created] = floor.heard("order.created")
    assert created["order_no"][8:10] == {"pc": "00", "mobile": "01", "api": "02", "third_party": "03"}[channel]
    assert created["order_no"][:4] >= str(datetime.now(UTC).year - 1)
