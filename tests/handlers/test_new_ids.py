"""An id carries the bits of its own user, also in a batch whose messages of other users were rejected or retried."""

from collections.abc import Iterable
from typing import Any

import pytest

from messages.orders import OrderMerge
from messages.rests import ShortageReport, ShortLine
from messages.user_shards import shard_of_user
from tests.handlers.builders import OPERATOR, book, captured, update, user
from tests.handlers.case_builders import apply
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from workers import shop
from workers.domain.shop import OnShortage, Policy, Shop

USERS = ("u1", "u2", "u3", "u4")


def shards(ids: Iterable[Any]) -> list[int]:
    """The bits of users in these ids."""
    return [int(key) >> 16 & 63 for key in ids]


async def orders_of_all(harness: HandlerHarness, *, paid: bool) -> list[int]:
    """One order of each user."""
    await harness.fill_stock(50)
    found = [await harness.place_order(("s1", 2), user_id=name) for name in USERS]
    if paid:
        await harness.handle(*(captured(key, 1000, f"t{key}") for key in found), trusted=True)
    return found


@pytest.fixture(autouse=True)
def _users_differ() -> None:
    assert len({shard_of_user(name) for name in USERS}) == len(USERS), "a neighbour's bits would be right by chance"


async def test_cases_after_one_that_is_refused(harness: HandlerHarness) -> None:
    first, *others = await orders_of_all(harness, paid=True)
    for key in others:
        await harness.handle(
            book(key, f"T{key}"), update(key, f"T{key}", "outbound"), update(key, f"T{key}", "delivered")
        )
    applied = [apply(key, (1, 1), actor=user(name)) for key, name in zip((first, *others), USERS, strict=True)]
    await harness.handle(*applied)
    assert len(harness.rejections()) == 1
    opened = {event["user_id"]: event["case_id"] for event in harness.events_of("after_sale.requested")}
    assert shards(opened.values()) == [shard_of_user(name) for name in opened]
    assert len(opened) == 3


async def test_parcels_after_one_that_is_not_booked(harness: HandlerHarness) -> None:
    first, *others = await orders_of_all(harness, paid=False)
    await harness.handle(*(captured(key, 1000, f"t{key}") for key in others), trusted=True)
    await harness.handle(*(book(key, f"T{key}") for key in (first, *others)))
    rows = await harness.rows("SELECT id FROM shipments ORDER BY tracking_no")
    assert shards(key for (key,) in rows) == [shard_of_user(name) for name in USERS[1:]]


async def test_holds_after_one_that_is_refused(harness: HandlerHarness) -> None:
    first, *others = await orders_of_all(harness, paid=True)
    await harness.deliver(first)
    await harness.pool.execute("UPDATE orders SET state = 'completed', completed_at = now() WHERE id = $1", first)
    await harness.handle(*(hold(key, f"h{key}") for key in (first, *others)), trusted=True)
    assert len(harness.rejections()) == 1
    rows = await harness.rows("SELECT id FROM order_holds ORDER BY order_id")
    assert shards(key for (key,) in rows) == [shard_of_user(name) for name in USERS[1:]]


async def test_holds_for_a_shortage_after_one_that_is_refused(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, on_shortage=OnShortage.ASK_THEN_SHIP)))
    first, *others = await orders_of_all(harness, paid=False)
    await harness.handle(*(captured(key, 1000, f"t{key}") for key in others), trusted=True)
    one = (ShortLine(sku_id="s1", qty=1),)
    reports = [ShortageReport(request_id=f"s{key}", order_id=key, lines=one) for key in (first, *others)]
    await harness.handle(*reports, trusted=True)
    rows = await harness.rows("SELECT id FROM order_holds ORDER BY order_id")
    assert shards(key for (key,) in rows) == [shard_of_user(name) for name in USERS[1:]]


async def test_the_intent_of_merged_orders_has_their_users_bits(harness: HandlerHarness) -> None:
    """Also if an operator merges them, and after a merge that is refused."""
    first, other, *_ = await orders_of_all(harness, paid=False)
    same = await harness.place_order(("s2", 1), user_id="u2")
    mixed = OrderMerge(request_id="m1", actor=OPERATOR, order_ids=(first, other))
    await harness.handle(mixed, OrderMerge(request_id="m2", actor=OPERATOR, order_ids=(other, same)), trusted=True)
    [code] = [code for code, _ in harness.rejections()]
    assert code == "ORDER_NOT_MERGEABLE"
    assert set(shards(event["intent_id"] for event in harness.events_of("order.merged"))) == {shard_of_user("u2")}
