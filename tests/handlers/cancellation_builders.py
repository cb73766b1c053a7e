"""Builders of the messages that schedule and withdraw cancellations, and the coming of their time."""

from datetime import UTC, datetime, timedelta

from messages.base import Actor
from messages.cancellations import OrderCancelLater, OrderKeep
from messages.timers import TimerDue
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness


def cancel_later(
    order_id: int, request_id: str = "l1", *, actor: Actor | None = None, hours: float = 2
) -> OrderCancelLater:
    at = datetime.now(UTC) + timedelta(hours=hours)
    return OrderCancelLater(
        request_id=request_id, actor=actor or user(), order_id=order_id, at=at, reason_code="CHANGED_MIND"
    )


def keep(order_id: int, request_id: str = "k1", *, actor: Actor | None = None) -> OrderKeep:
    return OrderKeep(request_id=request_id, actor=actor or user(), order_id=order_id)


async def come(harness: HandlerHarness) -> None:
    """Let the time of every scheduled cancellation come, twice."""
    await harness.pool.execute(
        "UPDATE scheduled_cancellations SET scheduled_at = now() - interval '1 h', at = now() - interval '1 s'"
    )
    await harness.make_timers_due("cancellation")
    for key in await harness.rows("SELECT key FROM timers WHERE kind = 'cancellation'"):
        due = TimerDue(kind="cancellation", key=key[0], due_at=datetime.now(UTC))
        await harness.handle(due)
        await harness.handle(due)
