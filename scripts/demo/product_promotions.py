"""Promotions read from the discounts of real sales.

kind             how it shows in the sales
---------------  ---------------------------------------------------------------------------------------
single           every unit has a discount
full_reduction   buy one, get one free: a pair costs half, a single unit its full price
ladder           two units or more have a discount, a single unit has none
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

WEEKS = 2
"""The price and promotion of a product are those of its first weeks in the data: later ones would be others."""
PAIRS_MAX = 20
WHOLE = 10_000  # basis points
HALF_ABOUT = 50


@dataclass(frozen=True)
class ProductPromotion:
    """The terms of a promotion, by its kind.

    `price_cents` is the unit price of a single. `steps` are (units, basis points still to pay) of a ladder, and
    (full, reduce) in cents of a full_reduction.
    """

    kind: str
    price_cents: int = 0
    steps: tuple[tuple[int, int], ...] = ()

    def off_cents(self, price_cents: int, units: int) -> int:
        """Return what it takes off so many units at this price, in cents."""
        amount = price_cents * units
        if self.kind == "single":
            return (price_cents - self.price_cents) * units
        reached = amount if self.kind == "full_reduction" else units
        worth = [given for threshold, given in self.steps if threshold <= reached]
        if not worth:
            return 0
        return worth[-1] if self.kind == "full_reduction" else half_even(amount * (WHOLE - worth[-1]), WHOLE)


def half_even(dividend: int, divisor: int) -> int:
    """Round the quotient to the nearest whole number, and a half to the even one."""
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))


class SaleLines(NamedTuple):
    """Columns with a row for each line of a basket, in the order of time. `place` is that of the product."""

    place: Any
    week: Any
    units: Any
    shelf_cents: Any
    off_cents: Any


class ProductPromotions:
    """The price and the promotion of every product, by the product's place."""

    def __init__(self, sales: SaleLines, products: int) -> None:
        begun = np.full(products, np.iinfo(np.int16).max)
        np.minimum.at(begun, sales.place, sales.week)
        sales = SaleLines(*(column[sales.week < begun[sales.place] + WEEKS] for column in sales))
        unit_price, unit_off = (
            np.rint(cents / sales.units).astype(np.int64) for cents in (sales.shelf_cents, sales.off_cents)
        )
        typical = median_rows(sales.place, sales.units, np.lexsort((unit_off, unit_price, sales.place)), products)
        self.price_cents = np.maximum(unit_price[typical], 1)
        self._off_cents = np.minimum(unit_off[typical], self.price_cents - 1)
        self._paid_by_pairs = _paid_by_pairs(sales, products)

    def promotion(self, place: int) -> ProductPromotion | None:
        """Return the promotion of a product, if it has one."""
        price, off, paid = (int(column[place]) for column in (self.price_cents, self._off_cents, self._paid_by_pairs))
        if abs(paid - WHOLE // 2) <= HALF_ABOUT:
            return ProductPromotion(
                "full_reduction", steps=tuple((2 * n * price, n * price) for n in range(1, PAIRS_MAX + 1))
            )
        if paid < WHOLE:
            return ProductPromotion("ladder", steps=((2, paid),))
        return ProductPromotion("single", price - off) if off else None


def _paid_by_pairs(sales: SaleLines, products: int) -> Any:
    """Return for each product the basis points that buyers of two or more pay while buyers of one pay the full price.

    It is WHOLE for products without such a promotion.
    """
    given = sales.off_cents * 20 >= sales.shelf_cents  # less than 5 % is rounding and no reason to buy two
    one = sales.units == 1

    def count(rows: Any) -> Any:
        return np.bincount(sales.place[rows], minlength=products)

    ones, pairs = count(one), count(~one)
    apart = (4 * count(one & given) <= ones) & (4 * count(~one & given) >= 3 * pairs) & (pairs >= 2)
    rows = np.flatnonzero(~one)
    paid = np.rint(WHOLE * (1 - sales.off_cents[rows] / sales.shelf_cents[rows])).astype(np.int64)
    place = sales.place[rows]
    typical = median_rows(place, np.ones(len(rows), np.int64), np.lexsort((paid, place)), products)
    median = np.append(paid, WHOLE)[typical]
    sure = apart & (
        (ones > 0) | (np.abs(median - WHOLE // 2) <= HALF_ABOUT)
    )  # without single sales the price of one unit is unknown
    return np.where(sure, np.clip(median, WHOLE // 100, WHOLE), WHOLE)


def median_rows(places: Any, weights: Any, order: Any, products: int) -> Any:
    """Return for each product the row in the middle of its sales, -1 if it has none.

    `order` sorts the rows by product, then by the value whose median is wanted.
    """
    sums = np.cumsum(weights[order], dtype=np.int64)
    begins, ends = (np.searchsorted(places[order], np.arange(products), side) for side in ("left", "right"))
    sums_before = np.append(0, sums)
    before = sums_before[begins]
    middle = np.searchsorted(sums, before + (sums_before[ends] - before + 1) // 2)
    found, rows = ends > begins, np.full(products, -1)
    rows[found] = order[middle[found]]
    return rows
