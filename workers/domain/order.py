"""The order: its states, and the one table of the steps between them.

A step that is not in TRANSITIONS is refused and writes nothing (S1-08). Two more checks guard the table: the UPDATE
compares state and version with those that were read, and a table test repeats every row.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from workers.domain.operate_types import OPERATE_TYPES, STATE_CODES
from workers.domain.ship_promises import NO_PROMISE, ShipPromise
from workers.domain.shop import CancelPaid, CaptureOn, CompleteOn, DeductOn, OnLatePayment, OnPaymentFailure, OnShortage


class State(StrEnum):
    """The state of an order. How it stands with payment, shipment and refunds is computed from their own tables."""

    PLACING = "placing"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    FULFILLING = "fulfilling"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    DELIVERY_FAILED = "delivery_failed"
    SPLIT = "split"
    REJECTED = "rejected"
    REINSTATING = "reinstating"

    @property
    def code(self) -> int:
        """The number of the state in S3's systems."""
        return STATE_CODES[self]


FINISHED = frozenset({State.CANCELLED, State.COMPLETED, State.REJECTED})
"""States that no timer ends. DELETED keeps the state; returned goods cancel, and a late payment may reinstate."""


IN_WAREHOUSE = frozenset({State.PAID, State.FULFILLING})
"""States of a paid order of which units have not left the warehouse."""


class Trigger(StrEnum):
    """The causes of steps. The value names S3's operate type, and `operate_type` is its number there."""

    CREATED = "created"
    RESERVED = "reserved"
    REFUSED = "refused"
    PLACING_EXPIRED = "placing_expired"
    NOTHING_TO_PAY = "nothing_to_pay"
    CAPTURED = "captured"
    AUTHORIZED = "authorized"
    CANCEL = "cancel"
    PAYMENT_EXPIRED = "payment_expired"
    PAYMENT_FAILED = "payment_failed"
    ACCEPTED = "accepted"
    CANCEL_ACCEPTED = "cancel_accepted"
    CANCEL_REFUSED = "cancel_refused"
    REST_CANCELLED = "rest_cancelled"
    SHORTAGE = "shortage"
    ALL_SHORT = "all_short"
    ALL_SHIPPED = "all_shipped"
    ALL_DELIVERED = "all_delivered"
    ALL_FAILED = "all_failed"
    FAILURE_SETTLED = "failure_settled"
    RECEIPT_CONFIRMED = "receipt_confirmed"
    RECEIPT_EXPIRED = "receipt_expired"
    ALL_RETURNED = "all_returned"
    RISK_REJECTED = "risk_rejected"
    EXCHANGE_ENDED = "exchange_ended"
    SPLIT = "split"
    MERGED = "merged"
    LATE_CAPTURED = "late_captured"
    REINSTATED = "reinstated"
    NOT_REINSTATED = "not_reinstated"
    ADDRESS_CHANGED = "address_changed"
    AMOUNT_CHANGED = "amount_changed"
    HELD = "held"
    RELEASED = "released"
    DELETED = "deleted"

    @property
    def operate_type(self) -> int:
        """The number of the trigger in the operate log."""
        return OPERATE_TYPES[self]


class Effect(StrEnum):
    """The work outside the order that a step requires. The handler does it in the step's transaction."""

    STOCK_RESERVE = "stock_reserve"
    STOCK_COMMIT = "stock_commit"
    STOCK_RELEASE = "stock_release"
    STOCK_RESTOCK = "stock_restock"
    REFUND_ALL = "refund_all"
    CAPTURE_KEPT = "capture_kept"
    CAPTURE_REFUNDED = "capture_refunded"
    HAND_OVER = "hand_over"
    BENEFITS_USED = "benefits_used"
    BENEFITS_RETURNED = "benefits_returned"
    POINTS_AWARDED = "points_awarded"
    CART_EMPTIED = "cart_emptied"
    SAGA_TIMER_STARTS = "saga_timer_starts"
    SAGA_TIMER_ENDS = "saga_timer_ends"
    PAYMENT_TIMER_STARTS = "payment_timer_starts"
    PAYMENT_TIMER_ENDS = "payment_timer_ends"
    RECEIPT_TIMER_STARTS = "receipt_timer_starts"
    RECEIPT_TIMER_ENDS = "receipt_timer_ends"


