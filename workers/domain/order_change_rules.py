"""What may be changed of an order, and when: a wish is taken or refused with a code."""

from collections.abc import Sequence

from workers.domain.codes import Code
from workers.domain.order import FINISHED, Order, State, Trigger
from workers.domain.refusal import Refusal

DELETABLE = FINISHED | {State.SPLIT}
CODES = {
    Trigger.CANCEL: (Code.ORDER_NOT_CANCELLABLE, "cannot be cancelled"),
    Trigger.ADDRESS_CHANGED: (Code.ORDER_ADDRESS_LOCKED, "keeps its address"),
    Trigger.RECEIPT_CONFIRMED: (Code.ORDER_STATE_INVALID, "cannot be confirmed"),
    Trigger.DELETED: (Code.ORDER_NOT_DELETABLE, "stays visible"),
    Trigger.MERGED: (Code.ORDER_NOT_MERGEABLE, "cannot be merged"),
}
"""Wish -> the code it is refused with, and how the message says it."""
BEFORE_SHIPPING = frozenset({Trigger.CANCEL, Trigger.ADDRESS_CHANGED})


def refuse(
    trigger: Trigger, order: Order, *, shipped_any: bool, address_changed: bool, other_country: bool = False
) -> Refusal | None:
    """Why this wish about this order is refused, or None. `shipped_any`: a parcel is out and may still arrive.

    An order was priced for its country: shipping and tax would be others elsewhere.
    """
    code, text = CODES[trigger]
    details = {"order_id": str(order.id), "state": order.state.value}
    taken = order.allows(trigger) and not (trigger in BEFORE_SHIPPING and shipped_any)
    if trigger is Trigger.DELETED:
        taken = order.state in DELETABLE and not order.deleted
    if trigger is Trigger.MERGED:
        taken = taken and not order.is_child
    if not taken:
        return Refusal(code, f"an order that is {order.state} {text}", details)
    if trigger is Trigger.ADDRESS_CHANGED and address_changed:
        return Refusal(Code.ORDER_ADDRESS_ALREADY_CHANGED, "an address can be changed once", details)
    if trigger is Trigger.ADDRESS_CHANGED and other_country:
        text = "it was priced for its country: cancel it and order anew"
        return Refusal(Code.ORDER_ADDRESS_LOCKED, text, details | {"field": "country"})
    return None


def is_done(trigger: Trigger, order: Order) -> bool:
    """Whether nothing of this order is left for a wish about all that were split from its parent."""
    if trigger is Trigger.DELETED:
        return order.deleted
    return order.state is State.CANCELLED or (trigger is Trigger.RECEIPT_CONFIRMED and order.state is State.COMPLETED)


def alone(trigger: Trigger, order: Order) -> Refusal | None:
    """A child whose parent is not paid yet cannot be cancelled alone: the payment is for all of them."""
    if trigger is not Trigger.CANCEL or not order.is_child or order.state is not State.AWAITING_PAYMENT:
        return None
    details = {"order_id": str(order.id), "parent_id": str(order.parent_id), "state": order.state.value}
    return Refusal(Code.ORDER_NOT_CANCELLABLE, f"it is paid with order {order.parent_id}: cancel that one", details)


def unmergeable(found: Sequence[Order]) -> Refusal | None:
    """Why these orders cannot be paid together, or None (R-09)."""
    first = found[0]
    if len({order.id for order in found}) < 2:
        return Refusal(Code.ORDER_NOT_MERGEABLE, "it takes two orders to merge", {"field": "order_ids"})
    for order in found:
        if (order.user_id, order.currency) != (first.user_id, first.currency):
            details = {"order_id": str(order.id)}
            return Refusal(Code.ORDER_NOT_MERGEABLE, "merged orders have one user and one currency", details)
    return None
