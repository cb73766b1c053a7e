"""What an order may wait for, from whom, and the messages that bring it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from messages.explanations import MissingTimerShown
from workers.domain.after_sales import CaseState
from workers.domain.order import State


class Awaits(StrEnum):
    """What an order waits for."""

    RELEASE = "release"
    GROUP = "group"
    GROUP_OUTCOME = "group_outcome"
    DECISION = "decision"
    CAPTCHA = "captcha"
    RESERVATION = "reservation"
    PAYMENT = "payment"
    PAYMENT_RESULT = "payment_result"
    CAPTURE = "capture"
    CAPTURE_AGAIN = "capture_again"
    ACCEPTANCE = "acceptance"
    HAND_OVER = "hand_over"
    RESUMPTION = "resumption"
    CANCEL_ANSWER = "cancel_answer"
    OTHER_WAREHOUSE = "other_warehouse"
    PARCEL = "parcel"
    BOOKING = "booking"
    BOOKING_CANCELLED = "booking_cancelled"
    PICK_UP = "pick_up"
    DELIVERY = "delivery"
    RETURN = "return"
    RECEIPT = "receipt"
    REFUND = "refund"
    REFUND_AGAIN = "refund_again"
    CASE_REVIEW = "case_review"
    CASE_RETURN = "case_return"
    CASE_ARRIVAL = "case_arrival"
    CASE_INSPECTION = "case_inspection"
    CASE_DECISION = "case_decision"
    CASE_STOCK = "case_stock"
    CASE_PAYMENT = "case_payment"
    CASE_GOODS = "case_goods"
    CASE_OUTCOME = "case_outcome"
    CASE_REFUND = "case_refund"
    CASE_REFUND_AGAIN = "case_refund_again"
    CASE_SEND_BACK = "case_send_back"
    DISPUTE_ANSWER = "dispute_answer"
    DISPUTE_DECISION = "dispute_decision"
    CANCELLATION_WITHDRAWN = "cancellation_withdrawn"


class Whom(StrEnum):
    """Who can give an order what it waits for."""

    BUYER = "buyer"
    OPERATOR = "operator"
    STOCK = "stock"
    PROVIDER = "provider"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"


MOVED_BY: Mapping[Awaits, tuple[str, ...]] = {
    Awaits.RELEASE: ("order.release",),
    Awaits.GROUP: ("order.create", "payment.result", "payment.callback"),
    Awaits.GROUP_OUTCOME: ("order.group_formed", "order.group_failed"),
    Awaits.DECISION: ("order.shortage.decide",),
    Awaits.CAPTCHA: ("order.captcha.answer",),
    Awaits.RESERVATION: ("stock.reserved", "stock.refused", "risk.result"),
    Awaits.PAYMENT: ("payment.start", "payment.callback", "payment.result"),
    Awaits.PAYMENT_RESULT: ("payment.callback", "payment.result", "payment.observed"),
    Awaits.CAPTURE: ("payment.callback", "payment.result", "authorization.observed"),
    Awaits.CAPTURE_AGAIN: ("payment.capture",),
    Awaits.ACCEPTANCE: ("fulfilment.accept", "fulfilment.refuse"),
    Awaits.HAND_OVER: ("fulfilment.hand_over", "shipment.book"),
    Awaits.RESUMPTION: ("order.release", "order.shortage.decide"),
    Awaits.CANCEL_ANSWER: ("fulfilment.cancel_accepted", "fulfilment.cancel_refused"),
    Awaits.OTHER_WAREHOUSE: ("order.cancel", "order.cancel_rest", "shipment.book", "order.hold"),
    Awaits.PARCEL: ("shipment.book", "shipment.create"),
    Awaits.BOOKING: ("waybill.answered",),
    Awaits.BOOKING_CANCELLED: ("waybill.answered",),
    Awaits.PICK_UP: ("shipment.update",),
    Awaits.DELIVERY: ("shipment.update",),
    Awaits.RETURN: ("shipment.update",),
    Awaits.RECEIPT: ("order.confirm_receipt",),
    Awaits.REFUND: ("refund.result", "refund.observed"),
    Awaits.REFUND_AGAIN: ("refund.request",),
    Awaits.CASE_REVIEW: ("after_sale.review", "after_sale.cancel"),
    Awaits.CASE_RETURN: ("after_sale.ship_back", "after_sale.receive", "after_sale.cancel"),
    Awaits.CASE_ARRIVAL: ("shipment.update", "after_sale.receive"),
    Awaits.CASE_INSPECTION: ("after_sale.inspect",),
    Awaits.CASE_DECISION: ("after_sale.review", "after_sale.close"),
    Awaits.CASE_STOCK: ("stock.reserved", "stock.refused"),
    Awaits.CASE_PAYMENT: ("payment.start", "payment.callback", "payment.result"),
    Awaits.CASE_GOODS: ("shipment.book", "shipment.update"),
    Awaits.CASE_OUTCOME: ("after_sale.inspect", "after_sale.close"),
    Awaits.CASE_REFUND: ("refund.result", "refund.observed"),
    Awaits.CASE_REFUND_AGAIN: ("refund.request", "after_sale.close"),
    Awaits.CASE_SEND_BACK: ("after_sale.send_back",),
    Awaits.DISPUTE_ANSWER: ("dispute.submit_evidence",),
    Awaits.CANCELLATION_WITHDRAWN: ("order.keep", "order.cancel_later"),
    Awaits.DISPUTE_DECISION: ("payment.callback", "dispute.observed"),
}
"""What is awaited -> the types of the messages that bring it."""


@dataclass(frozen=True)
class Awaited:
    """One thing that an order waits for. `name` is which warehouse, carrier or provider; `ref` is its number there.

    What an after-sale case waits for has its `case_no`. If it does not come until `until`, the order, or the case,
    becomes `otherwise`. Without `until` it waits as long as it takes; `missing_timer` is the one that should end that.
    """

    order_id: int
    what: Awaits
    whom: Whom
    name: str | None = None
    ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    otherwise: State | CaseState | None = None
    case_no: str | None = None
    missing_timer: MissingTimerShown | None = None