class OrderKind(StrEnum):
    """An order is a plain sale, was split into children, is such a child, or replaces goods that came back."""

    SALE = "sale"
    SPLIT_PARENT = "split_parent"
    SPLIT_CHILD = "split_child"
    EXCHANGE = "exchange"


class CancelType(StrEnum):
    """The person or the cause that cancelled an order."""

    USER = "user"
    OPERATOR = "operator"
    MERCHANT = "merchant"
    SYSTEM = "system"
    TIMEOUT = "timeout"
    PAYMENT_FAILED = "payment_failed"
    DELIVERY_FAILED = "delivery_failed"
    AFTERSALE = "aftersale"


@dataclass(frozen=True)
class Transition:
    """The state to which a step leads, and the effects that it owes."""

    to: State
    effects: tuple[Effect, ...] = ()


S, T, E = State, Trigger, Effect

_PAID = (E.PAYMENT_TIMER_ENDS, E.STOCK_COMMIT, E.BENEFITS_USED, E.HAND_OVER)
_GIVEN_BACK = (E.REFUND_ALL, E.STOCK_RESTOCK, E.BENEFITS_RETURNED, E.HAND_OVER)
_UNPAID = (E.PAYMENT_TIMER_ENDS, E.STOCK_RELEASE, E.BENEFITS_RETURNED)
_LEFT_CANCELLED = (E.SAGA_TIMER_ENDS, E.STOCK_RELEASE, E.BENEFITS_RETURNED, E.CAPTURE_REFUNDED)

