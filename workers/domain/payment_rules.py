"""Decides whether orders may be paid now (S3-16, S2-06), judges captures, and says when to poll a provider."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from workers.domain.codes import Code
from workers.domain.order import CancelType, Order, OrderKind, State
from workers.domain.refusal import Refusal
from workers.domain.shop import DeductOn, OnLatePayment, OnPaymentFailure

POLL_PAUSE_MIN = timedelta(seconds=10)
"""The shortest pause, so that we do not poll a provider that contradicts itself faster than this."""
POLL_PAUSE_MAX = timedelta(hours=1)
FIRST_POLL = timedelta(seconds=60)
"""By then a buyer who pays at once has paid, and the provider's notification has come."""
LAST_POLL = timedelta(seconds=45)
"""We poll once more this long before the window ends, or a quarter of the window if that is shorter. So an order that
was paid in time is not cancelled because a notification was lost. There is time for a query, an answer that takes its
whole time, a second query (PayPal) and four messages between our queues.
"""


PAYMENT_TIMEOUT = "payment_timeout"
"""The reason code of an order that was not paid in time. One that could not be reinstated has another."""


class AttemptState(StrEnum):
    """The state of an attempt. It is unknown if the provider did not answer, closing while we request its close.

    An authorised one is paid as far as its buyer is concerned; we capture or void it later.
    """

    CREATED = "created"
    REQUESTED = "requested"
    UNKNOWN = "unknown"
    CLOSING = "closing"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    CLOSED = "closed"


class PaymentVerdict(StrEnum):
    """The meaning of a capture or a failure for its order. Captures that are not kept are refunded.

    A waiting one came late; it is kept if its order is reinstated, and late otherwise.
    """

    KEPT = "kept"
    LATE = "late"
    DUPLICATE = "duplicate"
    MISMATCH = "mismatch"
    WAITING = "waiting"
    FAILED = "failed"


PAID = frozenset({State.PAID, State.FULFILLING, State.SHIPPED, State.DELIVERED, State.COMPLETED, State.SPLIT})


def unpayable(orders: Sequence[Order], now: datetime) -> Refusal | None:
    """Refuse orders, which one payment pays together, if they cannot be paid now."""
    for order in orders:
        details = {"order_id": str(order.id), "state": order.state.value}
        if order.is_child:
            return Refusal(Code.ORDER_STATE_INVALID, f"it is paid with order {order.parent_id}", details)
        if order.state in PAID:
            return Refusal(Code.PAY_ALREADY_PAID, "the order is paid", details)
        if order.state is not State.AWAITING_PAYMENT:
            return Refusal(Code.ORDER_STATE_INVALID, f"an order that is {order.state} cannot be paid", details)
        if order.expire_at <= now:
            return Refusal(
                Code.PAY_EXPIRED, "the order was to be paid before", {"pay_before": order.expire_at.isoformat()}
            )
    return None


def wrong_amount(amount: int, currency: str, due: int, order: Order) -> Refusal | None:
    """Refuse if the client shows another amount, or another currency, than is due."""
    if (amount, currency) == (due, order.currency):
        return None
    details = {"expected": due, "got": amount, "currency": order.currency}
    return Refusal(Code.PAY_AMOUNT_MISMATCH, f"{due} {order.currency} are due, not {amount} {currency}", details)


def not_offered(
    provider: str, scene: str, currency: str, scenes: Collection[str], currencies: Collection[str]
) -> Refusal | None:
    """Refuse if the provider has no such scene or currency. No scenes mean that there is no such provider here."""
    if not scenes:
        return Refusal(Code.PAY_METHOD_INVALID, f"there is no provider {provider} here", {"field": "provider"})
    if scene not in scenes:
        known = ", ".join(sorted(scenes))
        return Refusal(Code.PAY_PARAM_INVALID, f"the scene of {provider} is one of {known}", {"field": "scene"})
    if currency not in currencies:
        known = ", ".join(sorted(currencies))
        return Refusal(Code.PAY_PARAM_INVALID, f"{provider} collects {known} only", {"field": "currency"})
    return None


def verdict_on_capture(order: Order, amount: int, currency: str) -> PaymentVerdict:
    """Judge a new capture of an order: kept, late, duplicate or mismatch."""
    if order.is_child or (amount, currency) != (order.payable_amount, order.currency):
        return PaymentVerdict.MISMATCH
    return _verdict_in(order.state)


def verdict_on_merged_capture(orders: Sequence[Order], due: int, amount: int, currency: str) -> PaymentVerdict:
    """Judge a new capture that pays merged orders. It is kept only if each of them waits for payment."""
    if (amount, currency) != (due, orders[0].currency):
        return PaymentVerdict.MISMATCH
    verdicts = {_verdict_in(order.state) for order in orders}
    if verdicts == {PaymentVerdict.KEPT}:
        return PaymentVerdict.KEPT
    return PaymentVerdict.LATE if PaymentVerdict.LATE in verdicts else PaymentVerdict.DUPLICATE


def _verdict_in(state: State) -> PaymentVerdict:
    if state in (State.CANCELLED, State.REJECTED):
        return PaymentVerdict.LATE
    return PaymentVerdict.KEPT if state is State.AWAITING_PAYMENT else PaymentVerdict.DUPLICATE


def may_reinstate(order: Order) -> bool:
    """True if a late payment may reinstate the order: by its policy, once, and only if its time to pay ended it.

    Stock that was deducted when the order was created was put back, and units at a limited price may be others' now:
    such an order is not reinstated. Nor is one that was held when it ended, or that has no address any more: the
    statement reinstatements.lines has no goods for it.
    """
    timed_out = order.state is State.CANCELLED and order.cancel_type is CancelType.TIMEOUT
    untouched = order.reason_code == PAYMENT_TIMEOUT and not order.deleted and not order.is_child
    possible = order.deduct_on != DeductOn.CREATE and not order.quota_units
    possible = possible and order.kind is not OrderKind.EXCHANGE  # its case has given the money back instead
    possible = possible and order.group_key is None  # another buyer may have its seat
    return timed_out and untouched and possible and order.on_late_payment == OnLatePayment.REINSTATE_IF_STOCK


def ends_by_failure(order: Order) -> bool:
    """True if a failed attempt cancels the order by its policy (C-03). A child is never paid by itself."""
    waits = order.state is State.AWAITING_PAYMENT and not order.is_child
    return waits and order.on_payment_failure == OnPaymentFailure.CANCEL


def poll_at(started_at: datetime, expire_at: datetime, now: datetime, grace: timedelta) -> datetime:
    """The time of the next poll of an attempt that has not ended yet.

    We poll after a minute, then each time twice as long after the start. We also poll shortly before the window ends,
    when it has ended, and when it has ended by the provider's clock too, which may be behind ours by `grace`.
    """
    regular = started_at + max(FIRST_POLL, 2 * (now - started_at))
    last = expire_at - min(LAST_POLL, (expire_at - started_at) // 4)
    checks = (at for at in (last, expire_at, expire_at + grace) if now < at <= regular)
    return next(checks, regular)


def poll_pause(started_at: datetime, now: datetime) -> timedelta:
    """The pause before we poll an attempt that could not be closed: a quarter of its age, within limits."""
    return min(max(POLL_PAUSE_MIN, (now - started_at) // 4), POLL_PAUSE_MAX)
