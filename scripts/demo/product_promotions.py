"""What the shop takes off a price by itself: read from the discounts of real sales, as promotions.

kind             where sales show
---------------  ---------------------------------------------------------------------------------------
single           a discount on every unit
full_reduction   buy one, get one free: a pair costs half, a single unit its price
ladder           another discount from two units on, which a single unit does not get
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

WEEKS = 2
"""A product's price and deal are those of its first weeks in the data; later ones would be other promotions."""
PAIRS_MAX = 20
WHOLE = 10_000  # basis points
HALF_ABOUT = 50


@dataclass(frozen=True)
class ProductPromotion:
    """A single has the unit's price, a ladder steps of (units, basis points still paid), a reduction (full, reduce)."""

    kind: str
    price_cents: int = 0
    steps: tuple[tuple[int, int], ...] = ()

    def off_cents(self, price_cents: int, units: int) -> int:
        """What it takes off so many units at this price."""
        amount = price_cents * units
        if self.kind == "single":
            return (price_cents - self.price_cents) * units
        reached = amount if self.kind == "full_reduction" else units
        worth = [given for threshold, given in self.steps if threshold <= reached]
        if not worth:
            return 0
        return worth[-1] if self.kind == "full_reduction" else half_even(amount * (WHOLE - worth[-1]), WHOLE)


def half_even(dividend: int, divisor: int) -> int:
    """The whole number next to the quotient; of two that are as near, the even one."""
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))


class SaleLines(NamedTuple):
    """Columns, a row for each line of a basket in the order of time. `place` is the product's; cents are the line's."""

    place: Any
    week: Any
    units: Any
    shelf_cents: Any
    off_cents: Any


class ProductPromotions:
    """The price and the deal of every product, by its place."""

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

    def deal(self, place: int) -> ProductPromotion | None:
        """The deal of a product, if it has one."""
        price, off, paid = (int(column[place]) for column in (self.price_cents, self._off_cents, self._paid_by_pairs))
        if abs(paid - WHOLE // 2) <= HALF_ABOUT:
            return ProductPromotion(
                "full_reduction", steps=tuple((2 * n * price, n * price) for n in range(1, PAIRS_MAX + 1))
            )
        if paid < WHOLE:
            return ProductPromotion("ladder", steps=((2, paid),))
        return ProductPromotion("single", price - off) if off else None


def _paid_by_pairs(sales: SaleLines, products: int) -> Any:
    """Basis points that buyers of two and more pay where buyers of one pay all; WHOLE everywhere else."""
    given = sales.off_cents * 20 >= sales.shelf_cents  # less than 5 % is a rounding, not a reason to buy two
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
    sure = apart & ((ones > 0) | (np.abs(median - WHOLE // 2) <= HALF_ABOUT))  # else nobody knows what one would cost
    return np.where(sure, np.clip(median, WHOLE // 100, WHOLE), WHOLE)


def median_rows(places: Any, weights: Any, order: Any, products: int) -> Any:
    """Of each product the row in the middle of its sales, as `order` sorts them by product; -1 where it has none."""
    sums = np.cumsum(weights[order], dtype=np.int64)
    begins, ends = (np.searchsorted(places[order], np.arange(products), side) for side in ("left", "right"))
    sums_before = np.append(0, sums)
    before = sums_before[begins]
    middle = np.searchsorted(sums, before + (sums_before[ends] - before + 1) // 2)
    found, rows = ends > begins, np.full(products, -1)
    rows[found] = order[middle[found]]
    return rows