TRANSITIONS: dict[tuple[State, Trigger], Transition] = {
    (S.PLACING, T.RESERVED): Transition(
        S.AWAITING_PAYMENT, (E.SAGA_TIMER_ENDS, E.PAYMENT_TIMER_STARTS, E.STOCK_COMMIT, E.CART_EMPTIED)
    ),
    (S.PLACING, T.REFUSED): Transition(S.REJECTED, (E.SAGA_TIMER_ENDS, E.BENEFITS_RETURNED)),
    (S.PLACING, T.RISK_REJECTED): Transition(S.REJECTED, (E.SAGA_TIMER_ENDS, E.STOCK_RELEASE, E.BENEFITS_RETURNED)),
    (S.PLACING, T.EXCHANGE_ENDED): Transition(S.REJECTED, (E.SAGA_TIMER_ENDS, E.STOCK_RELEASE)),
    (S.PLACING, T.PLACING_EXPIRED): Transition(S.REJECTED, (E.SAGA_TIMER_ENDS, E.STOCK_RELEASE, E.BENEFITS_RETURNED)),
    (S.AWAITING_PAYMENT, T.NOTHING_TO_PAY): Transition(S.PAID, _PAID),
    (S.AWAITING_PAYMENT, T.CAPTURED): Transition(S.PAID, _PAID),
    (S.AWAITING_PAYMENT, T.AUTHORIZED): Transition(S.PAID, _PAID),
    (S.AWAITING_PAYMENT, T.CANCEL): Transition(S.CANCELLED, _UNPAID),
    (S.AWAITING_PAYMENT, T.PAYMENT_EXPIRED): Transition(S.CANCELLED, _UNPAID),
    (S.AWAITING_PAYMENT, T.PAYMENT_FAILED): Transition(S.CANCELLED, _UNPAID),
    (S.AWAITING_PAYMENT, T.MERGED): Transition(S.AWAITING_PAYMENT),
    (S.AWAITING_PAYMENT, T.ADDRESS_CHANGED): Transition(S.AWAITING_PAYMENT),
    (S.AWAITING_PAYMENT, T.AMOUNT_CHANGED): Transition(S.AWAITING_PAYMENT),
    (S.CANCELLED, T.LATE_CAPTURED): Transition(S.REINSTATING, (E.SAGA_TIMER_STARTS, E.STOCK_RESERVE)),
    (S.REINSTATING, T.REINSTATED): Transition(S.AWAITING_PAYMENT, (E.SAGA_TIMER_ENDS, E.CAPTURE_KEPT)),
    (S.REINSTATING, T.NOT_REINSTATED): Transition(S.CANCELLED, _LEFT_CANCELLED),
    (S.REINSTATING, T.CANCEL): Transition(S.CANCELLED, _LEFT_CANCELLED),
    (S.PAID, T.SPLIT): Transition(S.SPLIT),
    (S.PAID, T.ADDRESS_CHANGED): Transition(S.PAID, (E.HAND_OVER,)),
    (S.PAID, T.CANCEL): Transition(S.CANCELLED, _GIVEN_BACK),
    (S.PAID, T.REST_CANCELLED): Transition(S.PAID, (E.HAND_OVER,)),
    (S.PAID, T.SHORTAGE): Transition(S.PAID, (E.HAND_OVER,)),
    (S.PAID, T.ALL_SHORT): Transition(S.CANCELLED, (E.BENEFITS_RETURNED, E.HAND_OVER)),
    (S.PAID, T.ALL_SHIPPED): Transition(S.SHIPPED, (E.HAND_OVER,)),
    (S.PAID, T.ACCEPTED): Transition(S.FULFILLING),
    (S.FULFILLING, T.CANCEL): Transition(S.CANCELLING, (E.HAND_OVER,)),
    (S.FULFILLING, T.REST_CANCELLED): Transition(S.FULFILLING, (E.HAND_OVER,)),
    (S.FULFILLING, T.SHORTAGE): Transition(S.FULFILLING, (E.HAND_OVER,)),
    (S.FULFILLING, T.ALL_SHORT): Transition(S.CANCELLED, (E.BENEFITS_RETURNED, E.HAND_OVER)),
    (S.FULFILLING, T.ALL_SHIPPED): Transition(S.SHIPPED, (E.HAND_OVER,)),
    (S.CANCELLING, T.CANCEL_ACCEPTED): Transition(S.CANCELLED, _GIVEN_BACK),
    (S.CANCELLING, T.CANCEL_REFUSED): Transition(S.FULFILLING, (E.HAND_OVER,)),
    (S.SHIPPED, T.ALL_DELIVERED): Transition(S.DELIVERED, (E.RECEIPT_TIMER_STARTS,)),
    (S.SHIPPED, T.ALL_FAILED): Transition(S.DELIVERY_FAILED),
    (S.SHIPPED, T.RECEIPT_CONFIRMED): Transition(S.COMPLETED, (E.POINTS_AWARDED,)),
    (S.DELIVERED, T.RECEIPT_CONFIRMED): Transition(S.COMPLETED, (E.RECEIPT_TIMER_ENDS, E.POINTS_AWARDED)),
    (S.DELIVERED, T.RECEIPT_EXPIRED): Transition(S.COMPLETED, (E.RECEIPT_TIMER_ENDS, E.POINTS_AWARDED)),
    (S.SHIPPED, T.ALL_RETURNED): Transition(S.CANCELLED, (E.BENEFITS_RETURNED,)),
    (S.DELIVERED, T.ALL_RETURNED): Transition(S.CANCELLED, (E.RECEIPT_TIMER_ENDS, E.BENEFITS_RETURNED)),
    (S.COMPLETED, T.ALL_RETURNED): Transition(S.CANCELLED, (E.BENEFITS_RETURNED,)),
    (S.DELIVERY_FAILED, T.ALL_DELIVERED): Transition(S.DELIVERED, (E.RECEIPT_TIMER_STARTS,)),
    (S.DELIVERY_FAILED, T.FAILURE_SETTLED): Transition(S.CANCELLED, (E.BENEFITS_RETURNED, E.HAND_OVER)),
    (S.SPLIT, T.DELETED): Transition(S.SPLIT),
    (S.CANCELLED, T.DELETED): Transition(S.CANCELLED),
    (S.COMPLETED, T.DELETED): Transition(S.COMPLETED),
    (S.REJECTED, T.DELETED): Transition(S.REJECTED),
}

HOLDABLE = ({S.PLACING} | {transition.to for transition in TRANSITIONS.values()}) - FINISHED - {S.SPLIT}
"""The reachable states in which an order may be held: it has not ended, and its goods are not its children's."""
TRANSITIONS |= {
    (state, trigger): Transition(state, (E.HAND_OVER,) if state in IN_WAREHOUSE else ())
    for state in HOLDABLE
    for trigger in (T.HELD, T.RELEASED)
}

