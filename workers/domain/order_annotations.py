"""The rules for what is noted with an order: a remark before its goods are handed over, a comment after that."""

from collections.abc import Sequence

from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refusal import Refusal

REMARKABLE = frozenset({State.AWAITING_PAYMENT, State.PAID, State.SPLIT})
COMMENTABLE = frozenset({State.DELIVERED, State.COMPLETED})


def unremarkable(family: Sequence[Order], *, handed_over: bool) -> Refusal | None:
    """Return why the remark of this order stays, or None. `family` is the order and its children.

    `handed_over`: a warehouse has a request for goods of it, with the remark, or a parcel of it has left.
    """
    order = family[0]
    details = {"order_id": str(order.id), "state": order.state.value}
    if order.is_child:
        details["parent_id"] = str(order.parent_id)
        return Refusal(Code.ORDER_STATE_INVALID, "its parent has the remark", details)
    if any(one.state not in REMARKABLE for one in family):
        return Refusal(Code.ORDER_STATE_INVALID, f"an order that is {order.state} keeps its remark", details)
    if handed_over:
        return Refusal(Code.ORDER_STATE_INVALID, "its goods are handed over with the remark that it has", details)
    return None


def uncommentable(order: Order, *, commented: bool) -> Refusal | None:
    """Return why the order gets no comment, or None. Of a split order each child gets its own."""
    details = {"order_id": str(order.id), "state": order.state.value}
    if order.state not in COMMENTABLE:
        return Refusal(Code.ORDER_STATE_INVALID, f"an order that is {order.state} has not been received", details)
    if commented:
        return Refusal(Code.ORDER_STATE_INVALID, "it has a comment", details | {"why": "commented"})
    return None
