"""A coupon belongs to one order at a time, and is free again when that order ends unpaid or is cancelled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.orders import OrderCreate
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, book, cancel, create, receive, sku, update
from tests.handlers.catalogue_builders import coupon, template
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import UNPAID_ENDS
from workers.handlers import catalogue

FREE = ("issued", None)
YEARS = timedelta(days=999)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """Things that cost 500, and a coupon that takes off 100."""
    await harness.fill_stock(qty=100)
    await harness.handle(template(), coupon())
    harness.events.clear()
    return harness


def redeeming(request_id: str = "r1", qty: int = 2, **changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"coupon_id": "c1", "expected_pay_amount": qty * 500 - 100}
    return create(("s1", qty), request_id=request_id, **fields | changes)


async def where(harness: HandlerHarness, coupon_id: str = "c1") -> tuple[str, int | None]:
    """The coupon's state, and the order that has it."""
    [row] = await harness.rows("SELECT state, order_id FROM coupons WHERE coupon_id = $1", coupon_id)
    return row[0], row[1]


async def ledger(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows("SELECT order_id, op FROM coupon_ledger ORDER BY at, op = 'lock' DESC")


def coupon_events(harness: HandlerHarness) -> list[tuple[str, str | None]]:
    return [(event["state"], event["order_id"]) for event in harness.events_of("coupon.changed")]


async def test_it_is_locked_with_the_order_and_used_with_its_payment(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    assert await where(harness) == ("locked", order_id)
    assert (
        harness.events_of("order.created")[0]["amounts"] | {"coupon": 100, "payable": 900}
        == harness.events_of("order.created")[0]["amounts"]
    )
    await harness.pay(order_id)
    assert await where(harness) == ("used", order_id)
    await harness.deliver(order_id)
    await harness.sweep("receipt")
    assert await harness.states() == ["completed"]
    assert await where(harness) == ("used", order_id)
    assert coupon_events(harness) == [("locked", str(order_id)), ("used", str(order_id))]
    assert await ledger(harness) == [(order_id, "lock"), (order_id, "use")]


async def test_it_is_locked_before_the_stock_has_answered(harness: HandlerHarness) -> None:
    await harness.handle_batch([harness.envelope(redeeming())])
    assert (await where(harness))[0] == "locked"
    assert await harness.states() == ["placing"]


async def test_a_second_order_cannot_have_it(harness: HandlerHarness) -> None:
    await harness.handle(redeeming("r1"), redeeming("r2"))
    [order_id] = [int(event["order_id"]) for event in harness.events_of("order.created")]
    await harness.handle(redeeming("r3"))
    assert harness.rejections() == [("COUPON_ALREADY_LOCKED", {"coupon_id": "c1", "order_id": str(order_id)})] * 2
    await harness.pay(order_id)
    await harness.handle(redeeming("r4"))
    assert harness.rejections()[2:] == [("COUPON_NOT_USABLE", {"coupon_id": "c1", "why": "used"})]
    assert await harness.stock() == (98, 0)


async def test_of_two_orders_in_two_transactions_one_gets_it(harness: HandlerHarness) -> None:
    await harness.handle_overlapping([redeeming("r1")], [redeeming("r2")])
    assert await harness.states() == ["awaiting_payment"]
    assert [code for code, _ in harness.rejections()] == ["COUPON_ALREADY_LOCKED"]
    assert len(await ledger(harness)) == 1


@pytest.mark.parametrize("how", UNPAID_ENDS)
async def test_it_is_free_again_when_its_order_ends_unpaid(harness: HandlerHarness, how: str) -> None:
    end, state = UNPAID_ENDS[how]
    await end(harness, redeeming())
    assert await harness.states() == [state]
    assert await where(harness) == FREE
    assert [state for state, _ in coupon_events(harness)] == ["locked", "released"]
    again = await harness.create_order(redeeming("r2"))
    assert await where(harness) == ("locked", again)
    await harness.pay(again)
    assert await where(harness) == ("used", again)


async def test_one_that_expired_meanwhile_comes_back_as_expired(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    await harness.pool.execute("UPDATE coupons SET valid_to = $1", datetime.now(UTC))
    await harness.handle(cancel(order_id))
    assert await where(harness) == ("expired", None)
    assert coupon_events(harness)[1:] == [("expired", str(order_id))]
    await harness.handle(redeeming("r2"))
    assert harness.rejections() == [("COUPON_NOT_USABLE", {"coupon_id": "c1", "why": "expired"})]


async def test_one_that_is_locked_does_not_expire_and_pays_though_its_time_is_over(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    await harness.pool.execute("UPDATE coupons SET valid_to = $1", datetime.now(UTC))
    async with harness.pool.acquire() as tx, tx.transaction():
        await catalogue.expire_coupons(tx)
    assert await where(harness) == ("locked", order_id)
    await harness.pay(order_id)
    assert await where(harness) == ("used", order_id)


async def test_a_paid_order_that_is_cancelled_gives_it_back(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    await harness.pay(order_id)
    await harness.handle(cancel(order_id))
    assert await where(harness) == FREE
    assert coupon_events(harness)[2:] == [("returned", str(order_id))]
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == [900]
    again = await harness.create_order(redeeming("r2"))
    assert await where(harness) == ("locked", again)


async def test_one_that_pays_for_everything_is_used_at_once_and_comes_back_with_a_cancellation(
    harness: HandlerHarness,
) -> None:
    await harness.handle(template("t2", amount=5000), coupon("c2", template_id="t2"))
    order_id = await harness.create_order(redeeming(coupon_id="c2", expected_pay_amount=0))
    assert await harness.states() == ["paid"]
    assert await where(harness, "c2") == ("used", order_id)
    await harness.handle(cancel(order_id))
    assert await where(harness, "c2") == FREE
    assert harness.events_of("refund.requested") == []


async def test_a_partial_refund_keeps_it_used(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    await harness.pay(order_id)
    refund = RefundRequest(request_id="f1", actor=OPERATOR, order_id=order_id, amount=899, reason="goodwill")
    await harness.handle(refund, trusted=True)
    assert await where(harness) == ("used", order_id)
    await harness.handle(refund.model_copy(update={"request_id": "f2", "amount": 1}), trusted=True)
    assert await where(harness) == ("used", order_id), "the buyer has the goods"


async def test_of_a_split_order_it_comes_back_with_the_last_child(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 1), ("card", 1), coupon_id="c1", expected_pay_amount=900))
    await harness.pay(root)
    assert await where(harness) == ("used", root)
    thing, card = await harness.children(root)
    await harness.handle(cancel(card))
    assert await where(harness) == ("used", root)
    await harness.handle(cancel(thing))
    assert await where(harness) == FREE
    assert await ledger(harness) == [(root, "lock"), (root, "use"), (root, "return")]
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == [450, 450]


async def test_it_stays_used_where_one_child_was_received(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 1), ("card", 1), coupon_id="c1", expected_pay_amount=900))
    await harness.pay(root)
    thing, card = await harness.children(root)
    await harness.deliver(thing)
    await harness.sweep("receipt")
    await harness.handle(cancel(card))
    assert await where(harness) == ("used", root)


async def test_it_comes_back_when_no_parcel_arrives(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(redeeming())
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T1", "lost"))
    assert await where(harness) == ("used", order_id)
    await harness.handle(update(order_id, "T1", "loss_confirmed"))
    assert await harness.states() == ["cancelled"]
    assert await where(harness) == FREE
