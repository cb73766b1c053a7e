"""Cancellations at a later time: an order is cancelled by a timer, unless that is withdrawn before (C-29)."""

from typing import Any, ClassVar

from messages.base import Actor, CodeText, Event, Internal, Moment, OrderId, ReasonCode
from messages.orders import OrderCommand


class OrderCancelLater(OrderCommand):
    """Cancel an order at a time, unless order.keep comes before. It replaces a cancellation that is scheduled already.

    `at` is in the future. Then the order's state decides, as it would for order.cancel. A cancellation that was
    scheduled before the payment cancels no order that is paid.
    """

    TYPE: ClassVar[str] = "order.cancel_later.v1"
    at: Moment
    reason_code: ReasonCode | None = None


class OrderKeep(OrderCommand):
    """Withdraw the scheduled cancellation of an order."""

    TYPE: ClassVar[str] = "order.keep.v1"


class OrderCancellationDue(Internal):
    """Look at the scheduled cancellation of an order. It does no harm if it comes early, late or twice."""

    TYPE: ClassVar[str] = "order_cancellation.due.v1"
    PACKABLE: ClassVar[bool] = True
    order_id: OrderId


class OrderCancelScheduled(Internal):
    """Cancel the order for the actor who scheduled it. If it was `unpaid` then, it is not cancelled once it is paid."""

    TYPE: ClassVar[str] = "order.cancel_scheduled.v1"
    order_id: OrderId
    actor: Actor
    unpaid: bool
    reason_code: ReasonCode | None = None


class OrderCancellation(Event):
    """A scheduled cancellation of an order."""

    order_id: OrderId
    user_id: str
    at: Moment
    reason_code: str | None = None


class OrderCancellationScheduled(OrderCancellation):
    """The order will be cancelled `at` this time. `replaced` is the time that was scheduled before."""

    TYPE: ClassVar[str] = "order_cancellation.scheduled.v1"
    replaced: Moment | None = None


class OrderCancellationWithdrawn(OrderCancellation):
    """The order will not be cancelled by time."""

    TYPE: ClassVar[str] = "order_cancellation.withdrawn.v1"


class OrderCancellationDropped(Event):
    """The time of a scheduled cancellation came, and the order stays as it is; `code` is what order.cancel answers."""

    TYPE: ClassVar[str] = "order_cancellation.dropped.v1"
    order_id: OrderId
    user_id: str
    code: CodeText
    message: str
    details: dict[str, Any] = {}


TO_US = (OrderCancelLater, OrderKeep, OrderCancellationDue)
"""What the queue of scheduled cancellations takes."""
