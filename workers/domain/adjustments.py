"""Changes what an unpaid order costs (R-17): how much comes off each line, exactly, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workers.domain.codes import Code
from workers.domain.order import Order, Trigger
from workers.domain.pricing.allocation import allocate
from workers.domain.refusal import Refusal


@dataclass(frozen=True)
class AdjustableLine:
    """A line as it is priced now, in minor units: its goods with their tax, and its part of the shipping.

    `origin` is what its units cost before every reduction.
    """

    order_id: int
    line_no: int
    origin: int
    goods: int
    shipping: int

    @property
    def payable(self) -> int:
        """What the buyer pays for the line."""
        return self.goods + self.shipping


@dataclass(frozen=True)
class Adjustment:
    """What an operator wants: a discount on the goods of the whole order or of lines, and another price of shipping.

    A discount below 0 raises the price.
    """

    discount: int | None = None
    lines: tuple[tuple[int, int], ...] = ()
    shipping: int | None = None
    currency: str | None = None


@dataclass(frozen=True)
class LineChange:
    """What comes off one line: `amount` in all, `shipping` of it off its part of the shipping."""

    before: AdjustableLine
    amount: int
    shipping: int

    @property
    def after(self) -> AdjustableLine:
        """The line as it is priced after the change."""
        goods = self.before.goods - self.amount + self.shipping
        return replace(self.before, goods=goods, shipping=self.before.shipping - self.shipping)


def unadjustable(order: Order, expected_version: int | None) -> Refusal | None:
    """Refuse to adjust an order that does not wait for payment, is paid with its parent, or has moved."""
    details = {"order_id": str(order.id), "state": order.state.value, "version": order.version}
    if order.is_child:
        message = f"it is paid with order {order.parent_id}: adjust that one"
        return Refusal(Code.ORDER_STATE_INVALID, message, details | {"parent_id": str(order.parent_id)})
    if not order.allows(Trigger.AMOUNT_CHANGED):
        return Refusal(Code.ORDER_STATE_INVALID, f"what an order that is {order.state} costs cannot change", details)
    if expected_version not in (None, order.version):
        message = f"the order is at version {order.version}: read it again before you adjust it"
        return Refusal(Code.ORDER_VERSION_CONFLICT, message, details | {"expected_version": expected_version})
    return None


def adjust(
    order: Order, lines: Sequence[AdjustableLine], wanted: Adjustment, raise_max_percent: int
) -> list[LineChange] | Refusal:
    """Return what comes off each line that changes, or why the adjustment is refused.

    The parts add up exactly: a discount of the whole order is shared out by what the goods of each line cost, a raise
    by what they cost before every reduction, and shipping by what the goods cost afterwards (R-03). An order costs at
    most `raise_max_percent` more than when it was created.
    """
    if wanted.currency not in (None, order.currency):
        return _invalid(f"the order is priced in {order.currency}", "currency")
    discounts = _discounts(lines, wanted)
    if isinstance(discounts, Refusal):
        return discounts
    goods = [line.goods - discounts.get(line.line_no, 0) for line in lines]
    shares = [line.shipping for line in lines]
    if wanted.shipping is not None:
        if wanted.shipping < 0:
            return _out_of_range("shipping costs 0 or more", {"field": "shipping"})
        shares = allocate(wanted.shipping, goods)
    payable, created = sum(goods) + sum(shares), order.payable_amount + order.adjustment_amount
    most = created + created * raise_max_percent // 100
    if payable > max(most, order.payable_amount):
        details = {"payable": payable, "payable_max": most, "currency": order.currency}
        message = f"the order would cost {payable}, more than {raise_max_percent} % above what it cost when created"
        return _out_of_range(message, details)
    changes = [
        LineChange(line, line.payable - kept - share, line.shipping - share)
        for line, kept, share in zip(lines, goods, shares, strict=True)
        if (kept, share) != (line.goods, line.shipping)
    ]
    return changes or _invalid("nothing changes: give another discount, or another price of shipping", "discount")


def _discounts(lines: Sequence[AdjustableLine], wanted: Adjustment) -> Mapping[int, int] | Refusal:
    """Line number -> what comes off its goods. No line's goods may cost less than nothing."""
    if wanted.lines and wanted.discount is not None:
        return _invalid("give a discount for the order or for its lines, not both", "discount")
    if not wanted.lines and wanted.discount is None and wanted.shipping is None:
        return _invalid("give a discount, lines, or a price of shipping", "discount")
    return _by_line(lines, wanted.lines) if wanted.discount is None else _shared_out(lines, wanted.discount)


def _by_line(lines: Sequence[AdjustableLine], wanted: Sequence[tuple[int, int]]) -> Mapping[int, int] | Refusal:
    known, discounts = {line.line_no: line for line in lines}, dict(wanted)
    if unknown := sorted(discounts.keys() - known.keys()):
        return _invalid(f"the order has no line {unknown[0]}", "lines")
    if len(discounts) < len(wanted):
        return _invalid("a line is named twice", "lines")
    for line_no, discount in discounts.items():
        if discount > known[line_no].goods:
            details = {"line_no": line_no, "discount": discount, "goods": known[line_no].goods}
            return _out_of_range(f"the goods of line {line_no} cost less than that", details)
    return discounts


def _shared_out(lines: Sequence[AdjustableLine], discount: int) -> Mapping[int, int] | Refusal:
    goods = [line.goods for line in lines]
    if discount > sum(goods):
        details = {"discount": discount, "goods": sum(goods)}
        return _out_of_range("the goods cost less than that; `shipping` changes what shipping costs", details)
    weights = goods if discount > 0 else [line.origin for line in lines]
    parts = allocate(abs(discount), weights)
    sign = 1 if discount > 0 else -1
    return {line.line_no: sign * part for line, part in zip(lines, parts, strict=True)}


def _invalid(message: str, field: str) -> Refusal:
    return Refusal(Code.ORDER_PARAM_INVALID, message, {"field": field})


def _out_of_range(message: str, details: dict[str, Any]) -> Refusal:
    return Refusal(Code.ORDER_AMOUNT_OUT_OF_RANGE, message, details)
