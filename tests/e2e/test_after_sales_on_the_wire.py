"""After-sale cases over a real broker and database, with and without local dispatch."""

from typing import Any
from uuid import uuid4

import pytest

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, now, running_system

BUYER = {"type": "user", "id": "u1"}
OPERATOR = {"type": "operator", "id": "ops-7"}
WAREHOUSE = {"type": "system", "id": "main"}


async def deliver(shop: Upstream, gateway: Upstream) -> str:
    """Two units of one SKU, paid and delivered. Returns the order's id."""
    await shop.fill_stock("s1")
    created = await shop.place_order(("s1", 2))
    await gateway.pay(created)
    await shop.wait_for_events("order.paid")
    parcel = {"carrier": "sf", "tracking_no": "T1"}
    await shop.publish("shipment.book", {"order_id": created["order_id"]} | parcel)
    for status in ("outbound", "delivered"):
        await shop.publish("shipment.update", parcel | {"event_id": status, "status": status, "occurred_at": now()})
    await shop.wait_for_events("order.delivered")
    order_id: str = created["order_id"]
    return order_id


@pytest.mark.parametrize("local_dispatch", [True, False])
async def test_goods_come_back_are_inspected_and_paid_and_the_order_ends(
    declared_broker: Broker, database_url: str, pool: Pool, local_dispatch: bool
) -> None:
    async with (
        running_system(declared_broker, database_url, local_dispatch=local_dispatch),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        order_id = await deliver(shop, gateway)
        case: dict[str, Any] = {"order_id": order_id}

        async def send(type_: str, actor: dict[str, str], awaited: str, **fields: Any) -> dict[str, Any]:
            body = {"request_id": uuid4().hex, "actor": actor} | case | fields
            await shop.publish(f"after_sale.{type_}", body)
            [event] = await shop.wait_for_events(f"after_sale.{awaited}")
            return event

        application = {"type": "return_refund", "reason_code": "quality", "description": "it leaks"}
        case["case_id"] = (await send("apply", BUYER, "requested", **application))["case_id"]
        await send("review", OPERATOR, "return_awaited", decision="approve")
        await send("ship_back", BUYER, "return_shipped", carrier="sf", tracking_no="B1")
        await send("receive", WAREHOUSE, "return_received")
        inspected = [{"line_no": 1, "qty": 2, "disposition": "restock"}]
        await send("inspect", WAREHOUSE, "refunding", lines=inspected)
        [due] = await shop.wait_for_events("refund.requested")
        result = {key: due[key] for key in ("refund_no", "amount", "currency")}
        await gateway.publish("refund.result", result | {"status": "succeeded", "occurred_at": now()})
        [cancelled] = await shop.wait_for_events("order.cancelled")
        [completed] = await shop.wait_for_events("after_sale.completed")
    assert (completed["amount"], due["cause"], cancelled["cancel_type"]) == (
        1000,
        f"case:{case['case_id']}",
        "aftersale",
    )
    assert await pool.fetchval("SELECT on_hand FROM stock") == 100
    story = [e["event"][11:] for e in shop.events if e["event"].startswith("after_sale.")]
    assert story == [
        "requested",
        "approved",
        "return_awaited",
        "return_shipped",
        "return_received",
        "inspect_passed",
        "refunding",
        "completed",
    ]
    assert all("it leaks" not in str(event) for event in shop.events)


async def test_an_exchange_waits_for_its_goods_and_for_the_difference(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url, local_dispatch=False),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        case: dict[str, Any] = {"order_id": await deliver(shop, gateway)}
        await shop.fill_stock("dear", qty=1, price=800)

        async def send(type_: str, actor: dict[str, str], awaited: str, count: int = 1, **fields: Any) -> Any:
            body = {"request_id": uuid4().hex, "actor": actor} | case | fields
            await shop.publish(f"after_sale.{type_}", body)
            return (await shop.wait_for_events(f"after_sale.{awaited}", count))[-1]

        wanted = [{"line_no": 1, "qty": 1, "wanted_sku_id": "dear"}]
        applied = await send("apply", BUYER, "requested", type="exchange", reason_code="quality", lines=wanted)
        case["case_id"] = applied["case_id"]
        await shop.place_order(("dear", 1), price=800)
        gone = await send("review", OPERATOR, "rejected", decision="approve")
        assert gone["reason_code"] == "INVENTORY_INSUFFICIENT"
        await shop.publish("stock.receive", {"ref": "note-2", "sku_id": "dear", "warehouse": "main", "qty": 1})
        await shop.wait_for_events("stock.received", 3)
        await send("reopen", BUYER, "reopened")
        await send("review", OPERATOR, "return_awaited", decision="approve")
        await send("ship_back", BUYER, "return_shipped", carrier="sf", tracking_no="B1")
        await send("receive", WAREHOUSE, "return_received")
        await send("inspect", WAREHOUSE, "inspect_passed", lines=[{"line_no": 1, "qty": 1, "disposition": "restock"}])
        [created] = [e for e in await shop.wait_for_events("order.created", 3) if e["amounts"]["payable"] == 300]
        await gateway.pay(created)
        reshipping = await shop.wait_for_events("after_sale.reshipping")
        await shop.ship(created["order_id"], "X1", "outbound", "delivered")
        [completed] = await shop.wait_for_events("after_sale.completed")
    assert (reshipping[0]["exchange_order_id"], completed["state"]) == (created["order_id"], "completed")
    assert await pool.fetchval("SELECT amount FROM payment_intents WHERE purpose = 'exchange_diff'") == 300
    assert await pool.fetchval("SELECT count(*) FROM refunds") == 0
