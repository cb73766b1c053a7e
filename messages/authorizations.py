"""payment.authorized and what follows: money that a provider reserves until the goods leave."""

from typing import ClassVar, Literal

from messages.base import Amount, Currency, Event, ExternalId, Internal, Moment, OrderId, Quantity, ReasonCode
from messages.orders import OrderCommand
from messages.payments import PaymentEvent
from messages.roles import Role


class AuthorizationObserved(Internal):
    """A provider's answer about the authorisation of an attempt.

    `number` is its number of the capture if it reports one, otherwise that of the authorisation. `capture` is which of
    our captures it is about, where it says so.
    """

    TYPE: ClassVar[str] = "authorization.observed.v1"
    attempt_id: OrderId
    status: Literal["authorized", "captured", "voided", "failed", "pending", "not_renewed"]
    number: ExternalId | None
    amount: Amount
    currency: Currency
    occurred_at: Moment
    expire_at: Moment | None = None
    reason_code: ReasonCode | None = None
    capture: Quantity | None = None


class AuthorizationDue(Internal):
    """Look at the authorisation of an attempt: it is about to end, or the provider has not answered about it."""

    TYPE: ClassVar[str] = "authorization.due.v1"
    attempt_id: OrderId


class PaymentCapture(OrderCommand):
    """An operator takes the money of an authorised payment now: before the goods leave, or after a capture failed.

    Its outcome is payment.capture_requested; payment.captured follows.
    """

    TYPE: ClassVar[str] = "payment.capture.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})


TAKEN = (AuthorizationObserved, AuthorizationDue, PaymentCapture)
"""What the queue of authorised payments takes."""


class PaymentCaptureRequested(Event):
    """The money of an authorised payment is being taken."""

    TYPE: ClassVar[str] = "payment.capture_requested.v1"
    order_id: OrderId
    attempt_id: OrderId
    provider: str
    amount: Amount
    currency: Currency


class PaymentAuthorized(PaymentEvent):
    """A provider reserves the money until `expire_at`; `trade_no` is its number of the authorisation.

    `verdict` is as in payment.captured; all but `kept` are voided. The same event comes again with a new `expire_at` if
    the authorisation was renewed.
    """

    TYPE: ClassVar[str] = "payment.authorized.v1"
    verdict: Literal["kept", "late", "duplicate", "mismatch"]
    expire_at: Moment


class PaymentVoided(PaymentEvent):
    """An authorisation has ended: none of its money was captured, or will be. `trade_no` is its number."""

    TYPE: ClassVar[str] = "payment.voided.v1"
    reason_code: str | None = None


class PaymentReleased(Event):
    """A part of an authorised amount will not be captured, because the order does not want it any more.

    `cause` and `refund_no` are as in refund.requested; no money moves. `trade_no` is the number of the authorisation.
    """

    TYPE: ClassVar[str] = "payment.released.v1"
    order_id: OrderId
    refund_no: str
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency
    cause: str
