"""Cancellations at a later time: which may be scheduled, who may change one, what it does at its time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.domain.book import Who
from workers.domain.codes import Code
from workers.domain.order import Order, State, Trigger
from workers.domain.order_change_rules import refuse, refuse_child_alone, refuse_paid
from workers.domain.refusal import Refusal


@dataclass(frozen=True)
class ScheduledCancellation:
    """The one scheduled cancellation of an order. `unpaid`: the order was not paid when it was scheduled."""

    order_id: int
    at: datetime
    who: Who
    unpaid: bool
    scheduled_at: datetime
    reason_code: str | None = None


def unschedulable(order: Order, actor_type: str, at: datetime, now: datetime, max_seconds: int) -> Refusal | None:
    """Return why the order is not to be cancelled at this time, or None: order.cancel would cancel it now.

    A time is refused that has passed, or that is further away than `max_seconds`.
    """
    if not now < at <= now + timedelta(seconds=max_seconds):
        message = f"it must be in the future, within {max_seconds} seconds"
        return Refusal(Code.ORDER_PARAM_INVALID, message, {"field": "at", "max_seconds": max_seconds})
    if order.state is State.SPLIT:
        details = {"order_id": str(order.id), "state": order.state.value}
        return Refusal(Code.ORDER_NOT_CANCELLABLE, "its children have the goods: schedule them", details)
    refusal = refuse_child_alone(Trigger.CANCEL, order)
    refusal = refusal or refuse(Trigger.CANCEL, order, shipped_any=False, address_changed=False)
    return refusal or refuse_paid(order, actor_type)


def unchangeable(order_id: int, found: ScheduledCancellation | None, actor_type: str) -> Refusal | None:
    """Return why this actor may not replace the scheduled cancellation, or None. Buyers change their own only."""
    if found is None or actor_type != "user" or found.who.type == "user":
        return None
    return Refusal(
        Code.AUTH_FORBIDDEN, "an operator scheduled it: only an operator may change it", {"order_id": str(order_id)}
    )


def unwithdrawable(order_id: int, found: ScheduledCancellation | None, actor_type: str) -> Refusal | None:
    """Return why this actor may not withdraw it, or None."""
    if found is None:
        details = {"order_id": str(order_id)}
        return Refusal(Code.ORDER_NOT_SCHEDULED, "no cancellation of it is scheduled", details)
    return unchangeable(order_id, found, actor_type)


def is_unpaid(order: Order) -> bool:
    """True if the buyer has not paid the order. One that is being reinstated has a late payment that waits."""
    return order.paid_at is None and order.state is not State.REINSTATING


def paid_meanwhile(order: Order, *, unpaid: bool) -> Refusal | None:
    """Return why a cancellation that was scheduled for an `unpaid` order leaves it alone, or None: it is paid now."""
    if not unpaid or is_unpaid(order):
        return None
    details = {"order_id": str(order.id), "state": order.state.value, "why": "paid_meanwhile"}
    return Refusal(Code.ORDER_NOT_CANCELLABLE, "it was paid after this cancellation was scheduled", details)
