"""refund.*: money on its way back."""

from typing import ClassVar, Literal

from messages.base import (
    Actor,
    Amount,
    Command,
    Currency,
    Event,
    ExternalId,
    Fact,
    Internal,
    Moment,
    OrderId,
    RequestId,
    ShortText,
)


class RefundResult(Fact):
    """What became of a refund we announced. A success is final."""

    TYPE: ClassVar[str] = "refund.result.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    refund_no: ExternalId
    status: Literal["succeeded", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None


class RefundObserved(Internal):
    """What a provider said of a refund, by notification or when we asked: signed, so believed."""

    TYPE: ClassVar[str] = "refund.observed.v1"
    refund_no: ExternalId
    status: Literal["succeeded", "failed", "submitted", "unknown"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None


class RefundRequest(Command):
    """An operator gives money back: never above what is captured and left. With `refund_no`, a failed refund of this
    amount is asked for once more, under the same number.
    """

    TYPE: ClassVar[str] = "refund.request.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    request_id: RequestId
    actor: Actor
    order_id: OrderId
    amount: Amount
    reason: ShortText
    refund_no: ExternalId | None = None

    def command_scope(self) -> str:
        return f"refund.request:{self.order_id}"

    def command_key(self) -> str:
        return self.request_id


class RefundEvent(Event):
    """One refund, by the number the provider sees."""

    order_id: OrderId
    refund_no: str
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency
    cause: str


class RefundRequested(RefundEvent):
    """Money is owed: the shop's payment service refunds `trade_no` under `refund_no` and answers with refund.result."""

    TYPE: ClassVar[str] = "refund.requested.v1"


class RefundSucceeded(RefundEvent):
    """The money is back."""

    TYPE: ClassVar[str] = "refund.succeeded.v1"


class RefundFailed(RefundEvent):
    """The provider refused; the money is still owed."""

    TYPE: ClassVar[str] = "refund.failed.v1"
    reason: str | None = None
