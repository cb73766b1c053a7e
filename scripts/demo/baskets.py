"""Real baskets as products and orders (see dataset.py).

Price and deal of a product are those of its first weeks (see deals.py); its seller is that of its department.
The data set's amounts are read as CNY; one household in six pays as many USD, for SKUs of their own.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from scripts.demo.coupons import Coupon, used
from scripts.demo.dataset import BasketLines, ProductName, coupons_given, read_campaigns, read_lines, read_names
from scripts.demo.product_promotions import ProductPromotion, ProductPromotions, SaleLines

LINES_MAX = 200
SELLERS = {"COSMETICS": "beauty-counter", "FLORAL": "florist", "GARDEN CENTER": "florist"}
"""Departments that somebody else runs: what they sell is an order of its own."""
PRODUCT_TYPES = {"SPIRITS": "alcohol"}
CNY, USD = "CNY", "USD"
IN_USD_ONE_IN = 6


@dataclass(frozen=True)
class Product:
    """One product on sale. The price is in cents; `demand_units` is what all baskets of the year take merged_orders."""

    sku_id: str
    name: str
    category: str
    price_cents: int
    demand_units: int
    deal: ProductPromotion | None = None
    seller_id: str | None = None
    product_type: str = "normal"
    currency: str = CNY

    @property
    def gift_points(self) -> int:
        """What a unit earns its buyer: a point for a whole dollar."""
        return self.price_cents // 100

    def off_cents(self, units: int) -> int:
        """What the shop takes off so many units by itself."""
        return 0 if self.deal is None else self.deal.off_cents(self.price_cents, units)


@dataclass(frozen=True)
class Basket:
    """What one household bought at once: (SKU, units), each SKU once; and what it really was given, in cents.

    `retail_off_cents` the shop gave by itself, `coupons_off_cents` for all coupons; `coupon` is the one that gave most.
    """

    basket_id: str
    household: str
    week: int
    lines: tuple[tuple[str, int], ...]
    coupon: Coupon | None = None
    retail_off_cents: int = 0
    coupons_off_cents: int = 0
    currency: str = CNY

    @property
    def user(self) -> str:
        """Who orders it: a household is somebody new every week."""
        return f"household-{self.household}-week-{self.week}"


class Year:
    """The year's baskets in the order of their time, and the products in them."""

    def __init__(self) -> None:
        lines = read_lines()
        self._products, places = np.unique(lines.product, return_inverse=True)
        sales = SaleLines(places, lines.week, lines.units, lines.shelf_cents, lines.off_cents)
        self._deals = ProductPromotions(sales, len(self._products))
        self._demands = np.bincount(places, weights=lines.units).astype(np.int64)
        given = coupons_given(lines)
        self._coupons = used(given, read_campaigns())
        self._coupons_off = Counter[int]()
        for row in given:
            self._coupons_off[row.basket] += row.cents
        self._keep(lines)
        del lines, places, sales
        pa.default_memory_pool().release_unused()  # 150 MiB

    def _keep(self, lines: BasketLines) -> None:
        self._ids, self._product, self._units, self._off = lines.basket, lines.product, lines.units, lines.off_cents
        self._starts = np.flatnonzero(np.append(True, self._ids[1:] != self._ids[:-1]))
        self._households, self._weeks = lines.household[self._starts], lines.week[self._starts]

    def __len__(self) -> int:
        return len(self._starts)

    def baskets(self) -> Iterator[Basket]:
        """Every basket, one at a time."""
        ends = np.append(self._starts[1:], len(self._ids))
        for n, (start, end) in enumerate(zip(self._starts.tolist(), ends.tolist(), strict=True)):
            number = int(self._ids[start])
            products, units = self._product[start:end].tolist(), self._units[start:end].tolist()
            household = str(self._households[n])
            currency = currency_of(household)
            yield Basket(
                basket_id=str(number),
                household=household,
                week=int(self._weeks[n]),
                lines=tuple((sku(product, currency), qty) for product, qty in zip(products, units, strict=True))[
                    :LINES_MAX
                ],
                coupon=_in(currency, self._coupons.get(number)),
                retail_off_cents=int(self._off[start:end].sum()),
                coupons_off_cents=self._coupons_off[number],
                currency=currency,
            )

    def product(self, sku_id: str) -> Product:
        """One product that occurs in a basket."""
        digits, _, currency = sku_id.partition("-")
        place = int(np.searchsorted(self._products, int(digits)))
        named = self._names.get(int(digits), ProductName(f"Product {digits}", "UNKNOWN", ""))
        return Product(
            sku_id=sku_id,
            name=named.name,
            category=named.category,
            price_cents=int(self._deals.price_cents[place]),
            demand_units=int(self._demands[place]),
            deal=self._deals.deal(place),
            seller_id=SELLERS.get(named.department),
            product_type=PRODUCT_TYPES.get(named.department, "normal"),
            currency=currency or CNY,
        )

    @cached_property
    def _names(self) -> dict[int, ProductName]:
        return read_names(set(self._products.tolist()))


def currency_of(household: str) -> str:
    """What it always pays in."""
    return USD if zlib.crc32(household.encode()) % IN_USD_ONE_IN == 0 else CNY


def sku(product: int, currency: str) -> str:
    """A product as it is sold in this currency."""
    return f"{product}" if currency == CNY else f"{product}-{currency}"


def _in(currency: str, coupon: Coupon | None) -> Coupon | None:
    """The coupon as it is issued in this currency."""
    if coupon is None or currency == coupon.currency:
        return coupon
    scope = tuple(sku(int(product), currency) for product in coupon.scope)
    return replace(coupon, template_id=f"{coupon.template_id}-{currency}", scope=scope, currency=currency)
