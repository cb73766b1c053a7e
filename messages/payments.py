"""payment.* and the progress mark that follows them through their queue."""

from typing import ClassVar, Literal

from messages.base import Amount, Currency, Event, ExternalId, Fact, Internal, Moment, Name, OrderId, ShortText


class PaymentResult(Fact):
    """What a trusted payment adapter learned from a channel. Unique by (channel, trade_no, kind) for ever (C-22).

    A payment of merged orders says which `intent_id` it pays, and names any of the orders.
    """

    TYPE: ClassVar[str] = "payment.result.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    order_id: OrderId
    channel: Name
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
    channel: str
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
