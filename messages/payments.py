"""payment.*, and the progress mark that follows payment results through their queue."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from messages.base import (
    Actor,
    Amount,
    AnyInt,
    CodeText,
    Command,
    Currency,
    Day,
    Event,
    ExternalId,
    Fact,
    FreeText,
    Internal,
    Moment,
    Name,
    OrderId,
    ReasonCode,
    RequestId,
)
from messages.orders import OrderCommand
from messages.roles import ANYONE, Role

CALLBACK_BYTES_MAX = 65_536  # providers send a few KiB
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
Base64 = Annotated[
    str, StringConstraints(max_length=CALLBACK_BYTES_MAX * 4 // 3 + 4, pattern=r"^[A-Za-z0-9+/]*={0,2}$")
]
HeaderText = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class PaymentStart(OrderCommand):
    """The buyer wants to pay now: open an attempt at a provider (S3-16). payment.started has what the client needs.

    `amount` is the amount that the client shows; it must equal the amount due. `intent_id` pays merged orders. `payer`
    is the buyer's name at the provider (WeChat's openid), for scenes that need one.
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
    """An attempt is open.

    By `kind`: follow `url`, show it as a QR code, post `fields` to it, or pass `fields` to the app.
    """

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
    """A provider's notification as upstream's HTTP edge received it, neither parsed nor re-encoded.

    `body` is the raw body in base64. Only its signature decides whether it is believed, not its sender (S0-08, S1-16).
    """

    TYPE: ClassVar[str] = "payment.callback.v1"
    SENDERS: ClassVar[frozenset[Role]] = ANYONE
    provider: Name
    headers: Annotated[dict[HeaderName, HeaderText], Field(max_length=64)]
    body: Base64
    received_at: Moment


class PaymentCallbackRejected(Event):
    """A notification is not believed. Nothing changed; the raw notification is stored under `notification_id`."""

    TYPE: ClassVar[str] = "payment.callback_rejected.v1"
    provider: str
    notification_id: OrderId
    code: CodeText
    message: str
    received_at: Moment


class PaymentAttemptClosed(Event):
    """A buyer cannot pay the attempt any more."""

    TYPE: ClassVar[str] = "payment.attempt_closed.v1"
    order_id: OrderId
    attempt_id: OrderId
    provider: str
    reason_code: str


class PaymentObserved(Internal):
    """A provider's signed answer when we polled an attempt. It counts as much as a notification.

    An authorisation ends at `expire_at`, and `trade_no` is its number.
    """

    TYPE: ClassVar[str] = "payment.observed.v1"
    attempt_id: OrderId
    trade_no: ExternalId
    kind: Literal["captured", "failed", "authorized"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason_code: ReasonCode | None = None
    expire_at: Moment | None = None


class PaymentResult(Fact):
    """A payment result from the shop's payment adapter. (provider, trade_no, kind) identifies it for ever (C-22).

    A payment of merged orders names the `intent_id` that it pays, and any of the orders. What follows is
    payment.captured, whose `verdict` says what becomes of the money, and order.paid if it is kept; or payment.failed.
    """

    TYPE: ClassVar[str] = "payment.result.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.PAYMENTS})
    order_id: OrderId
    provider: Name
    trade_no: ExternalId
    kind: Literal["captured", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    intent_id: OrderId | None = None
    reason: FreeText | None = None
    reason_code: ReasonCode | None = None


class ProgressMark(Internal):
    """Every message ahead of this mark in the queue was published before `at`."""

    TYPE: ClassVar[str] = "progress.mark.v1"
    at: Moment


class PaymentEvent(Event):
    """A payment fact is recorded and has its verdict."""

    order_id: OrderId
    intent_id: OrderId | None
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency


class PaymentCaptured(PaymentEvent):
    """Money came in. `verdict` is kept, late, duplicate, mismatch or waiting; all but `kept` are refunded.

    A `waiting` one came late for an order that may be reinstated: then it is kept, and otherwise it is refunded, too.
    """

    TYPE: ClassVar[str] = "payment.captured.v1"
    verdict: Literal["kept", "late", "duplicate", "mismatch", "waiting"]


class PaymentFailed(PaymentEvent):
    """An attempt failed. The order stays payable unless its policy says otherwise (C-03)."""

    TYPE: ClassVar[str] = "payment.failed.v1"
    reason_code: str | None = None


class DisputeObserved(Internal):
    """A provider's answer about a dispute of the capture `trade_no`. `reason_code` is the provider's word for it."""

    TYPE: ClassVar[str] = "dispute.observed.v1"
    provider: Name
    dispute_no: ExternalId
    trade_no: ExternalId
    state: Literal["opened", "won", "lost", "closed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason_code: ReasonCode | None = None
    due_at: Moment | None = None


class PaymentDisputed(PaymentEvent):
    """A buyer disputes `amount` of a capture, or the dispute has ended: won by the merchant, lost, or closed otherwise.

    Money that goes is a refund of cause `reversal`; money that comes back is refund.returned. Where the provider waits
    for an answer of the merchant, it waits until `due_at`.
    """

    TYPE: ClassVar[str] = "payment.disputed.v1"
    dispute_no: str
    state: Literal["opened", "won", "lost", "closed"]
    reason_code: str | None = None
    due_at: Moment | None = None


STATEMENT_BYTES_MAX = 700 * 1024  # some five thousand lines; in base64 the whole message stays below one MiB
Statement = Annotated[
    str,
    StringConstraints(min_length=1, max_length=-(-STATEMENT_BYTES_MAX // 3) * 4, pattern=r"^[A-Za-z0-9+/]*={0,2}$"),
]


class PaymentReconcile(Command):
    """A provider's whole statement of one day. `content` is the provider's own file in base64 (R-10).

    Its outcome is payment.reconciled; each difference is a payment.discrepancy_found. The same file again gets the same
    outcome and no events.
    """

    TYPE: ClassVar[str] = "payment.reconcile.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.PAYMENTS})
    SCOPE: ClassVar[str] = "payment.reconcile:{provider}:{day}"
    request_id: RequestId
    actor: Actor
    provider: Name
    day: Day
    content: Statement


class PaymentReconciled(Event):
    """A statement was compared with our books.

    Of its `rows`, `matched` agree; `differences` counts those of both sides.
    """

    TYPE: ClassVar[str] = "payment.reconciled.v1"
    provider: str
    day: Day
    rows: int
    matched: int
    differences: int


class PaymentDiscrepancyFound(Event):
    """A statement and our books differ in one capture or refund: it is missing on one side, or amount or currency
    differ.

    `currency` is ours, or theirs if it is missing here; `their_currency` is set if it differs. `line` is the line of
    the statement. `number` is our number at the provider; a payment that we did not open there has none.
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


TO_RESULTS = (PaymentCallback, PaymentResult, PaymentObserved, ProgressMark)
"""What the queue of payment results takes."""
