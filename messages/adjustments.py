"""order.amount.adjust: an operator changes what an order costs while it waits for payment."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import AnyInt, Currency, FreeText, Part, ReasonCode
from messages.orders import LINES_MAX, Amounts, OrderCommand, OrderEvent
from messages.roles import Role


class LineToAdjust(Part):
    """One line of the order, and what comes off the price of its goods; less than 0 raises it."""

    line_no: AnyInt
    discount: AnyInt


class OrderAmountAdjust(OrderCommand):
    """Lower or raise what an unpaid order costs, in minor units of its currency (R-17).

    `discount` comes off the goods of the whole order, and is shared out to its lines by what they cost; or `lines` says
    what comes off each. `shipping` is what shipping costs from now on. Tax stays as it was. With `expected_version` the
    command is rejected if the order has moved since, with `currency` if the order has another one. Attempts to pay the
    old amount are closed. An order that costs nothing any more is paid at once.
    """

    TYPE: ClassVar[str] = "order.amount.adjust.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    discount: AnyInt | None = None
    lines: Annotated[tuple[LineToAdjust, ...], Field(max_length=LINES_MAX)] = ()
    shipping: AnyInt | None = None
    currency: Currency | None = None
    expected_version: AnyInt | None = None
    reason_code: ReasonCode
    reason: FreeText | None = None


class AdjustedLine(Part):
    """A line whose price changed: what it costs with its part of the shipping, before and now."""

    line_no: int
    payable_before: int
    payable: int


class OrderAmountChanged(OrderEvent):
    """An operator changed what the order costs, from `before` to `amounts`; of a split order, its children as well."""

    TYPE: ClassVar[str] = "order.amount_changed.v1"
    before: Amounts
    reason_code: str
    lines: tuple[AdjustedLine, ...]
