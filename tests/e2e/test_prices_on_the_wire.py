"""Discounts, split and merged orders, business types and the risk check over a real broker, seen from outside."""

from datetime import UTC, datetime, timedelta
from typing import Any

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, now, running_system, states, wait_for_value

DAY = timedelta(days=1)


async def upsert_skus(shop: Upstream) -> None:
    """Two SKUs of two sellers."""
    for sku, seller in (("s1", "ada"), ("s2", "bob")):
        await shop.publish(
            "sku.upsert",
            {
                "sku_id": sku,
                "revision": 2,
                "spu_id": sku,
                "name": f"Product {sku}",
                "status": "on_sale",
                "price": 500,
                "currency": "CNY",
                "seller_id": seller,
                "gift_points": 5,
            },
        )


async def upsert_offers(shop: Upstream) -> None:
    """Two sellers; s1 costs 400 instead of 500; u1 has a coupon of 100 and 1,000 points."""
    starts, ends = (datetime.now(UTC) - DAY).isoformat(), (datetime.now(UTC) + DAY).isoformat()
    await upsert_skus(shop)
    await shop.publish(
        "promotion.upsert",
        {
            "promo_id": "p1",
            "revision": 1,
            "name": "Today",
            "kind": "single",
            "scope": "spu",
            "scope_id": "s1",
            "currency": "CNY",
            "starts_at": starts,
            "ends_at": ends,
            "prices": {"s1": 400},
        },
    )
    await shop.publish(
        "coupon_template.upsert",
        {
            "template_id": "t1",
            "revision": 1,
            "name": "Welcome",
            "amount": 100,
            "currency": "CNY",
            "scope": "all",
            "valid_from": starts,
            "valid_to": ends,
        },
    )
    await shop.wait_for_events("coupon_template.changed")
    await shop.publish("coupon.issue", {"coupon_id": "c1", "template_id": "t1", "user_id": "u1"})
    await shop.publish("points.grant", {"request_id": "g1", "user_id": "u1", "points": 1000, "reason": "welcome"})
    await shop.wait_for_events("points.changed", op="grant")
    await shop.wait_for_events("coupon.issued")
    await shop.wait_for_events("promotion.changed")


def story(shop: Upstream, order_id: str) -> list[tuple[str, int]]:
    """The events of one order, each with the number of its step."""
    events = [e for e in shop.events if e["event"].startswith("order.") and e.get("order_id") == order_id]
    return [(e["event"], e["version"] - 1) for e in events]


async def test_a_discounted_order_of_two_sellers_is_paid_once_and_arrives_in_two_parts(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, receipt_window_seconds=1, payment_window_seconds=30),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1", "s2")
        await upsert_offers(shop)
        goods, paid = 2 * 400 + 500, 2 * 400 + 500 - 100 - 300
        request = await shop.publish_order(
            ("s1", 2), ("s2", 1), coupon_id="c1", use_points=399, expected_pay_amount=paid
        )
        [parent] = await shop.wait_for_events("order.created", request_id=request, parent_id=None)
        assert (parent["amounts"]["promotion"], parent["amounts"]["payable"]) == (200, paid)
        children = [await shop.wait_for_events("order.created", order_id=child) for child in parent["children"]]
        assert sum(child["amounts"]["payable"] for [child] in children) == paid
        await gateway.pay(parent)
        await shop.wait_for_events("order.split")
        for number, child in enumerate(parent["children"]):
            await shop.ship(child, f"T{number}", "outbound", "delivered")
        await shop.wait_for_events("order.completed", 2)
        await shop.wait_for_events("points.changed", 2, op="award")
    assert await states(pool) == {"split": 1, "completed": 2}
    assert story(shop, parent["order_id"]) == [("order.created", 1), ("order.paid", 2), ("order.split", 3)]
    for child in parent["children"]:
        assert [seq for _, seq in story(shop, child)] == [1, 2, 3, 4, 5]
    account = await pool.fetchrow("SELECT balance, held FROM points_accounts WHERE user_id = 'u1'")
    assert account is not None
    assert tuple(account) == (1000 - 300 + 3 * 5, 0)
    assert goods == parent["amounts"]["origin"] - parent["amounts"]["promotion"]


async def test_one_payment_pays_two_merged_orders(declared_broker: Broker, database_url: str, pool: Pool) -> None:
    async with (
        running_system(declared_broker, database_url, payment_window_seconds=30),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        ids = [(await shop.place_order(("s1", n)))["order_id"] for n in (1, 2)]
        wish: dict[str, Any] = {"request_id": "m1", "actor": {"type": "user", "id": "u1"}, "order_ids": ids}
        await shop.publish("order.merge", wish)
        [merged, _] = await shop.wait_for_events("order.merged", 2)
        await gateway.publish(
            "payment.result",
            {
                "order_id": ids[1],
                "intent_id": merged["intent_id"],
                "provider": "alipay",
                "trade_no": "t1",
                "kind": "captured",
                "amount": merged["amount"],
                "currency": "CNY",
                "occurred_at": now(),
            },
        )
        await shop.wait_for_events("order.paid", 2)
    assert merged["amount"] == 1500
    assert await states(pool) == {"paid": 2}


async def test_a_business_types_own_payment_window_ends_on_time_without_a_delay_queue(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, payment_window_seconds=30),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "operator") as operator,
    ):
        await shop.fill_stock("s1", qty=5)
        await operator.publish(
            "settings.set", {"business_type": "group_buy", "revision": 1, "payment_window_seconds": 3}
        )
        await shop.wait_for_events("settings.changed")
        created = await shop.place_order(("s1", 2), business_type="group_buy")
        [ended] = await shop.wait_for_events("order.cancelled", order_id=created["order_id"])
        await wait_for_value(pool, "SELECT locked FROM stock", 0)
    assert ended["cancel_type"] == "timeout"
    row = await pool.fetchrow("SELECT cancelled_at >= expire_at AS on_time, expire_at - created_at AS late FROM orders")
    assert row is not None
    assert row["on_time"]
    assert row["late"] < timedelta(seconds=30)


async def test_an_order_waits_for_the_risk_check_and_nothing_is_reserved_before(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, risk_check="ask", payment_window_seconds=30),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "operator") as checker,
    ):
        await shop.fill_stock("s1", qty=5)
        await shop.publish_order(("s1", 2), user_id="good")
        await shop.publish_order(("s1", 2), user_id="bad")
        requests = {event["user_id"]: event for event in await shop.wait_for_events("risk.requested", 2)}
        assert await pool.fetchval("SELECT locked FROM stock") == 0
        for user, verdict in (("good", "passed"), ("bad", "rejected")):
            await checker.publish("risk.result", {"order_id": requests[user]["order_id"], "verdict": verdict})
        await shop.wait_for_events("order.created", user_id="good")
        [rejected] = await shop.wait_for_events("order.rejected", user_id="bad")
    assert (rejected["code"], rejected["order_no"]) == ("RISK_BLOCKED", None)
    assert await states(pool) == {"awaiting_payment": 1, "rejected": 1}
    assert await pool.fetchval("SELECT locked FROM stock") == 2