STEPS: frozenset[tuple[str, State]] = frozenset(
    {("", State.PLACING)} | {(source.value, transition.to) for (source, _), transition in TRANSITIONS.items()}
)
"""Every (previous, current) pair that an operate log may hold."""

_STAMPS = {
    State.PAID: "paid_at",
    State.SHIPPED: "shipped_at",
    State.DELIVERED: "delivered_at",
    State.COMPLETED: "completed_at",
    State.CANCELLED: "cancelled_at",
}


@dataclass(frozen=True)
class Order:
    """One order as its row holds it. Amounts are minor units of `currency`.

    `conversation_id` is the correlation id of the order.create that placed it; all events of the order carry it.
    `held` is True while the order has an open hold: then nothing of it may be handed over, booked or completed by time.
    `group_key` is that of the group of buyers which it is bought in, None if it is bought by itself.
    """

    id: int
    root_id: int
    user_id: str
    request_id: str
    conversation_id: str
    order_no: str | None
    state: State
    version: int
    channel: str
    currency: str
    origin_amount: int
    promotion_amount: int
    coupon_amount: int
    points_amount: int
    shipping_fee: int
    tax_amount: int
    payable_amount: int
    captured_amount: int
    refunded_amount: int
    intent_id: int | None
    on_payment_failure: OnPaymentFailure
    created_at: datetime
    expire_at: datetime
    deduct_on: DeductOn = DeductOn.PAY
    payment_window_seconds: int = 1800
    on_shortage: OnShortage = OnShortage.SHIP_REST
    shortage_window_seconds: int = 86_400
    on_late_payment: OnLatePayment = OnLatePayment.REFUND
    complete_on: CompleteOn = CompleteOn.RECEIPT
    cancel_paid: CancelPaid = CancelPaid.UNTIL_HANDED_OVER
    promise: ShipPromise = NO_PROMISE
    adjustment_amount: int = 0
    capture_on: CaptureOn = CaptureOn.PAYMENT
    kind: OrderKind = OrderKind.SALE
    parent_id: int | None = None
    source: str = "buy_now"
    coupon_id: str | None = None
    use_points: int = 0
    gift_points: int = 0
    gift_growth: int = 0
    quota_units: int = 0
    cancel_type: CancelType | None = None
    reason_code: str | None = None
    deleted: bool = False
    held: bool = False
    group_key: int | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def ship_by(self) -> datetime | None:
        """When the goods of the paid order are promised to have left; None without a promise, or without goods."""
        if self.paid_at is None or self.kind == OrderKind.SPLIT_PARENT:
            return None
        return self.promise.until(self.paid_at)

    @property
    def on_time(self) -> bool | None:
        """True if the shipped order left as promised; None without a promise."""
        by, at = self.ship_by, self.shipped_at
        return None if by is None or at is None else at <= by

    def allows(self, trigger: Trigger) -> bool:
        """True if TRANSITIONS has this step."""
        return (self.state, trigger) in TRANSITIONS

    @property
    def is_child(self) -> bool:
        """True if the order was split from another one. The buyer pays that one."""
        return self.parent_id is not None

    @property
    def has_benefits(self) -> bool:
        """True if the order holds or used a coupon, points or units at a limited price."""
        return self.coupon_id is not None or self.use_points > 0 or self.quota_units > 0

    def become(self, trigger: Trigger, at: datetime, **changes: Any) -> "Order":
        """The order after the step, with `changes`. The caller must check `allows` first: another step is its defect.

        `at` is the time at which the caller's transaction began. The order may have changed since, while the
        transaction waited for its lock, so a new time is never earlier than the order's other times.
        """
        transition = TRANSITIONS.get((self.state, trigger))
        assert transition is not None, f"{self.state} does not allow {trigger}"
        if transition.to is State.REJECTED:
            changes["order_no"] = None  # a number from the client is free for the next try
        if transition.to in FINISHED:
            changes["held"] = False  # the holds end with the order
        stamp = _STAMPS.get(transition.to) if transition.to is not self.state else None
        if stamp:
            changes[stamp] = max(at, *self._stamps())
        return replace(self, state=transition.to, version=self.version + 1, **changes)

    def _stamps(self) -> list[datetime]:
        times = (self.paid_at, self.shipped_at, self.delivered_at, self.completed_at)
        return [self.created_at, *(time for time in times if time is not None)]
