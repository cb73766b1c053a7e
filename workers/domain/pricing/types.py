"""What pricing reads and what it returns: a request, the buyer, the rules, the quote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.discounts import UsedRule
from workers.domain.pricing.promotions import Index, Promotion, index


class Sku(NamedTuple):
    """A SKU of the catalogue. `price` is minor units of `currency`, `specs` a JSON object.

    `gift_points` and `gift_growth` come with each unit; `points_limit` is how many points a unit takes at most.
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


class RequestedLine(NamedTuple):
    """What a client asks for. With `expected_unit_price`, another price of the catalogue is refused (S1-05)."""

    sku_id: str
    qty: int
    warehouse: str
    expected_unit_price: int | None = None


@dataclass(frozen=True)
class PriceRequest:
    """An order as its client wants it. With `expected`, any other result is refused (S3-13)."""

    wanted: Sequence[RequestedLine]
    currency: str
    channel: str
    country: str | None
    coupon_id: str | None = None
    use_points: int = 0
    expected: int | None = None


@dataclass(frozen=True)
class Buyer:
    """Who pays. `coupon` is the one asked for, whoever owns it; `quota_used` units bought before, by promotion."""

    user_id: str
    member_level: str | None = None
    points_available: int = 0
    coupon: Coupon | None = None
    quota_used: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """The catalogue's side. `quota_left` is the units that limited promotions have left, by promotion."""

    skus: Mapping[str, Sku]
    promotions: Sequence[Promotion] = ()
    quota_left: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def index(self) -> Index:
        """Promotions by what they are for."""
        return index(self.promotions)


class PricedLine(NamedTuple):
    """One priced line. net = origin - promotion - coupon - points, payable = net + tax + shipping_share.

    `quota_units` of its units were sold at a limited price.
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
    """The price of an order; every minor unit of each amount belongs to a line, every one taken off to a rule."""

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
        """Units sold at a limited price, by promotion."""
        uses: dict[str, int] = {}
        for line in self.lines:
            if line.quota_units and line.promotion_id is not None:
                uses[line.promotion_id] = uses.get(line.promotion_id, 0) + line.quota_units
        return uses
