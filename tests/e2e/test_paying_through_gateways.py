"""Orders that are paid and given back through gateways that speak the channels' own protocols, over HTTP and AMQP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from scripts.demo.wire import Link
from scripts.gateways.edge import Edge
from scripts.gateways.habits import Habits
from scripts.gateways.running import KINDS, running
from tests.conftest import Broker
from tests.e2e.shopfront import Upstream, open_shop
from tests.gateways.till import QUICK, keys
from workers import channels
from workers.channels.making import make

SCENES = [("wechat", "qr"), ("alipay", "page"), ("unionpay", "page"), ("paypal", "page")]


@dataclass
class Counter:
    """A shop whose orders are paid at one gateway."""

    gateway: Any
    shop: Upstream
    client: aiohttp.ClientSession

    async def ordered(self) -> dict[str, Any]:
        """An order that awaits payment, in the channel's currency."""
        currency = "USD" if self.gateway.name == "paypal" else "CNY"
        return await self.shop.created((f"s-{currency}", 2), currency=currency)

    async def started(self, created: dict[str, Any], scene: str) -> dict[str, Any]:
        """The payment.started that answers the payment.start."""
        amounts = created["amounts"]
        await self.shop.say("payment.start", {
            "request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": created["order_id"],
            "method": self.gateway.name, "scene": scene, "amount": amounts["payable"],
            "currency": amounts["currency"],
        })  # fmt: skip
        [event] = await self.shop.hears("payment.started", order_id=created["order_id"])
        return event

    async def pay(self, started: dict[str, Any]) -> None:
        brought = {name: started[name] for name in ("kind", "url", "fields")}
        async with self.client.post(f"{self.gateway.origin}/buyer/pay", json=brought) as answer:
            assert answer.status == 200, await answer.text()

    async def books(self) -> dict[str, Any]:
        async with self.client.get(f"{self.gateway.origin}/ledger") as answer:
            said: dict[str, Any] = await answer.json()
            return said


@asynccontextmanager
async def opened(broker: Broker, database_url: str, name: str, folder: Path, **more: Any) -> AsyncIterator[Counter]:
    link = Link(broker["upstream"], "edge", broker.names.prefix)
    linked = asyncio.create_task(link.run())
    edge = Edge(link.send)
    await edge.start()
    rotate_after = more.pop("rotate_after", None)
    kind: Any = KINDS[name]
    gateway = kind(
        f"{edge.origin}/notify/{name}", Habits(**more), keys=keys(name), time_factor=QUICK, rotate_after=rotate_after
    )
    try:
        async with running([gateway], folder) as environment, aiohttp.ClientSession() as client:
            channels.configure({name: make(name, environment[f"OMS_{name.upper()}"])}, 10.0)
            async with (
                open_shop(broker, database_url, payment_window_seconds=1800),
                Upstream.connect(broker) as shop,
            ):
                await stocked(shop)
                yield Counter(gateway, shop, client)
    finally:
        await channels.close()
        channels.configure({})
        await edge.close()
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)


async def stocked(shop: Upstream) -> None:
    for currency in ("CNY", "USD"):
        sku = f"s-{currency}"
        await shop.say("sku.upsert", {
            "sku_id": sku, "revision": 1, "spu_id": sku, "name": sku, "status": "on_sale", "price": 500,
            "currency": currency,
        })  # fmt: skip
        await shop.say("stock.receive", {"ref": "note-1", "sku_id": sku, "warehouse": "main", "qty": 100})
    await shop.hears("sku.changed", 2)
    await shop.hears("stock.received", 2)


async def lived(counter: Counter, scene: str) -> dict[str, Any]:
    """An order that was paid and cancelled, and all of its money given back; the books of the gateway."""
    created = await counter.ordered()
    order_id = created["order_id"]
    await counter.pay(await counter.started(created, scene))
    [captured] = await counter.shop.hears("payment.captured", order_id=order_id)
    assert (captured["verdict"], captured["amount"]) == ("kept", 1000)
    await counter.shop.hears("order.paid", order_id=order_id)
    cancel = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": order_id}
    await counter.shop.say("order.cancel", cancel)
    [refunded] = await counter.shop.hears("refund.succeeded", order_id=order_id)
    assert refunded["amount"] == 1000
    books = await counter.books()
    assert books["captures"][-1]["trade_no"] == captured["trade_no"]
    assert books["refunds"][-1]["refund_no"] == refunded["refund_no"]
    assert books["captured"] == books["refunded"]
    return books


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_an_order_is_paid_by_a_notification_and_given_back_when_it_is_cancelled(
    declared_broker: Broker, database_url: str, tmp_path: Path, name: str, scene: str
) -> None:
    async with opened(declared_broker, database_url, name, tmp_path) as counter:
        books = await lived(counter, scene)
    assert len(books["captures"]) == len(books["refunds"]) == 1


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_copies_that_are_doubled_or_written_anew_change_nothing(
    declared_broker: Broker, database_url: str, tmp_path: Path, name: str, scene: str
) -> None:
    habits = {"doubled": 1.0, "reserialised": 1.0}
    async with opened(declared_broker, database_url, name, tmp_path, **habits) as counter:
        books = await lived(counter, scene)
        rewritten = books["habits"]["reserialised"]
        await counter.shop.hears("payment.callback_rejected", rewritten, code="PAY_SIGNATURE_INVALID")
        assert len(counter.shop.heard("payment.captured")) == 1
    assert len(books["captures"]) == len(books["refunds"]) == 1
