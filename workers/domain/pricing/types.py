"""The types of pricing: the request, the rules and the buyer that it reads, and the quote that it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.discounts import UsedRule
from workers.domain.pricing.promotions import Index, Promotion, index


class Sku(NamedTuple):
    """A SKU of the catalogue. `price` is minor units of `currency`, `specs` is a JSON object.

    `gift_points` and `gift_growth` come with each unit; `points_limit` is the most points that a unit takes.
    `purchase_price` is what the shop pays for a unit, if that is known; no price depends on it.
    """

    sku_id: str
    spu_id: str
    name: str
    on_sale: bool
    price: int
    currency: str
    product_type: str
    seller_id: str | None
    category_id: str | None = None
    specs: str = "{}"
    image_url: str | None = None
    unit: str | None = None
    tax_class: str | None = None
    gift_points: int = 0
    gift_growth: int = 0
    points_limit: int | None = None
    purchase_price: int | None = None


class RequestedLine(NamedTuple):
    """One line that a client wants. If `expected_unit_price` is set, any other price is refused (S1-05)."""

    sku_id: str
    qty: int
    warehouse: str
    expected_unit_price: int | None = None


@dataclass(frozen=True)
class PriceRequest:
    """An order that a client wants priced. If `expected` is set, any other amount is refused (S3-13)."""

    wanted: Sequence[RequestedLine]
    currency: str
    channel: str
    country: str | None
    coupon_id: str | None = None
    use_points: int = 0
    expected: int | None = None


@dataclass(frozen=True)
class Buyer:
    """The user who pays.

    `coupon` is the requested one, even if it belongs to another user. `quota_used` maps a limited promotion to the
    units that the user bought before.
    """

    user_id: str
    member_level: str | None = None
    points_available: int = 0
    coupon: Coupon | None = None
    quota_used: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """The SKUs and promotions of the catalogue. `quota_left` maps a limited promotion to its units that are left."""

    skus: Mapping[str, Sku]
    promotions: Sequence[Promotion] = ()
    quota_left: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def index(self) -> Index:
        """The promotions by their scope."""
        return index(self.promotions)


class PricedLine(NamedTuple):
    """One priced line. net = origin - promotion - coupon - points, payable = net + tax + shipping_share.

    `quota_units` of its units have a limited price.
    """

    line_no: int
    sku: Sku
    warehouse: str
    qty: int
    origin_amount: int
    promotion_amount: int
    promotion_id: str | None
    promotion_revision: int | None
    promotion_text: str | None
    quota_units: int
    coupon_amount: int
    points_amount: int
    tax_amount: int
    shipping_share: int

    @property
    def net_amount(self) -> int:
        return self.origin_amount - self.promotion_amount - self.coupon_amount - self.points_amount

    @property
    def payable_amount(self) -> int:
        return self.net_amount + self.tax_amount + self.shipping_share

    @property
    def gift_points(self) -> int:
        return self.sku.gift_points * self.qty

    @property
    def gift_growth(self) -> int:
        return self.sku.gift_growth * self.qty


@dataclass(frozen=True)
class Quote:
    """The price of an order. Each amount is the sum of the lines' parts, and each discount belongs to a rule."""

    currency: str
    lines: tuple[PricedLine, ...]
    origin_amount: int
    promotion_amount: int
    coupon_amount: int
    points_amount: int
    shipping_fee: int
    tax_amount: int
    coupon_id: str | None = None
    points_used: int = 0
    rules_used: tuple[UsedRule, ...] = ()

    @property
    def payable_amount(self) -> int:
        return self.net_amount + self.shipping_fee + self.tax_amount

    @property
    def net_amount(self) -> int:
        return self.origin_amount - self.promotion_amount - self.coupon_amount - self.points_amount

    @property
    def quota_uses(self) -> dict[str, int]:
        """Promotion -> the units at its limited price."""
        uses: dict[str, int] = {}
        for line in self.lines:
            if line.quota_units and line.promotion_id is not None:
                uses[line.promotion_id] = uses.get(line.promotion_id, 0) + line.quota_units
        return uses
