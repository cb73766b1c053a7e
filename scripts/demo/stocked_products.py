"""The catalogue and the delivery notes: every product and its deal are there before the first basket that wants it."""

import asyncio
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from scripts.amqp_client import AmqpClient, OutgoingMessage
from scripts.demo.baskets import Basket, Product, Year
from scripts.demo.catalogue_messages import promotion
from scripts.demo.command_outcomes import CommandOutcomes

WAREHOUSE = "main"
SCARCE_ONE_IN = 60
"""One product in so many gets two units only, so that some orders find an empty shelf."""
OPEN_MAX = 500
NOTES_OPEN_MAX = 150
"""Reservations queue behind delivery notes, so fewer of those are under way."""


class StockedProducts:
    """Knows everything it has announced. ProductPromotions hold from yesterday until tomorrow."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes, year: Year) -> None:
        self.products: dict[str, Product] = {}
        self._link, self._outcomes, self._year = link, outcomes, year
        self._slots = {"stock.receive.v1": asyncio.Semaphore(NOTES_OPEN_MAX)}
        self._other_slots = asyncio.Semaphore(OPEN_MAX)
        now = datetime.now(UTC)
        self._starts_at, self._ends_at = now - timedelta(days=1), now + timedelta(days=1)

    async def stock_up(self, baskets: Iterable[Basket]) -> None:
        """Announce and stock what these baskets want and nobody has wanted before; return when it can be bought."""
        wanted = {sku_id for basket in baskets for sku_id, _ in basket.lines} - self.products.keys()
        messages: list[OutgoingMessage] = []
        for product in map(self._year.product, sorted(wanted)):
            self.products[product.sku_id] = product
            deal = promotion(product, self._starts_at, self._ends_at)
            messages += [upsert(product), receive(product), *([deal] if deal else [])]
        await asyncio.gather(*map(self._send, messages))

    async def _send(self, message: OutgoingMessage) -> None:
        async with self._slots.get(message.type, self._other_slots):
            sent = self._outcomes.note(message)
            await self._link.send(message)
            await sent.outcome()

    def bought(self, basket: Basket) -> list[tuple[Product, int]]:
        """What is in the basket, and how much of it."""
        return [(self.products[sku_id], units) for sku_id, units in basket.lines]


def upsert(product: Product) -> OutgoingMessage:
    """The product as it is sold."""
    return OutgoingMessage(
        "sku.upsert.v1",
        {
            "sku_id": product.sku_id,
            "revision": 1,
            "spu_id": product.sku_id,
            "name": product.name,
            "status": "on_sale",
            "price": product.price_cents,
            "currency": product.currency,
            "category_id": product.category,
            "seller_id": product.seller_id,
            "product_type": product.product_type,
            "gift_points": product.gift_points,
        },
    )


def receive(product: Product) -> OutgoingMessage:
    """Enough units for the year, or far too few."""
    scarce = zlib.crc32(product.sku_id.encode()) % SCARCE_ONE_IN == 0
    qty = 2 if scarce else product.demand_units + 10
    note = {"ref": f"opening-{product.sku_id}", "sku_id": product.sku_id, "warehouse": WAREHOUSE, "qty": qty}
    return OutgoingMessage("stock.receive.v1", note)
