"""refund.*: money that goes back to buyers."""

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
from messages.roles import Role


class RefundResult(Fact):
    """The result of a refund that we requested. A success is final, also one that comes after a failure."""

    TYPE: ClassVar[str] = "refund.result.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.PAYMENTS})
    refund_no: ExternalId
    status: Literal["succeeded", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None


class RefundObserved(Internal):
    """A provider's signed report about a refund, by notification or when we polled it."""

    TYPE: ClassVar[str] = "refund.observed.v1"
    refund_no: ExternalId
    status: Literal["succeeded", "failed", "submitted", "unknown"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: ShortText | None = None


class RefundRequest(Command):
    """An operator refunds money, never more than is captured and not yet refunded.

    With `refund_no`, a failed refund of this amount is requested again under the same number.
    """

    TYPE: ClassVar[str] = "refund.request.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "refund.request:{order_id}"
    request_id: RequestId
    actor: Actor
    order_id: OrderId
    amount: Amount
    reason: ShortText
    refund_no: ExternalId | None = None


class RefundEvent(Event):
    """One refund, under our number at the provider."""

    order_id: OrderId
    refund_no: str
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency
    cause: str


class RefundRequested(RefundEvent):
    """Money is owed. The shop's payment service refunds `trade_no` under `refund_no` and answers with refund.result."""

    TYPE: ClassVar[str] = "refund.requested.v1"


class RefundSucceeded(RefundEvent):
    """The provider has refunded the money. `excess_amount` of it is above what the order had left of its capture."""

    TYPE: ClassVar[str] = "refund.succeeded.v1"
    excess_amount: Amount = 0


class RefundFailed(RefundEvent):
    """The provider refused the refund. The money is still owed."""

    TYPE: ClassVar[str] = "refund.failed.v1"
    reason: str | None = None
