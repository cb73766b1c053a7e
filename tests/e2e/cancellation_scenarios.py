"""Scheduled cancellations: what must exist before n messages of each kind make sense, and the messages."""

from messages.base import Message
from messages.cancellations import OrderCancellationDue, OrderCancelScheduled
from tests.e2e.scenarios import Arrange, per, placed, unique
from tests.handlers.builders import user
from tests.handlers.cancellation_builders import cancel_later, keep
from tests.handlers.harness import HandlerHarness


async def scheduled(harness: HandlerHarness, n: int) -> list[int]:
    keys = await placed(harness, n)
    await harness.handle(*(cancel_later(key, unique()) for key in keys))
    return keys


async def cancelled_by_time(harness: HandlerHarness, n: int) -> list[Message]:
    keys = await scheduled(harness, n)
    await harness.pool.execute("UPDATE scheduled_cancellations SET scheduled_at = '2020-01-01', at = now()")
    return [OrderCancellationDue(order_id=key) for key in keys]


CANCELLATIONS: dict[str, Arrange] = {
    "order.cancel_later": per(placed, lambda key: cancel_later(key, unique())),
    "order.cancel_later again": per(scheduled, lambda key: cancel_later(key, unique())),
    "order.keep": per(scheduled, lambda key: keep(key, unique())),
    "order_cancellation.due": cancelled_by_time,
    "order.cancel_scheduled": per(placed, lambda key: OrderCancelScheduled(order_id=key, actor=user(), unpaid=True)),
}
