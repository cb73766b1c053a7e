"""refund.*: money that goes back to buyers."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from messages.base import (
    FREE_TEXT,
    Actor,
    Amount,
    AnyInt,
    Command,
    Currency,
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
from messages.roles import Role

ClaimText = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"), FREE_TEXT
]
"""A FreeText that the schema takes at any length up to 2,000, and that the business refuses with a code of its own."""


class RefundResult(Fact):
    """The result of a refund. A success is final, also one that comes after a failure.

    A refund that we did not request (made on the provider's own page, or a charge-back) has the provider's number;
    `provider` and `trade_no` then name the capture that it draws on. What follows is refund.succeeded or refund.failed.
    """

    TYPE: ClassVar[str] = "refund.result.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.PAYMENTS})
    refund_no: ExternalId
    status: Literal["succeeded", "failed"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason: FreeText | None = None
    reason_code: ReasonCode | None = None
    provider: Name | None = None
    trade_no: ExternalId | None = None


class RefundObserved(Internal):
    """A provider's report about a refund, by notification, when we polled it, or on a day statement.

    If no refund of ours has the number, it is a refund that the provider made by itself out of the capture `trade_no`,
    known by `provider_no` if that is given. A `reversal` was not made by the merchant.
    """

    TYPE: ClassVar[str] = "refund.observed.v1"
    refund_no: ExternalId
    status: Literal["succeeded", "failed", "submitted", "unknown"]
    amount: Amount
    currency: Currency
    occurred_at: Moment
    reason_code: ReasonCode | None = None
    provider: Name | None = None
    trade_no: ExternalId | None = None
    provider_no: ExternalId | None = None
    reversal: bool = False


class RefundRequest(Command):
    """An operator refunds money, never more than is captured and not yet refunded.

    With `refund_no`, a failed refund of this amount is requested again under the same number. With `replaces`, a new
    refund with a number of its own takes the place of that failed one, out of the same capture: for a provider that
    does not accept a number again. A refund is replaced once; if the new one fails too, that one is requested again.
    A request without a `reason` of 1 to 255 characters, or about no money, is REFUND_PARAM_INVALID.
    """

    TYPE: ClassVar[str] = "refund.request.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "refund.request:{order_id}"
    request_id: RequestId
    actor: Actor
    order_id: OrderId
    amount: AnyInt
    reason: ClaimText | None = None
    reason_code: ReasonCode | None = None
    refund_no: ExternalId | None = None
    replaces: ExternalId | None = None


class RefundEvent(Event):
    """One refund, under our number. That of `cause` foreign or reversal was made by the provider itself, not by us."""

    order_id: OrderId
    refund_no: str
    provider: str
    trade_no: str
    amount: Amount
    currency: Currency
    cause: str


class RefundRequested(RefundEvent):
    """Money is owed. The shop's payment service refunds `trade_no` under `refund_no` and answers with refund.result.

    `replaces` is the failed refund whose money this one gives back.
    """

    TYPE: ClassVar[str] = "refund.requested.v1"
    replaces: str | None = None


class RefundSucceeded(RefundEvent):
    """The provider has refunded the money. `excess_amount` of it is above what the order had left of its capture."""

    TYPE: ClassVar[str] = "refund.succeeded.v1"
    excess_amount: Amount = 0


class RefundReturned(RefundEvent):
    """The money of a reversal came back to the merchant, who won the dispute. It can be refunded again."""

    TYPE: ClassVar[str] = "refund.returned.v1"


class RefundFailed(RefundEvent):
    """The provider refused the refund. The money is still owed."""

    TYPE: ClassVar[str] = "refund.failed.v1"
    reason_code: str | None = None
