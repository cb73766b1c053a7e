"""What was done with an order: the reply to order.history, and its steps."""

from typing import ClassVar

from messages.after_sale_queries import ExchangeShown
from messages.base import AnyInt, Moment, OrderId, Part, Reply


class HistoryStep(Part):
    """One step. `cause_type` and `cause_id` name the message that caused it, which its sender knows.

    A step of an after-sale case has the case and the state that it reached, and the refund of a late or duplicate
    payment its number, and as its cause the trade number. `version` and the states are those of the order then.
    `discount` is what an operator took off the price with it, in minor units; less than 0 if the price was raised.
    """

    version: int
    operate_type: int
    previous: str
    state: str
    trigger: str
    actor_type: str
    actor_id: str
    cause_type: str
    cause_id: str
    at: Moment
    discount: AnyInt | None = None
    case_id: OrderId | None = None
    case_no: str | None = None
    case_state: str | None = None
    refund_no: str | None = None


class OrderHistoryListed(Reply):
    """The answer to order.history: the steps of the order, oldest first. A buyer does not see who of the shop acted.

    `exchanges` are the exchange orders of its cases, the oldest first. An exchange order has itself in `replaces`.
    """

    TYPE: ClassVar[str] = "order.history_listed.v1"
    order_id: OrderId
    order_no: str | None
    state: str
    version: int
    steps: tuple[HistoryStep, ...]
    exchanges: tuple[ExchangeShown, ...] = ()
    replaces: ExchangeShown | None = None
