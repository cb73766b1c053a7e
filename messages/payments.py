"""payment.* and the progress mark that follows them through their queue."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from messages.base import (
    Actor,
    Amount,
    AnyInt,
    Code,
    Command,
    Currency,
    Event,
    ExternalId,
    Fact,
    Internal,
    Moment,
    Name,
    OrderId,
    RequestId,
    ShortText,
)
from messages.orders import OrderCommand

CALLBACK_BYTES_MAX = 65_536  # providers send a few KiB; base64 makes four bytes of three
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
Base64 = Annotated[
    str, StringConstraints(max_length=CALLBACK_BYTES_MAX * 4 // 3 + 4, pattern=r"^[A-Za-z0-9+/]*={0,2}$")
]
HeaderText = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class PaymentStart(OrderCommand):
    """The buyer wants to pay now: open an attempt at a provider (S3-16). Answered with what their client needs.

    `amount` is what the client shows and must be what is due. `intent_id` pays merged orders. `payer` is the buyer's
    name at the provider (WeChat's openid), where its scene needs one.
    """

    TYPE: ClassVar[str] = "payment.start.v1"
    provider: ExternalId
    scene: ExternalId
    amount: AnyInt
    currency: Currency
    intent_id: OrderId | None = None
    return_url: Annotated[str, StringConstraints(max_length=1024, pattern=r"^https?://[!-~]+$")] | None = None
    client_ip: Annotated[str, StringConstraints(max_length=45, pattern=r"^[0-9a-fA-F.:]+$")] | None = None
    payer: ExternalId | None = None


class PaymentStarted(Event):
    """An attempt is open: follow `url`, show it as a QR code, post `fields` to it, or hand `fields` to the app."""

    TYPE: ClassVar[str] = "payment.started.v1"
    order_id: OrderId
    intent_id: OrderId
    attempt_id: OrderId
    out_trade_no: str
    provider: str
    scene: str
    amount: Amount
    currency: Currency
    pay_before: Moment
    kind: Literal["redirect", "qr", "form", "app"]
    url: str | None = None
    fields: dict[str, str] = {}


class PaymentCallback(Fact):
    """A provider's notification as upstream's HTTP edge received it: nothing parsed, nothing re-encoded.

    `body` is the raw body in base64. Whoever publishes it: its signature says whether it is believed (S0-08, S1-16).
    """

    TYPE: ClassVar[str] = "payment.callback.v1"
    provider: Name
    headers: Annotated[dict[HeaderName, HeaderText], Field(max_length=64)]
    body: Base64
    received_at: Moment


class PaymentCallbackRejected(Event):
    """A notification that is not believed. Nothing changed; the raw notification is kept under `notification_id`."""

    TYPE: ClassVar[str] = "payment.callback_rejected.v1"
    provider: str
    notification_id: OrderId
    code: Code
    message: str
    received_at: Moment


class PaymentAttemptClosed(Event):
    """The attempt cannot be paid any more."""

    TYPE: ClassVar[str] = "payment.attempt_closed.v1"
    order_id: OrderId
    attempt_id: OrderId
    provider: str
    reason: str


class PaymentObserved(Internal):
    """What a provider answered when we asked about an attempt; signed, so as good as a notification."""

    TYPE: ClassVar[str] = "payment.observed.v1"
    attempt_id: OrderId
    trade_no: ExternalId
    kind: Literal["captured", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None


class PaymentResult(Fact):
    """What a trusted payment adapter learned from a provider. Unique by (provider, trade_no, kind) for ever (C-22).

    A payment of merged orders says which `intent_id` it pays, and names any of the orders.
    """

    TYPE: ClassVar[str] = "payment.result.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    order_id: OrderId
    provider: Name
    trade_no: ExternalId
    kind: Literal["captured", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None
    intent_id: OrderId | None = None


class ProgressMark(Internal):
    """Everything ahead of this mark in the queue was published before `at`."""

    TYPE: ClassVar[str] = "progress.mark.v1"
    at: Moment


class PaymentEvent(Event):
    """A payment fact was recorded and judged."""

    order_id: OrderId
    intent_id: OrderId | None
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency


class PaymentCaptured(PaymentEvent):
    """Money came in. `verdict` is kept, late, duplicate or mismatch; all but kept are refunded."""

    TYPE: ClassVar[str] = "payment.captured.v1"
    verdict: Literal["kept", "late", "duplicate", "mismatch"]


class PaymentFailed(PaymentEvent):
    """An attempt failed; the order stays payable unless its policy says otherwise (C-03)."""

    TYPE: ClassVar[str] = "payment.failed.v1"
    reason: str | None = None


STATEMENT_BYTES_MAX = 700 * 1024  # some five thousand lines; in base64 with all the rest it is below a mebibyte
Statement = Annotated[
    str,
    StringConstraints(min_length=1, max_length=-(-STATEMENT_BYTES_MAX // 3) * 4, pattern=r"^[A-Za-z0-9+/]*={0,2}$"),
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]


class PaymentReconcile(Command):
    """A provider's statement of one day, whole: `content` is the provider's own file in base64 (R-10).

    Its outcome is payment.reconciled; each difference is a payment.discrepancy_found. The same file once more has the
    same outcome and no events.
    """

    TYPE: ClassVar[str] = "payment.reconcile.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    request_id: RequestId
    actor: Actor
    provider: Name
    day: Day
    content: Statement

    def command_scope(self) -> str:
        return f"payment.reconcile:{self.provider}:{self.day}"

    def command_key(self) -> str:
        return self.request_id


class PaymentReconciled(Event):
    """A statement was compared: of its `rows`, `matched` say what we hold. `differences` counts both sides' own."""

    TYPE: ClassVar[str] = "payment.reconciled.v1"
    provider: str
    day: Day
    rows: int
    matched: int
    differences: int


class PaymentDiscrepancyFound(Event):
    """A statement and our books differ in one capture or refund: missing on either side, or the amount or currency.

    `currency` is ours, theirs where nothing is ours; `their_currency` is said where it is another. `line` is the
    statement's. `number` is what we gave the provider; a payment that we did not open at the provider has none.
    """

    TYPE: ClassVar[str] = "payment.discrepancy_found.v1"
    provider: str
    day: Day
    kind: Literal["missing_here", "missing_there", "amount"]
    movement: Literal["capture", "refund"]
    number: str | None
    trade_no: str
    ours: Amount | None
    theirs: Amount | None
    currency: str
    their_currency: str | None = None
    order_id: OrderId | None
    line: int | None
