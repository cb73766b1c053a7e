"""Computes how much money goes back for returned units, and what is left of a capture after its refunds.

Sums are cumulative, so no sequence is a cent off (R-08).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class RefundState(StrEnum):
    """The state of a refund. The provider has accepted a submitted one; we poll it about an unknown one.

    An excess refund has succeeded above what the order had left of its capture: people must get that money back. The
    money of a returned one came back to the merchant, who won the buyer's dispute.

    A released one moves no money: it is a part of an authorisation that will not be captured. A deferred one waits for
    the end of a capture that is under way, and is then requested or released.
    """

    REQUESTED = "requested"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    EXCESS = "excess"
    FAILED = "failed"
    RETURNED = "returned"
    RELEASED = "released"
    DEFERRED = "deferred"

    @property
    def counts(self) -> bool:
        """True if the money is gone or on its way. The view `counted_refunds` says the same in the database."""
        return self not in (RefundState.FAILED, RefundState.RETURNED)


GONE = frozenset({RefundState.SUCCEEDED, RefundState.EXCESS, RefundState.RELEASED})
"""The states in which the buyer has the money, or keeps it."""
PENDING = frozenset({RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN, RefundState.DEFERRED})
"""The states in which the end of a refund is not known yet."""


def is_past(news: str, state: RefundState, *, replaced: bool) -> bool:
    """True if a refund that is in this state has moved on since such news of it, which other news overtook."""
    if news == "failed":
        return replaced or state is not RefundState.FAILED
    after_capture = {RefundState.FAILED} if news == "captured" else frozenset[RefundState]()
    return news != "succeeded" and state not in PENDING | after_capture


@dataclass(frozen=True)
class CaptureShare:
    """What an order may give back of one capture, in minor units: all of it, or its part of a payment of several.

    `gone` of `amount` is refunded, refunds of `pending` are under way. Refunds above `amount` are not in `gone`. A
    failed refund counts for nothing, until its provider reports that it succeeded after all.
    """

    amount: int
    gone: int = 0
    pending: int = 0

    @property
    def left(self) -> int:
        """What can still be refunded. Refunds that are under way may succeed, so they count."""
        return max(0, self.amount - self.gone - self.pending)

    def excess_of(self, amount: int) -> int:
        """The part of a refund of `amount` that goes above the share if the refund succeeds now."""
        return max(0, self.gone + amount - self.amount)

    def after(self, amount: int, before: RefundState, state: RefundState) -> "CaptureShare":
        """The share after a refund of `amount` went from `before`, which is no success, to `state`."""
        assert before not in GONE, "a success is final"
        share = replace(self, pending=self.pending - amount) if before in PENDING else self
        if state in GONE:
            return replace(share, gone=share.gone + amount - share.excess_of(amount))
        return replace(share, pending=share.pending + amount) if state in PENDING else share


def excess_without(share: int, gone: Mapping[int, tuple[int, int]], returned: Collection[int]) -> dict[int, int]:
    """The excess of each refund that stays once the money of `returned` refunds has come back.

    `gone` is id -> (amount, excess) of the refunds that succeeded, the oldest first; `share` is what the order may give
    back. What comes back makes room first for the newest refund in excess.
    """
    stay = {key: money for key, money in gone.items() if key not in returned}
    above = max(0, sum(amount for amount, _ in stay.values()) - share)
    room = sum(excess for _, excess in stay.values()) - above
    left: dict[int, int] = {}
    for key, (_, excess) in reversed(stay.items()):
        left[key] = excess - min(room, excess)
        room -= min(room, excess)
    return left


def share_out(amount: int, shares: Mapping[int, CaptureShare]) -> dict[int, int]:
    """Share out a refund of `amount` that names only the capture: order id -> its part, in the order of the ids.

    Each order takes what it has left, then what is left beside its refunds under way, which will fail. What is above
    all of them is the first order's, in excess.
    """
    parts, rest = dict.fromkeys(sorted(shares), 0), amount
    for order_id in parts:
        parts[order_id] = min(rest, shares[order_id].left)
        rest -= parts[order_id]
    for order_id, taken in parts.items():
        share = shares[order_id]
        more = min(rest, max(0, share.amount - share.gone - taken))
        parts[order_id] += more
        rest -= more
    parts[min(parts)] += rest
    return {order_id: part for order_id, part in parts.items() if part}


@dataclass(frozen=True)
class BoughtLine:
    """A line as it was paid, and how much of it has gone back. `payable_amount` includes `shipping_share`.

    `dropped_qty` of its units will not be shipped, because they were short or cancelled; they have gone back.
    `refunded_shipping` is the part of `refunded_amount` that is shipping.
    """

    line_no: int
    sku_id: str
    warehouse: str
    qty: int
    payable_amount: int
    shipping_share: int
    refunded_qty: int
    refunded_amount: int
    dropped_qty: int = 0
    refunded_shipping: int = 0

    @property
    def to_ship(self) -> int:
        """The units that the order ships, or has shipped."""
        return self.qty - self.dropped_qty


@dataclass(frozen=True)
class RefundLine:
    """The units and the money of one line that go back now. `shipping` is part of `amount`."""

    line_no: int
    qty: int
    amount: int
    shipping: int = 0


def refund_units(
    lines: Sequence[BoughtLine], units: Mapping[int, int], *, with_shipping: bool = False
) -> list[RefundLine]:
    """The money for `units` (line number -> units). Shipping goes back with the last unit of the order.

    Once k of its q units are back, a line has given back goods * k // q, so the parts of any sequence add up exactly.
    `with_shipping`: the merchant is at fault, and the lines of `units` also give back shipping * k // q.
    """
    after = {line.line_no: line.refunded_qty + units.get(line.line_no, 0) for line in lines}
    assert all(after[line.line_no] <= line.qty for line in lines), "more units go back than were bought"
    whole = all(after[line.line_no] == line.qty for line in lines)
    parts = []
    for line in lines:
        back, qty = after[line.line_no], units.get(line.line_no, 0)
        goods = (line.payable_amount - line.shipping_share) * back // line.qty
        shipping = line.shipping_share if whole else line.refunded_shipping
        if with_shipping and qty:
            shipping = max(shipping, line.shipping_share * back // line.qty)
        due = goods + shipping - line.refunded_amount
        if due or qty:
            parts.append(RefundLine(line.line_no, qty, due, shipping - line.refunded_shipping))
    return parts


def remaining_units(lines: Sequence[BoughtLine]) -> dict[int, int]:
    """Line number -> the units that have not gone back yet."""
    return {line.line_no: line.qty - line.refunded_qty for line in lines}


def give_back(lines: Sequence[BoughtLine], parts: Sequence[RefundLine]) -> list[BoughtLine]:
    """The lines after these units and this money have gone back."""
    given = {part.line_no: part for part in parts}
    none = RefundLine(0, 0, 0)
    return [
        replace(
            line,
            refunded_qty=line.refunded_qty + given.get(line.line_no, none).qty,
            refunded_amount=line.refunded_amount + given.get(line.line_no, none).amount,
            refunded_shipping=line.refunded_shipping + given.get(line.line_no, none).shipping,
        )
        for line in lines
    ]
