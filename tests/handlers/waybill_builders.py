"""Builders of waybills: requests for them, and what carriers answer."""

from typing import Any

from messages.carriers import WaybillAnswered
from messages.roles import Role
from messages.shipments import ParcelPlan, ShipmentCreate
from tests.handlers.harness import HandlerHarness
from workers.domain.shop import Policy, Shop

WAREHOUSE = frozenset({Role.WAREHOUSE})
SHOP = Shop(policy=Policy(rate_limit_orders=0), carriers={"sf": "push", "ups": "poll"})


async def create(harness: HandlerHarness, order_id: int, request_id: str = "p-1", **more: Any) -> None:
    """Have a carrier book a parcel."""
    body = ShipmentCreate(request_id=request_id, order_id=order_id, **{"carrier": "sf"} | more)
    await harness.handle(body, roles=WAREHOUSE, reply_to="client.wms.a")


async def answer(harness: HandlerHarness, tracking_no: str | None = "SF1", **more: Any) -> WaybillAnswered:
    """The carrier's answer to the newest request."""
    [(key, plan)] = await harness.rows("SELECT id, plan::text FROM waybills ORDER BY id DESC LIMIT 1")
    parsed = ParcelPlan.model_validate_json(plan)
    return WaybillAnswered(**vars(parsed), waybill_id=key, tracking_no=tracking_no, **more)


async def waybill_states(harness: HandlerHarness) -> list[str]:
    return [state for (state,) in await harness.rows("SELECT state FROM waybills ORDER BY id")]


def failures(harness: HandlerHarness) -> list[tuple[str, str | None]]:
    """(code, field) of every shipment.booking_failed."""
    return [(e["code"], e["details"].get("field")) for e in harness.events_of("shipment.booking_failed")]
