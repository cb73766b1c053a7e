"""The price that a checkout computes from the shop's published rules. The order system must agree to the cent."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scripts.demo.baskets import Product
from scripts.demo.coupons import Coupon

POINTS_ONE_IN = 6
"""One household in so many collects points."""


@dataclass(frozen=True)
class Rules:
    """The shop's price rules. Shipping is free from an amount on (0: never); points are used in whole units."""

    shipping_fee_cents: int = 499
    free_shipping_from_cents: int = 0
    points_unit: int = 100
    points_unit_cents: int = 100
    points_max_percent: int = 50


class PriceBreakdown(NamedTuple):
    """The parts of a price in cents; `points` is how many points it uses."""

    origin: int
    promotion: int
    coupon: int
    points_amount: int
    points: int
    shipping: int

    @property
    def payable(self) -> int:
        """The amount to pay."""
        return self.origin - self.promotion - self.coupon - self.points_amount + self.shipping


def price_breakdown(
    lines: Sequence[tuple[Product, int]], rules: Rules, coupon: Coupon | None = None, points_offered: int = 0
) -> PriceBreakdown:
    """Return the price of these products for a buyer who has a coupon and offers points."""
    origin = sum(product.price_cents * units for product, units in lines)
    promotion = sum(product.off_cents(units) for product, units in lines)
    off = 0 if coupon is None else min(coupon.face_cents, eligible_cents(lines, coupon))
    left = origin - promotion - off
    points = usable_points(points_offered, left, rules)
    fee = 0 if 0 < rules.free_shipping_from_cents <= origin - promotion else rules.shipping_fee_cents
    return PriceBreakdown(origin, promotion, off, points // rules.points_unit * rules.points_unit_cents, points, fee)


def eligible_cents(lines: Sequence[tuple[Product, int]], coupon: Coupon) -> int:
    """Return what the products that the coupon applies to cost after promotions."""
    scope = set(coupon.scope)
    return sum(p.price_cents * units - p.off_cents(units) for p, units in lines if p.sku_id in scope)


def usable_points(offered: int, left_cents: int, rules: Rules) -> int:
    """Return how many of the offered points are used: whole units, worth at most the shop's percentage of the rest."""
    units = left_cents * rules.points_max_percent // 100 // rules.points_unit_cents
    return min(offered // rules.points_unit, units) * rules.points_unit


def parts(lines: Sequence[tuple[Product, int]]) -> int:
    """Return into how many orders the lines are split: one for each product type of each seller."""
    return len({(product.product_type, product.seller_id) for product, _ in lines})


def points_collected(household: str) -> int:
    """Return the points that a household has collected: none, or some hundreds and fifty."""
    chance, amount = divmod(zlib.crc32(household.encode()), 2**16)
    return 50 + 100 * (1 + amount % 20) if chance % POINTS_ONE_IN == 0 else 0
