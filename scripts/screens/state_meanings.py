"""What each state of an order, and each thing that it may wait for, means to a person."""

from messages.explanations import AwaitedShown
from workers.domain.order import State
from workers.views.explanation import Awaits

MEANINGS = {
    State.PLACING: "its stock is being reserved",
    State.AWAITING_PAYMENT: "its stock is reserved and it is not paid",
    State.PAID: "it is paid and no warehouse has begun to work on it",
    State.FULFILLING: "its warehouses work on it",
    State.SHIPPED: "everything has left",
    State.DELIVERED: "everything has arrived",
    State.CANCELLING: "it is to be cancelled, if its warehouses can stop",
    State.CANCELLED: "it ended without a sale",
    State.COMPLETED: "it ended as it should",
    State.DELIVERY_FAILED: "nothing of it has arrived",
    State.SPLIT: "its children carry the goods",
    State.REJECTED: "it was never accepted",
}
AWAITED = {
    Awaits.RELEASE: "an operator to release hold {ref} (order.release)",
    Awaits.DECISION: "the buyer to decide about a shortage (order.shortage.decide)",
    Awaits.RESERVATION: "stock to reserve its goods",
    Awaits.PAYMENT: "the buyer to pay",
    Awaits.PAYMENT_RESULT: "{name} to say how attempt {ref} ended",
    Awaits.ACCEPTANCE: "warehouse {name} to accept it",
    Awaits.HAND_OVER: "warehouse {name} to hand it over",
    Awaits.CANCEL_ANSWER: "warehouse {name} to say whether it could stop",
    Awaits.OTHER_WAREHOUSE: "an operator, because warehouse {name} refused it",
    Awaits.PARCEL: "a warehouse to book a parcel for its goods (shipment.book)",
    Awaits.BOOKING: "{name} to book a parcel (waybill {ref})",
    Awaits.BOOKING_CANCELLED: "{name} to cancel the parcel of waybill {ref}, which is not used",
    Awaits.PICK_UP: "parcel {ref} to leave with {name}",
    Awaits.DELIVERY: "{name} to deliver parcel {ref}",
    Awaits.RETURN: "{name} to bring parcel {ref} back, or to confirm its loss",
    Awaits.RECEIPT: "the buyer to confirm the receipt",
    Awaits.REFUND: "{name} to finish refund {ref}",
    Awaits.REFUND_AGAIN: "an operator, because refund {ref} failed at {name} (refund.request)",
}
"""What is awaited -> a sentence with the `name` and the `ref` of the wire."""


def awaited_text(one: AwaitedShown) -> str:
    """Return what an order waits for, and from whom."""
    return AWAITED[Awaits(one.what)].format(name=one.name or "-", ref=one.ref or "-")
