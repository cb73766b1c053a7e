"""The rules for orders of other systems: which are taken, and how their amounts and times have to fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.refusal import Refusal
from workers.domain.shop import CHANNELS

IMPORTED = (State.COMPLETED, State.CANCELLED)
"""The states in which an order is taken: nothing of it is under way, so it needs no stock and no timer."""
SOURCE = "import"
"""The source of an order that was taken from another system."""
AHEAD = timedelta(minutes=5)
"""How far the clock of the other system may be ahead of ours."""


@dataclass(frozen=True)
class SoldLine:
    """A line as it was sold, in minor units, and what went back of it."""

    qty: int
    unit_price: int
    discounts: int
    added: int
    payable: int
    refunded_qty: int = 0
    refunded: int = 0

    @property
    def origin(self) -> int:
        """What its units cost before any reduction."""
        return self.qty * self.unit_price


@dataclass(frozen=True)
class OrderTimes:
    """When an order took its steps in the other system."""

    created: datetime
    paid: datetime | None
    shipped: datetime | None
    delivered: datetime | None
    completed: datetime | None
    cancelled: datetime | None


def untakable(channel: str, state: str, lines: Sequence[SoldLine]) -> Refusal | None:
    """Refuse an order that is in another state than these, or has no lines or an unknown channel."""
    if channel not in CHANNELS:
        return Refusal(Code.ORDER_CHANNEL_INVALID, f"the channel is one of {', '.join(CHANNELS)}", {"field": "channel"})
    if state not in IMPORTED:
        details = {"field": "state", "states": [one.value for one in IMPORTED]}
        return Refusal(Code.ORDER_IMPORT_STATE_INVALID, "only orders that have ended are taken", details)
    return None if lines else Refusal(Code.ORDER_ITEMS_EMPTY, "an order has at least one line", {"field": "lines"})


def unbalanced(lines: Sequence[SoldLine], unknown_lines: Sequence[int]) -> Refusal | None:
    """Refuse a line that does not add up, or of which more went back than was bought.

    `unknown_lines` are numbers that refunds name and that the order does not have.
    """
    for number, line in enumerate(lines, start=1):
        if line.discounts > line.origin:
            return _unbalanced(f"lines[{number - 1}]", "its reductions are above what its units cost")
        if line.payable != line.origin - line.discounts + line.added:
            due = line.origin - line.discounts + line.added
            return _unbalanced(f"lines[{number - 1}].payable", f"its terms add up to {due}, not {line.payable}")
        if line.refunded_qty > line.qty or line.refunded > line.payable:
            return _unbalanced("refunds", f"more of line {number} went back than was bought")
    if unknown_lines:
        return _unbalanced("refunds", f"there is no line {unknown_lines[0]}")
    return None


def wrong_refunds(refunds: Sequence[tuple[str, Sequence[int], int]]) -> Refusal | None:
    """Refuse refunds of one number, and those that give nothing back: (number, numbers of lines, amount) of each."""
    if len({number for number, _, _ in refunds}) < len(refunds):
        return _unbalanced("refunds", "two refunds have one number")
    for place, (_, numbers, amount) in enumerate(refunds):
        if amount <= 0 or len(set(numbers)) < len(numbers):
            return _unbalanced(f"refunds[{place}]", "it gives money back, and names each line once")
    return None


def wrong_money(state: str, lines: Sequence[SoldLine], paid: int | None, *, was_paid: bool) -> Refusal | None:
    """Refuse a payment or refunds that do not fit the state. `paid` is the captured amount, None without a payment."""
    payable, refunded = sum(line.payable for line in lines), sum(line.refunded for line in lines)
    if not was_paid or not payable:
        if paid is not None or refunded:
            return _unbalanced("payment", "what was not paid, or costs nothing, has neither payment nor refunds")
        return None
    if paid != payable:
        return _unbalanced("payment", f"a paid order has one payment of {payable}")
    if state == State.CANCELLED and refunded != payable:
        return _unbalanced("refunds", f"of a cancelled order all {payable} went back, not {refunded}")
    return None


def _unbalanced(field: str, why: str) -> Refusal:
    return Refusal(Code.ORDER_IMPORT_UNBALANCED, f"{field}: {why}", {"field": field})


def wrong_times(state: str, times: OrderTimes, refunded: Sequence[datetime], now: datetime) -> Refusal | None:
    """Refuse times that do not follow one another, that a state needs or excludes, or that have not come."""
    needed = {"completed_at": times.completed} if state == State.COMPLETED else {"cancelled_at": times.cancelled}
    if state == State.COMPLETED:
        needed["paid_at"] = times.paid
    excluded = {"cancelled_at": times.cancelled} if state == State.COMPLETED else {"completed_at": times.completed}
    excluded |= {"shipped_at": times.shipped, "delivered_at": times.delivered} if state == State.CANCELLED else {}
    for field, at in needed.items():
        if at is None:
            return _wrong_time(field, "the state needs it")
    for field, at in excluded.items():
        if at is not None:
            return _wrong_time(field, "the state excludes it")
    return _out_of_order(times, now) or (
        _wrong_time("refunds", "a refund is made after the payment, and not in the future")
        if any(at < (times.paid or now) or at > now + AHEAD for at in refunded)
        else None
    )


def _out_of_order(times: OrderTimes, now: datetime) -> Refusal | None:
    known: Mapping[str, datetime | None] = {
        "created_at": times.created,
        "paid_at": times.paid,
        "shipped_at": times.shipped,
        "delivered_at": times.delivered,
        "completed_at": times.completed,
        "cancelled_at": times.cancelled,
    }
    before = times.created
    for field, at in known.items():
        if at is None:
            continue
        if at < before:
            return _wrong_time(field, "it is before the step before it")
        if at > now + AHEAD:
            return _wrong_time(field, "it has not come")
        before = at
    return None


def _wrong_time(field: str, why: str) -> Refusal:
    return Refusal(Code.ORDER_IMPORT_TIMES_INVALID, f"{field}: {why}", {"field": field})
