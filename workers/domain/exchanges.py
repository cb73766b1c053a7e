"""Exchange orders: what the wanted goods cost beside the goods that come back (S1-22).

A unit that comes back counts for what was paid for it, with its tax and without shipping. The wanted SKU costs its
price of today, and where tax is added on top, the tax on it; for the same SKU there is no difference. The goods
that come back are taken off the price, up to all of it: this part of the price is their credit. What it leaves to pay
is made of net and tax as an order's price is, so the sum is right to the minor unit whatever the rate.

    units of a line                       what is between the shop and the buyer
    ------------------------------------  ----------------------------------------------------------------------
    came back, the other goods arrive     their value less the credit: it goes back if the other goods cost less
    came back, the other goods never do   what was paid for them goes back
    never came back, the other goods do   the buyer owes the credit
    never came back, nor do the others    nothing

The sum over all lines is the balance of the case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from workers.domain.after_sales import AfterSaleCase, CaseLine
from workers.domain.codes import Code
from workers.domain.money import Rounding, included, share
from workers.domain.pricing.allocation import allocate_within
from workers.domain.pricing.types import Sku
from workers.domain.refund_amounts import BoughtLine
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop
from workers.domain.sourcing import ANYWHERE, Region, WarehouseLists, replacing


class ExchangeState(StrEnum):
    """How far an exchange order is, as its case knows it.

    A reserved one waits for the inspection; a confirmed one goes out once its difference is paid; an ended one sends
    nothing.
    """

    RESERVING = "reserving"
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    PAID = "paid"
    DELIVERED = "delivered"
    ENDED = "ended"


UNPAID = frozenset({ExchangeState.RESERVING, ExchangeState.RESERVED, ExchangeState.CONFIRMED})
"""The states of an exchange order that has not been paid, as far as its case knows."""
STOPPABLE = frozenset({ExchangeState.RESERVING, ExchangeState.RESERVED})
"""The states of an exchange order that its case may still end."""
OUT = frozenset({ExchangeState.CONFIRMED, ExchangeState.PAID, ExchangeState.DELIVERED})
"""The states of an exchange order that the case cannot call back: its goods go out, or wait for their difference."""


@dataclass(frozen=True)
class ExchangeOrder:
    """The newest exchange order of a case. Amounts are minor units of the order's currency.

    `lost` has the units of each of its lines that will not arrive, or came back.
    """

    order_id: int
    case_id: int
    first_order_id: int
    value_amount: int
    price_amount: int
    state: ExchangeState = ExchangeState.RESERVING
    lost: tuple[int, ...] = ()

    @property
    def difference(self) -> int:
        """What the buyer pays on top; below 0 what goes back to the buyer."""
        return self.price_amount - self.value_amount


@dataclass(frozen=True)
class ExchangeTerms:
    """What wanted goods are ordered by: the SKUs and the shop of today, and the warehouses for the buyer's region."""

    skus: Mapping[str, Sku]
    shop: Shop
    lists: WarehouseLists = field(default_factory=WarehouseLists)
    region: Region = ANYWHERE


@dataclass(frozen=True)
class ExchangeLine:
    """`qty` units of a wanted SKU, for as many of a line of the case.

    `credit` of their price is paid with the goods that come back. `basis_points` is the rate of the tax that is added.
    If `warehouse` has too little, they may come from one of `others`, the best first.
    """

    line_no: int
    case_line_no: int
    sku: Sku
    warehouse: str
    qty: int
    value: int = 0
    credit: int = 0
    basis_points: int = 0
    rounding: Rounding = Rounding.HALF_UP
    others: tuple[str, ...] = ()

    @property
    def origin(self) -> int:
        """The price of all units before tax."""
        return self.sku.price * self.qty

    @property
    def price(self) -> int:
        """What all units cost, with tax."""
        return self.origin + share(self.origin, self.basis_points, self.rounding)

    @property
    def tax(self) -> int:
        """The tax in what is left to pay."""
        return included(self.price - self.credit, self.basis_points, self.rounding)

    @property
    def reduction(self) -> int:
        """What the goods that come back take off the price before tax."""
        return self.origin - (self.price - self.credit - self.tax)


def wrong_sku(lines: Sequence[CaseLine], currency: str, skus: Mapping[str, Sku]) -> Refusal | None:
    """Return why the SKUs that the case wants cannot be ordered today, or None."""
    for line in lines:
        assert line.wanted_sku_id is not None, "each line of an exchange names a SKU"
        details: dict[str, object] = {"line_no": line.line_no, "sku_id": line.wanted_sku_id}
        sku = skus.get(line.wanted_sku_id)
        if sku is None:
            return Refusal(Code.PRODUCT_NOT_FOUND, f"line {line.line_no}: there is no such SKU", details)
        if not sku.on_sale:
            return Refusal(Code.PRODUCT_NOT_ON_SALE, f"line {line.line_no}: the SKU is not on sale", details)
        if sku.currency != currency:
            why = f"line {line.line_no}: the SKU is sold in {sku.currency}"
            return Refusal(Code.AFTERSALE_LINE_INVALID, why, details | {"sku_currency": sku.currency})
    return None


