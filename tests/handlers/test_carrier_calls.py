"""Waybills: what a carrier's answer does, whatever happened to the orders meanwhile, and what it may never do."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from messages.base import Message
from messages.carriers import CarrierBook, CarrierCancel, CarrierTrack
from messages.envelope import Envelope
from messages.explanations import OrderExplain, OrderExplained
from messages.orders import OrderChangeAddress, OrderConfirmReceipt
from messages.roles import Role
from messages.shipments import ParcelPlan, ShipmentBookLine, ShipmentCreate
from messages.subjects import SubjectErase
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.querying import ask
from tests.handlers.waybill_builders import SHOP, WAREHOUSE, answer, create, failures, waybill_states
from workers import shop
from workers.carriers.port import (
    CarrierRefusal,
    ConsignmentBooked,
    ConsignmentCancelled,
    ParcelHistory,
    TrackedEvent,
)
from workers.handlers import timeouts
from workers.handlers.carrier_calls import CarrierDecision, decide
from workers.providers.port import UnknownOutcome
from workers.services import repairs
from workers.store.waybills import Waybill, WaybillState

AT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
WAYBILL = Waybill(7, 1, ("s", "r"), ParcelPlan(order_id=1, carrier="sf"), WaybillState.BOOKED, "SF1")
EVENTS = [TrackedEvent(f"E{n}", "in_transit", AT.replace(hour=20 - n), None) for n in (1, 2, 3, 2)]


def effects(decision: CarrierDecision) -> tuple[str | None, str | None, list[str]]:
    """(why it is retried, the state in which it closes, what is announced)."""
    return decision.retry, decision.closed, [one.type for one in decision.announcements]


BOOK, TRACK, CANCEL = CarrierBook(waybill_id=7), CarrierTrack(waybill_id=7), CarrierCancel(waybill_id=7)
LOST = UnknownOutcome("TimeoutError")
NOTHING: tuple[None, None, list[str]] = (None, None, [])
ANSWERS = [
    (BOOK, ConsignmentBooked("SF1", None), (None, None, ["waybill.answered.v1"])),
    (BOOK, CarrierRefusal("FULL"), (None, None, ["waybill.answered.v1"])),
    (BOOK, LOST, ("TimeoutError", None, [])),
    (BOOK, None, NOTHING),
    (TRACK, ParcelHistory(EVENTS), (None, None, ["shipment.observed.v1"] * 2)),
    (TRACK, CarrierRefusal("WAYBILL_UNKNOWN"), NOTHING),
    (TRACK, LOST, NOTHING),
    (TRACK, None, NOTHING),
    (CANCEL, ConsignmentCancelled(), (None, "cancelled", [])),
    (CANCEL, CarrierRefusal("ALREADY_PICKED_UP"), (None, "uncancelled", ["alert.raised.v1"])),
    (CANCEL, LOST, NOTHING),
    (CANCEL, None, NOTHING),
]


@pytest.mark.parametrize(("body", "answer", "expected"), ANSWERS)
def test_what_an_answer_changes(body: Message, answer: Any, expected: object) -> None:
    """E1 is known, and E2 comes twice in one answer."""
    assert effects(decide(Envelope(body, "m", "c", AT), answer, WAYBILL, {"E1"})) == expected


def test_new_facts_are_reported_in_the_order_in_which_they_happened() -> None:
    decision = decide(Envelope(TRACK, "m", "c", AT), ParcelHistory(EVENTS), WAYBILL, set())
    reported = [one.body for one in decision.announcements]
    assert [one.event_id for one in reported] == ["E3", "E2", "E1"]  # type: ignore[union-attr]


@pytest.fixture
def carriers(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(SHOP)
    return harness


async def awaited(harness: HandlerHarness, order_id: int) -> list[tuple[str, str | None]]:
    [reply] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    return [(one.what, one.name) for one in reply.awaits]


async def test_two_copies_of_a_request_book_one_parcel(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    body = ShipmentCreate(request_id="p-1", order_id=await carriers.place_paid_order(("s1", 2)), carrier="sf")
    first = Envelope(body, "m-1", "c", datetime.now(UTC), roles=WAREHOUSE, reply_to="client.wms.a")
    await carriers.handle_batch([first, replace(first, repeated=True)])
    assert await waybill_states(carriers) == ["requested"]


async def test_no_unit_is_taken_before_the_carrier_has_answered(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    assert await carriers.rows("SELECT count(*) FROM shipments") == [(0,)]
    assert carriers.replies == []
    assert await awaited(carriers, order_id) == [("booking", "sf")]
    await carriers.handle(book(order_id, "T1"))
    await carriers.handle(await answer(carriers))
    assert failures(carriers) == [("LOGISTICS_BOOKING_FAILED", "lines")]
    assert await waybill_states(carriers) == ["unused"]
    assert ("booking_cancelled", "sf") in await awaited(carriers, order_id)
    assert [reply["type"] for reply in carriers.replies] == ["shipment.booking_failed.v1"]
    await carriers.sweep("waybill")
    assert [type(call) for call in carriers.carrier_calls] == [CarrierBook, CarrierCancel]


async def test_a_request_without_an_answer_is_made_again_even_if_its_message_was_lost(
    carriers: HandlerHarness,
) -> None:
    await carriers.fill_stock()
    await create(carriers, await carriers.place_paid_order(("s1", 2)))
    carriers.carrier_calls.clear()
    await carriers.sweep("waybill")
    [call] = carriers.carrier_calls
    assert isinstance(call, CarrierBook)
    await carriers.pool.execute("DELETE FROM timers WHERE kind = 'waybill'")
    async with carriers.pool.acquire() as tx, tx.transaction():
        assert [owed.what for owed in await repairs.plan(tx, SHOP, None, 0)] == [f"timer waybill {call.waybill_id}"]
    await carriers.handle(await answer(carriers, None, refusal="FULL"))
    await carriers.sweep("waybill")
    assert len(carriers.carrier_calls) == 1
    assert await carriers.rows("SELECT count(*) FROM timers WHERE kind = 'waybill'") == [(0,)]


async def test_an_address_that_a_carrier_has_stays_until_it_refuses(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)

    async def change(request_id: str) -> None:
        body = OrderChangeAddress(request_id=request_id, actor=user(), order_id=order_id, address=ADDRESS)
        await carriers.handle(body)

    await change("a1")
    assert [code for code, _ in carriers.rejections()] == ["ORDER_ADDRESS_LOCKED"]
    await carriers.handle(await answer(carriers, None, refusal="FULL"))
    await change("a2")
    assert len(carriers.rejections()) == 1
    assert len(carriers.events_of("order.address_changed")) == 1


@pytest.mark.parametrize("named", ["all units", "lines"])
async def test_each_order_of_a_shared_parcel_keeps_the_address_that_its_carrier_has(
    carriers: HandlerHarness, named: str
) -> None:
    await carriers.fill_stock()
    first, second, third = [await carriers.place_another_paid_order(("s1", 1)) for _ in range(3)]
    lines = (ShipmentBookLine(sku_id="s1", qty=1), ShipmentBookLine(sku_id="s1", qty=1, order_id=second))
    await create(carriers, first, **({"lines": lines} if named == "lines" else {"order_ids": (second,)}))

    async def change(request_id: str, *orders: int) -> list[str]:
        """The codes with which these changes of an address are rejected."""
        before = len(carriers.rejections())
        for key in orders:
            body = OrderChangeAddress(request_id=request_id, actor=user(), order_id=key, address=ADDRESS)
            await carriers.handle(body)
        return [code for code, _ in carriers.rejections()[before:]]

    assert await change("a1", first, second) == ["ORDER_ADDRESS_LOCKED"] * 2
    assert await change("a1", third) == [], "no parcel is to hold its goods"
    assert await awaited(carriers, second) == [("booking", "sf")]
    await carriers.handle(await answer(carriers, None, refusal="FULL"))
    assert await change("a2", second, first) == []


async def test_the_same_answer_again_changes_nothing(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    once = await answer(carriers)
    await carriers.handle(once, once)
    await carriers.handle(once)
    await carriers.handle(await answer(carriers, None, refusal="FULL"))
    assert len(carriers.events_of("shipment.booked")) == 1
    assert failures(carriers) == []
    assert await waybill_states(carriers) == ["booked"]


async def test_a_repeat_of_the_command_gets_its_outcome_and_another_payload_a_conflict(
    carriers: HandlerHarness,
) -> None:
    await carriers.fill_stock()
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    await create(carriers, order_id)  # undecided: it waits, too
    await carriers.handle(await answer(carriers))
    await create(carriers, order_id)
    await create(carriers, order_id, carrier="ups")
    outcomes = [(reply["type"], reply.get("code"), reply.get("duplicate", False)) for reply in carriers.replies]
    booked = "shipment.booked.v1"
    conflict = ("command.rejected.v1", "IDEMPOTENCY_CONFLICT", False)
    assert outcomes == [(booked, None, False), (booked, None, False), (booked, None, True), conflict]
    assert len(carriers.carrier_calls) == 1


async def test_a_number_that_is_on_its_way_already_is_not_used_again(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    other = await carriers.place_paid_order(("s1", 1))
    await carriers.handle(book(other, "SF1"))
    order_id = await carriers.place_another_paid_order(("s1", 1))
    await create(carriers, order_id)
    await carriers.handle(await answer(carriers))
    assert failures(carriers) == [("LOGISTICS_BOOKING_FAILED", "tracking_no")]
    assert await waybill_states(carriers) == ["unused"]


async def test_several_orders_share_a_parcel_of_a_carrier_or_none_is_booked(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    first = await carriers.place_paid_order(("s1", 1))
    second = await carriers.place_another_paid_order(("s2", 1))
    lines = (ShipmentBookLine(sku_id="s1", qty=1), ShipmentBookLine(sku_id="s2", qty=1, order_id=second))
    await create(carriers, first, lines=lines)
    await carriers.handle(await answer(carriers))
    assert {int(e["order_id"]) for e in carriers.events_of("shipment.booked")} == {first, second}
    await carriers.handle(cancel(first, request_id="c1"))
    assert await waybill_states(carriers) == ["booked"]
    await carriers.handle(cancel(second, request_id="c2"))
    assert await waybill_states(carriers) == ["unused"]


async def test_the_plan_of_all_units_names_them_and_the_warehouse_when_it_is_made(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    first = await carriers.place_paid_order(("s1", 2), ("s2", 1))
    second = await carriers.place_another_paid_order(("s2", 1))
    await carriers.handle(book(first, "T1", ("s1", 1)))
    await create(carriers, first, order_ids=(second,))
    answered = await answer(carriers)
    lines = [(line.order_id, line.sku_id, line.qty) for line in answered.lines]
    assert lines == [(first, "s1", 1), (first, "s2", 1), (second, "s2", 1)]
    assert answered.warehouse == "main"
    await carriers.handle(answered)
    assert await carriers.rows("SELECT carrier, warehouse FROM shipments ORDER BY id") == [("sf", "main")] * 2


@pytest.mark.parametrize(("state", "code"), [("held", "ORDER_HELD"), ("unpaid", "ORDER_STATE_INVALID")])
async def test_an_order_that_may_not_ship_is_not_booked(carriers: HandlerHarness, state: str, code: str) -> None:
    await carriers.fill_stock()
    order_id = await carriers.place_order(("s1", 1))
    if state == "held":
        await carriers.pay(order_id)
        await carriers.handle(hold(order_id, "h"), trusted=True)
    await create(carriers, order_id)
    assert [failure[0] for failure in failures(carriers)] == [code]
    assert carriers.carrier_calls == []
    assert [reply["code"] for reply in carriers.replies] == [code]


async def test_an_order_that_does_not_exist_is_not_booked(carriers: HandlerHarness) -> None:
    await create(carriers, 7)
    assert [code for code, _ in carriers.rejections()] == ["ORDER_NOT_FOUND"]
    assert [reply["code"] for reply in carriers.replies] == ["ORDER_NOT_FOUND"]


async def test_a_storefront_books_nothing(carriers: HandlerHarness) -> None:
    body = ShipmentCreate(request_id="p", order_id=7, carrier="sf")
    await carriers.handle(body, roles=frozenset({Role.STOREFRONT}))
    assert [code for code, _ in carriers.rejections()] == ["AUTH_FORBIDDEN"]


async def test_carriers_that_push_are_not_polled_and_ended_parcels_no_more(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    pushed = await carriers.place_paid_order(("s1", 1))
    polled = await carriers.place_another_paid_order(("s1", 1))
    await create(carriers, pushed)
    await carriers.handle(await answer(carriers))
    await create(carriers, polled, carrier="ups")
    await carriers.handle(await answer(carriers, "U1"))
    carriers.carrier_calls.clear()
    await carriers.sweep("waybill")
    [call] = carriers.carrier_calls
    assert isinstance(call, CarrierTrack)
    shop.configure(replace(SHOP, carriers={}))
    await carriers.sweep("waybill")
    assert len(carriers.carrier_calls) == 1  # its queue is gone, and the timer waits
    shop.configure(SHOP)
    delivered = update(polled, "U1", "delivered").model_copy(update={"carrier": "ups"})
    await carriers.handle(delivered)
    await carriers.sweep("waybill")
    assert len(carriers.carrier_calls) == 1
    assert await carriers.rows("SELECT count(*) FROM timers WHERE kind = 'waybill'") == [(0,)]


async def test_parcels_that_are_under_way_follow_their_carrier_from_push_to_poll_and_back(
    carriers: HandlerHarness,
) -> None:
    await carriers.fill_stock()
    under_way, arrived = [await carriers.place_another_paid_order(("s1", 1)) for _ in range(2)]
    for order_id, number in ((arrived, "SF0"), (under_way, "SF1")):
        await create(carriers, order_id)
        await carriers.handle(await answer(carriers, number))
    await carriers.handle(update(arrived, "SF0", "delivered"))
    carriers.carrier_calls.clear()

    async def polls(mode: str) -> int:
        """How many parcels are polled in this mode."""
        shop.configure(replace(SHOP, carriers={"sf": mode}))
        async with carriers.pool.acquire() as tx, tx.transaction():
            assert [owed.what.split()[:2] for owed in await repairs.plan(tx, shop.current(), None, 0)] == [
                ["timer", "waybill"]
            ] * (mode == "poll")
            await timeouts.follow_parcels(tx)
        carriers.carrier_calls.clear()
        await carriers.sweep("waybill")
        assert all(isinstance(call, CarrierTrack) for call in carriers.carrier_calls)
        return len(carriers.carrier_calls)

    assert [await polls(mode) for mode in ("push", "poll", "push", "poll")] == [0, 1, 0, 1]
    await carriers.handle(update(under_way, "SF1", "delivered"))
    await carriers.sweep("waybill")
    assert await carriers.rows("SELECT count(*) FROM timers WHERE kind = 'waybill'") == [(0,)]


async def test_an_order_in_a_shared_parcel_keeps_its_address_after_the_other_one_is_cancelled(
    carriers: HandlerHarness,
) -> None:
    await carriers.fill_stock()
    first, second = [await carriers.place_paid_order(("s1", 1)), await carriers.place_another_paid_order(("s1", 1))]
    await create(carriers, first, order_ids=(second,))
    await carriers.handle(await answer(carriers))
    await carriers.handle(cancel(first))
    assert await carriers.state(first) == "cancelled"
    body = OrderChangeAddress(request_id="a-1", actor=user(), order_id=second, address=ADDRESS)
    await carriers.handle(body)
    assert carriers.events_of("order.address_changed") == []


async def test_the_number_of_an_ended_parcel_of_an_erased_user_can_be_used_again(carriers: HandlerHarness) -> None:
    await carriers.fill_stock()
    first = await carriers.place_paid_order(("s1", 1))
    await carriers.handle(book(first, "T1"))
    for status in ("outbound", "delivered"):
        await carriers.handle(update(first, "T1", status))
    await carriers.handle(OrderConfirmReceipt(request_id="c-1", actor=user(), order_id=first))
    erase = SubjectErase(request_id="e-1", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST")
    await carriers.handle(erase, trusted=True)
    assert len(carriers.events_of("subject.erased")) == 1
    second = await carriers.place_order(("s1", 1), user_id="u2")
    await carriers.handle(captured(second, 500, trade_no="t2"), trusted=True)
    await carriers.handle(book(second, "T1"))
    assert await carriers.rows("SELECT count(*) FROM shipments WHERE NOT ended") == [(1,)]
