"""What PayPal's JSON says of orders, captures and refunds. What is missing or not of its form is a FieldError."""

import re
from datetime import datetime
from typing import Literal

from workers.providers.parsing import FieldError, Fields, MerchantError, json_fields, only, unreadable
from workers.providers.port import (
    Approved,
    Attempt,
    Irrelevant,
    Paid,
    RefundAsk,
    Refunded,
    Refused,
    Response,
    Said,
    Unknown,
)

RANKS = {"captured": 0, "pending": 1, "failed": 2}  # of an order's captures; one that failed may be followed by another
CAPTURES: dict[str, Literal["captured", "failed", "pending"]] = {
    "COMPLETED": "captured",
    "PARTIALLY_REFUNDED": "captured",
    "REFUNDED": "captured",
    "PENDING": "pending",
    "DECLINED": "failed",
    "DENIED": "failed",
    "FAILED": "failed",
}
REFUNDS: dict[str, Literal["succeeded", "failed", "processing"]] = {
    "COMPLETED": "succeeded",
    "PENDING": "processing",
    "FAILED": "failed",
    "CANCELLED": "failed",
}
WAITING = frozenset({"CREATED", "SAVED", "PAYER_ACTION_REQUIRED"})  # for the buyer
OF_CAPTURES = frozenset(f"PAYMENT.CAPTURE.{what}" for what in ("COMPLETED", "PENDING", "DENIED", "DECLINED"))
OF_REFUNDS = frozenset({"PAYMENT.CAPTURE.REFUNDED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED"})
HAPPENED = frozenset(
    {
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_COMPLETED_OR_VOIDED",
        "ORDER_NOT_APPROVED",
        "DUPLICATE_INVOICE_ID",
        "DUPLICATE_REQUEST_ID",
        "CAPTURE_FULLY_REFUNDED",
        "PENDING_CAPTURE",
        "PREVIOUS_REQUEST_IN_PROGRESS",
        "INTERNAL_SERVER_ERROR",
        "INTERNAL_SERVICE_ERROR",
        "RATE_LIMIT_REACHED",
    }
)
"""It was done before, or may be done later: how things stand must be asked."""
BACK_TO_THE_BUYER = frozenset({"INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED"})
NO = frozenset({400, 403, 404, 422})
ABSENT = frozenset({"INVALID_RESOURCE_ID", "RESOURCE_NOT_FOUND"})
_EVENT = re.compile(r"[A-Z0-9._-]{1,64}")
_ISSUE = re.compile(r"[A-Z0-9_]{1,64}")


def said(event: Fields, merchant_id: str) -> Said:
    """What a sound notification says."""
    about, resource = event.text("event_type"), event.part("resource")
    if about == "CHECKOUT.ORDER.APPROVED":
        unit = _unit(resource, merchant_id)
        if resource.text("status") == "APPROVED":
            return Approved(unit.number("custom_id"), resource.number("id"))
    if about in OF_CAPTURES:
        return captured(resource, merchant_id)
    if about in OF_REFUNDS:
        return refunded(resource)
    if not _EVENT.fullmatch(about):
        raise FieldError("event_type is no name of an event")
    return Irrelevant(about)


def stands(order: Fields, attempt: Attempt, merchant_id: str, at: datetime) -> Paid | Approved | Unknown:
    """How an attempt stands by its order. Before the buyer approved, it is open as long as we would capture it."""
    unit = _unit(order, merchant_id)
    reference, status = order.number("id"), order.text("status")
    if unit.number("custom_id") != attempt.out_trade_no or attempt.reference not in (None, reference):
        return Unknown("the answer is about something else")
    if status == "APPROVED":
        return Approved(attempt.out_trade_no, reference)
    if status == "COMPLETED":
        every = [captured(one, merchant_id, attempt.out_trade_no) for one in unit.part("payments").parts("captures")]
        best = min(every, key=lambda one: RANKS[one.status], default=None)
        return best or Unknown("a completed order without a capture")
    if status not in WAITING and status != "VOIDED":
        return Unknown("an order in a state that is not known here")
    open_ = status in WAITING and at < attempt.expire_at
    return Paid(attempt.out_trade_no, "", "pending" if open_ else "closed", *_sum(unit), at)


