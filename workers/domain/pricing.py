"""What an order costs. One pure function; no number that a client sent enters the computation (requirements 9.6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workers.domain.allocation import allocate
from workers.domain.refusal import Refusal

QUANTITY_MAX = 1_000_000  # units per line; also what stock counters (32 bit) can hold many times over
AMOUNT_MAX = 10**15  # minor units per order: sums stay far inside 64 bits


class Sku(NamedTuple):
    """A SKU of the catalogue. `price` is minor units of `currency`, `specs` a JSON object."""

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


class Wanted(NamedTuple):
    """What a client asks for."""

    sku_id: str
    qty: int
    warehouse: str


class Line(NamedTuple):
    """One priced line. payable = origin - discounts + tax + shipping_share."""

    line_no: int
    sku: Sku
    warehouse: str
    qty: int
    origin_amount: int
    shipping_share: int

    @property
    def payable_amount(self) -> int:
        return self.origin_amount + self.shipping_share


@dataclass(frozen=True)
class Quote:
    """The price of an order; every minor unit of `payable_amount` belongs to a line."""

    currency: str
    lines: tuple[Line, ...]
    origin_amount: int
    shipping_fee: int

    @property
    def payable_amount(self) -> int:
        return self.origin_amount + self.shipping_fee


def quote(
    wanted: Sequence[Wanted], skus: Mapping[str, Sku], *, currency: str, shipping_fee: int, expected: int | None = None
) -> Quote | Refusal:
    """Price the lines, or say which line cannot be priced. With `expected`, refuse any other result (S3-13)."""
    refusal = _unfit(wanted, skus, currency)
    if refusal is not None:
        return refusal
    origins = [skus[line.sku_id].price * line.qty for line in wanted]
    shares = allocate(shipping_fee, origins)
    lines = tuple(
        Line(number, skus[line.sku_id], line.warehouse, line.qty, origin, share)
        for number, (line, origin, share) in enumerate(zip(wanted, origins, shares, strict=True), start=1)
    )
    made = Quote(currency, lines, sum(origins), shipping_fee)
    if made.payable_amount > AMOUNT_MAX:
        return Refusal("ORDER_PARAM_INVALID", "the order is too large", {"field": "items"})
    if expected is not None and made.payable_amount != expected:
        details = {"expected": made.payable_amount, "got": expected, "currency": currency}
        return Refusal("ORDER_PRICE_MISMATCH", f"the order costs {made.payable_amount}, not {expected}", details)
    return made


def _unfit(wanted: Sequence[Wanted], skus: Mapping[str, Sku], currency: str) -> Refusal | None:
    if not wanted:
        return Refusal("ORDER_ITEMS_EMPTY", "an order has at least one line", {"field": "items"})
    for number, line in enumerate(wanted, start=1):
        where = {"line_no": number, "sku_id": line.sku_id}
        sku = skus.get(line.sku_id)
        if not 1 <= line.qty <= QUANTITY_MAX:
            details = {"field": f"items[{number - 1}].qty", **where}
            return Refusal("ORDER_PARAM_INVALID", f"line {number}: the quantity is 1 to {QUANTITY_MAX}", details)
        if sku is None:
            return Refusal("PRODUCT_NOT_FOUND", f"line {number}: there is no such SKU", where)
        if not sku.on_sale:
            return Refusal("PRODUCT_NOT_ON_SALE", f"line {number}: the SKU is not on sale", where)
        if sku.currency != currency:
            details = {"field": "currency", "sku_currency": sku.currency, **where}
            return Refusal("ORDER_PARAM_INVALID", f"line {number}: the SKU is sold in {sku.currency}", details)
    return None
