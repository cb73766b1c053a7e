"""Turns payment facts and rejected notifications into the events that announce them."""

from typing import Any

from messages.base import AlertRaised
from messages.payments import PaymentCallbackRejected, PaymentCaptured, PaymentEvent, PaymentFailed
from workers.domain.codes import Code
from workers.domain.payment_rules import PaymentVerdict
from workers.providers.port import RejectedNotification
from workers.store.notifications import NotificationRecord
from workers.store.payments import PaymentFact


def payment_event(fact: PaymentFact) -> PaymentEvent:
    """Build payment.captured with the verdict, or payment.failed with the provider's reason_code."""
    result = fact.result
    about: dict[str, Any] = {
        "order_id": result.order_id,
        "intent_id": fact.intent_id,
        "provider": result.provider,
        "trade_no": result.trade_no,
        "amount": result.amount,
        "currency": result.currency,
    }
    if fact.verdict is PaymentVerdict.FAILED:
        return PaymentFailed(**about, reason_code=result.reason_code)
    return PaymentCaptured(**about | {"verdict": fact.verdict})


def wrong_amount(fact: PaymentFact) -> AlertRaised:
    """Build alert.raised: a buyer paid another amount, or another currency, than the order costs."""
    result = fact.result
    content = (
        f"captured {result.amount} {result.currency} by {result.provider}, which is not what the order costs: refunded"
    )
    return AlertRaised.of(
        title="wrong amount captured",
        content=content,
        code=Code.PAY_AMOUNT_MISMATCH,
        order_id=result.order_id,
    )


def callback_rejected(
    notification_id: int, record: NotificationRecord, rejected: RejectedNotification
) -> PaymentCallbackRejected:
    """Build payment.callback_rejected: a notification is not believed, and is kept under `notification_id`."""
    return PaymentCallbackRejected(
        provider=record.provider,
        notification_id=notification_id,
        code=rejected.code,
        message=rejected.message,
        received_at=record.notification.received_at,
    )
