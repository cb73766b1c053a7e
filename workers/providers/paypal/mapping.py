"""Translates PayPal's JSON about orders, captures and refunds into the types of the port. Raises FieldError."""

import re
from dataclasses import replace
from datetime import datetime

from workers.providers.parsing import FieldError, Fields, MerchantError, json_fields, keep_not_found, unreadable
from workers.providers.port import (
    ApprovalReport,
    DisputeReport,
    ForeignRefund,
    HttpResponse,
    IrrelevantNotification,
    PaymentOrder,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    Report,
    ReportedDispute,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)

RANKS = {ReportedPayment.CAPTURED: 0, ReportedPayment.PENDING: 1, ReportedPayment.FAILED: 2}
"""Of several captures the newest with the lowest rank counts: after one that failed another may follow."""
CAPTURES = {
    "COMPLETED": ReportedPayment.CAPTURED,
    "PARTIALLY_REFUNDED": ReportedPayment.CAPTURED,
    "REFUNDED": ReportedPayment.CAPTURED,
    "PENDING": ReportedPayment.PENDING,
    "DECLINED": ReportedPayment.FAILED,
    "DENIED": ReportedPayment.FAILED,
    "FAILED": ReportedPayment.FAILED,
}
REFUNDS = {
    "COMPLETED": ReportedRefund.SUCCEEDED,
    "PENDING": ReportedRefund.PROCESSING,
    "FAILED": ReportedRefund.FAILED,
    "CANCELLED": ReportedRefund.FAILED,
}
AUTHORIZATIONS = {
    "CREATED": ReportedPayment.AUTHORIZED,
    "PARTIALLY_CAPTURED": ReportedPayment.AUTHORIZED,
    "CAPTURED": ReportedPayment.PENDING,
    "PENDING": ReportedPayment.PENDING,
    "DENIED": ReportedPayment.FAILED,
    "VOIDED": ReportedPayment.CLOSED,
    "EXPIRED": ReportedPayment.CLOSED,
}
"""The states of an authorisation. A captured one is pending until its capture is listed, with the amount."""
WAITING = frozenset({"CREATED", "SAVED", "PAYER_ACTION_REQUIRED"})  # states in which an order waits for its buyer
CAPTURE_EVENTS = frozenset(f"PAYMENT.CAPTURE.{what}" for what in ("COMPLETED", "PENDING", "DENIED", "DECLINED"))
AUTHORIZATION_EVENTS = frozenset({"PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.VOIDED"})
REVERSED = "PAYMENT.CAPTURE.REVERSED"
"""PayPal took the money back, as after a lost dispute or a charge-back. Its resource has the form of a refund."""
REFUND_EVENTS = frozenset({"PAYMENT.CAPTURE.REFUNDED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED", REVERSED})
DUE = "seller_response_due_date"
DISPUTE_EVENTS = frozenset(f"CUSTOMER.DISPUTE.{what}" for what in ("CREATED", "UPDATED", "RESOLVED"))
OUTCOMES = {
    "RESOLVED_SELLER_FAVOUR": ReportedDispute.WON,
    "CANCELED_BY_BUYER": ReportedDispute.WON,
    "DENIED": ReportedDispute.WON,
    "RESOLVED_BUYER_FAVOUR": ReportedDispute.LOST,
    "ACCEPTED": ReportedDispute.LOST,
}
"""How a resolved dispute ended. Any other outcome decides nothing about the merchant's money."""
UNCLEAR = frozenset(
    {
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_COMPLETED_OR_VOIDED",
        "ORDER_NOT_APPROVED",
        "DUPLICATE_INVOICE_ID",
        "DUPLICATE_REQUEST_ID",
        "CAPTURE_FULLY_REFUNDED",
        "PENDING_CAPTURE",
        "AUTHORIZATION_ALREADY_CAPTURED",
        "PREVIOUSLY_CAPTURED",
        "PREVIOUSLY_VOIDED",
        "AUTHORIZATION_VOIDED",
        "CANNOT_BE_VOIDED",
        "PREVIOUS_REQUEST_IN_PROGRESS",
        "INTERNAL_SERVER_ERROR",
        "INTERNAL_SERVICE_ERROR",
        "RATE_LIMIT_REACHED",
    }
)
"""Issues which mean that PayPal did it before or may do it later. Only a query can tell."""
BUYER_MUST_ACT = frozenset({"INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED"})
REFUSAL_STATUSES = frozenset({400, 403, 404, 422})
ABSENT = frozenset({"INVALID_RESOURCE_ID", "RESOURCE_NOT_FOUND"})
_EVENT = re.compile(r"[A-Z0-9._-]{1,64}")
_CAPTURE = re.compile(r"/v2/payments/captures/([0-9A-Za-z]{1,64})$")
_ISSUE = re.compile(r"[A-Z0-9_]{1,64}")


