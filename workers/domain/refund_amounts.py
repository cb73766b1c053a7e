"""Computes how much money goes back for returned units. Sums are cumulative, so no sequence is a cent off (R-08)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class RefundState(StrEnum):
    """The state of a refund. The provider has accepted a submitted one; we poll it about an unknown one."""

    REQUESTED = "requested"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class BoughtLine:
    """A line as it was paid, and how much of it has gone back. `payable_amount` includes `shipping_share`."""

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
    """The units and the money of one line that go back now."""

    line_no: int
    qty: int
    amount: int


def refund_units(lines: Sequence[BoughtLine], units: Mapping[int, int]) -> list[RefundLine]:
    """The money for `units` (line number -> units). Shipping goes back with the last unit of the order.

    Once k of its q units are back, a line has given back goods * k // q, so the parts of any sequence add up exactly.
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
    """Line number -> the units that have not gone back yet."""
    return {line.line_no: line.qty - line.refunded_qty for line in lines}
