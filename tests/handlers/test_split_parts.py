"""Points, growth, prices and addresses of a split order: which part gets which share."""

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.catalogue import SkuUpsert
from messages.orders import OrderChangeAddress, OrderConfirmReceipt
from messages.refunds import RefundRequest
from messages.risk import RiskResult
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.catalogue_builders import coupon, grant, settings, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop


def of_seller(sku_id: str, seller: str | None, **changes: Any) -> SkuUpsert:
    return sku(sku_id).model_copy(update={"seller_id": seller, **changes})


async def stocked(harness: HandlerHarness, *goods: SkuUpsert) -> None:
    await harness.handle(*goods)
    await harness.handle(*(receive(one.sku_id, 50) for one in goods))
    await harness.handle(grant(1000))
    harness.events.clear()


async def root(harness: HandlerHarness, *lines: tuple[str, int], due: int, **changes: Any) -> int:
    await harness.handle(create(*lines, expected_pay_amount=due, **changes))
    created = [event for event in harness.events_of("order.created") if event["parent_id"] is None]
    assert created, harness.events
    return int(created[-1]["order_id"])


async def children(harness: HandlerHarness, root_id: int) -> list[int]:
    rows = await harness.pool.fetch("SELECT id FROM orders WHERE parent_id = $1 ORDER BY id", root_id)
    return [row["id"] for row in rows]


async def balance(harness: HandlerHarness) -> int:
    found: int = await harness.pool.fetchval("SELECT balance FROM points_accounts WHERE user_id = 'u1'")
    return found


@pytest.mark.parametrize(("cancelled", "back"), [(0, 0), (1, 500)], ids=["paid with money", "paid with points"])
async def test_points_come_back_with_the_goods_they_paid_for(
    harness: HandlerHarness, cancelled: int, back: int
) -> None:
    """s1 takes no points, so all 500 pay for s2."""
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(harness, of_seller("s1", "a", points_limit=0), of_seller("s2", "b"))
    order_id = await root(harness, ("s1", 1), ("s2", 1), due=500, use_points=500)
    await harness.handle(captured(order_id, 500), trusted=True)
    parts = await children(harness, order_id)
    await harness.handle(cancel(parts[cancelled]))
    assert await balance(harness) == 500 + back
    assert sum(event["amount"] for event in harness.events_of("refund.requested")) == 500 - back
    await harness.handle(cancel(parts[1 - cancelled], "x2"))
    assert await balance(harness) == 1000


async def test_a_lost_parcel_that_was_paid_with_points_brings_them_back_without_any_money(
    harness: HandlerHarness,
) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(harness, of_seller("s1", None, points_limit=0), of_seller("s2", None))
    order_id = await root(harness, ("s1", 1), ("s2", 1), due=500, use_points=500)
    await harness.handle(captured(order_id, 500), trusted=True)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2", ("s2", 1)))
    await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T2", "outbound"))
    await harness.handle(update(order_id, "T2", "lost"))
    assert harness.events_of("refund.requested") == []
    assert await balance(harness) == 1000


async def test_a_free_part_of_a_paid_order_earns_what_its_goods_earn(harness: HandlerHarness) -> None:
    await stocked(harness, of_seller("s1", "a"), of_seller("s2", "b", gift_points=7, gift_growth=2))
    await harness.handle(template("t9", amount=500, scope="sku", scope_ids=("s2",)))
    await harness.handle(coupon("c9", template_id="t9"))
    order_id = await root(harness, ("s1", 1), ("s2", 1), due=500, coupon_id="c9")
    await harness.handle(captured(order_id, 500), trusted=True)
    free = (await children(harness, order_id))[1]
    await harness.handle(book(free, "T1"))
    await harness.handle(update(free, "T1", "outbound"), update(free, "T1", "delivered"))
    await harness.handle(OrderConfirmReceipt(request_id="c", actor=user(), order_id=free))
    assert await balance(harness) == 1007


