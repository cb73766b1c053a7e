"""The scenarios of parcels that are booked at their carrier."""

from collections.abc import Sequence

from messages.base import Message
from messages.carriers import CarrierBook, CarrierCancel, CarrierTrack, ShipmentObserved, WaybillAnswered
from messages.roles import Role
from messages.shipments import ParcelPlan, ShipmentCreate
from tests.e2e.scenarios import Arrange, booked, paid, timers, unique
from tests.handlers.builders import cancel, update
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop


async def at_carriers(harness: HandlerHarness, n: int) -> list[Message]:
    """Commands that have a carrier book parcels."""
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), carriers={"sf": "poll"}))
    return [ShipmentCreate(request_id=unique(), order_id=key, carrier="sf") for key in await paid(harness, n)]


async def answered_by_carriers(harness: HandlerHarness, n: int) -> list[Message]:
    """The carrier's answers to them."""
    creating = await at_carriers(harness, n)
    await harness.handle(*creating, roles=frozenset({Role.WAREHOUSE}))
    rows = await harness.rows("SELECT id, plan::text FROM waybills WHERE state = 'requested'")
    plans = [(key, ParcelPlan.model_validate_json(plan)) for key, plan in rows]
    return [WaybillAnswered(**vars(plan), waybill_id=key, tracking_no=f"W{key}") for key, plan in plans]


async def polled(harness: HandlerHarness, n: int) -> list[Message]:
    """Facts that polls of a carrier find."""
    facts = [update(key, f"T{key}", "outbound") for key in await booked(harness, n)]
    return [ShipmentObserved(**vars(fact)) for fact in facts]


async def unused(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Timers of waybills that no parcel has: their orders were cancelled."""
    await harness.handle(*await answered_by_carriers(harness, n))
    rows = await harness.rows("SELECT id, order_id FROM waybills WHERE state = 'booked'")
    await harness.handle(*(cancel(order_id, unique()) for _, order_id in rows))
    return await timers(harness, [key for key, _ in rows], "waybill")


CARRIERS: dict[str, Arrange] = {
    "shipment.create": at_carriers,
    "waybill.answered": answered_by_carriers,
    "shipment.observed": polled,
    "timer.due waybill": unused,
}


async def to_book(harness: HandlerHarness, n: int) -> list[Message]:
    await harness.handle(*await at_carriers(harness, n), roles=frozenset({Role.WAREHOUSE}))
    rows = await harness.rows("SELECT id FROM waybills WHERE state = 'requested' ORDER BY id DESC LIMIT $1", n)
    return [CarrierBook(waybill_id=key) for (key,) in rows]


async def to_track(harness: HandlerHarness, n: int) -> list[Message]:
    """Polls of parcels whose service knows nothing of them, and so nothing new."""
    await harness.handle(*await answered_by_carriers(harness, n))
    rows = await harness.rows("SELECT id FROM waybills WHERE state = 'booked' ORDER BY id DESC LIMIT $1", n)
    return [CarrierTrack(waybill_id=key) for (key,) in rows]


async def to_cancel(harness: HandlerHarness, n: int) -> list[Message]:
    due = await unused(harness, n)
    rows = await harness.rows("SELECT id FROM waybills WHERE state = 'unused' ORDER BY id DESC LIMIT $1", n)
    assert len(due) == n
    return [CarrierCancel(waybill_id=key) for (key,) in rows]


CALLS: dict[str, Arrange] = {"carrier.book": to_book, "carrier.track": to_track, "carrier.cancel": to_cancel}
"""Of the queues of calls, which every shop names itself."""
