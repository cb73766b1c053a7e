"""Queries that explain an order and show it at an earlier time, and their replies."""

from typing import ClassVar

from messages.after_sale_queries import ExchangeShown
from messages.base import AnyInt, Moment, MoneyShown, OrderId, Part, Reply
from messages.group_queries import GroupShown
from messages.order_history import HistoryStep
from messages.order_queries import OrderQuery


class OrderExplain(OrderQuery):
    """Ask why an order is in its state, what it waits for, and what can move it."""

    TYPE: ClassVar[str] = "order.explain.v1"


class MissingTimerShown(Part):
    """A timer that should end a wait and does not run, so that nothing ends it but a message: `oms repair` starts it.

    One of an attempt, a refund or a waybill would have a provider or a carrier polled for what is awaited.

    If an operator cancelled it by hand, `cancelled_by` is who that was.
    """

    kind: str
    key: OrderId
    cancelled_at: Moment | None
    cancelled_by: str | None


class AwaitedShown(Part):
    """One thing that the order waits for: `what`, and `whom` it must come from.

    `name` is which warehouse, carrier or provider; `ref` its number there: of a parcel, a refund, an attempt, a hold, a
    case, an exchange order. What an after-sale case waits for has its `case_no`. `moved_by` are the types of the
    messages that bring it. If none comes until `until`, the order, or the case, becomes `otherwise`, or people are
    alerted; without `until` it waits as long as it takes. Then `missing_timer` is the timer that should run and does
    not, which a buyer does not see.
    """

    order_id: OrderId
    what: str
    whom: str
    name: str | None
    ref: str | None
    since: Moment | None
    until: Moment | None
    otherwise: str | None
    case_no: str | None = None
    moved_by: tuple[str, ...] = ()
    missing_timer: MissingTimerShown | None = None


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
    """The answer to order.explain. `entered` is the step into the present state, `payable` what the order costs now.

    A buyer does not see who of the shop acted, nor what was dead-lettered. `exchanges` are the exchange orders of its
    cases, the oldest first. An exchange order has itself in `replaces`. `group` is the group of buyers of the order.
    """

    TYPE: ClassVar[str] = "order.explained.v1"
    order_id: OrderId
    order_no: str | None
    state: str
    version: int
    payable: MoneyShown
    entered: HistoryStep | None
    awaits: tuple[AwaitedShown, ...]
    next: tuple[OpenStepShown, ...]
    died: tuple[DiedShown, ...]
    exchanges: tuple[ExchangeShown, ...] = ()
    replaces: ExchangeShown | None = None
    group: GroupShown | None = None


class OrderAsOf(OrderQuery):
    """Ask how an order was at a time, as far as it was known then."""

    TYPE: ClassVar[str] = "order.as_of.v1"
    at: Moment


class ParcelAsOf(Part):
    """The state of a parcel at that time."""

    carrier: str
    tracking_no: str
    state: str


class CaseAsOf(Part):
    """The state of an after-sale case at that time, and the number of its last step until then."""

    case_id: OrderId
    case_no: str
    order_id: OrderId
    type: str
    state: str
    version: AnyInt


class OrderShownAsOf(Reply):
    """The answer to order.as_of. `last` is the last step until then. `captured` and `refunded` is money known by then.

    `version` is that of the order then, `payable` what it cost then. `cases` has those that were opened by then.
    """

    TYPE: ClassVar[str] = "order.shown_as_of.v1"
    order_id: OrderId
    order_no: str | None
    at: Moment
    state: str
    version: AnyInt
    last: HistoryStep
    payable: MoneyShown
    captured: MoneyShown
    refunded: MoneyShown
    parcels: tuple[ParcelAsOf, ...]
    cases: tuple[CaseAsOf, ...] = ()


QUERIES = (OrderExplain, OrderAsOf)
