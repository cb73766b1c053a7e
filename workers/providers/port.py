"""The port: the pure functions over bytes that every payment provider implements. Amounts are minor units.

An adapter is made from its settings and keys; it does no I/O and reads no clock. It builds HTTP requests, which
workers/providers/calls.py sends, and reads the responses. Notifications are verified on the raw bytes that the shop's
HTTP edge received.

Every adapter is a `Provider`. Abilities that only some providers have are protocols of their own (abilities.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

from db.errors import OmsError
from workers.domain.codes import Code


class ReportedPayment(StrEnum):
    """The status of a payment in a provider's report. Only `pending` and `authorized` can still change."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    CLOSED = "closed"
    PENDING = "pending"


class ReportedRefund(StrEnum):
    """The status of a refund in a provider's report. Only `processing` can still change."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROCESSING = "processing"


@dataclass(frozen=True)
class Notification:
    """A notification as it arrived: header names in lower case, the body's bytes, and when the edge received it."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True)
class PaymentReport:
    """The provider's report on an attempt. `trade_no` is the provider's own number, by which it finds refunds.

    Of an authorised payment it is the number of the authorisation, which ends at `expire_at`; of a capture of one,
    `capture_no` is our number.
    """

    out_trade_no: str
    trade_no: str
    status: ReportedPayment
    amount: int
    currency: str
    occurred_at: datetime
    reason: str | None = None
    expire_at: datetime | None = None
    capture_no: str | None = None

    @property
    def is_open(self) -> bool:
        """True if the provider reserves the money, and we can capture it."""
        return self.status is ReportedPayment.AUTHORIZED


@dataclass(frozen=True)
class ApprovalReport:
    """The buyer approved the payment; we must capture the money (PayPal). `reference` is the provider's order."""

    out_trade_no: str
    reference: str


@dataclass(frozen=True)
class RefundReport:
    """The provider's report on a refund, by the number that we gave it.

    A refund that the provider made by itself (on its own page, or a charge-back) has a number of the provider's.
    `trade_no` is the capture that it draws on, None if the report does not say. `provider_no` is the provider's own
    number of the refund where `refund_no` need not identify it. A `reversal` was not made by the merchant.
    """

    refund_no: str
    status: ReportedRefund
    amount: int
    currency: str
    occurred_at: datetime
    reason: str | None = None
    trade_no: str | None = None
    provider_no: str | None = None
    reversal: bool = False


class ReportedDispute(StrEnum):
    """The state of a dispute. A closed one ended without a decision against either side, as far as money tells."""

    OPENED = "opened"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"


@dataclass(frozen=True)
class DisputeReport:
    """The provider's report on a buyer's dispute about `amount` of the capture `trade_no`.

    The merchant has to answer until `due_at`, if the provider waits for that.
    """

    dispute_no: str
    trade_no: str
    state: ReportedDispute
    amount: int
    currency: str
    occurred_at: datetime
    reason: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True)
class IrrelevantNotification:
    """A genuine notification of a kind that does not concern us. `about` is the provider's word for the kind."""

    about: str


@dataclass(frozen=True)
class RejectedNotification:
    """A notification (or a response) that we do not believe.

    `code` is PAY_SIGNATURE_INVALID, PAY_CALLBACK_INVALID, PAY_CALLBACK_STALE or PAY_MERCHANT_MISMATCH. `message` holds
    no secret and no part of the notification.
    """

    code: Code
    message: str


@dataclass(frozen=True)
class UnknownCertificate:
    """A notification may be genuine, but the certificate that would verify it is not known here yet."""

    serial: str


Report: TypeAlias = PaymentReport | ApprovalReport | RefundReport | DisputeReport | IrrelevantNotification
"""The content of a genuine notification."""


