"""Orders are handed over to warehouses, which work on them and answer cancellations (S1-18)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from messages.base import Message
from messages.fulfilments import (
    FulfilmentAccept,
    FulfilmentCancelAccepted,
    FulfilmentCancelRefused,
    FulfilmentGet,
    FulfilmentHandOver,
    FulfilmentPack,
    FulfilmentPick,
    FulfilmentRefuse,
    FulfilmentRequested,
    FulfilmentReview,
)
from messages.orders import CreateLine, OrderChangeAddress
from messages.rests import ShortageDecide, ShortageReport, ShortLine
from messages.roles import Role
from tests.handlers.builders import ADDRESS, book, cancel, create, receive, sku, update, user
from tests.handlers.fulfilment_builders import cancel_no, fact, hand_overs, instructions
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from workers import shop
from workers.domain.shop import OnShortage, Policy, Shop

WAREHOUSES = {"main": frozenset[str](), "east": frozenset({"wms-east"})}


@pytest.fixture(autouse=True)
def warehouses(harness: HandlerHarness) -> Iterator[None]:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses=WAREHOUSES))
    yield
    shop.configure(Shop())


async def fulfilling(harness: HandlerHarness) -> int:
    """Place and pay an order that its warehouse has accepted."""
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(fact(FulfilmentAccept, order_id))
    return order_id


async def cancelling(harness: HandlerHarness) -> int:
    order_id = await fulfilling(harness)
    await harness.handle(cancel(order_id))
    assert await harness.state(order_id) == "cancelling"
    return order_id


async def in_two_warehouses(harness: HandlerHarness) -> int:
    """Place and pay an order with a line at each of two warehouses."""
    await harness.fill_stock()
    await east(harness, receive("s2", 10, ref="note-2", warehouse="east"))
    lines = (CreateLine(sku_id="s1", qty=1), CreateLine(sku_id="s2", qty=1, warehouse="east"))
    order_id = await harness.create_order(create(items=lines, expected_pay_amount=1000))
    await harness.pay(order_id)
    return order_id


async def east(harness: HandlerHarness, *messages: Message) -> None:
    """The warehouse east reports, as its own broker user."""
    items = [harness.envelope(one) for one in messages]
    for item in items:
        object.__setattr__(item, "user", "wms-east")
    batch = await harness.handle_batch(items)
    assert not batch.verdicts
    await harness.relay()


async def test_a_paid_order_is_requested_with_lines_address_and_remark(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.create_order(create(("s1", 2), ("s2", 1), remark="ring twice"))
    assert harness.instructions == []
    await harness.pay(order_id)
    (request,) = harness.instructions
    assert isinstance(request, FulfilmentRequested)
    assert (request.order_id, request.warehouse, request.number) == (order_id, "main", 1)
    assert [(line.line_no, line.sku_id, line.qty) for line in request.lines] == [(1, "s1", 2), (2, "s2", 1)]
    assert (request.address, request.remark) == (ADDRESS, "ring twice")
    assert await hand_overs(harness) == [("main", "requested", 1)]


async def test_each_warehouse_gets_its_own_lines_and_the_first_to_accept_makes_it_fulfilling(
    harness: HandlerHarness,
) -> None:
    order_id = await in_two_warehouses(harness)
    assert instructions(harness) == [("requested", "east", 1), ("requested", "main", 1)]
    assert [[line.sku_id for line in m.lines] for m in harness.instructions] == [["s2"], ["s1"]]  # type: ignore[attr-defined]
    await east(harness, fact(FulfilmentAccept, order_id, warehouse="east"))
    assert await harness.state(order_id) == "fulfilling"


async def test_a_shop_without_such_warehouses_works_as_before(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    assert await harness.state(order_id) == "delivered"
    assert (harness.instructions, await hand_overs(harness)) == ([], [])


async def test_accepting_makes_the_order_fulfilling_and_its_life_goes_on_from_there(harness: HandlerHarness) -> None:
    order_id = await fulfilling(harness)
    assert [event["previous"] for event in harness.events_of("order.fulfilling")] == ["paid"]
    await harness.handle(fact(FulfilmentPick, order_id, ref="W-7"), fact(FulfilmentPack, order_id))
    await harness.handle(fact(FulfilmentHandOver, order_id))
    steps = await harness.rows("SELECT pre_state, cur_state FROM fulfilment_steps ORDER BY id")
    assert [after for _, after in steps] == ["requested", "accepted", "picking", "packed", "handed_over"]
    assert [before for before, _ in steps] == ["", "requested", "accepted", "picking", "packed"]
    assert await harness.rows("SELECT ref FROM fulfilments") == [("W-7",)]
    await harness.deliver(order_id)
    assert await harness.state(order_id) == "delivered"


async def test_facts_that_are_late_or_doubled_never_move_back(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    pack, accept = fact(FulfilmentPack, order_id), fact(FulfilmentAccept, order_id)
    batch = await harness.handle(pack, accept, pack, fact(FulfilmentPick, order_id))
    assert not batch.verdicts
    assert await hand_overs(harness) == [("main", "packed", 1)]
    assert len(harness.events_of("order.fulfilling")) == 1


async def test_a_fact_about_an_unknown_order_or_request_or_from_another_warehouse_moves_nothing(
    harness: HandlerHarness,
) -> None:
    order_id = await in_two_warehouses(harness)
    facts = [
        fact(FulfilmentAccept, 7),
        fact(FulfilmentAccept, order_id, warehouse="west"),
        fact(FulfilmentAccept, order_id, warehouse="east"),
        fact(FulfilmentAccept, order_id, number=2),
    ]
    batch = await harness.handle(*facts)
    reasons = [verdict.reason for verdict in batch.verdicts.values()]
    assert reasons == ["order_unknown", "hand_over_unknown", "untrusted_user", "fact_differs"]
    assert await hand_overs(harness) == [("east", "requested", 1), ("main", "requested", 1)]


async def test_each_part_of_a_split_order_is_requested_held_and_cancelled_alone(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(sku("cup", price=1000, seller_id="bolt"))
    await harness.handle(receive("cup", 10, ref="note-2"))
    root = await harness.create_order(create(("s1", 2), ("cup", 1), remark="ring twice", expected_pay_amount=2000))
    await harness.pay(root)
    first, second = await harness.children(root)
    requests = [one for one in harness.instructions if isinstance(one, FulfilmentRequested)]
    assert [(one.order_id, [line.sku_id for line in one.lines]) for one in requests] == [
        (first, ["s1"]),
        (second, ["cup"]),
    ]
    assert [(one.address, one.remark) for one in requests] == [(ADDRESS, "ring twice")] * 2
    await harness.handle(fact(FulfilmentAccept, first), fact(FulfilmentAccept, second))
    assert [await harness.state(key) for key in (root, first, second)] == ["split", "fulfilling", "fulfilling"]
    harness.instructions.clear()
    await harness.handle(hold(first), trusted=True)
    await harness.handle(cancel(second))
    assert [(m.routing_key(), m.order_id) for m in harness.instructions] == [  # type: ignore[attr-defined]
        ("fulfilment.held", first),
        ("fulfilment.cancel_requested", second),
    ]
    await harness.handle(fact(FulfilmentCancelAccepted, second, cancel_no=cancel_no(harness)))
    await harness.handle(release(first), trusted=True)
    await harness.deliver(first)
    assert [await harness.state(key) for key in (root, first, second)] == ["split", "delivered", "cancelled"]
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]


async def test_answers_to_no_cancellation_and_facts_after_the_end_change_nothing(harness: HandlerHarness) -> None:
    order_id = await fulfilling(harness)
    unasked = [
        fact(FulfilmentCancelAccepted, order_id, number=2, cancel_no=9),
        fact(FulfilmentCancelRefused, order_id, cancel_no=9, reason_code="packed"),
    ]
    batch = await harness.handle(*unasked)
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["fact_differs"]
    await harness.deliver(order_id)
    steps = [fact(kind, order_id) for kind in (FulfilmentPick, FulfilmentHandOver, FulfilmentHandOver)]
    batch = await harness.handle(*steps, fact(FulfilmentRefuse, order_id, reason_code="closed"))
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["fact_differs"]
    assert await hand_overs(harness) == [("main", "handed_over", 1)]
    assert await harness.state(order_id) == "delivered"


async def test_a_refusal_needs_a_person_and_contradicts_an_acceptance(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    refuse = fact(FulfilmentRefuse, order_id, reason_code="closed")
    batch = await harness.handle(refuse, refuse, fact(FulfilmentAccept, order_id))
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["fact_differs"]
    assert [event["code"] for event in harness.events_of("alert.raised")] == ["FULFILMENT_REFUSED"]
    assert (await harness.state(order_id), await hand_overs(harness)) == ("paid", [("main", "refused", 1)])
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(release(order_id), trusted=True)
    assert instructions(harness) == [("requested", "main", 1), ("requested", "main", 2)]
    await harness.handle(fact(FulfilmentRefuse, order_id, number=2, reason_code="closed"))
    await harness.handle(cancel(order_id))
    assert await harness.state(order_id) == "cancelled"


async def test_a_cancelled_order_is_withdrawn_and_a_late_fact_says_so_again(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    assert instructions(harness) == [("requested", "main", 1), ("withdrawn", "main", 1)]
    await harness.handle(fact(FulfilmentAccept, order_id))
    assert instructions(harness)[2:] == [("withdrawn", "main", 1)]
    await harness.handle(fact(FulfilmentHandOver, order_id))
    assert [event["code"] for event in harness.events_of("alert.raised")] == ["FULFILMENT_AFTER_CANCEL"]
    assert await harness.state(order_id) == "cancelled"


async def test_a_cancellation_that_the_warehouse_accepts_refunds_and_restocks(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness)
    assert (await harness.stock(), harness.events_of("refund.requested")) == ((8, 0), [])
    assert instructions(harness)[-1] == ("cancel_requested", "main", 1)
    answer = fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness))
    await harness.handle(answer, answer)
    assert await harness.state(order_id) == "cancelled"
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]
    assert await harness.stock() == (10, 0)
    assert [event["cancel_type"] for event in harness.events_of("order.cancelled")] == ["user"]
    assert await harness.rows("SELECT kind FROM timers") == []
    assert await hand_overs(harness) == [("main", "withdrawn", 1)]


async def test_a_cancellation_takes_the_units_out_of_parcels_that_wait(harness: HandlerHarness) -> None:
    order_id = await fulfilling(harness)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(cancel(order_id))
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness)))
    assert await harness.state(order_id) == "cancelled"
    assert await harness.rows("SELECT withdrawn FROM shipment_items") == [(True,)]
    assert await harness.stock() == (10, 0)


async def test_a_cancellation_that_the_warehouse_refuses_leaves_the_order_fulfilling(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness)
    await harness.handle(
        fact(FulfilmentCancelRefused, order_id, cancel_no=cancel_no(harness), reason_code="packed_already")
    )
    assert await harness.state(order_id) == "fulfilling"
    assert [event["reason_code"] for event in harness.events_of("order.cancel_refused")] == ["packed_already"]
    assert await harness.rows("SELECT cancel_type, reason_code FROM orders") == [(None, None)]
    first = cancel_no(harness)
    await harness.handle(cancel(order_id, request_id="x2"))
    await harness.handle(fact(FulfilmentCancelRefused, order_id, cancel_no=first, reason_code="late"))
    assert await harness.state(order_id) == "cancelling"
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness)))
    assert await harness.state(order_id) == "cancelled"


@pytest.mark.parametrize("how", ["parcel", "hand_over"])
async def test_goods_that_leave_answer_a_cancellation(harness: HandlerHarness, how: str) -> None:
    order_id = await cancelling(harness)
    if how == "parcel":
        await harness.handle(book(order_id, "T1", ("s1", 1)))
        assert await harness.state(order_id) == "cancelling"
        await harness.handle(update(order_id, "T1", "outbound"))
    else:
        await harness.handle(fact(FulfilmentHandOver, order_id))
    assert await harness.state(order_id) == "fulfilling"
    assert len(harness.events_of("order.cancel_refused")) == 1
    assert await harness.rows("SELECT key FROM timers WHERE kind = 'cancelling'") == []
    assert harness.events_of("refund.requested") == []


async def test_a_parcel_with_everything_ships_an_order_that_is_being_cancelled(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness)
    await harness.deliver(order_id)
    assert await harness.state(order_id) == "delivered"
    assert await hand_overs(harness) == [("main", "handed_over", 1)]


async def test_one_warehouse_that_goes_on_has_the_other_one_start_again(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    await harness.handle(fact(FulfilmentAccept, order_id))
    await east(harness, fact(FulfilmentAccept, order_id, warehouse="east"))
    await harness.handle(cancel(order_id))
    number = cancel_no(harness)
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=number))
    assert await harness.state(order_id) == "cancelling"
    await east(harness, fact(FulfilmentCancelRefused, order_id, warehouse="east", cancel_no=number, reason_code="gone"))
    assert await harness.state(order_id) == "fulfilling"
    assert await hand_overs(harness) == [("east", "accepted", 1), ("main", "requested", 2)]
    assert instructions(harness)[-1] == ("requested", "main", 2)


async def test_an_address_changes_until_a_warehouse_accepts_and_then_it_is_locked(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    moved = ADDRESS.model_copy(update={"detail": "Huaihai Road 2"})
    await harness.handle(OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=moved))
    assert instructions(harness) == [("requested", "main", 1), ("requested", "main", 2)]
    assert harness.instructions[-1].address == moved  # type: ignore[attr-defined]
    await harness.handle(fact(FulfilmentAccept, order_id, number=1))
    assert await harness.state(order_id) == "paid"
    await harness.handle(fact(FulfilmentAccept, order_id, number=2))
    await harness.handle(OrderChangeAddress(request_id="a2", actor=user(), order_id=order_id, address=ADDRESS))
    assert [code for code, _ in harness.rejections()] == ["ORDER_ADDRESS_LOCKED"]


async def test_a_held_order_is_not_handed_over_until_it_is_released(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(hold(order_id), trusted=True)
    await harness.pay(order_id)
    assert harness.instructions == []
    await harness.handle(release(order_id), trusted=True)
    await harness.handle(FulfilmentReview(order_id=order_id), FulfilmentReview(order_id=order_id))
    assert instructions(harness) == [("requested", "main", 1)]
    await harness.handle(hold(order_id, request_id="h2"), trusted=True)
    assert instructions(harness)[1:] == [("withdrawn", "main", 1)]
    await harness.handle(fact(FulfilmentAccept, order_id))
    assert await harness.state(order_id) == "paid"


async def test_a_warehouse_that_accepts_a_held_order_before_the_withdrawal_comes_is_stopped(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle_batch([harness.envelope(hold(order_id), trusted=True)])
    await harness.handle_batch([harness.envelope(fact(FulfilmentAccept, order_id), trusted=True)])
    await harness.relay()
    assert ("held", "main", 1) in instructions(harness)


async def test_a_warehouse_that_works_on_an_order_is_stopped_while_it_is_held(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    await harness.handle(fact(FulfilmentAccept, order_id))
    harness.instructions.clear()
    await harness.handle(hold(order_id), trusted=True)
    assert instructions(harness) == [("held", "main", 1), ("withdrawn", "east", 1)]
    assert harness.instructions[0].reason_code == "FRAUD"  # type: ignore[attr-defined]
    await harness.handle(book(order_id, "T1", ("s1", 1)))
    assert [event["code"] for event in harness.events_of("shipment.booking_failed")] == ["ORDER_HELD"]
    await harness.handle(hold(order_id, request_id="h2"), trusted=True)
    first, second = [row[0] for row in await harness.rows("SELECT id FROM order_holds ORDER BY id")]
    await harness.handle(release(order_id, hold_id=first), trusted=True)
    assert len(harness.instructions) == 2
    await harness.handle(release(order_id, request_id="f2", hold_id=second), trusted=True)
    assert instructions(harness)[2:] == [("released", "main", 1), ("requested", "east", 2)]
    await harness.handle(book(order_id, "T2", ("s1", 1)))
    assert [event["tracking_no"] for event in harness.events_of("shipment.booked")] == ["T2"]


async def test_a_request_that_comes_again_says_that_its_order_is_held(harness: HandlerHarness) -> None:
    order_id = await fulfilling(harness)
    await harness.handle(hold(order_id), trusted=True)
    harness.instructions.clear()
    await harness.handle(FulfilmentGet(request_id="g1", order_id=order_id, warehouse="main"))
    assert instructions(harness) == [("requested", "main", 1), ("held", "main", 1)]


async def test_a_shortage_stops_the_work_until_the_buyer_answers(harness: HandlerHarness) -> None:
    rules = shop.current()
    shop.configure(replace(rules, policy=replace(rules.policy, on_shortage=OnShortage.ASK_THEN_SHIP)))
    await harness.fill_stock()
    order_id = await harness.create_order(create(("s1", 2), ("s2", 1)))
    await harness.pay(order_id)
    await harness.handle(fact(FulfilmentAccept, order_id))
    harness.instructions.clear()
    short = (ShortLine(sku_id="s1", qty=1),)
    await harness.handle(ShortageReport(request_id="s1", order_id=order_id, lines=short))
    assert await harness.state(order_id) == "fulfilling"
    assert sorted(instructions(harness)) == [("held", "main", 1), ("requested", "main", 1)]
    [request] = [one for one in harness.instructions if isinstance(one, FulfilmentRequested)]
    assert [(line.sku_id, line.qty) for line in request.lines] == [("s1", 1), ("s2", 1)]
    harness.instructions.clear()
    await harness.handle(ShortageDecide(request_id="a1", actor=user(), order_id=order_id, decision="ship_rest"))
    assert instructions(harness) == [("released", "main", 1)]
    await harness.deliver(order_id)
    assert await harness.state(order_id) == "delivered"


async def test_a_hold_after_the_goods_have_left_concerns_no_warehouse(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    harness.instructions.clear()
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(release(order_id), trusted=True)
    assert harness.instructions == []


async def test_a_warehouse_asks_for_its_own_open_requests_again(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    harness.instructions.clear()

    async def get(request_id: str, key: int, warehouse: str = "main", role: Role = Role.WAREHOUSE) -> None:
        body = FulfilmentGet(request_id=request_id, order_id=key, warehouse=warehouse)
        await harness.handle(body, roles=frozenset({role}))

    await get("g1", order_id)
    assert instructions(harness) == [("requested", "main", 1)]
    await get("g2", order_id, "east")
    await get("g3", 7)
    await get("g4", order_id, "west")
    await get("g5", order_id, role=Role.CARRIER)
    await harness.handle(cancel(order_id))
    await get("g6", order_id)
    codes = [code for code, _ in harness.rejections()]
    assert codes == ["AUTH_FORBIDDEN", *["ORDER_NOT_FOUND"] * 2, "AUTH_FORBIDDEN", "FULFILMENT_NOT_OPEN"]
    assert [event["warehouse"] for event in harness.events_of("fulfilment.resent")] == ["main"]


async def test_what_is_withdrawn_before_a_cancellation_is_refused_is_requested_anew(harness: HandlerHarness) -> None:
    order_id = await in_two_warehouses(harness)
    await harness.handle(fact(FulfilmentHandOver, order_id))
    await harness.handle(cancel(order_id))
    assert await harness.state(order_id) == "fulfilling"
    assert await hand_overs(harness) == [("east", "requested", 2), ("main", "handed_over", 1)]


async def test_a_warehouse_that_does_not_answer_raises_an_alert_again_and_again(harness: HandlerHarness) -> None:
    order_id = await cancelling(harness)
    for _ in range(2):
        await harness.sweep("cancelling")
    codes = [event["code"] for event in harness.events_of("alert.raised")]
    assert codes == ["FULFILMENT_CANCEL_UNANSWERED"] * 2
    assert await harness.state(order_id) == "cancelling"
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, cancel_no=cancel_no(harness)))
    await harness.sweep("cancelling")
    assert len(harness.events_of("alert.raised")) == 2
