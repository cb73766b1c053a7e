"""The goods that buyers want in exchange: the same, or others of their currency that cost more or less."""

import random
from collections.abc import Mapping
from typing import Any

from scripts.demo.baskets import Product
from scripts.demo.goods_places import places_of
from scripts.demo.stocked_products import StockedProducts

SAME, DEARER, CHEAPER, KEEPS_BOTH = EXCHANGES = (
    "wants the same goods",
    "wants dearer goods",
    "wants cheaper goods",
    "keeps the goods that others replace",
)


class WantedGoods:
    """Picks goods that lie where those lie which come back: these are the warehouses that may have a replacement."""

    def __init__(self, stocked: StockedProducts) -> None:
        self._stocked = stocked

    def instead(self, kind: str, line: Mapping[str, Any]) -> dict[str, str]:
        """Return what an exchange of this kind adds to a line of its application; nothing if the kind is none."""
        if kind not in EXCHANGES:
            return {}
        products = self._stocked.products
        before = products[line["sku_id"]]
        others = products.values() if kind in {DEARER, CHEAPER} else ()
        fit = [one for one in others if _fits(one, before, dearer=kind == DEARER)]
        return {"wanted_sku_id": random.choice(fit or [before]).sku_id}


def is_replacement(created: Mapping[str, Any]) -> bool:
    """Tell whether an order.created is about an exchange order, which no buyer has requested."""
    return str(created["request_id"]) == f"exchange-{created['order_id']}"


def _fits(one: Product, before: Product, *, dearer: bool) -> bool:
    same_place = one.currency == before.currency and places_of(one.sku_id) == places_of(before.sku_id)
    same_seller = (one.seller_id, one.product_type) == (before.seller_id, before.product_type)
    return same_place and same_seller and (one.price_cents > before.price_cents) is dearer and one is not before