@dataclass(frozen=True)
class PaymentOrder:
    """A payment that the provider is to collect. `out_trade_no` is our number: at most 32 letters and digits.

    `reference` is the provider's own identifier of the opened payment, once it has one. If it is to `authorize`, the
    provider reserves the money, and we capture it later.
    """

    out_trade_no: str
    amount: int
    currency: str
    subject: str
    scene: str
    started_at: datetime
    expire_at: datetime
    return_url: str | None = None
    client_ip: str | None = None
    payer: str | None = None
    reference: str | None = None
    authorize: bool = False


@dataclass(frozen=True)
class AuthorizedPayment:
    """An authorisation of which the provider is to capture `amount`, or nothing.

    `capture_no` is our number of the capture: the same one again is the same capture. The numbers of the payment and of
    its authorisation are those of PaymentOrder and PaymentReport.
    """

    out_trade_no: str
    authorization_no: str
    reference: str | None
    amount: int
    currency: str
    capture_no: str


@dataclass(frozen=True)
class ClientAction:
    """The next step of the buyer's client: follow a link, show a QR code, post a form, or start an app with `fields`.

    `reference` is the provider's own identifier of the opened payment, if it returned one.
    """

    kind: Literal["redirect", "qr", "form", "app"]
    url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None


@dataclass(frozen=True)
class RefundOrder:
    """The money that the provider is to give back out of a capture. The same `refund_no` again is the same refund.

    `total` is the captured amount. `reference` is the provider's identifier of the payment, if it has one: PayPal
    finds refunds by it.
    """

    refund_no: str
    out_trade_no: str
    trade_no: str
    amount: int
    total: int
    currency: str
    reason: str
    captured_at: datetime
    requested_at: datetime
    reference: str | None = None


@dataclass(frozen=True)
class ForeignRefund:
    """A refund that we did not request, as a notification or a statement names it: the fields are RefundReport's."""

    refund_no: str
    trade_no: str
    provider_no: str | None = None
    reversal: bool = False


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request, signed. If `bearer` is set, the calls module adds the provider's access token."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    bearer: bool = False


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class ProviderRefusal:
    """The provider refused. The same request again would get the same answer."""

    code: str
    message: str


@dataclass(frozen=True)
class UnknownOutcome:
    """No response came, or we cannot believe or read it. The request may have taken effect: poll until it is known.

    `serial` names the certificate that would verify the response, if that certificate is not known here yet.
    """

    why: str
    serial: str | None = None


@dataclass(frozen=True)
class StatementRow:
    """One line of a day statement. `number` is our number: the out_trade_no of a capture or the refund_no.

    A refund names the capture that it draws on in `capture_no`. A `reversal` was not made by the merchant. A refund
    that is not `certain` was accepted, and may have failed since.
    """

    kind: Literal["capture", "refund"]
    number: str
    trade_no: str
    amount: int
    currency: str
    line: int
    capture_no: str | None = None
    provider_no: str | None = None
    reversal: bool = False
    certain: bool = True


class StatementError(OmsError, ValueError):
    """A statement does not have the provider's layout. The message names the line and the expected content."""


class Provider(Protocol):
    """One payment provider. Every method is pure; `at` is the time that goes into signatures.

    `notifications_prove` is False if a well-signed notification is not proof enough, so that we poll and believe the
    response: PayPal signs only the CRC-32 of a notification, so a person who has seen one can forge another.
    """

    name: str
    scenes: frozenset[str]
    currencies: frozenset[str]
    notifications_prove: bool

    def start(self, payment: PaymentOrder, at: datetime) -> ClientAction | HttpRequest | ProviderRefusal:
        """Open the payment: the client's action if a signature is enough, else the request that must be sent first."""

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read the response to the request of `start`."""

    def verify(self, notification: Notification) -> Report | RejectedNotification | UnknownCertificate:
        """Check a notification's signature, time and merchant, and read it."""

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Poll the status of the payment."""

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ApprovalReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `query` or `capture`. A ProviderRefusal means that it knows no such payment."""

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Give back some or all of a capture."""

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `refund`."""

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Poll the status of the refund."""

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `query_refund`. A ProviderRefusal means that it knows no such refund."""

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read a day statement in the provider's own layout. Raises StatementError."""
