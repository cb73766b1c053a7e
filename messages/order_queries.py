"""Queries about orders that exist, and their replies.

A buyer's system asks in the name of a user, who sees only orders of that user. An operator sees all. Another user's
order is answered like an unknown one (S1-46). Addresses are masked.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.after_sale_queries import CaseSummary, ExchangeShown
from messages.base import (
    Actor,
    Amount,
    AnyInt,
    ExternalId,
    Moment,
    MoneyShown,
    OneLine,
    OrderId,
    Part,
    Query,
    Reply,
    RequestId,
)
from messages.dispute_queries import DisputeOfPayment
from messages.group_queries import GroupShown
from messages.orders import Amounts
from messages.roles import FOR_BUYERS, Role

PAGE_MAX_ORDERS = 100  # a page of them takes some milliseconds; a longer list is read page by page
STATES_MAX = 20


class OrderQuery(Query):
    """A query about one order, which an id, an order number or a UUID names.

    With `min_version` the reply is not older than a version that the caller knows from an event.
    """

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    order: ExternalId
    min_version: Annotated[AnyInt, Field(ge=0)] = 0


class OrderGet(OrderQuery):
    """Ask for everything about one order (S0-27).

    With a `reveal_reason` an operator sees the address in clear. First it is recorded who sees it, when and why.
    """

    TYPE: ClassVar[str] = "order.get.v1"
    reveal_reason: OneLine | None = None


class OrderHistory(OrderQuery):
    """Ask what has happened to an order: every step, who took it and why."""

    TYPE: ClassVar[str] = "order.history.v1"


class PaymentGet(OrderQuery):
    """Ask how an order is paid: what was attempted, what came in, what went back."""

    TYPE: ClassVar[str] = "payment.get.v1"


class OrderTrack(OrderQuery):
    """Ask where the parcels of an order are (S0-12)."""

    TYPE: ClassVar[str] = "order.track.v1"


class OrderList(Query):
    """Ask for a page of orders, the newest first (S1-07).

    A user's own orders have `user_id`; deleted ones are left out. An operator may leave `user_id` out, and may instead
    name the order by what another system calls it.
    """

    TYPE: ClassVar[str] = "order.list.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId | None = None
    states: Annotated[tuple[ExternalId, ...], Field(max_length=STATES_MAX)] = ()
    created_from: Moment | None = None
    created_before: Moment | None = None
    trade_no: ExternalId | None = None
    tracking_no: ExternalId | None = None
    request_id: RequestId | None = None
    order_no: ExternalId | None = None
    sku_id: ExternalId | None = None
    limit: AnyInt = 20
    cursor: ExternalId | None = None


class OrderSummary(Part):
    """One order in a list. `units` counts what was bought, `lines` the different things."""

    order_id: OrderId
    order_no: str | None
    user_id: str
    state: str
    version: int
    channel: str
    payable: MoneyShown
    lines: int
    units: int
    first_line: str | None
    created_at: Moment
    paid_at: Moment | None
    shipped_at: Moment | None
    delivered_at: Moment | None
    held: bool
    deleted: bool


class OrderListed(Reply):
    """The answer to order.list. `next_cursor` is the cursor of the next page, or null after the last one."""

    TYPE: ClassVar[str] = "order.listed.v1"
    orders: tuple[OrderSummary, ...]
    next_cursor: str | None


class LineShown(Part):
    """One line as it was sold, and what has gone back of it. A split order shows which child carries it.

    `refunded` is what was paid for its `refunded_qty` units. An operator may have named another amount in the review of
    a case: what went back is in `refunds`, and in `refunded` of the order.
    `adjustment` is what operators took off its price, and no part of `payable` any more. Operators also see the
    `purchase_price` of a unit and the `margin` of all units (workers/domain/margins.py), unless the cost is not known.
    """

    order_id: OrderId
    line_no: int
    sku_id: str
    name: str
    warehouse: str
    qty: int
    unit_price: Amount
    payable: Amount
    adjustment: AnyInt = 0
    refunded_qty: int
    refunded: Amount
    short_qty: int
    cancelled_qty: int
    purchase_price: Amount | None = None
    margin: AnyInt | None = None


class PaymentShown(Part):
    """What a provider reported: `kind` is captured or failed, `verdict` what it was for us; and disputes about it."""

    provider: str
    trade_no: str
    kind: str
    amount: MoneyShown
    verdict: str
    reason_code: str | None
    occurred_at: Moment
    disputes: tuple[DisputeOfPayment, ...] = ()


class AttemptShown(Part):
    """One attempt to pay through a provider."""

    attempt_id: OrderId
    provider: str
    scene: str
    amount: MoneyShown
    state: str
    reason_code: str | None
    started_at: Moment
    expire_at: Moment


class RefundShown(Part):
    """One refund, under way or ended. `replaces` is the failed refund whose money this one gives back."""

    order_id: OrderId
    refund_no: str
    replaces: str | None
    provider: str
    amount: MoneyShown
    state: str
    cause: str
    reason_code: str | None
    requested_at: Moment | None
    finished_at: Moment | None


class TrackedFact(Part):
    """What the carrier reported: the parcel's state, where and when. `stale` came after a later one."""

    status: str
    place: str | None
    occurred_at: Moment
    stale: bool


