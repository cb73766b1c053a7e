"""Puts every product with its promotion and stock on sale before the first basket that contains it."""

import asyncio
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from scripts.amqp_client import OutgoingMessage
from scripts.demo.baskets import Basket, Product, Year
from scripts.demo.catalogue_messages import promotion_upsert, sell_to_groups, trust_buyers
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.goods_places import lists_of_regions, own_list, places_of
from scripts.demo.group_orders import SIZE
from scripts.demo.role_links import RoleLinks

SCARCE_ONE_IN = 60
"""One product in so many gets only two units, so that some orders find it sold out."""
OPEN_MAX = 500
RECEIPTS_OPEN_MAX = 150
"""Reservations queue behind stock.receive messages, so fewer of those are open at a time."""


class StockedProducts:
    """Knows all announced products. Promotions are valid from yesterday until tomorrow."""

    def __init__(self, link: RoleLinks, outcomes: CommandOutcomes, year: Year, group_window_seconds: int) -> None:
        self.products: dict[str, Product] = {}
        self._link, self._outcomes, self._year = link, outcomes, year
        self._slots = {"stock.receive.v1": asyncio.Semaphore(RECEIPTS_OPEN_MAX)}
        self._other_slots = asyncio.Semaphore(OPEN_MAX)
        now = datetime.now(UTC)
        self._lists = [*lists_of_regions(), trust_buyers(), sell_to_groups(SIZE, group_window_seconds)]
        self._starts_at, self._ends_at = now - timedelta(days=1), now + timedelta(days=1)

    async def stock_up(self, baskets: Iterable[Basket]) -> None:
        """Announce and stock the new products of these baskets; return when they can be ordered."""
        wanted = {sku_id for basket in baskets for sku_id, _ in basket.lines} - self.products.keys()
        messages: list[OutgoingMessage] = []
        for product in map(self._year.product, sorted(wanted)):
            self.products[product.sku_id] = product
            promotion = promotion_upsert(product, self._starts_at, self._ends_at)
            own = own_list(product.sku_id)
            messages += [sku_upsert(product), *stock_receipts(product), *filter(None, (promotion, own))]
        messages, self._lists = messages + self._lists, []  # several chunks are stocked side by side
        await asyncio.gather(*map(self._send, messages))

    async def _send(self, message: OutgoingMessage) -> None:
        async with self._slots.get(message.type, self._other_slots):
            sent = self._outcomes.remember(message)
            await self._link.send(message)
            await sent.outcome()

    def lines_of(self, basket: Basket) -> list[tuple[Product, int]]:
        """Return (product, units) of a basket."""
        return [(self.products[sku_id], units) for sku_id, units in basket.lines]


def sku_upsert(product: Product) -> OutgoingMessage:
    """Return the sku.upsert of a product."""
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


def stock_receipts(product: Product) -> list[OutgoingMessage]:
    """Return a stock.receive for each of its warehouses: enough units for the year, or two of a scarce product."""
    scarce = zlib.crc32(product.sku_id.encode()) % SCARCE_ONE_IN == 0
    note = {
        "ref": f"opening-{product.sku_id}",
        "sku_id": product.sku_id,
        "qty": 2 if scarce else product.demand_units + 10,
    }
    return [OutgoingMessage("stock.receive.v1", note | {"warehouse": place}) for place in places_of(product.sku_id)]
