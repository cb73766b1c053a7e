"""risk.*: another system checks an order before stock is reserved for it (S3-10)."""

from typing import ClassVar, Literal

from messages.base import Amount, Currency, Event, Fact, FreeText, Moment, OrderId
from messages.roles import Role


class RiskRequested(Event):
    """An order needs a risk check. Answer with risk.result before `answer_before`."""

    TYPE: ClassVar[str] = "risk.requested.v1"
    order_id: OrderId
    user_id: str
    channel: str
    business_type: str
    amount: Amount
    currency: Currency
    units: int
    country: str | None
    answer_before: Moment


class RiskResult(Fact):
    """The risk check's verdict about one order. The first verdict counts.

    `held` lets the order be placed and paid, and holds its goods until an operator releases them (order.release).
    """

    TYPE: ClassVar[str] = "risk.result.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    order_id: OrderId
    verdict: Literal["passed", "held", "rejected", "captcha_required"]
    reason: FreeText | None = None