def read_notification(event: Fields, merchant_id: str) -> Report:
    """Read a genuine notification."""
    about, resource = event.text("event_type"), event.part("resource")
    if about == "CHECKOUT.ORDER.APPROVED":
        unit = _unit(resource, merchant_id)
        if resource.text("status") == "APPROVED":
            return ApprovalReport(unit.number("custom_id"), resource.number("id"))
    if about in CAPTURE_EVENTS:
        return read_capture(resource, merchant_id)
    if about in AUTHORIZATION_EVENTS:
        return read_authorization(resource, merchant_id)
    if about in REFUND_EVENTS:
        return replace(read_any_refund(resource), reversal=about == REVERSED)
    if about in DISPUTE_EVENTS:
        return read_dispute(resource)
    if not _EVENT.fullmatch(about):
        raise FieldError("event_type is no name of an event")
    return IrrelevantNotification(about)


def read_order(
    order: Fields, payment: PaymentOrder, merchant_id: str, at: datetime
) -> PaymentReport | ApprovalReport | UnknownOutcome:
    """Read the status of a payment from its order.

    Until the buyer approves, the payment is pending as long as we would capture it.
    """
    unit = _unit(order, merchant_id)
    reference, status = order.number("id"), order.text("status")
    if unit.number("custom_id") != payment.out_trade_no or payment.reference not in (None, reference):
        return UnknownOutcome("the answer is about something else")
    if status == "APPROVED":
        return ApprovalReport(payment.out_trade_no, reference)
    if status == "COMPLETED":
        return _completed(unit.part("payments"), payment, merchant_id)
    if status not in WAITING and status != "VOIDED":
        return UnknownOutcome("an order in a state that is not known here")
    waits = status in WAITING and at < payment.expire_at
    state = ReportedPayment.PENDING if waits else ReportedPayment.CLOSED
    return PaymentReport(payment.out_trade_no, "", state, *_amount(unit), at)


def _completed(payments: Fields, payment: PaymentOrder, merchant_id: str) -> PaymentReport | UnknownOutcome:
    """Read an order that the buyer has paid: its best capture, or its newest authorisation if that has none.

    After a capture that failed the authorisation may still be open, and another capture may follow.
    """
    found = payments.parts("captures") if payments.has("captures") else []
    captures = [read_capture(capture, merchant_id, payment.out_trade_no) for capture in found]
    captures.sort(key=lambda report: report.occurred_at, reverse=True)
    best = min(captures, key=lambda report: RANKS[report.status], default=None)
    found = payments.parts("authorizations") if payments.has("authorizations") else []
    reserved = [read_authorization(one, merchant_id, payment.out_trade_no) for one in found]
    newest = max(reserved, key=lambda report: report.occurred_at, default=None)
    if best is None or (best.status is ReportedPayment.FAILED and newest is not None and not newest.is_open):
        return newest or UnknownOutcome("a completed order without a capture")
    return best