class ParcelLine(Part):
    """Units of one line in a parcel."""

    order_id: OrderId
    line_no: int
    qty: int


class ParcelShown(Part):
    """One parcel with the units of this order and the reports of its carrier; a return names its case in `case_id`.

    With `to_buyer`, it takes goods of the case that were not taken back to the buyer.
    """

    carrier: str
    tracking_no: str
    state: str
    delayed: bool
    booked_at: Moment | None
    outbound_at: Moment | None
    delivered_at: Moment | None
    lines: tuple[ParcelLine, ...]
    facts: tuple[TrackedFact, ...]
    case_id: OrderId | None = None
    to_buyer: bool = False


class HoldShown(Part):
    """A hold. A buyer sees only one for a shortage, about which the buyer decides, and no reason."""

    order_id: OrderId
    hold_id: OrderId
    kind: str
    reason_code: str | None
    placed_at: Moment
    released_at: Moment | None


class HandOverShown(Part):
    """The part of an order that one warehouse ships, and how far it is there."""

    order_id: OrderId
    warehouse: str
    state: str
    requested_at: Moment
    updated_at: Moment


class AddressShown(Part):
    """The delivery address, masked unless there is a `reveal_reason`. `changes` counts how often it was changed."""

    country: str
    receiver: str
    phone: str
    detail: str
    changes: int


class FacetsShown(Part):
    """What the state alone does not say: money, goods, stock, each computed from its rows."""

    payment: str
    fulfilment: str
    aftersale: str
    stock: str
    hold: str


class OrderDescribed(Reply):
    """The answer to order.get. A split order has the lines, parcels, refunds and cases of its children.

    `exchanges` are the exchange orders of its cases, the oldest first. An exchange order has itself in `replaces`.
    Its goods are promised to leave until `ship_by`. Operators alone see their `note`, its phone numbers masked unless
    there is a `reveal_reason`. `group` is the group of buyers that it is bought in.
    """

    TYPE: ClassVar[str] = "order.described.v1"
    order_id: OrderId
    order_no: str | None
    order_uuid: str
    user_id: str
    request_id: str
    channel: str
    business_type: str
    state: str
    version: int
    reason_code: str | None
    amounts: Amounts
    payable: MoneyShown
    captured: MoneyShown
    refunded: MoneyShown
    facets: FacetsShown
    lines: tuple[LineShown, ...]
    payments: tuple[PaymentShown, ...]
    attempts: tuple[AttemptShown, ...]
    refunds: tuple[RefundShown, ...]
    parcels: tuple[ParcelShown, ...]
    hand_overs: tuple[HandOverShown, ...]
    holds: tuple[HoldShown, ...]
    address: AddressShown | None
    cases: tuple[CaseSummary, ...] = ()
    exchanges: tuple[ExchangeShown, ...] = ()
    replaces: ExchangeShown | None = None
    children: tuple[OrderId, ...]
    held: bool
    deleted: bool
    created_at: Moment
    expire_at: Moment
    paid_at: Moment | None
    shipped_at: Moment | None
    delivered_at: Moment | None
    completed_at: Moment | None
    cancelled_at: Moment | None
    commented: bool = False
    ship_by: Moment | None = None
    note: str | None = None
    group: GroupShown | None = None


class PaymentDescribed(Reply):
    """The answer to payment.get. A split order has the refunds of its children."""

    TYPE: ClassVar[str] = "payment.described.v1"
    order_id: OrderId
    order_no: str | None
    state: str
    version: int
    payable: MoneyShown
    captured: MoneyShown
    refunded: MoneyShown
    expire_at: Moment
    payments: tuple[PaymentShown, ...]
    attempts: tuple[AttemptShown, ...]
    refunds: tuple[RefundShown, ...]


class OrderTracked(Reply):
    """The answer to order.track (S0-12)."""

    TYPE: ClassVar[str] = "order.tracked.v1"
    order_id: OrderId
    order_no: str | None
    state: str
    version: int
    parcels: tuple[ParcelShown, ...]


QUERIES = (OrderGet, OrderHistory, OrderList, OrderTrack, PaymentGet)
