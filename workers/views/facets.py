"""Facets describe what the state alone does not: money, parcels, cases and stock, each from its own rows (R-13).

Facets are never stored. They let an order be partly paid, shipped or refunded without a state for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.domain.after_sales import AfterSaleCase
from workers.domain.order import State
from workers.domain.refund_amounts import GONE, RefundState
from workers.domain.shipping import all_out
from workers.views.whole import Refund, Whole

_ON_ITS_WAY = frozenset({"picked_up", "in_transit", "out_for_delivery"})
RELEASED = RefundState.RELEASED
_CLOSED = frozenset({State.CANCELLED, State.REJECTED})


class Payment(StrEnum):
    """How much of the order's money has come in or gone back."""

    NONE = "none"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    PARTIAL = "partial"
    PAID = "paid"
    OVERPAID = "overpaid"
    REFUNDING = "refunding"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Fulfilment(StrEnum):
    """How far the goods have come. `in_transit`: all units have left, and a carrier has reported some of them."""

    NONE = "none"
    PARTIAL_OUTBOUND = "partial_outbound"
    OUTBOUND = "outbound"
    IN_TRANSIT = "in_transit"
    PARTIAL_DELIVERED = "partial_delivered"
    DELIVERED = "delivered"
    SHORT = "short"


class Aftersale(StrEnum):
    """Whether an after-sale case is open, or was."""

    NONE = "none"
    ACTIVE = "active"
    CLOSED = "closed"


class Stock(StrEnum):
    """The state of the order's stock."""

    NONE = "none"
    LOCKED = "locked"
    COMMITTED = "committed"
    SHIPPED = "shipped"
    RELEASED = "released"
    RESTOCKED = "restocked"


class Visibility(StrEnum):
    """Whether the buyer still sees the order."""

    VISIBLE = "visible"
    DELETED = "deleted"


class Hold(StrEnum):
    """Whether fulfilment is on hold."""

    NONE = "none"
    HELD = "held"


WITH_THE_CARRIER = frozenset({Fulfilment.IN_TRANSIT, Fulfilment.PARTIAL_DELIVERED, Fulfilment.DELIVERED})
"""Parcel states in which the carrier has reported more than that the parcel left."""


@dataclass(frozen=True)
class Facets:
    """All facets of one order at one moment."""

    payment: Payment = Payment.NONE
    fulfilment: Fulfilment = Fulfilment.NONE
    aftersale: Aftersale = Aftersale.NONE
    stock: Stock = Stock.NONE
    visibility: Visibility = Visibility.VISIBLE
    hold: Hold = Hold.NONE


def facets_of(whole: Whole) -> Facets:
    """The facets of an order. A split order has those of its children together."""
    head = whole.head
    return Facets(
        payment=Payment.AUTHORIZED if authorized(whole) else payment_of(whole),
        fulfilment=fulfilment(whole),
        aftersale=aftersale(whole.cases),
        stock=stock(whole.stock, fulfilment(whole)),
        visibility=Visibility.DELETED if head.deleted else Visibility.VISIBLE,
        hold=Hold.HELD if head.held else Hold.NONE,
    )


def authorized(whole: Whole) -> bool:
    """True if a provider reserves the order's money, and none of it is captured yet."""
    return whole.head.reserved in ("authorized", "capturing", "failed") and captured(whole) == 0


def payment_of(whole: Whole) -> Payment:
    """The payment facet of an order whose money is not merely reserved. What was released is not due."""
    head = whole.head
    refunds = [refund for refund in whole.refunds if refund.currency == head.currency and refund.state != RELEASED]
    return payment(head.state, head.payable_amount - released(whole), captured(whole), refunds)


def released(whole: Whole) -> int:
    """The part of the order's authorisation that will not be captured."""
    return sum(refund.amount for refund in whole.refunds if refund.state == RELEASED)


def captured(whole: Whole) -> int:
    """The money that came in for this order. A child's share came in with its parent's payment (R-07)."""
    head = whole.head
    if head.parent_id is None:
        return head.captured_amount
    paid = head.paid_at is not None and head.reserved in (None, "captured")
    return head.payable_amount - released(whole) if paid else 0


def payment(state: State, payable: int, captured: int, refunds: Sequence[Refund]) -> Payment:
    """The payment facet.

    `captured` is all money that came in; a failed refund is still owed if there is money left for it; a closed order
    owes nothing.
    """
    refunded = sum(refund.gone for refund in refunds)
    unfinished = sum(refund.amount for refund in refunds if refund.state not in (*GONE, "returned"))
    owed = max(0, min(captured - refunded, unfinished))
    kept = captured - refunded - owed
    closed = state in _CLOSED
    due = 0 if closed else payable
    if captured == 0 or (state is State.AWAITING_PAYMENT and kept <= 0):
        return Payment.PENDING if state is State.AWAITING_PAYMENT else Payment.NONE
    if owed:
        return Payment.REFUNDING if closed or kept < payable else Payment.OVERPAID
    if kept <= 0 and (closed or payable):
        return Payment.REFUNDED
    if kept >= due:
        return Payment.PAID if kept == due else Payment.OVERPAID
    return Payment.PARTIALLY_REFUNDED if refunded else Payment.PARTIAL


def fulfilment(whole: Whole) -> Fulfilment:
    """The fulfilment facet. A parcel that failed has left the warehouse; one that came back later has arrived."""
    parcels = whole.live_shipments
    out = [parcel for parcel in parcels if parcel.out]
    arrived = [parcel for parcel in parcels if parcel.arrived]
    if arrived:
        return Fulfilment.DELIVERED if all_out(whole.units, arrived) else Fulfilment.PARTIAL_DELIVERED
    if not out or not all_out(whole.units, out):
        return Fulfilment.PARTIAL_OUTBOUND if out else Fulfilment.NONE
    return Fulfilment.IN_TRANSIT if any(p.state in _ON_ITS_WAY for p in out) else Fulfilment.OUTBOUND


def aftersale(cases: Sequence[AfterSaleCase]) -> Aftersale:
    """The after-sale facet: one open case makes it active."""
    if not cases:
        return Aftersale.NONE
    return Aftersale.CLOSED if all(case.ended for case in cases) else Aftersale.ACTIVE


def stock(holder: str | None, goods: Fulfilment) -> Stock:
    """The stock facet, from the state of the order's holder. Deducted units that have left are shipped."""
    if holder == "committed":
        left = goods not in (Fulfilment.NONE, Fulfilment.PARTIAL_OUTBOUND)
        return Stock.SHIPPED if left else Stock.COMMITTED
    return {"reserved": Stock.LOCKED, "released": Stock.RELEASED, "restocked": Stock.RESTOCKED}.get(
        holder or "", Stock.NONE
    )
