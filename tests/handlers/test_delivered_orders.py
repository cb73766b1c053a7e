"""A delivery leaves an order waiting for its receipt, or completes it, as the order's policy says."""

from typing import Any

import pytest

from messages.rests import OrderCancelRest
from tests.handlers.builders import book, create, receive, sku, update, user
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from workers.domain.order import State
from workers.views.facets import Facets
from workers.views.status import SOURCES, view


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    return harness


async def complete_on(harness: HandlerHarness, word: str, revision: int = 1) -> None:
    await harness.handle(settings("group_buy", revision=revision, complete_on=word), trusted=True)


async def paid(harness: HandlerHarness, *lines: tuple[str, int], **changes: Any) -> int:
    order_id = await harness.create_order(create(*(lines or (("s1", 3),)), business_type="group_buy", **changes))
    await harness.pay(order_id)
    return order_id


async def receipts(harness: HandlerHarness) -> list[int]:
    return [key for (key,) in await harness.rows("SELECT key FROM timers WHERE kind = 'receipt' ORDER BY key")]


async def test_a_policy_completes_an_order_with_its_delivery(harness: HandlerHarness) -> None:
    await harness.handle(sku(revision=2, gift_points=7))
    await complete_on(harness, "delivered")
    order_id = await paid(harness)
    await harness.deliver(order_id)
    assert (await harness.state(order_id), await receipts(harness)) == ("completed", [])
    assert [harness.events_of(name)[0]["previous"] for name in ("order.delivered", "order.completed")] == [
        "shipped",
        "delivered",
    ]
    assert await harness.rows("SELECT points FROM points_ledger WHERE op = 'award'") == [(21,)]
    shown = [view(source, State.COMPLETED, Facets()) for source in SOURCES]
    assert [one.name for one in shown[:2]] == ["已完成", "已完成"]


async def test_an_order_keeps_the_rule_that_it_was_placed_under(harness: HandlerHarness) -> None:
    await complete_on(harness, "delivered")
    first = await paid(harness, ("s1", 1), request_id="a")
    await complete_on(harness, "receipt", revision=2)
    second = await paid(harness, ("s1", 1), request_id="b")
    await harness.deliver(first)
    await harness.deliver(second)
    assert (await harness.state(first), await harness.state(second)) == ("completed", "delivered")
    assert await receipts(harness) == [second]


async def test_a_held_order_waits_for_its_receipt_all_the_same(harness: HandlerHarness) -> None:
    await complete_on(harness, "delivered")
    order_id = await paid(harness)
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(update(order_id, "T1", "delivered"))
    assert (await harness.state(order_id), await receipts(harness)) == ("delivered", [order_id])


async def test_each_child_of_a_split_order_is_completed_with_its_own_delivery(harness: HandlerHarness) -> None:
    await complete_on(harness, "delivered")
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await paid(harness, ("s1", 3), ("card", 2))
    thing, card = await harness.children(root)
    await harness.deliver(thing)
    assert (await harness.state(thing), await harness.state(card)) == ("completed", "paid")


async def test_what_has_arrived_is_completed_when_the_rest_is_cancelled(harness: HandlerHarness) -> None:
    await complete_on(harness, "delivered")
    order_id = await paid(harness)
    await harness.handle(book(order_id, "T1", ("s1", 1)))
    await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    await harness.handle(OrderCancelRest(request_id="r1", actor=user(), order_id=order_id))
    assert (await harness.state(order_id), await receipts(harness)) == ("completed", [])
