"""A coupon belongs to one order at a time, and comes back when that order comes to nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.orders import OrderCreate
from messages.refunds import RefundRequest
from tests.handlers.catalogue_builders import coupon, refused, template
from tests.handlers.harness import OPERATOR, Floor, book, cancel, create, receive, sku, update
from tests.handlers.order_endings import UNPAID_ENDS
from workers.handlers import catalogue

FREE = ("issued", None)
YEARS = timedelta(days=999)


@pytest.fixture
async def mall(floor: Floor) -> Floor:
    """Things that cost 500, and a coupon that takes off 100."""
    await floor.open_shop(qty=100)
    await floor.say(template(), coupon())
    floor.events.clear()
    return floor


def redeeming(request_id: str = "r1", qty: int = 2, **changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"coupon_id": "c1", "expected_pay_amount": qty * 500 - 100}
    return create(("s1", qty), request_id=request_id, **fields | changes)


async def where(mall: Floor, coupon_id: str = "c1") -> tuple[str, int | None]:
    """The coupon's state, and the order that has it."""
    [row] = await mall.rows("SELECT state, order_id FROM coupons WHERE coupon_id = $1", coupon_id)
    return row[0], row[1]


async def ledger(mall: Floor) -> list[tuple[Any, ...]]:
    return await mall.rows("SELECT order_id, op FROM coupon_ledger ORDER BY at, op = 'lock' DESC")


def told(mall: Floor) -> list[tuple[str, str | None]]:
    return [(event["state"], event["order_id"]) for event in mall.heard("coupon.changed")]


