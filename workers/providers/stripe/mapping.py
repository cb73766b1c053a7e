"""Translates Stripe's JSON about sessions, payment intents, refunds and disputes into the types of the port.

Raises FieldError, and MerchantError about an object of the other mode (test or live).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from workers.providers.parsing import FieldError, Fields, MerchantError
from workers.providers.port import (
    DisputeReport,
    ForeignRefund,
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
from workers.providers.stripe.currencies import from_stripe

OURS, REFUND, CAPTURE = "out_trade_no", "refund_no", "capture_no"
"""The names in the metadata under which Stripe keeps our numbers."""
INTENTS = {
    "requires_payment_method": ReportedPayment.PENDING,
    "requires_confirmation": ReportedPayment.PENDING,
    "requires_action": ReportedPayment.PENDING,
    "processing": ReportedPayment.PENDING,
    "requires_capture": ReportedPayment.AUTHORIZED,
    "succeeded": ReportedPayment.CAPTURED,
    "canceled": ReportedPayment.CLOSED,
}
AMOUNTS = {ReportedPayment.AUTHORIZED: "amount_capturable", ReportedPayment.CAPTURED: "amount_received"}
"""The field that says how much is reserved, or was taken. `amount` is what was to be paid."""
SESSIONS = {"open": ReportedPayment.PENDING, "expired": ReportedPayment.CLOSED}
"""What the state of a session says as long as it has no payment intent that says more."""
REFUNDS = {
    "succeeded": ReportedRefund.SUCCEEDED,
    "pending": ReportedRefund.PROCESSING,
    "requires_action": ReportedRefund.PROCESSING,
    "failed": ReportedRefund.FAILED,
    "canceled": ReportedRefund.FAILED,
}
DISPUTES = {
    "warning_needs_response": ReportedDispute.OPENED,
    "warning_under_review": ReportedDispute.OPENED,
    "needs_response": ReportedDispute.OPENED,
    "under_review": ReportedDispute.OPENED,
    "warning_closed": ReportedDispute.CLOSED,
    "prevented": ReportedDispute.CLOSED,
    "won": ReportedDispute.WON,
    "lost": ReportedDispute.LOST,
}
INQUIRIES = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})
"""The states of a dispute that has withdrawn no money."""
AWAITING = frozenset({"needs_response", "warning_needs_response"})
"""The states of a dispute that the merchant has to answer. Stripe names the date in the others, too."""
_WORD = re.compile(r"[a-z0-9_]{1,64}")
_EVENT = re.compile(r"[a-z0-9_.]{1,64}")
_CURRENCY = re.compile(r"[a-z]{3}")
_ID = re.compile(r"[0-9A-Za-z_]{1,128}")


def read_notification(event: Fields, *, live: bool) -> Report:
    """Read a genuine notification. The account may serve others too: what has no number of ours is irrelevant."""
    about, resource, at = event.text("type"), event.part("data").part("object"), moment(event, "created")
    if event.has("account"):
        raise MerchantError("the event is of a connected account")
    if not _EVENT.fullmatch(about):
        raise FieldError("type is no name of an event")
    if event.flag("livemode") is not live:
        raise MerchantError("livemode is not ours")
    read = EVENTS.get(about)
    if read is None:
        return IrrelevantNotification(about)
    check_mode(resource, live)
    return read(resource, at) or IrrelevantNotification(about)


def read_intent(intent: Fields, at: datetime) -> PaymentReport | None:
    """Read a payment intent; None if it has no number of ours. A capture has the number of its charge."""
    metadata = metadata_of(intent)
    if not metadata.has(OURS):
        return None
    state = INTENTS.get(intent.text("status"))
    if state is None:
        raise FieldError("status is none of a payment intent")
    number, until = intent.number("id"), None
    charge = _charge(intent)
    if state is ReportedPayment.CAPTURED:
        number = charge.number("id")
    elif state is ReportedPayment.AUTHORIZED:
        until = _capture_before(charge)
    money = amount(intent, AMOUNTS.get(state, "amount"))
    capture_no = metadata.text(CAPTURE) if metadata.has(CAPTURE) else None
    why = None if state is ReportedPayment.CAPTURED else _reason(intent)
    return PaymentReport(metadata.number(OURS), number, state, *money, at, why, until, capture_no)


def read_session(session: Fields, payment: PaymentOrder, at: datetime, *, live: bool) -> PaymentReport | UnknownOutcome:
    """Read the status of a payment from its session, and from the payment intent in it once it has one."""
    check_mode(session, live)
    if session.number("client_reference_id") != payment.out_trade_no:
        return UnknownOutcome("the answer is about something else")
    if payment.reference not in (None, session_id(session)):
        return UnknownOutcome("the answer is about something else")
    report = expired(session, at)
    if not session.has("payment_intent"):
        return report or UnknownOutcome("a complete session without a payment")
    intent = session.part("payment_intent")
    check_mode(intent, live)
    found = read_intent(intent, at)
    if found is None or found.out_trade_no != payment.out_trade_no:
        return UnknownOutcome("the answer is about something else")
    over = report is not None and report.status is ReportedPayment.CLOSED
    return report if over and report and found.status is ReportedPayment.PENDING else found


def expired(session: Fields, at: datetime) -> PaymentReport | None:
    """Read a session by its own state; None if that is complete, or the session is not ours."""
    state = SESSIONS.get(session.text("status"))
    if state is None or not session.has("client_reference_id"):
        return None
    reason = "expired" if state is ReportedPayment.CLOSED else None
    return PaymentReport(session.number("client_reference_id"), "", state, *amount(session, "amount_total"), at, reason)


def session_id(session: Fields) -> str:
    """The id of a session, which is longer than those of all other objects."""
    number = session.text("id", 128)
    if not _ID.fullmatch(number):
        raise FieldError("id is none of a session")
    return number


def read_refund(fields: Fields, at: datetime | None = None) -> RefundReport:
    """Read a refund. One that was made at Stripe's page has no number of ours, and is known by Stripe's.

    It says when it was created. `at` is when it came to its state, which may be days later, if that is known.
    """
    status = REFUNDS.get(fields.text("status"))
    if status is None:
        raise FieldError("status is none of a refund")
    metadata, number = metadata_of(fields), fields.number("id")
    ours = metadata.number(REFUND) if metadata.has(REFUND) else number
    why = fields.excerpt("failure_reason") if status is ReportedRefund.FAILED else ""
    money, reason = amount(fields, "amount"), why if _WORD.fullmatch(why) else None
    at = at or moment(fields, "created")
    return RefundReport(ours, status, *money, at, reason, fields.number("charge"), number)


def find_refund(found: Fields, refund: RefundOrder) -> RefundReport | ProviderRefusal | UnknownOutcome:
    """Find the refund among those of its charge."""
    for fields in found.parts("data"):
        metadata = metadata_of(fields)
        if metadata.has(REFUND) and metadata.text(REFUND) == refund.refund_no:
            return read_refund(fields)
    if found.flag("has_more"):
        return UnknownOutcome("the charge has more refunds than one answer lists")
    return ProviderRefusal("REFUND_NOT_FOUND", "Stripe knows no such refund")


def read_foreign_refund(fields: Fields, refund: ForeignRefund) -> RefundReport | UnknownOutcome:
    """Read a refund that was made at Stripe, or the dispute that withdrew the money of a reversal."""
    report = _withdrawal(fields, moment(fields, "created")) if refund.reversal else read_refund(fields)
    if report is None:
        return UnknownOutcome("the dispute has withdrawn no money")
    if (report.provider_no, report.trade_no) != (refund.provider_no, refund.trade_no):
        return UnknownOutcome("the answer is about something else")
    return replace(report, refund_no=refund.refund_no)


def read_dispute(dispute: Fields, at: datetime) -> DisputeReport:
    """Read a dispute. Stripe says when it was opened, but not when it was decided: that is `at`."""
    state = DISPUTES.get(dispute.text("status"))
    if state is None:
        raise FieldError("status is none of a dispute")
    reason, details, due_at = dispute.excerpt("reason"), "evidence_details", None
    if state is ReportedDispute.OPENED:
        at = moment(dispute, "created")
        waits = dispute.text("status") in AWAITING and dispute.has(details)
        if waits and dispute.part(details).has("due_by"):
            due_at = moment(dispute.part(details), "due_by")
    money, reason_code = amount(dispute, "amount"), reason if _WORD.fullmatch(reason) else None
    return DisputeReport(dispute.number("id"), dispute.number("charge"), state, *money, at, reason_code, due_at)


def _withdrawal(dispute: Fields, at: datetime) -> RefundReport | None:
    """Read the money that a dispute withdrew, as a refund under the dispute's number; None if it withdrew none."""
    if dispute.text("status") in INQUIRIES:
        return None
    number, charge = dispute.number("id"), dispute.number("charge")
    succeeded, money = ReportedRefund.SUCCEEDED, amount(dispute, "amount")
    return RefundReport(number, succeeded, *money, at, trade_no=charge, provider_no=number, reversal=True)


