"""Queries that explain an order and show it at an earlier time, and their replies."""

from typing import ClassVar

from messages.base import AnyInt, Moment, OrderId, Part, Reply
from messages.order_queries import HistoryStep, MoneyShown, OrderQuery


class OrderExplain(OrderQuery):
    """Ask why an order is in its state, what it waits for, and what can move it."""

    TYPE: ClassVar[str] = "order.explain.v1"


class AwaitedShown(Part):
    """One thing that the order waits for: `what`, and `whom` it must come from.

    `name` is which warehouse, carrier or provider; `ref` its number there: of a parcel, a refund, an attempt, a hold.
    If it does not come until `until`, the order becomes `otherwise`; without `until` it waits as long as it takes.
    """

    order_id: OrderId
    what: str
    whom: str
    name: str | None
    ref: str | None
    since: Moment | None
    until: Moment | None
    otherwise: str | None


class OpenStepShown(Part):
    """A step that the order can take: its trigger, and the state to which it leads."""

    trigger: str
    to: str


class DiedShown(Part):
    """A message about the order that was dead-lettered. `decision` is open, replayed or discarded."""

    dead_letter_id: OrderId
    queue: str
    type: str | None
    reason: str
    decision: str
    died_at: Moment


class OrderExplained(Reply):
    """The answer to order.explain. `entered` is the step into the present state.

    A buyer does not see who of the shop acted, nor what was dead-lettered.
    """

    TYPE: ClassVar[str] = "order.explained.v1"
    order_id: OrderId
    order_no: str | None
    state: str
    version: int
    entered: HistoryStep | None
    awaits: tuple[AwaitedShown, ...]
    next: tuple[OpenStepShown, ...]
    died: tuple[DiedShown, ...]


class OrderAsOf(OrderQuery):
    """Ask how an order was at a time, as far as it was known then."""

    TYPE: ClassVar[str] = "order.as_of.v1"
    at: Moment


class ParcelAsOf(Part):
    """The state of a parcel at that time."""

    carrier: str
    tracking_no: str
    state: str


class OrderShownAsOf(Reply):
    """The answer to order.as_of. `last` is the last step until then. `captured` and `refunded` is money known by then.

    `version` is that of the order then.
    """

    TYPE: ClassVar[str] = "order.shown_as_of.v1"
    order_id: OrderId
    order_no: str | None
    at: Moment
    state: str
    version: AnyInt
    last: HistoryStep
    captured: MoneyShown
    refunded: MoneyShown
    parcels: tuple[ParcelAsOf, ...]


QUERIES = (OrderExplain, OrderAsOf)
