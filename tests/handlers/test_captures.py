"""When authorised money is taken: once, for goods that are wanted, and never for goods that nobody was to send."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from messages.authorizations import PaymentCapture
from messages.base import Actor
from messages.explanations import OrderExplain, OrderExplained
from messages.fulfilments import FulfilmentAccept
from tests.handlers.authorization_builders import authorize, paid_at_hand_over, report, requested, short, violated
from tests.handlers.builders import OPERATOR, book, cancel, create, receive, sku, update, user
from tests.handlers.fulfilment_builders import fact
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.querying import ask
from tests.handlers.refund_builders import request_refund
from workers import shop
from workers.domain.order import State

ENDS_SOON = (
    "UPDATE payment_authorizations SET authorized_at = now() - interval '20 d', expire_at = now() + interval '1 h'"
)


@pytest.fixture(autouse=True)
def _paid_at_hand_over(harness: HandlerHarness) -> Iterator[None]:
    with paid_at_hand_over():
        yield


def calls(harness: HandlerHarness) -> list[str]:
    """The requests to providers since the last call."""
    found = [call.routing_key().partition(".")[2] for _, call in harness.provider_calls]
    harness.provider_calls.clear()
    return found


async def ending(harness: HandlerHarness, *, requests: bool) -> tuple[int, int]:
    """An order whose authorisation ends soon, and its attempt; its goods are requested of a warehouse, or not."""
    if not requests:
        shop.configure(replace(shop.current(), fulfilment_warehouses={}))
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    await harness.pool.execute(ENDS_SOON)
    calls(harness)
    return order_id, attempt_id


async def test_the_first_child_that_leaves_captures_all_and_later_parts_go_back(harness: HandlerHarness) -> None:
    await harness.handle(*(sku(name, seller_id=name) for name in ("tea", "cup", "pot")), trusted=True)
    await harness.handle(*(receive(name, 5) for name in ("tea", "cup", "pot")))
    root = await harness.create_order(create(("tea", 1), ("cup", 2), ("pot", 3)))
    attempt_id = await authorize(harness, root)
    tea, cup, pot = await harness.children(root)
    await harness.handle(book(tea, "T1"), update(tea, "T1", "outbound"))
    assert requested(harness) == [3000]
    await harness.handle(cancel(cup))
    assert not harness.events_of("refund.requested"), "the capture is under way"
    await report(harness, attempt_id, "captured", 3000)
    await harness.handle(short(pot, "pot"))
    await harness.handle(book(pot, "T2"), update(pot, "T2", "outbound"))
    given = [
        (int(event["order_id"]), event["amount"], event["trade_no"]) for event in harness.events_of("refund.requested")
    ]
    assert (requested(harness), given) == ([3000], [(cup, 1000, "c1"), (pot, 500, "c1")])
    assert await violated(harness) == []


async def test_money_that_ends_soon_is_taken_for_goods_that_are_requested(harness: HandlerHarness) -> None:
    await ending(harness, requests=True)
    await harness.sweep("authorization")
    assert (requested(harness), calls(harness)) == ([1000], ["authorization_capture"])


async def test_money_that_ends_soon_is_taken_for_goods_in_a_parcel(harness: HandlerHarness) -> None:
    order_id, _ = await ending(harness, requests=False)
    await harness.handle(book(order_id, "T1"))
    await harness.sweep("authorization")
    assert requested(harness) == [1000]


async def test_no_money_is_taken_for_goods_that_were_not_requested(harness: HandlerHarness) -> None:
    _, attempt_id = await ending(harness, requests=False)
    await harness.sweep("authorization")
    assert (requested(harness), calls(harness), await harness.states()) == ([], ["authorization_renew"], ["paid"])
    await report(harness, attempt_id, "authorized", 1000, "a2", timedelta(days=9))
    await harness.sweep("authorization")
    assert (requested(harness), await harness.states()) == ([], ["paid"])


@pytest.mark.parametrize("answer", ["not_renewed", "authorized"])
async def test_an_order_whose_money_cannot_be_renewed_is_cancelled(harness: HandlerHarness, answer: str) -> None:
    """The provider refuses to renew it, or gives it another number that ends at the same time."""
    _, attempt_id = await ending(harness, requests=False)
    assert await harness.stock() == (8, 0)
    await harness.sweep("authorization")
    await report(harness, attempt_id, answer, 1000, "a2")
    await harness.sweep("authorization")
    [cancelled] = harness.events_of("order.cancelled")
    assert (cancelled["cancel_type"], cancelled["reason_code"]) == ("system", "authorization_expired")
    assert [event["amount"] for event in harness.events_of("payment.released")] == [1000]
    assert (requested(harness), calls(harness)) == ([], ["authorization_renew", "authorization_void"])
    assert (await harness.stock(), await violated(harness)) == ((10, 0), [])
    await report(harness, attempt_id, "voided", 1000)
    await harness.sweep("authorization")
    assert len(harness.events_of("order.cancelled")) == 1
    assert not harness.events_of("alert.raised")
    assert await violated(harness) == []


async def test_a_split_order_whose_money_ends_is_cancelled_whole(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    shop.configure(replace(shop.current(), fulfilment_warehouses={}))
    root = await harness.create_order(create(("tea", 1), ("cup", 2)))
    attempt_id = await authorize(harness, root)
    await harness.pool.execute(ENDS_SOON)
    calls(harness)
    await harness.sweep("authorization")
    await report(harness, attempt_id, "not_renewed", 1500)
    await harness.sweep("authorization")
    assert await harness.states() == ["split", "cancelled", "cancelled"]
    assert sorted(event["amount"] for event in harness.events_of("payment.released")) == [500, 1000]
    assert (calls(harness), await violated(harness)) == (["authorization_renew", "authorization_void"], [])


async def test_a_held_order_whose_request_was_withdrawn_is_not_captured(harness: HandlerHarness) -> None:
    order_id, attempt_id = await ending(harness, requests=True)
    await harness.handle(hold(order_id), trusted=True)
    await harness.sweep("authorization")
    await report(harness, attempt_id, "not_renewed", 1000)
    await harness.sweep("authorization")
    assert (requested(harness), await harness.states()) == ([], [State.CANCELLED])
    assert await violated(harness) == []


async def test_a_warehouse_at_work_has_the_money_taken_though_it_is_held(harness: HandlerHarness) -> None:
    order_id, _ = await ending(harness, requests=True)
    await harness.handle(fact(FulfilmentAccept, order_id))
    await harness.handle(hold(order_id), trusted=True)
    await harness.sweep("authorization")
    assert requested(harness) == [1000]


@pytest.mark.parametrize("under_way", [False, True], ids=["authorised", "being captured"])
async def test_an_operator_refunds_nothing_that_is_not_captured(harness: HandlerHarness, under_way: bool) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    if under_way:
        await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    await harness.handle(request_refund(order_id, "r1", 300), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["REFUND_NOT_ALLOWED"]
    assert await harness.rows("SELECT state FROM refunds") == []
    if under_way:
        await report(harness, attempt_id, "captured", 1000)
        await harness.handle(request_refund(order_id, "r2", 300), trusted=True)
        assert [event["amount"] for event in harness.events_of("refund.requested")] == [300]


async def awaits(harness: HandlerHarness, order_id: int, actor: Actor = OPERATOR) -> list[tuple[str, str, str | None]]:
    """(what, whom, name) of all that order.explain says about authorised money."""
    [explained] = await ask(harness, OrderExplain(actor=actor, order=str(order_id)))
    assert isinstance(explained, OrderExplained)
    return [(one.what, one.whom, one.name) for one in explained.awaits if one.what.startswith("capture")]


async def test_a_capture_and_money_that_was_not_taken_are_explained(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    assert await awaits(harness, order_id) == []
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    assert await awaits(harness, order_id) == [("capture", "provider", "alipay")]
    await report(harness, attempt_id, "failed", 1000)
    assert await awaits(harness, order_id) == [("capture_again", "operator", "alipay")]
    assert await awaits(harness, order_id, user()) == []
    await harness.handle(PaymentCapture(request_id="c", actor=OPERATOR, order_id=order_id), trusted=True)
    await report(harness, attempt_id, "captured", 1000, "c2")
    assert await awaits(harness, order_id) == []


async def test_money_that_is_not_wanted_any_more_is_awaited_by_none(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    await report(harness, attempt_id, "voided", 1000)
    assert await awaits(harness, order_id) == [("capture_again", "operator", "alipay")]
    await harness.handle(cancel(order_id))
    assert await awaits(harness, order_id) == []
