"""Reads UnionPay's messages and translates them into the types of the port. Raises FieldError.

Requests and notifications are forms. Responses look like forms, but nothing in them is escaped.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from workers.providers.parsing import BEIJING, FORM_FIELDS_MAX, FieldError, Fields, form_fields
from workers.providers.port import (
    IrrelevantNotification,
    PaymentReport,
    ProviderRefusal,
    RefundReport,
    Report,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)

CURRENCIES = {"156": "CNY"}
DONE = frozenset({"00", "A6"})  # A6: success with a flaw
OPEN = frozenset({"03", "04", "05"})  # no answer from the bank, not known, accepted
UNSURE = OPEN | {"01", "02", "06", "11", "12", "34", "37", "39", "60", "99"}
"""Answer codes that leave it open whether the transaction exists or will.

11 means that UnionPay does not believe our signature, until it knows our new key.
"""
ABSENT = "34"  # UnionPay knows no such transaction
_RESPONSE_FIELD = re.compile(r"([A-Za-z0-9_]+)=(\{.*?\}(?=&|$)|\[.*?\](?=&|$)|[^&]*)(?:&|$)", re.DOTALL)
_CODE = re.compile(r"[0-9A-Z]{2}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,11}")
_TXN_TIME = re.compile(r"[0-9]{14}")
_TRACE_TIME = re.compile(r"[0-9]{10}")


def form(fields: Mapping[str, str]) -> bytes:
    """Encode the fields of a request as a form."""
    return urlencode(fields).encode()


def notification_fields(body: bytes) -> dict[str, str]:
    """Decode the form of a notification."""
    try:
        return {name.decode("ascii"): value.decode() for name, value in form_fields(body).items()}
    except UnicodeDecodeError:
        raise FieldError("the form is no UTF-8") from None


def response_fields(body: bytes) -> dict[str, str]:
    """Split a response into fields. A value in braces or brackets may hold what looks like more fields."""
    try:
        text = body.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise FieldError("the answer is no UTF-8") from None
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _RESPONSE_FIELD.match(text, at)
        if found is None or found[1] in fields or len(fields) == FORM_FIELDS_MAX:
            raise FieldError("the answer is no name=value&..., or a name stands twice")
        fields[found[1]] = found[2]
        at = found.end()
    return fields


def beijing(moment: datetime) -> str:
    """Format a time as YYYYMMDDhhmmss in Beijing."""
    return moment.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


class UnionPayMessage(Fields):
    """The fields of a message, in the formats that UnionPay gives them."""

    def code(self, name: str) -> str:
        """An answer code or a type: two letters or digits."""
        text = self.text(name)
        if not _CODE.fullmatch(text):
            raise FieldError(f"{name} is no code of two letters or digits")
        return text

    def minor_units(self) -> int:
        """The amount in fen, from txnAmt."""
        text = self.text("txnAmt")
        if not _AMOUNT.fullmatch(text):
            raise FieldError("txnAmt is no positive whole number")
        return int(text)

    def currency(self) -> str:
        """The currency, from the three digits of ISO 4217 in currencyCode."""
        try:
            return CURRENCIES[self.text("currencyCode")]
        except KeyError:
            raise FieldError("currencyCode is not 156 (CNY)") from None

    def sent_at(self) -> datetime:
        """The time at which we sent the order, as we wrote it in txnTime."""
        text = self.text("txnTime")
        if not _TXN_TIME.fullmatch(text):
            raise FieldError("txnTime is no time such as 20261122105900")
        moment = _time(text)
        if moment is None:
            raise FieldError("txnTime is no time")
        return moment

    def happened_at(self) -> datetime:
        """The time of the transaction, from traceTime. That has no year, so we take the year nearest to txnTime."""
        text, sent_at = self.text("traceTime"), self.sent_at()
        if not _TRACE_TIME.fullmatch(text):
            raise FieldError("traceTime is no time such as 1122105900")
        found = [moment for shift in (0, 1, -1) if (moment := _time(f"{sent_at.year + shift}{text}")) is not None]
        if not found:
            raise FieldError("traceTime is no time")
        return min(found, key=lambda moment: abs(moment - sent_at))


def _time(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


def read_notification(message: UnionPayMessage) -> Report:
    """Read a genuine notification.

    Only the response to a query has origRespCode. We refuse it here, because a stranger could send it to us again.
    """
    kind, code = message.code("txnType"), message.code("respCode")
    if message.has("origRespCode"):
        raise FieldError("is an answer, no notification")
    if kind == "04":
        return read_refund(message, code)
    if kind != "01":
        return IrrelevantNotification(f"txnType {kind}")
    report = read_payment(message, code)
    if report.status == ReportedPayment.FAILED:  # a card was refused; the buyer may take another one
        return replace(report, status=ReportedPayment.PENDING)
    return report


def read_payment(message: UnionPayMessage, code: str) -> PaymentReport:
    """Read a payment. `code` is the answer code with which it ended."""
    status = ReportedPayment.FAILED
    if code in DONE:
        status = ReportedPayment.CAPTURED
    elif code in OPEN:
        status = ReportedPayment.PENDING
    return PaymentReport(
        message.number("orderId"),
        message.number("queryId"),
        status,
        message.minor_units(),
        message.currency(),
        message.happened_at(),
        _reason(code),
    )


def read_refund(message: UnionPayMessage, code: str) -> RefundReport:
    """Read a refund. `code` is the answer code with which it ended."""
    status = ReportedRefund.FAILED
    if code in DONE:
        status = ReportedRefund.SUCCEEDED
    elif code in OPEN:
        status = ReportedRefund.PROCESSING
    return RefundReport(
        message.number("orderId"),
        status,
        message.minor_units(),
        message.currency(),
        message.happened_at(),
        _reason(code),
        trade_no=message.number("origQryId") if message.has("origQryId") else None,
    )


def read_failure(response: UnionPayMessage) -> ProviderRefusal | UnknownOutcome | None:
    """Read why UnionPay did not accept a request. Returns None if it did."""
    code = response.code("respCode")
    if code in DONE:
        return None
    if code in UNSURE:
        return UnknownOutcome(f"respCode {code}")
    return ProviderRefusal(code, response.text("respMsg", 1000)[:200] if response.has("respMsg") else "")


def _reason(code: str) -> str | None:
    return None if code == "00" else code
