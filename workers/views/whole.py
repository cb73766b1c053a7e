"""One order with everything that belongs to it, as its rows hold it. Facets and documents are computed from it.

Amounts are minor units of the order's currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workers.domain.after_sales import AfterSaleCase, CaseState
from workers.domain.buying_groups import GroupStanding
from workers.domain.exchanges import ExchangeState
from workers.domain.margins import SoldUnits
from workers.domain.masking import MASK
from workers.domain.order import OrderKind, State
from workers.domain.refund_amounts import GONE, RefundState
from workers.domain.ship_promises import promise_of
from workers.domain.shipping import Parcel

REMARK_HIDDEN = MASK
"""Shown in place of a remark, because buyers write names and phone numbers into remarks."""


@dataclass(frozen=True)
class Head:
    """The order's own row. `ext` is a JSON object as text. The encrypted remark of the buyer is not read.

    `reserved` is the state of the authorisation that paid it, since `reserved_since`, at the provider `reserved_by`.
    `not_taken_at` is since when people have to act because that money could not be taken.
    """

    id: int
    root_id: int
    parent_id: int | None
    kind: str
    order_no: str | None
    user_id: str
    seller_id: str | None
    channel: str
    business_type: str
    order_type: str
    business_order_id: str | None
    state: State
    cancel_type: str | None
    currency: str
    origin_amount: int
    promotion_amount: int
    coupon_amount: int
    points_amount: int
    adjustment_amount: int
    shipping_fee: int
    box_fee: int
    tax_amount: int
    payable_amount: int
    captured_amount: int
    coupon_id: str | None
    use_points: int
    gift_points: int
    gift_growth: int
    intent_id: int | None
    remarked: bool
    deleted: bool
    commented: bool
    held: bool
    ext: str
    created_at: datetime
    updated_at: datetime
    expire_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    version: int = 0
    request_id: str = ""
    reason_code: str | None = None
    reserved: str | None = None
    reserved_by: str | None = None
    reserved_since: datetime | None = None
    not_taken_at: datetime | None = None
    ship_within_seconds: int = 0
    ship_cutoff: str | None = None
    ship_time_zone: str | None = None
    ship_hours: str | None = None


@dataclass(frozen=True)
class Line:
    """One line as it was sold. `specs`, `image_url` and `unit` come from the item snapshot (S1-24)."""

    line_no: int
    sku_id: str
    spu_id: str
    name: str
    product_type: str
    category_id: str | None
    seller_id: str | None
    qty: int
    unit_price: int
    origin_amount: int
    promotion_amount: int
    promotion_text: str | None
    coupon_amount: int
    points_amount: int
    payable_amount: int
    refunded_qty: int
    refunded_amount: int
    gift_points: int
    gift_growth: int
    specs: Mapping[str, str] = field(default_factory=dict)
    image_url: str | None = None
    unit: str | None = None
    warehouse: str = ""
    short_qty: int = 0
    cancelled_qty: int = 0
    adjustment_amount: int = 0
    shipping_adjustment: int = 0
    purchase_price: int | None = None

    @property
    def margin(self) -> int | None:
        """What the shop earns with the line, for operators only; None if its cost is not known."""
        discount = self.promotion_amount + self.coupon_amount + self.points_amount
        taken_off = self.adjustment_amount - self.shipping_adjustment
        return SoldUnits(self.qty, self.origin_amount, discount, taken_off, self.purchase_price).margin


class AttemptFacet(StrEnum):
    """The state of an attempt to pay (C-04)."""

    CREATED = "created"
    REQUESTED = "requested"
    UNKNOWN = "unknown"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    CLOSED = "closed"
    REFUNDED = "refunded"


OPEN_DISPUTE = "opened"
"""The state of a dispute that is not decided."""


@dataclass(frozen=True)
class RecordedDispute:
    """A buyer's dispute about a capture, and when evidence was submitted against it."""

    dispute_no: str
    state: str
    amount: int
    currency: str
    reason_code: str | None
    occurred_at: datetime
    due_at: datetime | None = None
    submitted: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class RecordedPayment:
    """A fact that a provider reported. `kind` is captured or failed; `verdict` is kept, late, duplicate, ..."""

    provider: str
    trade_no: str
    kind: str
    amount: int
    verdict: str
    reason_code: str | None
    occurred_at: datetime
    recorded_at: datetime
    currency: str
    disputes: tuple[RecordedDispute, ...] = ()