def read_refusal(
    refusal: ProviderRefusal, status: int, payment: PaymentOrder, at: datetime
) -> PaymentReport | ProviderRefusal | UnknownOutcome:
    """Read what a refusal of a query or a capture means for the payment. `status` is the HTTP status.

    Either its order does not exist, or its capture was declined (422), for good or until the buyer chooses another
    card. Any other refusal proves nothing.
    """
    if refusal.code in ABSENT or status != 422:
        return keep_not_found(refusal, ABSENT)
    number, state = payment.reference or payment.out_trade_no, ReportedPayment.FAILED
    if refusal.code in BUYER_MUST_ACT:
        number, state = "", ReportedPayment.PENDING
    return PaymentReport(payment.out_trade_no, number, state, payment.amount, payment.currency, at, refusal.code)


def read_capture(capture: Fields, merchant_id: str, out_trade_no: str | None = None) -> PaymentReport:
    """Read a capture; `out_trade_no` is given if the payment is known.

    The capture's status may be later than that of the event which carried it.
    """
    _check_payee(capture, merchant_id)
    status = CAPTURES.get(capture.text("status"))
    if status is None:
        raise FieldError("status is none of a capture")
    ours = out_trade_no or capture.number("custom_id" if capture.has("custom_id") else "invoice_id")
    trade_no, when = capture.number("id"), capture.moment("create_time")
    number = capture.text("invoice_id") if capture.has("invoice_id") else None
    return PaymentReport(ours, trade_no, status, *_amount(capture), when, _reason(capture), capture_no=number)


def read_authorization(one: Fields, merchant_id: str, out_trade_no: str | None = None) -> PaymentReport:
    """Read an authorisation; `out_trade_no` is given if the payment is known."""
    _check_payee(one, merchant_id)
    status = AUTHORIZATIONS.get(one.text("status"))
    if status is None:
        raise FieldError("status is none of an authorisation that is open or ended")
    ours = out_trade_no or one.number("custom_id" if one.has("custom_id") else "invoice_id")
    until = one.moment("expiration_time") if one.has("expiration_time") else None
    number, when = one.number("id"), one.moment("create_time")
    return PaymentReport(ours, number, status, *_amount(one), when, _reason(one), expire_at=until)


def read_refund(fields: Fields, refund_no: str | None = None) -> RefundReport:
    """Read a refund; `refund_no` is its number if it was requested by this very call.

    We give refunds their number as invoice_id. custom_id may be that of the capture, and so may be the invoice_id of a
    refund that was made at PayPal; one without invoice_id is known by PayPal's own number.
    """
    status = REFUNDS.get(fields.text("status"))
    if status is None:
        raise FieldError("status is none of a refund")
    number = fields.number("invoice_id") if fields.has("invoice_id") else refund_no or fields.number("id")
    return RefundReport(number, status, *_amount(fields), fields.moment("create_time"), _reason(fields))


def read_any_refund(fields: Fields) -> RefundReport:
    """Read a refund that may not be ours, with PayPal's own number and the capture that it draws on."""
    return replace(read_refund(fields), trade_no=_capture_of(fields), provider_no=fields.number("id"))


def read_foreign_refund(fields: Fields, refund: ForeignRefund) -> RefundReport | UnknownOutcome:
    """Read a refund that was made at PayPal. It links to the capture that it draws on."""
    report = read_any_refund(fields)
    if (report.provider_no, report.trade_no) != (refund.provider_no, refund.trade_no):
        return UnknownOutcome("the answer is about something else")
    return replace(report, refund_no=refund.refund_no, reversal=refund.reversal)


