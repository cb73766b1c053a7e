"""A policy that keeps buyers from cancelling what is paid is frozen into the order, for all of it and for its rest."""

import pytest

from messages.base import Actor
from messages.rests import OrderCancelRest
from tests.handlers.builders import book, cancel, create, update, user
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness

REFUSED = ("ORDER_NOT_CANCELLABLE", "cancel_paid_never")


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    await harness.handle(settings("group_buy", cancel_paid="never"), trusted=True)
    return harness


def refusals(harness: HandlerHarness) -> list[tuple[str, str]]:
    return [(code, details["why"]) for code, details in harness.rejections()]


async def placed(harness: HandlerHarness) -> int:
    return await harness.create_order(create(("s1", 3), business_type="group_buy"))


async def test_a_buyer_cancels_until_the_payment_and_an_operator_after_it(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(settings("group_buy", revision=2), trusted=True)
    await harness.pay(order_id)
    await harness.handle(cancel(order_id))
    assert (await harness.states(), refusals(harness)) == (["paid"], [REFUSED])
    await harness.handle(cancel(order_id, "x2", Actor(type="operator", id="op")), trusted=True)
    assert await harness.states() == ["cancelled"]
    await harness.handle(settings("group_buy", revision=3, cancel_paid="never"), trusted=True)
    unpaid = await harness.create_order(create(("s1", 1), business_type="group_buy", request_id="r2"))
    await harness.handle(cancel(unpaid, "x3"))
    assert await harness.state(unpaid) == "cancelled"


async def test_the_rest_of_a_paid_order_is_not_cancelled_by_its_buyer_either(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1", ("s1", 1)), update(order_id, "T1", "outbound"))
    await harness.handle(OrderCancelRest(request_id="r1", actor=user(), order_id=order_id))
    assert (await harness.states(), refusals(harness)) == (["paid"], [REFUSED])
