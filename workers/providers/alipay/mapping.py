"""Translates Alipay's fields about payments and refunds into the types of the port. Raises FieldError."""

from datetime import datetime, timedelta

from workers.providers.parsing import FieldError, Fields
from workers.providers.port import (
    ForeignRefund,
    PaymentOrder,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)

CURRENCY = "CNY"
STATES = {
    "WAIT_BUYER_PAY": ReportedPayment.PENDING,
    "TRADE_SUCCESS": ReportedPayment.CAPTURED,
    "TRADE_FINISHED": ReportedPayment.CAPTURED,  # captured, and too late for a refund
    "TRADE_CLOSED": ReportedPayment.CLOSED,  # the buyer never paid, or got a refund in full
}
REFUND_SHOWS_AFTER = timedelta(seconds=10)
"""A query that is sent earlier after a refund may not find it, although it succeeds."""


def read_notification(fields: Fields) -> PaymentReport | RefundReport:
    """Read a notification about a trade.

    It is about a refund if it has gmt_refund or refund_fee, whatever the trade's state. refund_fee is the sum of all
    refunds of the trade so far, so only a query can tell how much was given back under this number.
    """
    number, trade_no = fields.number("out_trade_no"), fields.number("trade_no")
    if fields.has("gmt_refund") or fields.excerpt("refund_fee") not in ("", "0", "0.00"):
        refund_no = fields.number("out_biz_no") if fields.has("out_biz_no") else number
        when = fields.beijing_moment("gmt_refund" if fields.has("gmt_refund") else "notify_time")
        so_far = fields.amount("refund_fee", CURRENCY)
        return RefundReport(refund_no, ReportedRefund.PROCESSING, so_far, CURRENCY, when, trade_no=trade_no)
    status = _status(fields)
    name = {ReportedPayment.CAPTURED: "gmt_payment", ReportedPayment.CLOSED: "gmt_close"}.get(status, "gmt_create")
    when = fields.beijing_moment(name if fields.has(name) else "notify_time")
    return PaymentReport(number, trade_no, status, fields.amount("total_amount", CURRENCY), CURRENCY, when)


def read_payment(fields: Fields, payment: PaymentOrder, at: datetime) -> PaymentReport:
    """Read the response to a query of a trade."""
    status = _status(fields)
    if fields.has("send_pay_date"):
        status = ReportedPayment.CAPTURED  # a trade that was paid is also closed by a refund in full
    when = fields.beijing_moment("send_pay_date") if status == ReportedPayment.CAPTURED else at
    amount = fields.amount("total_amount", CURRENCY)
    return PaymentReport(
        fields.number("out_trade_no"), fields.number("trade_no"), status, amount, payment.currency, when
    )


def _status(fields: Fields) -> ReportedPayment:
    status = STATES.get(fields.text("trade_status"))
    if status is None:
        raise FieldError("trade_status is none that is documented")
    return status


def read_refund(fields: Fields, refund: RefundOrder, at: datetime) -> RefundReport | UnknownOutcome:
    """Read the response to a refund. If no money moved, a query must tell whether it had moved before."""
    if fields.text("trade_no") != refund.trade_no:
        return UnknownOutcome("the response is about another trade")
    if fields.text("fund_change") != "Y":
        return UnknownOutcome("no money moved this time")
    if not refund.amount <= fields.amount("refund_fee", CURRENCY) <= refund.total:
        return UnknownOutcome("refund_fee, the sum of all refunds, does not include this one")
    return _succeeded(fields, refund, at)


def read_refund_query(
    fields: Fields, refund: RefundOrder, at: datetime
) -> RefundReport | ProviderRefusal | UnknownOutcome:
    """Read the response to a query of a refund. It has no refund fields if there is no such refund, or not yet."""
    if not fields.has("refund_status") and not fields.has("refund_amount"):
        if at - refund.requested_at < REFUND_SHOWS_AFTER:
            return UnknownOutcome("the query was sent too early to find the refund")
        return ProviderRefusal("REFUND_NOT_EXIST", "there is no such refund")
    if fields.text("refund_status") != "REFUND_SUCCESS":
        return UnknownOutcome("refund_status is none that is documented")
    if fields.text("out_request_no") != refund.refund_no or fields.amount("refund_amount", CURRENCY) != refund.amount:
        return UnknownOutcome("the response is about another refund")
    return _succeeded(fields, refund, at)


def read_foreign_refund(
    fields: Fields, refund: ForeignRefund, at: datetime
) -> RefundReport | ProviderRefusal | UnknownOutcome:
    """Read the response to a query of a refund that we did not request."""
    if not fields.has("refund_status") and not fields.has("refund_amount"):
        return UnknownOutcome("Alipay does not find the refund, or not yet")
    if fields.text("refund_status") != "REFUND_SUCCESS":
        return UnknownOutcome("refund_status is none that is documented")
    if (fields.text("out_request_no"), fields.text("trade_no")) != (refund.refund_no, refund.trade_no):
        return UnknownOutcome("the response is about another refund")
    when = fields.beijing_moment("gmt_refund_pay") if fields.has("gmt_refund_pay") else at
    amount = fields.amount("refund_amount", CURRENCY)
    return RefundReport(refund.refund_no, ReportedRefund.SUCCEEDED, amount, CURRENCY, when, trade_no=refund.trade_no)


def _succeeded(fields: Fields, refund: RefundOrder, at: datetime) -> RefundReport:
    when = fields.beijing_moment("gmt_refund_pay") if fields.has("gmt_refund_pay") else at
    return RefundReport(refund.refund_no, ReportedRefund.SUCCEEDED, refund.amount, CURRENCY, when)