def read_dispute(dispute: Fields) -> DisputeReport:
    """Read a dispute. It names the capture as the seller's transaction."""
    amount = dispute.part("dispute_amount")
    currency = amount.text("currency_code", 3)
    state = ReportedDispute.OPENED
    if dispute.text("status") == "RESOLVED":
        outcome = dispute.part("dispute_outcome").excerpt("outcome_code") if dispute.has("dispute_outcome") else ""
        state = OUTCOMES.get(outcome, ReportedDispute.CLOSED)
    reason = dispute.excerpt("reason")
    return DisputeReport(
        dispute.number("dispute_id"),
        next(iter(dispute.parts("disputed_transactions")), Fields({})).number("seller_transaction_id"),
        state,
        amount.amount("value", currency),
        currency,
        dispute.moment("update_time" if dispute.has("update_time") else "create_time"),
        reason if _ISSUE.fullmatch(reason) else None,
        dispute.moment(DUE) if dispute.has(DUE) and state is ReportedDispute.OPENED else None,
    )


def _capture_of(refund: Fields) -> str | None:
    """The number of the capture, from the link `up` of a refund. A refund that is part of an order may have none."""
    for link in refund.parts("links") if refund.has("links") else ():
        found = _CAPTURE.search(link.text("href", 2000)) if link.excerpt("rel") == "up" else None
        if found:
            return found[1]
    return None


def find_refund(order: Fields, refund: RefundOrder, merchant_id: str) -> RefundReport | ProviderRefusal:
    """Find the refund among those of the payment's order."""
    payments = _unit(order, merchant_id).part("payments")
    for fields in payments.parts("refunds") if payments.has("refunds") else ():
        if fields.has("invoice_id") and fields.text("invoice_id") == refund.refund_no:
            return read_refund(fields)
    return ProviderRefusal("REFUND_NOT_FOUND", "PayPal knows no such refund")


def read_response(response: HttpResponse) -> Fields | ProviderRefusal | UnknownOutcome:
    """Read the body of a response; a refusal or an unknown outcome if it is not a successful one."""
    if unreadable(response.headers, response.body) is not None:
        return UnknownOutcome("the answer is encoded or too large")
    try:
        if response.status in (200, 201):
            return json_fields(response.body)
        if response.status in REFUSAL_STATUSES:
            return _error(json_fields(response.body))
    except FieldError as error:
        return UnknownOutcome(f"HTTP {response.status}: {error}")
    return UnknownOutcome(f"HTTP {response.status}")


def _error(error: Fields) -> ProviderRefusal | UnknownOutcome:
    """Read an error. Its first detail names the issue; an error without details has only a name."""
    details = error.parts("details") if error.has("details") else []
    detailed = bool(details) and details[0].has("issue")
    why, code_name, text_name = (details[0], "issue", "description") if detailed else (error, "name", "message")
    code = why.text(code_name)
    if not _ISSUE.fullmatch(code):
        return UnknownOutcome("the answer gives no reason")
    if code in UNCLEAR:
        return UnknownOutcome(code)
    return ProviderRefusal(code, why.text(text_name, 2000)[:200] if why.has(text_name) else "")


def _unit(order: Fields, merchant_id: str) -> Fields:
    """The purchase unit. Each order that we create has exactly one."""
    units = order.parts("purchase_units")
    if len(units) != 1:
        raise FieldError("purchase_units has not one item")
    _check_payee(units[0], merchant_id)
    return units[0]


def _check_payee(payment: Fields, merchant_id: str) -> None:
    payee = payment.part("payee") if payment.has("payee") else Fields({})
    if payee.has("merchant_id") and payee.text("merchant_id") != merchant_id:
        raise MerchantError("payee.merchant_id is another merchant's")


def _amount(payment: Fields) -> tuple[int, str]:
    """(minor units, currency)"""
    amount = payment.part("amount")
    currency = amount.text("currency_code", 3)
    return amount.amount("value", currency), currency


def _reason(payment: Fields) -> str | None:
    """The reason why a capture or a refund is not completed, or None."""
    if not payment.has("status_details") or not payment.part("status_details").has("reason"):
        return None
    reason = payment.part("status_details").text("reason")
    return reason if _ISSUE.fullmatch(reason) else None
