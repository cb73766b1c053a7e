"""A partly shipped order always ends: the buyer cancels what has not left, or the warehouse reports what it lacks."""

import pytest

from messages.base import Actor
from messages.rests import OrderCancelRest, ShortageReport, ShortLine
from tests.handlers.builders import OPERATOR, book, cancel, create, receive, sku, update, user
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import DeductOn, Policy, Shop


def cancel_rest(order_id: int, request_id: str = "c1", actor: Actor | None = None) -> OrderCancelRest:
    return OrderCancelRest(request_id=request_id, actor=actor or user(), order_id=order_id)


def short(order_id: int, *lines: tuple[str, int], request_id: str = "s1") -> ShortageReport:
    wanted = tuple(ShortLine(sku_id=sku_id, qty=qty) for sku_id, qty in lines)
    return ShortageReport(request_id=request_id, order_id=order_id, lines=wanted)


async def partly_shipped(harness: HandlerHarness, out: int = 9, ordered: int = 10, status: str = "delivered") -> int:
    """An order of which so many units are in the parcel T1."""
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", ordered))
    await harness.handle(book(order_id, "T1", ("s1", out)), update(order_id, "T1", "outbound"))
    if status != "outbound":
        await harness.handle(update(order_id, "T1", status))
    return order_id


def story(harness: HandlerHarness) -> list[str]:
    """The events of orders since the order was paid."""
    types = [event["type"].rsplit(".", 1)[0] for event in harness.events]
    return [type_ for type_ in types[types.index("order.paid") + 1 :] if type_.startswith("order.")]


def refunds(harness: HandlerHarness) -> list[int]:
    return [event["amount"] for event in harness.events_of("refund.requested")]


ENDS = {"buyer": ("order.rest_cancelled", 11), "operator": ("order.rest_cancelled", 11),
        "warehouse": ("order.shortage_recorded", 10)}  # fmt: skip
"""Who ends the rest of one unit -> its event, and the units on the shelf after it: 20 less 10, and 1 if restocked."""


@pytest.mark.parametrize("by", ENDS)
async def test_nine_of_ten_units_are_delivered_and_the_tenth_is_refunded_once(harness: HandlerHarness, by: str) -> None:
    order_id = await partly_shipped(harness)
    actor = OPERATOR if by == "operator" else user()
    body = short(order_id) if by == "warehouse" else cancel_rest(order_id, actor=actor)
    for _ in range(2):
        await harness.handle(body, trusted=True, reply_to="client.a")
    event, on_hand = ENDS[by]
    assert story(harness) == [event, "order.shipped", "order.delivered"]
    [dropped] = harness.events_of(event)
    assert (dropped["lines"], dropped["refund_amount"]) == ([{"line_no": 1, "sku_id": "s1", "qty": 1}], 500)
    assert refunds(harness) == [500]
    assert await harness.stock() == (on_hand, 0)
    assert [(reply["type"], reply.get("duplicate", False)) for reply in harness.replies] == [
        (f"{event}.v1", False),
        (f"{event}.v1", True),
    ]
    await harness.sweep("receipt")
    assert await harness.states() == ["completed"]


async def test_a_loss_after_the_rest_was_cancelled_refunds_the_other_units_only(harness: HandlerHarness) -> None:
    order_id = await partly_shipped(harness, status="outbound")
    await harness.handle(cancel_rest(order_id))
    assert await harness.states() == ["shipped"]
    await harness.handle(update(order_id, "T1", "lost"), update(order_id, "T1", "loss_confirmed"))
    assert refunds(harness) == [500, 4500]
    assert await harness.states() == ["cancelled"]
    assert await harness.stock() == (11, 0)


async def test_after_a_loss_the_rest_is_cancelled_and_the_order_ends(harness: HandlerHarness) -> None:
    order_id = await partly_shipped(harness, status="lost")
    await harness.handle(cancel_rest(order_id))
    assert await harness.states() == ["delivery_failed"]
    await harness.handle(update(order_id, "T1", "returned"))
    assert await harness.states() == ["cancelled"]
    assert refunds(harness) == [4500, 500]
    assert await harness.stock() == (20, 0)


async def test_what_waits_in_a_booked_parcel_is_part_of_the_rest(harness: HandlerHarness) -> None:
    order_id = await partly_shipped(harness, out=7)
    await harness.handle(book(order_id, "T2", ("s1", 2)))
    await harness.handle(cancel_rest(order_id))
    assert refunds(harness) == [1500]
    assert await harness.rows("SELECT state FROM shipments ORDER BY id") == [("delivered",), ("cancelled",)]
    await harness.handle(update(order_id, "T2", "outbound"))
    assert [alert["code"] for alert in harness.events_of("alert.raised")] == ["LOGISTICS_EVENT_STALE"]
    assert await harness.stock() == (13, 0)


