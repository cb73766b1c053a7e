"""Orders and messages for tests of pure functions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from messages.base import Actor
from messages.envelope import Envelope
from messages.orders import OrderCancel
from messages.payments import PaymentResult
from messages.roles import EVERY_ROLE
from workers.domain.order import Order, State

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
ORDER_ID = 7


def order(state: State = State.AWAITING_PAYMENT, **changes: Any) -> Order:
    """One order of 1,000 minor units."""
    fields: dict[str, Any] = {
        "id": ORDER_ID,
        "root_id": ORDER_ID,
        "user_id": "u1",
        "request_id": "r1",
        "order_no": "202601310000000001",
        "conversation_id": "c1",
        "state": state,
        "version": 2,
        "channel": "pc",
        "currency": "CNY",
        "origin_amount": 1000,
        "promotion_amount": 0,
        "coupon_amount": 0,
        "points_amount": 0,
        "shipping_fee": 0,
        "tax_amount": 0,
        "payable_amount": 1000,
        "captured_amount": 0,
        "refunded_amount": 0,
        "intent_id": 8,
        "on_payment_failure": "keep_open",
        "created_at": NOW - timedelta(minutes=31),
        "expire_at": NOW - timedelta(minutes=1),
    }
    return Order(**(fields | changes))


def envelope(body: Any, name: str) -> Envelope[Any]:
    """A message as a handler sees it, from a user with every role."""
    return Envelope(body=body, message_id=name, correlation_id=name, occurred_at=NOW, roles=EVERY_ROLE)


def capture(trade_no: str, amount: int = 1000, kind: str = "captured", currency: str = "CNY") -> PaymentResult:
    """A payment.result, as a payment adapter reports it."""
    return PaymentResult(
        order_id=ORDER_ID,
        provider="alipay",
        trade_no=trade_no,
        kind=kind,  # type: ignore[arg-type]
        amount=amount,
        currency=currency,
        occurred_at=NOW,
    )


def cancellation(request_id: str = "x1") -> OrderCancel:
    """The buyer's order.cancel."""
    return OrderCancel(request_id=request_id, actor=Actor(type="user", id="u1"), order_id=ORDER_ID)