def _refunded_charge(charge: Fields, at: datetime) -> RefundReport | None:
    """Read the newest refund of a charge. Newer versions of the API list none here: then refund.created has it."""
    listed = charge.part("refunds").parts("data") if charge.has("refunds") else []
    return read_refund(listed[0], at) if listed else None


EVENTS: dict[str, Callable[[Fields, datetime], Report | None]] = {
    **dict.fromkeys(
        (f"payment_intent.{what}" for what in ("succeeded", "payment_failed", "canceled", "amount_capturable_updated")),
        read_intent,
    ),
    "checkout.session.expired": expired,
    **dict.fromkeys(
        ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
        read_refund,
    ),
    "charge.refunded": _refunded_charge,
    "charge.dispute.funds_withdrawn": _withdrawal,
    **dict.fromkeys(
        (f"charge.dispute.{what}" for what in ("created", "updated", "closed", "funds_reinstated")), read_dispute
    ),
}
"""Event -> what reads its object."""


def check_mode(fields: Fields, live: bool) -> None:
    """Check that the object is of the mode of our key: test objects move no money. Refunds do not say their mode."""
    if fields.has("livemode") and fields.flag("livemode") is not live:
        raise MerchantError("livemode is not ours")


def metadata_of(fields: Fields) -> Fields:
    """The metadata that we gave an object; empty if it has none."""
    return fields.part("metadata") if fields.has("metadata") else Fields({})


