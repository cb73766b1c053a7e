"""What is noted with an order and moves no step of it: the buyer's remark, and that the buyer has commented on it."""

from typing import ClassVar

from messages.base import Event, LongText, OrderId
from messages.orders import OrderCommand


class OrderChangeRemark(OrderCommand):
    """Change the buyer's remark, or remove it, until a warehouse has it or a parcel has left.

    Remarks hold names and numbers, so they are kept encrypted; only warehouses get them, with the hand-over.
    """

    TYPE: ClassVar[str] = "order.change_remark.v1"
    remark: LongText | None


class OrderRemarkChanged(Event):
    """The order has another remark, or none. The remark itself is never part of an event."""

    TYPE: ClassVar[str] = "order_remark.changed.v1"
    order_id: OrderId
    user_id: str


class CommentMark(OrderCommand):
    """The buyer has commented on a received order, once. The comment itself is kept elsewhere."""

    TYPE: ClassVar[str] = "comment.mark.v1"


class CommentMarked(Event):
    """The order has a comment of its buyer."""

    TYPE: ClassVar[str] = "comment.marked.v1"
    order_id: OrderId
    user_id: str


TO_US = (OrderChangeRemark, CommentMark)
"""What the queue of annotations takes."""