def declined(no: Refused, status: int, attempt: Attempt, at: datetime) -> Paid | Refused | Unknown:
    """What a no tells of an attempt: its order is not there, its capture was declined (422) for good or until the buyer
    has chosen another card, or nothing.
    """
    if no.code in ABSENT or status != 422:
        return only(no, ABSENT)
    if no.code in BACK_TO_THE_BUYER:
        return Paid(attempt.out_trade_no, "", "pending", attempt.amount, attempt.currency, at, no.code)
    number = attempt.reference or attempt.out_trade_no
    return Paid(attempt.out_trade_no, number, "failed", attempt.amount, attempt.currency, at, no.code)


def captured(capture: Fields, merchant_id: str, out_trade_no: str | None = None) -> Paid:
    """A capture, of the attempt if that is known. Its status may be a later one than the event's that told of it."""
    _ours(capture, merchant_id)
    status = CAPTURES.get(capture.text("status"))
    if status is None:
        raise FieldError("status is none of a capture")
    ours = out_trade_no or capture.number("custom_id" if capture.has("custom_id") else "invoice_id")
    return Paid(ours, capture.number("id"), status, *_sum(capture), capture.moment("create_time"), _reason(capture))


def refunded(refund: Fields, asked: str | None = None) -> Refunded:
    """A refund, of which `asked` is the number if it was asked for in the same breath. We give refunds their number as
    invoice_id; custom_id may be that of the capture.
    """
    status = REFUNDS.get(refund.text("status"))
    if status is None:
        raise FieldError("status is none of a refund")
    number = asked if asked and not refund.has("invoice_id") else refund.number("invoice_id")
    return Refunded(number, status, *_sum(refund), refund.moment("create_time"), _reason(refund))


def found(order: Fields, ask: RefundAsk, merchant_id: str) -> Refunded | Refused:
    """The refund among those of the attempt's order."""
    payments = _unit(order, merchant_id).part("payments")
    for refund in payments.parts("refunds") if payments.has("refunds") else ():
        if refund.has("invoice_id") and refund.text("invoice_id") == ask.refund_no:
            return refunded(refund)
    return Refused("REFUND_NOT_FOUND", "PayPal knows no such refund")


def answered(response: Response) -> Fields | Refused | Unknown:
    """The body of an answer that says yes, or what it says instead."""
    if unreadable(response.headers, response.body) is not None:
        return Unknown("the answer is encoded or too large")
    try:
        if response.status in (200, 201):
            return json_fields(response.body)
        if response.status in NO:
            return _no(json_fields(response.body))
    except FieldError as error:
        return Unknown(f"HTTP {response.status}: {error}")
    return Unknown(f"HTTP {response.status}")


def _no(error: Fields) -> Refused | Unknown:
    details = error.parts("details") if error.has("details") else []
    why = details[0] if details and details[0].has("issue") else error
    code = why.text("issue" if why is not error else "name")
    if not _ISSUE.fullmatch(code):
        return Unknown("the answer gives no reason")
    if code in HAPPENED:
        return Unknown(code)
    name = "description" if why is not error else "message"
    return Refused(code, why.text(name, 2000)[:200] if why.has(name) else "")


def _unit(order: Fields, merchant_id: str) -> Fields:
    """What the buyer pays for: one order of PayPal's has one unit of ours."""
    units = order.parts("purchase_units")
    if len(units) != 1:
        raise FieldError("purchase_units has not one item")
    _ours(units[0], merchant_id)
    return units[0]


def _ours(payment: Fields, merchant_id: str) -> None:
    payee = payment.part("payee") if payment.has("payee") else Fields({})
    if payee.has("merchant_id") and payee.text("merchant_id") != merchant_id:
        raise MerchantError("payee.merchant_id is another merchant's")


def _sum(payment: Fields) -> tuple[int, str]:
    amount = payment.part("amount")
    currency = amount.text("currency_code", 3)
    return amount.amount("value", currency), currency


def _reason(payment: Fields) -> str | None:
    """Why a capture or refund is not done."""
    if not payment.has("status_details") or not payment.part("status_details").has("reason"):
        return None
    reason = payment.part("status_details").text("reason")
    return reason if _ISSUE.fullmatch(reason) else None
