"""Builders of the messages that schedule and withdraw cancellations."""

from datetime import UTC, datetime, timedelta

from messages.base import Actor
from messages.cancellations import OrderCancelLater, OrderKeep
from tests.handlers.builders import user


def cancel_later(
    order_id: int, request_id: str = "l1", *, actor: Actor | None = None, hours: float = 2
) -> OrderCancelLater:
    at = datetime.now(UTC) + timedelta(hours=hours)
    return OrderCancelLater(
        request_id=request_id, actor=actor or user(), order_id=order_id, at=at, reason_code="CHANGED_MIND"
    )


def keep(order_id: int, request_id: str = "k1", *, actor: Actor | None = None) -> OrderKeep:
    return OrderKeep(request_id=request_id, actor=actor or user(), order_id=order_id)
