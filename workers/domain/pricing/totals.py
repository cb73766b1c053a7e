"""Sums the lines of an order, or of a part that was split from it."""

from collections.abc import Iterable
from typing import NamedTuple

from workers.domain.pricing.quote import PricedLine


class Totals(NamedTuple):
    """The sums, in minor units; the gifts are points and growth.

    payable = origin - promotion - coupon - points + shipping + tax
    """

    origin: int
    promotion: int
    coupon: int
    points: int
    shipping: int
    tax: int
    payable: int
    gift_points: int
    gift_growth: int

    def amounts(self) -> dict[str, int]:
        """Name -> minor units, without the gifts."""
        return {name: value for name, value in self._asdict().items() if not name.startswith("gift_")}


def totals(lines: Iterable[PricedLine]) -> Totals:
    """Sum the lines' own amounts, so that the parts of a split order add up to the whole by construction."""
    rows = [
        (
            line.origin_amount,
            line.promotion_amount,
            line.coupon_amount,
            line.points_amount,
            line.shipping_share,
            line.tax_amount,
            line.payable_amount,
            line.gift_points,
            line.gift_growth,
        )
        for line in lines
    ]
    return Totals(*(sum(column) for column in zip(*rows, strict=True)))
