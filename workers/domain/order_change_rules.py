"""The rules for changes of an order that a user or an operator requests: which are refused, and with which code."""

from collections.abc import Sequence

from workers.domain.codes import Code
from workers.domain.order import FINISHED, IN_WAREHOUSE, Order, State, Trigger
from workers.domain.refusal import Refusal
from workers.domain.shop import CancelPaid, CaptureOn

UNPAID = frozenset({State.AWAITING_PAYMENT, State.REINSTATING})
"""States in which one payment, or one decision about it, is for an order and its children."""
DELETABLE = FINISHED | {State.SPLIT}
"""States of orders that users may hide (C-28)."""
CODES = {
    Trigger.CANCEL: (Code.ORDER_NOT_CANCELLABLE, "cannot be cancelled"),
    Trigger.ADDRESS_CHANGED: (Code.ORDER_ADDRESS_LOCKED, "keeps its address"),
    Trigger.RECEIPT_CONFIRMED: (Code.ORDER_STATE_INVALID, "cannot be confirmed"),
    Trigger.DELETED: (Code.ORDER_NOT_DELETABLE, "stays visible"),
    Trigger.MERGED: (Code.ORDER_NOT_MERGEABLE, "cannot be merged"),
}
"""Requested step -> (the code of its refusal, the end of the refusal's message)."""
BEFORE_SHIPPING = frozenset({Trigger.CANCEL, Trigger.ADDRESS_CHANGED})


def refuse(
    trigger: Trigger,
    order: Order,
    *,
    shipped_any: bool,
    address_changed: bool,
    other_country: bool = False,
    parcel_shared: bool = False,
) -> Refusal | None:
    """Refuse a requested step, or return None.

    `shipped_any` means that a parcel has left and may still arrive. `other_country` means that the new address is in
    another country: shipping and tax were priced for the first one. `parcel_shared` means that a parcel of it holds
    goods of another order, which go to the same address.
    """
    code, problem = CODES[trigger]
    details = {"order_id": str(order.id), "state": order.state.value}
    taken = order.allows(trigger) and not (trigger in BEFORE_SHIPPING and shipped_any)
    if trigger is Trigger.DELETED:
        taken = order.state in DELETABLE and not order.deleted
    if trigger is Trigger.MERGED:
        taken = taken and not order.is_child
    if trigger is Trigger.CANCEL and order.allows(trigger) and shipped_any:
        return Refusal(code, "a parcel of it has left: send order.cancel_rest for the units that have not", details)
    if not taken:
        return Refusal(code, f"an order that is {order.state} {problem}", details)
    if trigger is Trigger.ADDRESS_CHANGED and address_changed:
        return Refusal(Code.ORDER_ADDRESS_ALREADY_CHANGED, "an address can be changed once", details)
    if trigger is Trigger.ADDRESS_CHANGED and other_country:
        message = "it was priced for its country: cancel it and order anew"
        return Refusal(Code.ORDER_ADDRESS_LOCKED, message, details | {"field": "country"})
    if trigger is Trigger.ADDRESS_CHANGED and parcel_shared:
        message = "a parcel holds its goods and those of another order, which go to one address"
        return Refusal(Code.ORDER_ADDRESS_LOCKED, message, details | {"field": "parcel"})
    return None


def refuse_paid(order: Order, actor_type: str) -> Refusal | None:
    """Refuse to cancel a paid order, or a part of it, for its buyer, if its policy never lets buyers do so (C-16)."""
    if actor_type != "user" or order.cancel_paid is not CancelPaid.NEVER or order.state not in IN_WAREHOUSE:
        return None
    details = {"order_id": str(order.id), "state": order.state.value, "why": "cancel_paid_never"}
    return Refusal(Code.ORDER_NOT_CANCELLABLE, "it is paid: by the shop's rules only an operator cancels it", details)


def is_done(trigger: Trigger, order: Order) -> bool:
    """True if this child needs no step any more when its parent and all children are to take it."""
    if trigger is Trigger.DELETED:
        return order.deleted
    ends = {State.CANCELLED, State.CANCELLING} if trigger is Trigger.CANCEL else {State.CANCELLED}
    return order.state in ends or (trigger is Trigger.RECEIPT_CONFIRMED and order.state is State.COMPLETED)


def refuse_child_alone(trigger: Trigger, order: Order) -> Refusal | None:
    """Refuse to cancel one child while its parent waits for payment, because one payment is for all children."""
    if trigger is not Trigger.CANCEL or not order.is_child or order.state not in UNPAID:
        return None
    details = {"order_id": str(order.id), "parent_id": str(order.parent_id), "state": order.state.value}
    return Refusal(Code.ORDER_NOT_CANCELLABLE, f"it is paid with order {order.parent_id}: cancel that one", details)


def unmergeable(found: Sequence[Order]) -> Refusal | None:
    """Refuse orders that cannot be paid together, or return None (R-09)."""
    first = found[0]
    if len({order.id for order in found}) < 2:
        return Refusal(Code.ORDER_NOT_MERGEABLE, "it takes two orders to merge", {"field": "order_ids"})
    for order in found:
        if (order.user_id, order.currency) != (first.user_id, first.currency):
            details = {"order_id": str(order.id)}
            return Refusal(Code.ORDER_NOT_MERGEABLE, "merged orders have one user and one currency", details)
        if order.capture_on is CaptureOn.HAND_OVER:
            details = {"order_id": str(order.id)}
            return Refusal(Code.ORDER_NOT_MERGEABLE, "an order that pays when its goods leave is paid alone", details)
    return None