def exchange_lines(
    case: AfterSaleCase, units: Mapping[int, int], bought: Sequence[BoughtLine], terms: ExchangeTerms
) -> list[ExchangeLine]:
    """Return the lines of the exchange order for `units` of the case, line number -> units.

    Lines without any are left out.

    The credit of all lines is what the goods that come back count for, up to the price, shared out by the prices.
    """
    of, shop = {line.line_no: line for line in bought}, terms.shop
    places = _places([line for line in case.lines if units.get(line.line_no)], of, terms)
    lines: list[ExchangeLine] = []
    for wanted in case.lines:
        qty, before = units.get(wanted.line_no, 0), of[wanted.line_no]
        if qty and wanted.wanted_sku_id is not None:
            sku, names = terms.skus[wanted.wanted_sku_id], places[wanted.wanted_sku_id]
            rate = shop.tax_basis_points(sku.tax_class, terms.region[0])
            line = ExchangeLine(
                len(lines) + 1,
                wanted.line_no,
                sku,
                names[0],
                qty,
                basis_points=rate,
                rounding=shop.tax_rounding,
                others=names[1:],
            )
            value = line.price if sku.sku_id == before.sku_id else worth(before, qty)
            lines.append(replace(line, value=value))
    prices = [line.price for line in lines]
    credit = min(sum(prices), sum(line.value for line in lines))
    parts = allocate_within(credit, prices, prices)
    return [replace(line, credit=part) for line, part in zip(lines, parts, strict=True)]


def _places(
    wanted: Sequence[CaseLine], bought: Mapping[int, BoughtLine], terms: ExchangeTerms
) -> dict[str, tuple[str, ...]]:
    """SKU -> its warehouses, the best first. All units of a SKU come from one, so its lines share them."""
    before: dict[str, list[str]] = {}
    for line in wanted:
        before.setdefault(line.wanted_sku_id or "", []).append(bought[line.line_no].warehouse)
    default = terms.shop.default_warehouse
    return {sku_id: replacing(terms.lists.of(sku_id, *terms.region), of, default) for sku_id, of in before.items()}


def worth(line: BoughtLine, units: int) -> int:
    """What units of a line count for in an exchange: their part of what was paid for its goods, rounded down.

    So the units of a line never count for more than was paid, in however many cases they come back, and never for
    money that has gone back already.
    """
    goods = line.payable_amount - line.shipping_share
    left = goods - (line.refunded_amount - line.refunded_shipping)
    return max(0, min(goods * units // line.qty, left))


def with_exchange(lines: Sequence[CaseLine], placed: Sequence[ExchangeLine]) -> tuple[CaseLine, ...]:
    """The lines of a case with what its new exchange order replaces."""
    of = {line.case_line_no: (line.qty, line.value, line.credit) for line in placed}
    found = ((line, *of.get(line.line_no, (0, 0, 0))) for line in lines)
    return tuple(
        replace(line, exchange_qty=qty, exchange_value=value, exchange_credit=credit, lost_qty=0)
        for line, qty, value, credit in found
    )


def with_lost(lines: Sequence[CaseLine], exchange: ExchangeOrder) -> tuple[CaseLine, ...]:
    """The lines of a case with the units of its exchange order that are lost: all, if that has ended."""
    if exchange.state is ExchangeState.ENDED:
        return tuple(replace(line, lost_qty=line.exchange_qty) for line in lines)
    numbers = [line.line_no for line in lines if line.exchange_qty]
    lost = dict(zip(numbers, exchange.lost, strict=False))
    return tuple(replace(line, lost_qty=lost.get(line.line_no, 0)) for line in lines)


def replaced(line: CaseLine) -> int:
    """The accepted units for which other goods arrive."""
    return min(line.accepted_qty, line.exchange_qty - line.lost_qty)


def balance(lines: Sequence[CaseLine]) -> int:
    """What the goods that arrive leave: above 0 the buyer gets it, below 0 owes it. Units paid back are not in it."""
    return sum(_balance(line) for line in lines if line.exchange_qty)


def _balance(line: CaseLine) -> int:
    arriving = line.exchange_qty - line.lost_qty
    value = line.exchange_value * replaced(line) // line.exchange_qty
    return value - line.exchange_credit * arriving // line.exchange_qty
