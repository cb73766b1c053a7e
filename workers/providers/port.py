"""The port: what every provider does for us, as pure functions over bytes. Amounts are minor units.

A provider is made from its settings and keys; nothing in it does I/O or reads a clock. Requests are built here and sent
by workers/providers/calls.py; notifications are verified on the raw bytes that upstream's HTTP edge received.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol, TypeAlias

from db.errors import OmsError
from workers.domain.codes import Code


@dataclass(frozen=True)
class Notification:
    """A notification as it arrived: header names in lower case, the body's very bytes, when the edge received it."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True)
class Paid:
    """What the provider says of an attempt. `trade_no` is the provider's own number, what refunds refer to."""

    out_trade_no: str
    trade_no: str
    status: Literal["captured", "failed", "closed", "pending"]
    amount: int
    currency: str
    occurred_at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Approved:
    """The buyer agreed; the money comes when we ask for it (PayPal). `reference` is the provider's order."""

    out_trade_no: str
    reference: str


@dataclass(frozen=True)
class Refunded:
    """What the provider says of a refund, by the number that we gave it."""

    refund_no: str
    status: Literal["succeeded", "failed", "processing"]
    amount: int
    currency: str
    occurred_at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A notification or an answer that is not believed: PAY_SIGNATURE_INVALID, PAY_CALLBACK_INVALID,
    PAY_CALLBACK_STALE, PAY_MERCHANT_MISMATCH. `message` holds no secret and nothing that was sent.
    """

    code: Code
    message: str


@dataclass(frozen=True)
class CertificateUnknown:
    """It may be sound: the key that would say so is not known here yet."""

    serial: str


@dataclass(frozen=True)
class Irrelevant:
    """Sound, and about something that does not concern us."""

    about: str


Said: TypeAlias = Paid | Approved | Refunded | Irrelevant
"""What a sound notification may say."""


@dataclass(frozen=True)
class Attempt:
    """What is to be paid. `out_trade_no` is ours: letters and digits, at most 32. `reference` is what the provider
    called it when it was opened there, if it was.
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


@dataclass(frozen=True)
class Ready:
    """What the buyer's client needs: a link to follow, content of a QR code, a form to post or an app's parameters."""

    kind: Literal["redirect", "qr", "form", "app"]
    url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None


@dataclass(frozen=True)
class RefundAsk:
    """Some or all of a capture is to go back. The same `refund_no` again is the same refund. `total` was captured.
    `reference` is what the provider called the attempt, if it did (PayPal finds refunds by it).
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
class Request:
    """One HTTP request, signed. With `bearer`, calls adds the provider's access token."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    bearer: bool = False


@dataclass(frozen=True)
class Response:
    """One HTTP answer: header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Refused:
    """The provider said no; asking again the same way changes nothing."""

    code: str
    message: str


@dataclass(frozen=True)
class Unknown:
    """No answer, or one that cannot be believed or read: it may have happened. Ask until it is known.

    `serial` names the certificate that would say whether the answer is sound, where it is not known here yet.
    """

    why: str
    serial: str | None = None


@dataclass(frozen=True)
class Row:
    """One line of a day statement. `kind` is capture or refund; `number` is our number (out_trade_no or refund_no)."""

    kind: Literal["capture", "refund"]
    number: str
    trade_no: str
    amount: int
    currency: str
    line: int


class StatementError(OmsError, ValueError):
    """A statement that is not in the provider's layout; says the line and what was expected."""


class Provider(Protocol):
    """One payment provider. Every method is pure; `at` is the time that goes into signatures.

    With `captures`, the buyer's approval is no payment yet: the money comes when we ask for it. Without
    `notifications_prove`, a notification that is signed well makes us ask, and the answer counts: PayPal signs no
    more than the CRC-32 of what it says, and who has seen one notification can write another with the same.
    """

    name: str
    scenes: frozenset[str]
    currencies: frozenset[str]
    captures: bool
    notifications_prove: bool

    def start(self, attempt: Attempt, at: datetime) -> Ready | Request | Refused:
        """What the client needs, or the call that must be made first."""

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        """What the client needs, from the answer to that call."""

    def verify(self, notification: Notification) -> Said | Rejected | CertificateUnknown:
        """What a notification says, once its signature, time and merchant are checked."""

    def capture(self, attempt: Attempt, at: datetime) -> Request | None:
        """Take the money of an approved attempt; None where approval is payment."""

    def query(self, attempt: Attempt, at: datetime) -> Request:
        """How does the attempt stand?"""

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Approved | Refused | Unknown:
        """The answer to `query` or `capture`."""

    def close(self, attempt: Attempt, at: datetime) -> Request | None:
        """Nobody shall pay it any more; None where the provider has no such thing."""

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        """The answer to `close`: closed, or paid after all."""

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Give money back."""

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `refund`."""

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        """How does the refund stand?"""

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `query_refund`. Refused: the provider knows no such refund."""

    def certificates(self, at: datetime, serial: str) -> Request | None:
        """Ask for the provider's certificates, this one among them; None where they are not to be had so."""

    def read_certificates(
        self, response: Response, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | Unknown:
        """Serial (or address) -> PEM, verified. `serial` is the one that was asked for; PayPal does not repeat it."""

    def with_certificates(self, known: Mapping[str, str]) -> "Provider":
        """The same provider, which also believes these."""

    def token(self) -> Request | None:
        """Ask for an access token; None where requests are signed one by one."""

    def read_token(self, response: Response) -> tuple[str, int] | Refused | Unknown:
        """(token, seconds it lives)"""

    def statement(self, content: bytes, day: date) -> Sequence[Row]:
        """The rows of a day statement in the provider's own layout. Raises StatementError."""
