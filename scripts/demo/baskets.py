"""The baskets of a real shop as products and orders (dataset.py reads them).

The price and the promotion of a product are those of its first weeks (product_promotions.py), its seller is that of its
department. The amounts of the data set are read as CNY. One household in six pays the same numbers in USD, for SKUs of
their own.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from scripts.demo.coupons import Coupon, best_coupons
from scripts.demo.dataset import BasketLines, ProductName, coupons_given, read_campaigns, read_lines, read_names
from scripts.demo.product_promotions import ProductPromotion, ProductPromotions, SaleLines

LINES_MAX = 200
SELLERS = {"COSMETICS": "beauty-counter", "FLORAL": "florist", "GARDEN CENTER": "florist"}
"""Departments with a seller of their own: their products become a separate order."""
PRODUCT_TYPES = {"SPIRITS": "alcohol"}
CNY, USD = "CNY", "USD"
IN_USD_ONE_IN = 6


@dataclass(frozen=True)
class Product:
    """One product on sale. The price is in cents; `demand_units` is how many units all baskets of the year contain."""

    sku_id: str
    name: str
    category: str
    price_cents: int
    demand_units: int
    promotion: ProductPromotion | None = None
    seller_id: str | None = None
    product_type: str = "normal"
    currency: str = CNY

    @property
    def gift_points(self) -> int:
        """The points that a unit earns its buyer: one for a whole dollar."""
        return self.price_cents // 100

    def off_cents(self, units: int) -> int:
        """Return what the promotion takes off so many units, in cents."""
        return 0 if self.promotion is None else self.promotion.off_cents(self.price_cents, units)


@dataclass(frozen=True)
class Basket:
    """What one household bought at once: (SKU, units), each SKU once, and the discounts that it really got, in cents.

    `retail_off_cents` is the shop's own discount and `coupons_off_cents` that of all coupons; `coupon` is the one that
    gave most. `group_id` is the group of buyers that it is bought in.
    """

    basket_id: str
    household: str
    week: int
    lines: tuple[tuple[str, int], ...]
    coupon: Coupon | None = None
    retail_off_cents: int = 0
    coupons_off_cents: int = 0
    currency: str = CNY
    group_id: str | None = None

    @property
    def user(self) -> str:
        """The user who orders it: a household is another user every week."""
        return f"household-{self.household}-week-{self.week}"


class Year:
    """The baskets of the year in the order of time, and the products in them."""

    def __init__(self) -> None:
        lines = read_lines()
        self._products, places = np.unique(lines.product, return_inverse=True)
        sales = SaleLines(places, lines.week, lines.units, lines.shelf_cents, lines.off_cents)
        self._promotions = ProductPromotions(sales, len(self._products))
        self._demands = np.bincount(places, weights=lines.units).astype(np.int64)
        given = coupons_given(lines)
        self._coupons = best_coupons(given, read_campaigns())
        self._coupons_off = Counter[int]()
        for row in given:
            self._coupons_off[row.basket] += row.cents
        self._keep(lines)
        del lines, places, sales
        pa.default_memory_pool().release_unused()  # it frees 150 MiB

    def _keep(self, lines: BasketLines) -> None:
        self._ids, self._product, self._units, self._off = lines.basket, lines.product, lines.units, lines.off_cents
        self._starts = np.flatnonzero(np.append(True, self._ids[1:] != self._ids[:-1]))
        self._households, self._weeks = lines.household[self._starts], lines.week[self._starts]

    def __len__(self) -> int:
        return len(self._starts)

    def baskets(self) -> Iterator[Basket]:
        """Yield every basket."""
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
        """Return a product that occurs in a basket."""
        digits, _, currency = sku_id.partition("-")
        place = int(np.searchsorted(self._products, int(digits)))
        named = self._names.get(int(digits), ProductName(f"Product {digits}", "UNKNOWN", ""))
        return Product(
            sku_id=sku_id,
            name=named.name,
            category=named.category,
            price_cents=int(self._promotions.price_cents[place]),
            demand_units=int(self._demands[place]),
            promotion=self._promotions.promotion(place),
            seller_id=SELLERS.get(named.department),
            product_type=PRODUCT_TYPES.get(named.department, "normal"),
            currency=currency or CNY,
        )

    @cached_property
    def _names(self) -> dict[int, ProductName]:
        return read_names(set(self._products.tolist()))


def currency_of(household: str) -> str:
    """Return the currency in which this household always pays."""
    return USD if zlib.crc32(household.encode()) % IN_USD_ONE_IN == 0 else CNY


def sku(product: int, currency: str) -> str:
    """Return the SKU of a product in this currency."""
    return f"{product}" if currency == CNY else f"{product}-{currency}"


def _in(currency: str, coupon: Coupon | None) -> Coupon | None:
    """Return the coupon as it is issued in this currency."""
    if coupon is None or currency == coupon.currency:
        return coupon
    scope = tuple(sku(int(product), currency) for product in coupon.scope)
    return replace(coupon, template_id=f"{coupon.template_id}-{currency}", scope=scope, currency=currency)
