"""What each state of an order, and each thing that it may wait for, means to a person."""

from messages.explanations import AwaitedShown
from workers.domain.order import State
from workers.views.awaits import Awaits
from workers.views.explanation import OF_THE_PARENT

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
    State.REINSTATING: "it was paid too late, and its stock is being reserved again",
    State.REJECTED: "it was never accepted",
}
AWAITED = {
    Awaits.RELEASE: "an operator to release hold {ref} (order.release)",
    Awaits.GROUP: "other buyers of group {name} to pay: {ref} orders are paid",
    Awaits.GROUP_OUTCOME: "the message that its group {name} has {ref} (order.group_{ref})",
    Awaits.DECISION: "the buyer to decide about a shortage (order.shortage.decide)",
    Awaits.CAPTCHA: "the buyer to answer a captcha of the risk check (order.captcha.answer)",
    Awaits.RESERVATION: "stock to reserve its goods",
    Awaits.PAYMENT: "the buyer to pay",
    Awaits.PAYMENT_RESULT: "{name} to say how attempt {ref} ended",
    Awaits.CAPTURE: "{name} to capture its authorised money",
    Awaits.CAPTURE_AGAIN: "an operator, because {name} did not pay its authorised money (payment.capture)",
    Awaits.ACCEPTANCE: "warehouse {name} to accept it",
    Awaits.HAND_OVER: "warehouse {name} to hand it over",
    Awaits.RESUMPTION: "the end of the hold that stops warehouse {name}",
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
    Awaits.CASE_REVIEW: "the seller to review after-sale case {ref} (after_sale.review)",
    Awaits.CASE_RETURN: "the buyer to send the goods of case {ref} back (after_sale.ship_back)",
    Awaits.CASE_ARRIVAL: "{name} to bring parcel {ref} with the goods of case {case} to the warehouse",
    Awaits.CASE_INSPECTION: "a warehouse to inspect the goods of case {ref} (after_sale.inspect)",
    Awaits.CASE_DECISION: "an operator to decide about the refused goods of case {ref} (after_sale.review)",
    Awaits.CASE_STOCK: "stock to reserve the goods of exchange order {ref} for case {case}",
    Awaits.CASE_PAYMENT: "the buyer to pay the difference of exchange order {ref} for case {case}",
    Awaits.CASE_GOODS: "exchange order {ref} to be with the buyer, for case {case}",
    Awaits.CASE_OUTCOME: "the goods of case {case} to come back and be accepted (after_sale.inspect)",
    Awaits.CASE_REFUND: "{name} to finish refund {ref} of case {case}",
    Awaits.CASE_REFUND_AGAIN: "an operator, because refund {ref} of case {case} failed at {name} (refund.request)",
    Awaits.CASE_SEND_BACK: "warehouse {name} to send goods of case {ref} back to the buyer (after_sale.send_back)",
    Awaits.DISPUTE_ANSWER: "an operator to answer dispute {ref} at {name} (oms disputes show {ref})",
    Awaits.DISPUTE_DECISION: "{name} to decide dispute {ref}",
    Awaits.CANCELLATION_WITHDRAWN: "its scheduled cancellation to be withdrawn (order.keep)",
}
"""What is awaited -> a sentence with the `name`, the `ref` and the `case_no` of the wire."""


def awaited_text(one: AwaitedShown) -> str:
    """Return what an order waits for, and from whom, and whether the timer that should end it is missing."""
    text = AWAITED[Awaits(one.what)].format(name=one.name or "-", ref=one.ref or "-", case=one.case_no or "-")
    missing = one.missing_timer
    if missing is None:
        return text
    why = "is missing" if missing.cancelled_at is None else f"was cancelled by {missing.cancelled_by}"
    return f"{text}; its {missing.kind} timer {why}"


def start_again(one: AwaitedShown) -> str | None:
    """Return what to type so that a missing timer runs again. Children of a split order share some of their parent."""
    timer = one.missing_timer
    if timer is None:
        return None
    return f"oms repair --order {timer.key if timer.kind in OF_THE_PARENT else one.order_id}"
