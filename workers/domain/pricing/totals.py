"""What some lines of an order come to: the whole order, or one that was split from it."""

from collections.abc import Iterable
from typing import NamedTuple

from workers.domain.pricing.quote import PricedLine


class Totals(NamedTuple):
    """Minor units. payable = origin - promotion - coupon - points + shipping + tax; gifts are points and growth."""

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
        """The amounts by name."""
        return {name: value for name, value in self._asdict().items() if not name.startswith("gift_")}


def totals(lines: Iterable[PricedLine]) -> Totals:
    """The sums of the lines' own amounts: what is split adds up by construction."""
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
