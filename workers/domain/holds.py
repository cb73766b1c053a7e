"""The holds of orders: which may be placed, which one a release means, and how long the receipt window stood still.

A hold is a row and no state: an order goes through its states as always, but nothing of it leaves, and no timer
completes it. The window for payment does not stop: stock is reserved for it, and a hold would lock that up for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from workers.domain.codes import Code
from workers.domain.order import Order, Trigger
from workers.domain.refusal import Refusal


class HoldKind(StrEnum):
    """Who placed a hold.

    One of kind payment stops goods whose authorised money could not be taken, one of kind group those of a paid order
    whose group has not formed yet.
    """

    OPERATOR = "operator"
    RISK = "risk"
    SHORTAGE = "shortage"
    PAYMENT = "payment"
    GROUP = "group"


@dataclass(frozen=True)
class OpenHold:
    """One open hold. `held_since` is when its order began to be held: the time of the first hold in an unbroken row."""

    id: int
    order_id: int
    kind: HoldKind
    reason_code: str
    held_since: datetime


def unholdable(order: Order) -> Refusal | None:
    """Return why the order cannot be held, or None: it has ended."""
    if order.allows(Trigger.HELD):
        return None
    details = {"order_id": str(order.id), "state": order.state.value}
    return Refusal(Code.ORDER_STATE_INVALID, f"an order that is {order.state} has nothing to hold", details)


def held_since(holds: Sequence[OpenHold], now: datetime) -> datetime:
    """Return since when an order with these open holds is held if it gets one more now."""
    return min((hold.held_since for hold in holds), default=now)


def pick(
    order_id: int, orders: Sequence[Order], holds: Mapping[int, Sequence[OpenHold]], hold_id: int | None
) -> list[OpenHold] | Refusal:
    """Return the holds of these orders that a release means: the one with this id, else the only one of each order.

    `order_id` is the order that the release names. A hold for a group of buyers is not meant: the group ends it.
    """
    everything = [hold for order in orders for hold in holds.get(order.id, ())]
    grouped = [hold.id for hold in everything if hold.kind is HoldKind.GROUP]
    if hold_id in grouped or (hold_id is None and len(grouped) == len(everything) > 0):
        details = {"order_id": str(order_id), "holds": [str(hold) for hold in grouped]}
        return Refusal(Code.GROUP_NOT_FORMED, "it waits for its group, which releases or cancels it", details)
    found = [[hold for hold in holds.get(order.id, ()) if hold.kind is not HoldKind.GROUP] for order in orders]
    meant = [hold for of_one in found for hold in of_one if hold_id in (None, hold.id)]
    details = {"order_id": str(order_id), "holds": [str(hold.id) for of_one in found for hold in of_one]}
    if not meant:
        why = "it has no such hold" if any(found) else "it is not held"
        return Refusal(Code.ORDER_NOT_HELD, why, details)
    if hold_id is None and any(len(of_one) > 1 for of_one in found):
        return Refusal(Code.ORDER_HOLD_AMBIGUOUS, "it has several holds: name one in hold_id", details)
    return meant


def resumed(due_at: datetime, delivered_at: datetime | None, since: datetime, now: datetime) -> datetime:
    """Return when the receipt window ends if it stood still from `since`, or from delivery if that was later."""
    stopped_at = since if delivered_at is None else max(since, delivered_at)
    return due_at + max(now - stopped_at, timedelta(0))
