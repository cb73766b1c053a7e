"""What a state alone does not say: money, parcels, cases and stock, each computed from its own rows (R-13).

Facets are never stored. They let an order be partly paid, shipped or refunded without a state for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.domain.order import State
from workers.domain.shipping import all_out
from workers.views.whole import Case, Refund, Whole

CASES_ENDED = frozenset({"completed", "rejected", "closed", "revoked"})
_ON_ITS_WAY = frozenset({"picked_up", "in_transit", "out_for_delivery"})
_CLOSED = frozenset({State.CANCELLED, State.REJECTED})


class Payment(StrEnum):
    """Where the money is."""

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
    """Where the goods are. `in_transit`: all units are out, and a carrier has some of them."""

    NONE = "none"
    PARTIAL_OUTBOUND = "partial_outbound"
    OUTBOUND = "outbound"
    IN_TRANSIT = "in_transit"
    PARTIAL_DELIVERED = "partial_delivered"
    DELIVERED = "delivered"
    SHORT = "short"


class Aftersale(StrEnum):
    """Whether a case is open, or was."""

    NONE = "none"
    ACTIVE = "active"
    CLOSED = "closed"


class Stock(StrEnum):
    """What stock holds for the order."""

    NONE = "none"
    LOCKED = "locked"
    COMMITTED = "committed"
    SHIPPED = "shipped"
    RELEASED = "released"
    RESTOCKED = "restocked"


class Visibility(StrEnum):
    """Whether its buyer still sees it."""

    VISIBLE = "visible"
    DELETED = "deleted"


class Hold(StrEnum):
    """Whether fulfilment waits for somebody."""

    NONE = "none"
    HELD = "held"


WITH_THE_CARRIER = frozenset({Fulfilment.IN_TRANSIT, Fulfilment.PARTIAL_DELIVERED, Fulfilment.DELIVERED})
"""Of a shipped order: the carrier has told more than that it left."""


@dataclass(frozen=True)
class Facets:
    """All of them, of one order at one moment."""

    payment: Payment = Payment.NONE
    fulfilment: Fulfilment = Fulfilment.NONE
    aftersale: Aftersale = Aftersale.NONE
    stock: Stock = Stock.NONE
    visibility: Visibility = Visibility.VISIBLE
    hold: Hold = Hold.NONE


def facets_of(whole: Whole) -> Facets:
    """The facets of an order; of one that was split, those of its children together."""
    head = whole.head
    refunds = [refund for refund in whole.refunds if refund.currency == head.currency]
    return Facets(
        payment=payment(head.state, head.payable_amount, captured(whole), refunds),
        fulfilment=fulfilment(whole),
        aftersale=aftersale(whole.cases),
        stock=stock(whole.stock, fulfilment(whole)),
        visibility=Visibility.DELETED if head.deleted else Visibility.VISIBLE,
        hold=Hold.HELD if head.held else Hold.NONE,
    )


def captured(whole: Whole) -> int:
    """What came in for this order. A child's share came in with its parent's payment (R-07)."""
    head = whole.head
    if head.parent_id is None:
        return head.captured_amount
    return head.payable_amount if head.paid_at is not None else 0


def payment(state: State, payable: int, captured: int, refunds: Sequence[Refund]) -> Payment:
    """`captured` is all that ever came in; a refund that failed is still owed. Nothing is due of a closed order."""
    refunded = sum(refund.amount for refund in refunds if refund.state == "succeeded")
    owed = sum(refund.amount for refund in refunds if refund.state != "succeeded")
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
    """What was short counts from when shortages are recorded; a parcel that failed did leave."""
    parcels = whole.live_shipments
    out = [parcel for parcel in parcels if parcel.out]
    arrived = [parcel for parcel in parcels if parcel.state == "delivered"]
    if arrived:
        return Fulfilment.DELIVERED if all_out(whole.units, arrived) else Fulfilment.PARTIAL_DELIVERED
    if not out or not all_out(whole.units, out):
        return Fulfilment.PARTIAL_OUTBOUND if out else Fulfilment.NONE
    return Fulfilment.IN_TRANSIT if any(p.state in _ON_ITS_WAY for p in out) else Fulfilment.OUTBOUND


def aftersale(cases: Sequence[Case]) -> Aftersale:
    """One open case makes it active."""
    if not cases:
        return Aftersale.NONE
    return Aftersale.CLOSED if all(case.state in CASES_ENDED for case in cases) else Aftersale.ACTIVE


def stock(holder: str | None, goods: Fulfilment) -> Stock:
    """From the state of the order's holder in stock; what is deducted and has left is shipped."""
    if holder == "committed":
        left = goods not in (Fulfilment.NONE, Fulfilment.PARTIAL_OUTBOUND)
        return Stock.SHIPPED if left else Stock.COMMITTED
    return {"reserved": Stock.LOCKED, "released": Stock.RELEASED, "restocked": Stock.RESTOCKED}.get(
        holder or "", Stock.NONE
    )