def amount(fields: Fields, name: str) -> tuple[int, str]:
    """(minor units, currency)"""
    currency = fields.text("currency", 3)
    if not _CURRENCY.fullmatch(currency):
        raise FieldError("currency is none")
    return from_stripe(fields.whole(name), currency.upper()), currency.upper()


def moment(fields: Fields, name: str) -> datetime:
    """A time, which Stripe writes in seconds since 1970."""
    try:
        return datetime.fromtimestamp(fields.whole(name), UTC)
    except (ValueError, OverflowError, OSError):
        raise FieldError(f"{name} is no time") from None


def _charge(intent: Fields) -> Fields:
    """The latest charge, of which notifications have only the number."""
    if not intent.has("latest_charge"):
        return Fields({})
    return (
        intent.part("latest_charge")
        if intent.holds_object("latest_charge")
        else Fields({"id": intent.number("latest_charge")})
    )


def _capture_before(charge: Fields) -> datetime | None:
    """When an authorisation ends; None if the answer does not say."""
    details = charge.part("payment_method_details") if charge.has("payment_method_details") else Fields({})
    card = details.part("card") if details.has("card") else Fields({})
    return moment(card, "capture_before") if card.has("capture_before") else None


def _reason(intent: Fields) -> str | None:
    """The reason why a payment intent was cancelled, or why its last card was declined; None if there is none."""
    error = intent.part("last_payment_error") if intent.has("last_payment_error") else Fields({})
    reasons = (intent.excerpt("cancellation_reason"), error.excerpt("decline_code"), error.excerpt("code"))
    return next((reason for reason in reasons if _WORD.fullmatch(reason)), None)
