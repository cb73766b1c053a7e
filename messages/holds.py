"""Holds: an operator, or the risk check, stops the goods of an order until the hold is released."""

from typing import ClassVar

from messages.base import FreeText, OrderId, ReasonCode
from messages.orders import OrderCommand, OrderEvent
from messages.roles import Role


class OrderHold(OrderCommand):
    """Stop an order: while it is held, nothing of it is handed over or booked, and it is not completed by time.

    It can still be paid, received and cancelled, and its payment window goes on. An order may have several holds. After
    a split the children are held, each by a hold of its own.
    """

    TYPE: ClassVar[str] = "order.hold.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    reason_code: ReasonCode
    reason: FreeText | None = None


class OrderRelease(OrderCommand):
    """Release one hold of an order. `hold_id` may be left out if the order has only one."""

    TYPE: ClassVar[str] = "order.release.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    hold_id: OrderId | None = None
    reason_code: ReasonCode | None = None
    reason: FreeText | None = None


class HoldEvent(OrderEvent):
    """A hold of an order. `reason_code` says why it was placed; `holds` is how many the order has now."""

    hold_id: OrderId
    kind: str
    reason_code: str
    holds: int


class OrderHeld(HoldEvent):
    """The order is held once more. `kind` is operator, risk, shortage, payment or group."""

    TYPE: ClassVar[str] = "order.held.v1"


class OrderReleased(HoldEvent):
    """One hold is released; with `holds` 0 the order goes on. The end of an order ends its holds without this event."""

    TYPE: ClassVar[str] = "order.released.v1"
    release_reason_code: str | None = None