async def test_growth_goes_away_with_the_money(harness: HandlerHarness) -> None:
    await stocked(harness, of_seller("s1", None, gift_points=10, gift_growth=20))
    order_id = await root(harness, ("s1", 2), due=1000)
    await harness.handle(captured(order_id, 1000), trusted=True)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    await harness.handle(OrderConfirmReceipt(request_id="c", actor=user(), order_id=order_id))
    for number, amount in enumerate((250, 750)):
        refund = RefundRequest(
            request_id=f"r{number}", actor=OPERATOR, order_id=order_id, amount=amount, reason="sorry"
        )
        await harness.handle(refund, trusted=True)
        row = await harness.pool.fetchrow("SELECT balance, growth FROM points_accounts")
        assert row is not None
        assert tuple(row) == [(1015, 30), (1000, 0)][number]


async def test_gifts_and_points_may_be_more_than_32_bits_hold(harness: HandlerHarness) -> None:
    shop.configure(Shop(points_max_percent=100, policy=Policy(rate_limit_orders=0)))
    await stocked(harness, of_seller("s1", None, price=10**9, gift_points=1_000_000))
    await harness.handle(receive("s1", 10_000, "note-2"))
    await harness.handle(*(grant(10**9, request_id=f"g{n}") for n in range(2, 8)))
    await root(harness, ("s1", 2500), due=2500 * 10**9 - 5 * 10**9, use_points=5 * 10**9)
    row = await harness.pool.fetchrow("SELECT use_points, gift_points FROM orders")
    assert row is not None
    assert tuple(row) == (5 * 10**9, 2500 * 1_000_000)


async def test_a_verdict_without_a_request_leaves_no_stock_behind(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle_batch([harness.envelope(create(("s1", 2)))])
    order_id = await harness.pool.fetchval("SELECT id FROM orders")
    await harness.handle_batch([harness.envelope(RiskResult(order_id=order_id, verdict="rejected"), trusted=True)])
    await harness.relay()
    assert (await harness.states(), await harness.stock()) == (["rejected"], (10, 0))


async def test_an_order_stays_in_the_country_that_it_was_priced_for(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    abroad = ADDRESS.model_copy(update={"country": "US"})
    await harness.handle(OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=abroad))
    [refused] = harness.events_of("command.rejected")
    assert (refused["code"], refused["details"]["field"]) == ("ORDER_ADDRESS_LOCKED", "country")


async def test_the_parent_of_a_split_order_moves_with_its_children(harness: HandlerHarness) -> None:
    await stocked(harness, of_seller("s1", "a"), of_seller("s2", "b"))
    order_id = await root(harness, ("s1", 1), ("s2", 1), due=1000)
    await harness.handle(captured(order_id, 1000), trusted=True)
    moved = ADDRESS.model_copy(update={"detail": "Huaihai Road 9"})
    await harness.handle(OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=moved))
    assert await harness.pool.fetchval("SELECT count(*) FROM order_addresses WHERE modify_count = 1") == 3


async def test_a_limit_per_sku_counts_all_its_lines(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(settings("seckill", units_max_per_line=2), trusted=True)
    await harness.handle(create(("s1", 2), ("s2", 2), ("s1", 1), business_type="seckill"))
    assert [event["details"]["line"] for event in harness.events_of("command.rejected")] == [3]


@pytest.mark.parametrize("channel", ["pc", "mobile", "api", "third_party"])
async def test_orders_come_from_every_channel(harness: HandlerHarness, channel: str) -> None:
    """S0-04; the digits of the number say which (S4-24)."""
    await harness.fill_stock()
    await harness.handle(create(("s1", 1), channel=channel))
    [created] = harness.events_of("order.created")
    assert created["order_no"][8:10] == {"pc": "00", "mobile": "01", "api": "02", "third_party": "03"}[channel]
    assert created["order_no"][:4] >= str(datetime.now(UTC).year - 1)
