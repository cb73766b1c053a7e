"""What is noted with an order and moves no step of it: the buyer's remark and comment, and the note of operators."""

from typing import ClassVar

from messages.base import Event, LongText, OrderId
from messages.orders import OrderCommand
from messages.roles import Role


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


class OrderChangeNote(OrderCommand):
    """Change the operators' note about an order, or remove it. An order has one, in any state; buyers never see it.

    People write names and numbers into notes, so it is kept encrypted; order.get of an operator shows it.
    """

    TYPE: ClassVar[str] = "order.change_note.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    note: LongText | None


class OrderNoteChanged(Event):
    """The order has another note of operators, or none. The note itself is never part of an event."""

    TYPE: ClassVar[str] = "order_note.changed.v1"
    order_id: OrderId
    user_id: str


TO_US = (OrderChangeRemark, CommentMark, OrderChangeNote)
"""What the queue of annotations takes."""