@dataclass(frozen=True)
class Refund:
    """A refund, under way or ended. `case_id` is the after-sale case that it is of."""

    provider: str
    trade_no: str
    amount: int
    currency: str
    state: str
    finished_at: datetime | None
    excess_amount: int = 0
    order_id: int = 0
    refund_no: str = ""
    cause: str = ""
    reason_code: str | None = None
    requested_at: datetime | None = None
    replaces: str | None = None
    case_id: int | None = None

    @property
    def gone(self) -> int:
        """The captured money that the buyer has back, in minor units. A released part was never captured."""
        return self.amount - self.excess_amount if self.state in GONE and self.state != RefundState.RELEASED else 0


@dataclass(frozen=True)
class Shipment(Parcel):
    """A parcel, with the time at which it was booked."""

    booked_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """The order's own copy of coupon, amounts, lines or rules. `data` is JSON as text (S3-30)."""

    type: int
    data: str
    created_at: datetime


@dataclass(frozen=True)
class LogEntry:
    """One entry of the operate log: a step of the order, of one of its cases, or the refund of a stray payment.

    The states are those of the order; `case_state` is the one that a case reached.
    """

    operate_type: int
    pre_state: str
    cur_state: str
    remark: str
    actor_type: str
    actor_id: str
    at: datetime
    case_no: str | None = None
    case_state: str | None = None
    refund_no: str | None = None


@dataclass(frozen=True)
class ExchangeLink:
    """An exchange order, the case that it is of, and the first order, whose goods it replaces.

    `stage` is how far it is as its case knows it. It ends at `expire_at` if it has to be paid and is not.
    """

    order_id: int
    order_no: str | None
    state: State
    stage: ExchangeState
    placed_at: datetime
    expire_at: datetime
    case_id: int
    case_no: str
    case_state: CaseState
    first_order_id: int
    first_order_no: str | None


@dataclass(frozen=True)
class Whole:
    """An order with everything that belongs to it.

    A split order has the lines, parcels, refunds, after-sale cases and exchange orders of its children. `exchanges` are
    those of its cases, the oldest first; an exchange order `replaces` goods by itself.

    `group` is the group of buyers that it is bought in. `address` is as it may be shown; `sealed_address` is its
    encrypted row of order_view.address. `stock` is the state of what stock holds for the order, where it is known.
    `log` is read only where a document shows it.
    """

    head: Head
    lines: tuple[Line, ...] = ()
    facts: tuple[RecordedPayment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    cases: tuple[AfterSaleCase, ...] = ()
    exchanges: tuple[ExchangeLink, ...] = ()
    replaces: ExchangeLink | None = None
    address: Mapping[str, str] = field(default_factory=dict)
    sealed_address: Any = None
    group: GroupStanding | None = None
    address_changes: int = 0
    stock: str | None = None
    parent_no: str | None = None
    children: tuple["Whole", ...] = ()
    log: tuple[LogEntry, ...] = ()

    @property
    def ship_by(self) -> datetime | None:
        """When the goods of the paid order are promised to have left; None without a promise, or without goods."""
        head, warehouses = self.head, {line.warehouse for line in self.lines}
        if head.paid_at is None or head.kind == OrderKind.SPLIT_PARENT:
            return None
        rules = head.ship_within_seconds, head.ship_cutoff, head.ship_time_zone, head.ship_hours
        return promise_of(*rules, warehouses).until(head.paid_at)

    @property
    def units(self) -> dict[int, int]:
        """Line number -> units that the buyer should receive, without those that were given back."""
        return {line.line_no: line.qty - line.refunded_qty for line in self.lines}

    @property
    def live_shipments(self) -> tuple[Shipment, ...]:
        """The parcels that were not cancelled and bring nothing back, in the order in which they were booked."""
        return tuple(one for one in self.shipments if one.state != "cancelled" and one.case_id is None)
