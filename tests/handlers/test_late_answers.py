"""Waybills whose carrier answers late or twice, or gives a number that another parcel has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from messages.base import Message
from messages.carriers import CarrierCancel, WaybillAnswered
from messages.envelope import Envelope
from messages.fulfilments import FulfilmentAccept, FulfilmentCancelAccepted, FulfilmentFact, FulfilmentRefuse
from messages.orders import CreateLine
from messages.shipments import ShipmentBookLine, ShipmentUpdate
from tests.handlers.builders import book, cancel, receive, update
from tests.handlers.builders import create as create_order
from tests.handlers.fulfilment_builders import cancel_no, fact
from tests.handlers.harness import HandlerHarness
from tests.handlers.waybill_builders import SHOP, answer, create, failures, waybill_states
from workers import shop
from workers.carriers.port import CarrierRefusal, ConsignmentCancelled
from workers.handlers.carrier_calls import take_answers
from workers.runtime.batch import Batch
from workers.services.carrier_requests import CarrierAnswer

PARCELS = "SELECT state, ended FROM shipments ORDER BY id"


@pytest.fixture
async def carriers(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(SHOP)
    await harness.fill_stock()
    return harness


async def cancels(harness: HandlerHarness) -> int:
    """How often a carrier is called to cancel a waybill, once the timers of waybills are due."""
    harness.carrier_calls.clear()
    await harness.sweep("waybill")
    return sum(isinstance(call, CarrierCancel) for call in harness.carrier_calls)


async def carrier_answers(harness: HandlerHarness, call: Message, given: CarrierAnswer) -> None:
    """The carrier has given this answer to a call."""
    item = Envelope(call, "m-1", "c", datetime.now(UTC))
    async with harness.pool.acquire() as tx, tx.transaction():
        await take_answers(tx, Batch([item], item.occurred_at, {item.id: given}))
    await harness.relay()


async def cancel_call(harness: HandlerHarness) -> CarrierCancel:
    """The next call of the timers of waybills: a carrier is to cancel one."""
    assert await cancels(harness) == 1
    [call] = harness.carrier_calls
    assert isinstance(call, CarrierCancel)
    return call


async def cancelled_at_the_carrier(harness: HandlerHarness, answered: WaybillAnswered) -> None:
    """The waybill is unused, and the carrier has cancelled it."""
    await harness.handle(answered)
    await carrier_answers(harness, await cancel_call(harness), ConsignmentCancelled())
    assert await waybill_states(harness) == ["cancelled"]


TOGETHER = pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])


@TOGETHER
async def test_a_booking_that_is_answered_after_a_refusal_is_cancelled(
    carriers: HandlerHarness, together: bool
) -> None:
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    refused, late = await answer(carriers, None, refusal="FULL"), await answer(carriers)
    for batch in [(refused, late, late)] if together else [(refused,), (late,), (late,)]:
        await carriers.handle(*batch)
    assert await carriers.rows("SELECT state, tracking_no, refusal FROM waybills") == [("unused", "SF1", None)]
    assert len(failures(carriers)) == len(carriers.replies) == 1, "the command has its outcome already"
    assert await cancels(carriers) == 1
    await carriers.handle(book(order_id, "T1"))
    assert len(carriers.events_of("shipment.booked")) == 1


async def test_a_booking_that_is_answered_after_its_cancellation_is_cancelled_again(carriers: HandlerHarness) -> None:
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    await carriers.handle(await answer(carriers))
    late = await answer(carriers)
    await carriers.handle(cancel(order_id))
    await cancelled_at_the_carrier(carriers, late)
    await carriers.handle(late.model_copy(update={"tracking_no": "SF2"}))
    assert await carriers.rows("SELECT state, tracking_no FROM waybills") == [("unused", "SF1")]
    assert await cancels(carriers) == 1


@pytest.mark.parametrize("first", ["the booking", "the cancellation"])
@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "refused"])
async def test_a_booking_that_a_cancellation_has_passed_is_cancelled_whichever_answer_comes_first(
    carriers: HandlerHarness, first: str, cancelled: bool
) -> None:
    """The booking was requested twice: the carrier took the second request after the cancellation."""
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    await carriers.handle(cancel(order_id))
    booked = await answer(carriers)
    await carriers.handle(booked)
    passes = await cancel_call(carriers)
    given = ConsignmentCancelled() if cancelled else CarrierRefusal("WAYBILL_UNKNOWN")
    if first == "the cancellation":
        await carrier_answers(carriers, passes, given)
        await carriers.handle(booked)
    else:
        await carriers.handle(booked)
        await carrier_answers(carriers, passes, given)
    refused_first = first == "the cancellation" and not cancelled
    assert await waybill_states(carriers) == ["uncancelled" if refused_first else "unused"]
    assert len(carriers.events_of("alert.raised")) == refused_first, "a person calls the carrier"
    if not refused_first:
        await carrier_answers(carriers, await cancel_call(carriers), ConsignmentCancelled())
        assert await waybill_states(carriers) == ["cancelled"]
    assert await cancels(carriers) == 0
    assert await carriers.rows("SELECT count(*) FROM shipments") == [(0,)]
    assert len(failures(carriers)) == 1


async def two_warehouses_ship(harness: HandlerHarness) -> int:
    """A paid order with a line in each of two warehouses."""
    shop.configure(replace(SHOP, fulfilment_warehouses={"main": frozenset(), "east": frozenset()}))
    await harness.handle(receive("s2", 10, ref="note-2", warehouse="east"))
    lines = (CreateLine(sku_id="s1", qty=1), CreateLine(sku_id="s2", qty=1, warehouse="east"))
    order_id = await harness.create_order(create_order(items=lines, expected_pay_amount=1000))
    await harness.pay(order_id)
    return order_id


STOPS: Mapping[str, tuple[Sequence[str], type[FulfilmentFact], str]] = {
    "stopped, the order goes on": (("E1",), FulfilmentCancelAccepted, "fulfilling"),
    "stopped, the order ends": ((), FulfilmentCancelAccepted, "cancelled"),
    "refused": ((), FulfilmentRefuse, "paid"),
}


@pytest.mark.parametrize("how", list(STOPS))
@pytest.mark.parametrize("answered_first", [False, True])
async def test_a_booking_of_a_warehouse_that_stopped_or_refused_is_cancelled(
    carriers: HandlerHarness, how: str, answered_first: bool
) -> None:
    """Else a parcel waits for goods that no warehouse hands to the carrier."""
    left, kind, state = STOPS[how]
    order_id = await two_warehouses_ship(carriers)
    about: dict[str, Any] = {"reason_code": "FULL"}
    if kind is FulfilmentCancelAccepted:
        await carriers.handle(*(fact(FulfilmentAccept, order_id, warehouse=name) for name in ("main", "east")))
    for number in left:
        await carriers.handle(book(order_id, number).model_copy(update={"warehouse": "east"}))
    await create(carriers, order_id, warehouse="main")
    booked = await answer(carriers)
    if answered_first:
        await carriers.handle(booked)
    if kind is FulfilmentCancelAccepted:
        await carriers.handle(cancel(order_id))
        about = {"cancel_no": cancel_no(carriers)}
        names = ["main"] if left else ["main", "east"]
        await carriers.handle(*(fact(kind, order_id, warehouse=name, **about) for name in names))
        for number in left:
            await carriers.handle(update(order_id, number, "outbound"))
    else:
        await carriers.handle(fact(kind, order_id, **about))
    if not answered_first:
        await carriers.handle(booked)
        assert len(failures(carriers)) == len(carriers.replies) == 1
    assert await carriers.state(order_id) == state
    assert await waybill_states(carriers) == ["unused"]
    await carrier_answers(carriers, await cancel_call(carriers), ConsignmentCancelled())
    expected = [("cancelled",)] if answered_first else []
    assert await carriers.rows("SELECT state FROM shipments WHERE warehouse = 'main'") == expected


async def test_the_booking_of_another_warehouse_of_the_order_stays(carriers: HandlerHarness) -> None:
    order_id = await two_warehouses_ship(carriers)
    await create(carriers, order_id, warehouse="east")
    await carriers.handle(fact(FulfilmentRefuse, order_id, reason_code="FULL"))
    await carriers.handle(await answer(carriers))
    assert await waybill_states(carriers) == ["booked"]


async def test_a_refusal_after_the_end_of_a_waybill_changes_nothing(carriers: HandlerHarness) -> None:
    order_id = await carriers.place_paid_order(("s1", 2))
    await create(carriers, order_id)
    await carriers.handle(cancel(order_id))
    await cancelled_at_the_carrier(carriers, await answer(carriers))
    await carriers.handle(await answer(carriers, None, refusal="FULL"))
    assert await waybill_states(carriers) == ["cancelled"]
    assert await cancels(carriers) == 0


async def test_a_carrier_that_gives_one_waybill_two_numbers_is_called_by_a_person(carriers: HandlerHarness) -> None:
    await create(carriers, await carriers.place_paid_order(("s1", 2)))
    await carriers.handle(await answer(carriers))
    await carriers.handle(await answer(carriers), await answer(carriers, "SF2"))
    assert await carriers.rows("SELECT state, tracking_no FROM waybills") == [("booked", "SF1")]
    [alert] = carriers.events_of("alert.raised")
    assert "SF1 and SF2" in alert["content"]


@TOGETHER
async def test_a_number_that_a_live_parcel_of_another_order_has_is_taken_though_an_ended_one_of_this_order_had_it(
    carriers: HandlerHarness, together: bool
) -> None:
    """The answers of other waybills in the batch are not touched."""
    mine, other, third = [await carriers.place_another_paid_order(("s1", 2)) for _ in range(3)]
    await carriers.handle(book(mine, "SF1", ("s1", 1)), update(mine, "SF1", "delivered"))
    await create(carriers, mine)
    taken = await answer(carriers)
    await create(carriers, third)
    free = await answer(carriers, "SF3")
    bodies: list[Message] = [book(other, "SF1"), taken, free]
    for batch in [bodies] if together else [[body] for body in bodies]:
        verdicts = (await carriers.handle(*batch)).verdicts
        assert not verdicts
    assert failures(carriers) == [("LOGISTICS_BOOKING_FAILED", "tracking_no")]
    assert await waybill_states(carriers) == ["unused", "booked"]


async def test_of_parcels_with_one_number_the_one_that_has_not_ended_counts_though_its_waybill_is_older(
    carriers: HandlerHarness,
) -> None:
    waiting, before, after = [await carriers.place_another_paid_order(("s1", 1)) for _ in range(3)]
    await create(carriers, waiting)
    await carriers.handle(book(before, "SF1"), update(before, "SF1", "delivered"))
    await carriers.handle(await answer(carriers))
    assert await carriers.rows(PARCELS) == [("booked", False), ("delivered", True)]
    await carriers.handle(book(after, "SF1"))
    fact: ShipmentUpdate = update(1, "SF1", "outbound").model_copy(update={"order_id": None})
    await carriers.handle(fact)
    assert await carriers.rows(PARCELS) == [("outbound", False), ("delivered", True)]
    assert [await carriers.state(key) for key in (waiting, after)] == ["shipped", "shipped"]


async def test_a_parcel_of_more_lines_than_its_answer_may_have_is_refused_and_the_longest_is_not(
    harness: HandlerHarness,
) -> None:
    """201 lines of two orders: both are refused with the limit, and no carrier is called. 200 of them are requested."""
    shop.configure(SHOP)
    names = [f"s{n}" for n in range(1, 102)]
    await harness.fill_stock(skus=names)
    first, second = [await harness.place_order(*((name, 1) for name in names[:count])) for count in (101, 100)]
    for order_id in (first, second):
        await harness.pay(order_id)
    harness.carrier_calls.clear()
    await create(harness, first, order_ids=(second,))
    refused = ("LOGISTICS_BOOKING_FAILED", {"field": "lines", "lines_max": 200})
    assert [(e["code"], e["details"]) for e in harness.events_of("shipment.booking_failed")] == [refused] * 2
    assert [(reply["type"], reply["code"]) for reply in harness.replies] == [("shipment.booking_failed.v1", refused[0])]
    assert (harness.carrier_calls, await waybill_states(harness)) == ([], [])

    lines = [ShipmentBookLine(sku_id=name, qty=1, order_id=key) for key in (first, second) for name in names[:100]]
    await create(harness, first, "p-2", lines=tuple(lines))
    await harness.handle(await answer(harness))
    assert await waybill_states(harness) == ["booked"]
    assert len(harness.events_of("shipment.booked")) == 2
