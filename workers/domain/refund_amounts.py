"""How much goes back for which units: cumulative, so that no sequence of refunds is a cent off (R-08)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class RefundState(StrEnum):
    """How a refund stands. A provider has accepted a submitted one; unknown ones are polled."""

    REQUESTED = "requested"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class BoughtLine:
    """A line as paid, and what of it was given back already. `payable_amount` includes `shipping_share`."""

    line_no: int
    sku_id: str
    warehouse: str
    qty: int
    payable_amount: int
    shipping_share: int
    refunded_qty: int
    refunded_amount: int


@dataclass(frozen=True)
class RefundLine:
    """Units and money of one line that go back now."""

    line_no: int
    qty: int
    amount: int


def refund_units(lines: Sequence[BoughtLine], units: Mapping[int, int]) -> list[RefundLine]:
    """What `units` (line number -> units) are worth. Shipping goes back with the last unit of the order.

    For k of q units in all, a line has given back goods * k // q: the parts of any sequence add up exactly.
    """
    after = {line.line_no: line.refunded_qty + units.get(line.line_no, 0) for line in lines}
    assert all(after[line.line_no] <= line.qty for line in lines), "more units go back than were bought"
    whole = all(after[line.line_no] == line.qty for line in lines)
    parts = []
    for line in lines:
        goods = (line.payable_amount - line.shipping_share) * after[line.line_no] // line.qty
        due = (line.payable_amount if whole else goods) - line.refunded_amount
        if due or after[line.line_no] != line.refunded_qty:
            parts.append(RefundLine(line.line_no, units.get(line.line_no, 0), due))
    return parts


def remaining_units(lines: Sequence[BoughtLine]) -> dict[int, int]:
    """Everything that has not gone back yet."""
    return {line.line_no: line.qty - line.refunded_qty for line in lines}