async def test_it_is_locked_with_the_order_and_used_with_its_payment(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    assert await where(mall) == ("locked", order_id)
    assert (
        mall.heard("order.created")[0]["amounts"] | {"coupon": 100, "payable": 900}
        == mall.heard("order.created")[0]["amounts"]
    )
    await mall.pay(order_id)
    assert await where(mall) == ("used", order_id)
    await mall.deliver(order_id)
    await mall.sweep("receipt")
    assert await mall.states() == ["completed"]
    assert await where(mall) == ("used", order_id)
    assert told(mall) == [("locked", str(order_id)), ("used", str(order_id))]
    assert await ledger(mall) == [(order_id, "lock"), (order_id, "use")]


async def test_it_is_locked_before_the_stock_has_answered(mall: Floor) -> None:
    await mall.handle([mall.wrap(redeeming())])
    assert (await where(mall))[0] == "locked"
    assert await mall.states() == ["placing"]


async def test_a_second_order_cannot_have_it(mall: Floor) -> None:
    await mall.say(redeeming("r1"), redeeming("r2"))
    [order_id] = [int(event["order_id"]) for event in mall.heard("order.created")]
    await mall.say(redeeming("r3"))
    assert refused(mall) == [("COUPON_ALREADY_LOCKED", {"coupon_id": "c1", "order_id": str(order_id)})] * 2
    await mall.pay(order_id)
    await mall.say(redeeming("r4"))
    assert refused(mall)[2:] == [("COUPON_NOT_USABLE", {"coupon_id": "c1", "why": "used"})]
    assert await mall.stock() == (98, 0)


async def test_of_two_orders_in_two_transactions_one_gets_it(mall: Floor) -> None:
    await mall.overlap([redeeming("r1")], [redeeming("r2")])
    assert await mall.states() == ["awaiting_payment"]
    assert [code for code, _ in refused(mall)] == ["COUPON_ALREADY_LOCKED"]
    assert len(await ledger(mall)) == 1


@pytest.mark.parametrize("how", UNPAID_ENDS)
async def test_it_is_free_again_when_its_order_ends_unpaid(mall: Floor, how: str) -> None:
    end, state = UNPAID_ENDS[how]
    await end(mall, redeeming())
    assert await mall.states() == [state]
    assert await where(mall) == FREE
    assert [state for state, _ in told(mall)] == ["locked", "released"]
    again = await mall.order(redeeming("r2"))
    assert await where(mall) == ("locked", again)
    await mall.pay(again)
    assert await where(mall) == ("used", again)


async def test_one_that_expired_meanwhile_comes_back_as_expired(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    await mall.pool.execute("UPDATE coupons SET valid_to = $1", datetime.now(UTC))
    await mall.say(cancel(order_id))
    assert await where(mall) == ("expired", None)
    assert told(mall)[1:] == [("expired", str(order_id))]
    await mall.say(redeeming("r2"))
    assert refused(mall) == [("COUPON_NOT_USABLE", {"coupon_id": "c1", "why": "expired"})]


async def test_one_that_is_locked_does_not_expire_and_pays_though_its_time_is_over(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    await mall.pool.execute("UPDATE coupons SET valid_to = $1", datetime.now(UTC))
    async with mall.pool.acquire() as tx, tx.transaction():
        await catalogue.expire_coupons(tx)
    assert await where(mall) == ("locked", order_id)
    await mall.pay(order_id)
    assert await where(mall) == ("used", order_id)


async def test_a_paid_order_that_is_cancelled_gives_it_back(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    await mall.pay(order_id)
    await mall.say(cancel(order_id))
    assert await where(mall) == FREE
    assert told(mall)[2:] == [("returned", str(order_id))]
    assert [refund["amount"] for refund in mall.heard("refund.requested")] == [900]
    again = await mall.order(redeeming("r2"))
    assert await where(mall) == ("locked", again)


async def test_one_that_pays_for_everything_is_used_at_once_and_comes_back_with_a_cancellation(mall: Floor) -> None:
    await mall.say(template("t2", amount=5000), coupon("c2", template_id="t2"))
    order_id = await mall.order(redeeming(coupon_id="c2", expected_pay_amount=0))
    assert await mall.states() == ["paid"]
    assert await where(mall, "c2") == ("used", order_id)
    await mall.say(cancel(order_id))
    assert await where(mall, "c2") == FREE
    assert mall.heard("refund.requested") == []


async def test_a_partial_refund_keeps_it_used(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    await mall.pay(order_id)
    ask = RefundRequest(request_id="f1", actor=OPERATOR, order_id=order_id, amount=899, reason="goodwill")
    await mall.say(ask, trusted=True)
    assert await where(mall) == ("used", order_id)
    await mall.say(ask.model_copy(update={"request_id": "f2", "amount": 1}), trusted=True)
    assert await where(mall) == ("used", order_id), "the buyer has the goods"


async def test_of_a_split_order_it_comes_back_with_the_last_child(mall: Floor) -> None:
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    root = await mall.order(create(("s1", 1), ("card", 1), coupon_id="c1", expected_pay_amount=900))
    await mall.pay(root)
    assert await where(mall) == ("used", root)
    thing, card = await mall.children(root)
    await mall.say(cancel(card))
    assert await where(mall) == ("used", root)
    await mall.say(cancel(thing))
    assert await where(mall) == FREE
    assert await ledger(mall) == [(root, "lock"), (root, "use"), (root, "return")]
    assert [refund["amount"] for refund in mall.heard("refund.requested")] == [450, 450]


async def test_it_stays_used_where_one_child_was_received(mall: Floor) -> None:
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    root = await mall.order(create(("s1", 1), ("card", 1), coupon_id="c1", expected_pay_amount=900))
    await mall.pay(root)
    thing, card = await mall.children(root)
    await mall.deliver(thing)
    await mall.sweep("receipt")
    await mall.say(cancel(card))
    assert await where(mall) == ("used", root)


async def test_it_comes_back_when_no_parcel_arrives(mall: Floor) -> None:
    order_id = await mall.order(redeeming())
    await mall.pay(order_id)
    await mall.say(book(order_id, "T1"))
    await mall.say(update(order_id, "T1", "outbound"), update(order_id, "T1", "lost"))
    assert await where(mall) == ("used", order_id)
    await mall.say(update(order_id, "T1", "loss_confirmed"))
    assert await mall.states() == ["cancelled"]
    assert await where(mall) == FREE