async def test_short_units_are_taken_out_of_the_parcel_that_waits(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 10), ("s2", 1))
    await harness.handle(book(order_id, "T1"))
    await harness.handle(short(order_id, ("s1", 1)), trusted=True)
    assert await harness.rows("SELECT line_no, qty FROM shipment_items ORDER BY line_no") == [(1, 9), (2, 1)]
    await harness.handle(update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    assert await harness.states() == ["delivered"]
    assert refunds(harness) == [500]
    assert await harness.stock() == (10, 0), "what the warehouse does not have is not sold again"


async def test_reports_add_up_and_never_exceed_what_has_not_left(harness: HandlerHarness) -> None:
    order_id = await partly_shipped(harness, out=7)
    reports = [short(order_id, ("s1", qty), request_id=f"s{n}") for n, qty in enumerate((1, 3, 2, 1))]
    await harness.handle(*reports, trusted=True)
    await harness.handle(cancel_rest(order_id))
    about = {"order_id": str(order_id)}
    assert harness.rejections() == [
        ("ORDER_SHORTAGE_INVALID", about | {"state": "paid"}),
        ("ORDER_STATE_INVALID", about | {"state": "delivered"}),
        ("ORDER_NOT_CANCELLABLE", about | {"state": "delivered"}),
    ]
    assert refunds(harness) == [500, 1000]


@pytest.mark.parametrize("deduct_on", DeductOn)
async def test_an_order_of_which_the_warehouse_has_nothing_is_cancelled_with_all_its_money(
    harness: HandlerHarness, deduct_on: DeductOn
) -> None:
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 77}, policy=Policy(rate_limit_orders=0, deduct_on=deduct_on)))
    await harness.fill_stock(qty=20)
    order_id = await harness.create_order(create(("s1", 2), expected_pay_amount=1077))
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(short(order_id), trusted=True)
    assert story(harness) == ["order.shortage_recorded", "order.cancelled"]
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == "merchant"
    assert refunds(harness) == [1077]
    assert await harness.stock() == (18, 0)
    assert await harness.rows("SELECT state FROM shipments") == [("cancelled",)]


@pytest.mark.parametrize("deduct_on", DeductOn)
async def test_an_order_that_was_short_is_cancelled_without_the_units_that_do_not_exist(
    harness: HandlerHarness, deduct_on: DeductOn
) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, deduct_on=deduct_on)))
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 3))
    await harness.handle(short(order_id, ("s1", 1)), trusted=True)
    assert await harness.stock() == (17, 0)  # deducted, also where that was to happen on shipping
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert refunds(harness) == [500, 1000]
    assert await harness.stock() == (19, 0)


async def test_points_come_back_with_the_units_they_paid_for_and_the_coupon_with_the_whole_order(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock(qty=20)
    await harness.handle(template(), coupon(), grant(1000))
    await harness.handle(create(("s1", 4), coupon_id="c1", use_points=400, expected_pay_amount=2000 - 100 - 400))
    [created] = harness.events_of("order.created")
    order_id = int(created["order_id"])
    await harness.pay(order_id)
    await harness.handle(short(order_id, ("s1", 1)), trusted=True)
    assert await harness.rows("SELECT balance FROM points_accounts") == [(700,)]
    assert await harness.rows("SELECT state FROM coupons") == [("used",)]
    await harness.handle(short(order_id, request_id="s2"), trusted=True)
    assert await harness.rows("SELECT balance FROM points_accounts") == [(1000,)]
    assert await harness.rows("SELECT state FROM coupons") == [("issued",)]
    assert refunds(harness) == [375, 1125]


@pytest.mark.parametrize(
    ("order", "code"),
    [("another's", "ORDER_NOT_FOUND"), ("nothing out", "ORDER_NOT_CANCELLABLE"), ("unpaid", "ORDER_NOT_CANCELLABLE")],
)
async def test_a_rest_that_cannot_be_cancelled_is_refused(harness: HandlerHarness, order: str, code: str) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    if order == "nothing out":
        await harness.pay(order_id)
    await harness.handle(cancel_rest(order_id, actor=user("u2") if order == "another's" else user()))
    assert [found for found, _ in harness.rejections()] == [code]
    assert refunds(harness) == []


async def test_the_children_of_a_split_order_end_their_rests_on_their_own(harness: HandlerHarness) -> None:
    await harness.handle(
        *(sku(name).model_copy(update={"seller_id": seller}) for name, seller in (("s1", "a"), ("s2", "b")))
    )
    await harness.handle(receive("s1", 9), receive("s2", 9))
    parent = await harness.create_order(create(("s1", 3), ("s2", 1)))
    await harness.pay(parent)
    one, two = await harness.children(parent)
    await harness.handle(book(one, "T1", ("s1", 1)), update(one, "T1", "delivered"), book(two, "T2"))
    await harness.handle(cancel_rest(parent), cancel_rest(one, "c2"))
    assert [code for code, _ in harness.rejections()] == ["ORDER_NOT_CANCELLABLE"]
    assert [await harness.state(order_id) for order_id in (parent, one, two)] == ["split", "delivered", "paid"]
    assert refunds(harness) == [1000]


async def test_a_rest_and_a_parcel_that_leaves_at_the_same_time_never_give_a_unit_twice(
    harness: HandlerHarness,
) -> None:
    """Whichever has the order's lock first decides: the units of T2 are refunded, or they leave."""
    order_id = await partly_shipped(harness, out=7)
    await harness.handle(book(order_id, "T2"))
    await harness.handle_overlapping([update(order_id, "T2", "outbound")], [cancel_rest(order_id)])
    assert refunds(harness) == []
    assert [code for code, _ in harness.rejections()] == ["ORDER_NOT_CANCELLABLE"]
    assert await harness.states() == ["shipped"]
