"""Parcels that we book at their carrier, over a real broker and database, and a service over HTTP that misbehaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from db.pool import Pool
from scripts.gateways.carrier import BookedParcel, CarrierService
from tests.broker import TIERS_SECONDS, Broker
from tests.e2e.upstream import Upstream, running_system, settings, wait_for
from workers import carriers
from workers.routes import ROUTES, with_carriers
from workers.runtime import declare

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
    assert parcel.requested["lines"] == [{"sku_id": "s1", "qty": 2}]
    address = {"receiver": "Wang Fang", "phone": "13812345678", "country": "CN", "detail": "Nanjing Road 1"}
    assert parcel.requested["ship_to"].items() >= address.items()
    kept = await pool.fetchval("SELECT count(*) FROM waybills w WHERE to_jsonb(w)::text ~ 'Nanjing|13812345678'")
    assert kept == 0
    assert "Nanjing" not in str(shop.events)
