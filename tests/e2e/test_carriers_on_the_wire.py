"""Parcels that we book at their carrier, over a real broker and database, and a service over HTTP that misbehaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from db.pool import Pool
from outbox import declare
from scripts.gateways.carrier import BookedParcel, CarrierService, happen
from scripts.gateways.habits import Habits
from tests.broker import TIERS_SECONDS, Broker
from tests.e2e.system import wait_until
from tests.e2e.upstream import Upstream, running_system, settings, wait_for
from tests.metric_values import metric_value
from workers import carriers
from workers.carriers.http import HttpCarrier
from workers.routes import ROUTES, with_carriers

CARRIERS = {"sf": "push", "ups": "poll"}
TOKEN = "secret-of-the-service"
WAKE = "UPDATE timers SET wake_at = now() WHERE kind = 'waybill'"


@asynccontextmanager
async def shop_with_carriers(
    broker: Broker, database_url: str, service: CarrierService, **changes: Any
) -> AsyncIterator[tuple[Upstream, Upstream]]:
    """A running system that books at the service; a client of the shop and one of the payments."""
    await service.start()
    await declare.declare(broker["topology"], broker.names, TIERS_SECONDS, carriers=CARRIERS)
    about = {
        "carriers": CARRIERS,
        "fulfilment_service_token": TOKEN,
        "OMS_FULFILMENT_SERVICE_URL": service.origin,
        **changes,
    }
    carriers.configure(settings(broker, database_url, "worker", **about).carrier_adapters, timeout_seconds=0.5)
    routes = with_carriers(ROUTES, CARRIERS)
    try:
        async with (
            running_system(broker, database_url, routes=routes, **about),
            Upstream.connect(broker, "warehouse") as shop,
            Upstream.connect(broker, "payments") as payments,
        ):
            await shop.fill_stock("s1")
            yield shop, payments
    finally:
        await carriers.close()
        carriers.configure({})
        await service.close()


async def paid(shop: Upstream, payments: Upstream, qty: int = 1) -> str:
    """Place an order and pay it."""
    created = await shop.place_order(("s1", qty))
    await payments.pay(created)
    order_id = str(created["order_id"])
    await shop.wait_for_events("order.paid", order_id=order_id)
    return order_id


async def create(shop: Upstream, order_id: str, carrier: str = "sf", **more: Any) -> None:
    """Have a parcel booked at a carrier."""
    body = {"request_id": uuid4().hex, "order_id": order_id, "carrier": carrier} | more
    await shop.publish("shipment.create", body, reply_to=shop.inbox)


def the_parcel(service: CarrierService) -> BookedParcel:
    [parcel] = service.parcels.values()
    return parcel


async def test_a_parcel_is_booked_at_its_carrier_with_the_buyers_address_and_ships(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    """S1-33: the carrier gives the number and the time; S0-47: at the URL of the settings."""
    service = CarrierService(token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        order_id = await paid(shop, payments, 2)
        await create(shop, order_id, warehouse="main", lines=[{"sku_id": "s1", "qty": 2}])
        [booked] = await shop.wait_for_events("shipment.booked")
        parcel = the_parcel(service)
        await wait_for(lambda: bool(shop.replies), "the reply")
        about = {"carrier": "sf", "tracking_no": booked["tracking_no"]}
        for status in ("outbound", "delivered"):
            fact = {"event_id": status, "status": status, "occurred_at": "2026-11-28T09:30:00Z"}
            await shop.publish("shipment.update", about | fact)
        await shop.wait_for_events("order.delivered")
    assert booked["order_id"] == order_id
    assert booked["tracking_no"] == parcel.tracking_no == shop.replies[0]["tracking_no"]
    assert booked["ship_time"] == parcel.ship_time.isoformat().replace("+00:00", "Z")
    assert [(line["sku_id"], line["qty"]) for line in parcel.requested["lines"]] == [("s1", 2)]
    address = {"receiver": "Wang Fang", "phone": "13812345678", "country": "CN", "detail": "Nanjing Road 1"}
    assert parcel.requested["ship_to"].items() >= address.items()
    kept = await pool.fetchval("SELECT count(*) FROM waybills w WHERE to_jsonb(w)::text ~ 'Nanjing|13812345678'")
    assert kept == 0
    assert "Nanjing" not in str(shop.events)


async def test_a_carrier_gets_all_units_and_the_numbers_of_all_orders(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    service = CarrierService(token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        ids = [await paid(shop, payments, qty) for qty in (2, 1)]
        await create(shop, ids[0], order_ids=ids[1:])
        await shop.wait_for_events("shipment.booked", 2)
    numbers = [await pool.fetchval("SELECT order_no FROM orders WHERE id = $1", int(key)) for key in ids]
    requested = the_parcel(service).requested
    assert (requested["order_nos"], requested["warehouse"]) == (numbers, "main")
    lines = [{"order_no": number, "sku_id": "s1", "qty": qty} for number, qty in zip(numbers, (2, 1), strict=True)]
    assert requested["lines"] == lines


async def test_no_order_of_a_shared_parcel_changes_its_address_while_the_carrier_books(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    """Nor is the parcel booked for orders that are cancelled meanwhile."""
    service = CarrierService(Habits(error=1.0), token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        ids = [await paid(shop, payments) for _ in range(2)]
        await create(shop, ids[0], order_ids=ids[1:])
        await wait_for(lambda: service.dice.did["error"] > 0, "an error")
        address = {"receiver": "Li Lei", "phone": "13912345678", "country": "CN", "detail": "Beijing Road 2"}
        for name, more in (("change_address", {"address": address}), ("cancel", {})):
            for order_id in ids:
                about = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": order_id}
                await shop.publish(f"order.{name}", about | more)
        await shop.wait_for_events("order.cancelled", 2)
        rejected = await shop.wait_for_events("command.rejected", 2)
        service.dice.habits = Habits()
        await wait_until(partial(closed, pool, 1), "the end of the waybill")
    assert [one["code"] for one in rejected] == ["ORDER_ADDRESS_LOCKED"] * 2
    assert the_parcel(service).cancelled


async def test_a_lost_answer_and_an_error_book_nothing_twice(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    service = CarrierService(Habits(error=1.0), token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        order_id = await paid(shop, payments)
        await create(shop, order_id)
        await wait_for(lambda: service.dice.did["error"] > 0, "an error")
        service.dice.habits = Habits(lost=1.0)
        await wait_for(lambda: service.dice.did["lost"] > 0, "a lost answer")
        service.dice.habits = Habits()
        [booked] = await shop.wait_for_events("shipment.booked")
    parcel = the_parcel(service)
    assert parcel.bookings > 1
    assert booked["tracking_no"] == parcel.tracking_no
    assert await pool.fetchval("SELECT count(*) FROM shipments") == 1


async def test_a_refusal_leaves_the_order_as_it_is_and_another_carrier_may_take_it(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    """S2-11."""
    service = CarrierService(Habits(refused=1.0), token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        order_id = await paid(shop, payments)
        again = {"request_id": "once"}
        await create(shop, order_id, **again)
        [failed] = await shop.wait_for_events("shipment.booking_failed")
        service.dice.habits = Habits()
        await create(shop, order_id, **again)
        await wait_for(lambda: len(shop.replies) == 2, "two replies")
        await create(shop, order_id, "ups")
        await shop.wait_for_events("shipment.booked", carrier="ups")
        await create(shop, order_id, "dhl")
        [_, unknown] = await shop.wait_for_events("shipment.booking_failed", 2)
    assert (failed["code"], failed["tracking_no"]) == ("LOGISTICS_BOOKING_FAILED", "")
    assert failed["details"] == {"field": "carrier", "carrier_code": "NO_SERVICE_THERE"}
    assert [reply.get("duplicate", False) for reply in shop.replies[:2]] == [False, True]
    assert (unknown["carrier"], unknown["details"]) == ("dhl", {"field": "carrier"})
    assert await pool.fetchval("SELECT state FROM orders") == "paid"


async def test_a_carrier_that_is_away_keeps_only_its_own_calls_waiting(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    service, other = CarrierService(token=TOKEN), CarrierService()
    await other.start()
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        port = int(other.origin.rpartition(":")[2])
        adapters = {"sf": HttpCarrier("sf", service.origin, TOKEN), "ups": HttpCarrier("ups", other.origin)}
        carriers.configure(adapters, timeout_seconds=0.5)
        await other.close()
        first, second = [await paid(shop, payments) for _ in range(2)]
        await create(shop, first, "ups")
        await wait_for(lambda: waits("ups"), "ups to wait")
        await create(shop, second, "sf")
        await shop.wait_for_events("shipment.booked", order_id=second)
        assert (waits("ups"), waits("sf")) == (True, False)
        await other.start(port)
        await shop.wait_for_events("shipment.booked", order_id=first)
    await other.close()
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0


def waits(carrier: str) -> bool:
    """Whether the worker of its calls is paused."""
    return metric_value("oms_consumer_paused", queue=f"carrier-calls.{carrier}") == 1


async def test_a_parcel_is_followed_by_polls_until_it_has_arrived(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    service = CarrierService(Habits(doubled=1.0), token=TOKEN)

    async def wake() -> bool:
        await pool.execute(WAKE)
        await asyncio.sleep(0.1)
        return bool(shop.events_of("order.delivered"))

    async def at_rest() -> bool:
        await pool.execute(WAKE)
        await asyncio.sleep(0.1)
        return not await pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'waybill'")

    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        await create(shop, await paid(shop, payments), "ups")
        [booked] = await shop.wait_for_events("shipment.booked")
        parcel = the_parcel(service)
        for status in ("outbound", "Sorted by robot 7", "delivered"):
            happen(parcel, status, "Hangzhou")
        sent = {"event_id": "E1", "status": "outbound", "occurred_at": parcel.events[0]["occurred_at"]}
        await shop.publish("shipment.update", {"carrier": "ups", "tracking_no": booked["tracking_no"]} | sent)
        await wait_until(wake, "order.delivered")
        await wait_until(at_rest, "the end of the polls")
    facts = await pool.fetch("SELECT event_id, status, stale FROM shipment_facts ORDER BY event_id")
    assert [tuple(row) for row in facts] == [("E1", "outbound", False), ("E3", "delivered", False)]


async def test_a_parcel_that_is_not_used_is_cancelled_at_its_carrier(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    """One is withdrawn with its order, one is answered after that, and one has left without our knowledge."""
    service = CarrierService(token=TOKEN)
    async with shop_with_carriers(declared_broker, database_url, service) as (shop, payments):
        used, late, gone = [await paid(shop, payments) for _ in range(3)]
        await create(shop, used)
        await create(shop, gone)
        await shop.wait_for_events("shipment.booked", 2)
        [left] = shop.events_of("shipment.booked", order_id=gone)
        happen(next(p for p in service.parcels.values() if p.tracking_no == left["tracking_no"]), "picked_up")
        service.dice.habits = Habits(error=1.0)
        await create(shop, late)
        await wait_for(lambda: service.dice.did["error"] > 0, "an error")
        for order_id in (used, late, gone):
            about = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": order_id}
            await shop.publish("order.cancel", about)
        await shop.wait_for_events("order.cancelled", 3)
        service.dice.habits = Habits()
        [failed] = await shop.wait_for_events("shipment.booking_failed")
        [alert] = await shop.wait_for_events("alert.raised", code="LOGISTICS_CANCEL_REFUSED")
        await wait_until(partial(closed, pool), "three closed waybills")
    assert (failed["order_id"], failed["code"]) == (late, "ORDER_STATE_INVALID")
    assert alert["order_id"] == gone
    assert sorted(parcel.cancelled for parcel in service.parcels.values()) == [False, True, True]
    states = await pool.fetch("SELECT order_id::text, state FROM waybills")
    expected = {used: "cancelled", late: "cancelled", gone: "uncancelled"}
    assert {row["order_id"]: row["state"] for row in states} == expected
    assert await pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'waybill'") == 0


async def closed(pool: Pool, wanted: int = 3) -> bool:
    """Whether no waybill waits to be cancelled any more."""
    count: int = await pool.fetchval("SELECT count(*) FROM waybills WHERE state ~ 'cancelled'")
    return count == wanted
