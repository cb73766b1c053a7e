"""What a checkout asks for: plain sums by the shop's published rules. The order system must come to the same cent."""

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
    """As the shop publishes them. Shipping is free from an amount on, 0: never; whole units of points are used."""

    shipping_fee_cents: int = 499
    free_shipping_from_cents: int = 0
    points_unit: int = 100
    points_unit_cents: int = 100
    points_max_percent: int = 50


class Bill(NamedTuple):
    """Cents; `points` is how many are used."""

    origin: int
    promotion: int
    coupon: int
    points_amount: int
    points: int
    shipping: int

    @property
    def payable(self) -> int:
        """What is to be paid."""
        return self.origin - self.promotion - self.coupon - self.points_amount + self.shipping


def bill(
    lines: Sequence[tuple[Product, int]], rules: Rules, coupon: Coupon | None = None, points_offered: int = 0
) -> Bill:
    """The price of so many units of these products, for a buyer with a coupon and some points to offer."""
    origin = sum(product.price_cents * units for product, units in lines)
    promotion = sum(product.off_cents(units) for product, units in lines)
    off = 0 if coupon is None else min(coupon.face_cents, eligible_cents(lines, coupon))
    left = origin - promotion - off
    points = usable_points(points_offered, left, rules)
    fee = 0 if 0 < rules.free_shipping_from_cents <= origin - promotion else rules.shipping_fee_cents
    return Bill(origin, promotion, off, points // rules.points_unit * rules.points_unit_cents, points, fee)


def eligible_cents(lines: Sequence[tuple[Product, int]], coupon: Coupon) -> int:
    """What the products that the coupon is for cost after promotions."""
    scope = set(coupon.scope)
    return sum(p.price_cents * units - p.off_cents(units) for p, units in lines if p.sku_id in scope)


def usable_points(offered: int, left_cents: int, rules: Rules) -> int:
    """Whole units of the points offered, worth at most the shop's part of what is left to pay."""
    units = left_cents * rules.points_max_percent // 100 // rules.points_unit_cents
    return min(offered // rules.points_unit, units) * rules.points_unit


def parts(lines: Sequence[tuple[Product, int]]) -> int:
    """How many orders it becomes: one for each kind of goods of each seller."""
    return len({(product.product_type, product.seller_id) for product, _ in lines})


def points_collected(household: str) -> int:
    """What a household brings along: nothing, or some hundreds that are not a round number."""
    chance, amount = divmod(zlib.crc32(household.encode()), 2**16)
    return 50 + 100 * (1 + amount % 20) if chance % POINTS_ONE_IN == 0 else 0
