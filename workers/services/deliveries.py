"""What becomes of orders of which all goods have arrived: they are complete, or wait for the buyer's receipt."""

from datetime import datetime, timedelta
from typing import Any

from db.pool import Transaction
from messages.envelope import Envelope
from workers import shop
from workers.domain.book import Book
from workers.domain.order import Effect, State, Trigger
from workers.domain.shipping import completes
from workers.domain.shop import CompleteOn
from workers.store import after_sales
from workers.store.timers import Timer, TimerKind


async def end(tx: Transaction, book: Book[Envelope[Any]], now: datetime) -> list[Timer]:
    """Complete the delivered orders of the batch whose policy says so, and return the receipt timers of the others."""
    arrived = [s for s in book.owing(Effect.RECEIPT_TIMER_STARTS) if book[s.order.id].state is State.DELIVERED]
    at_once = [step.order.id for step in arrived if step.order.complete_on is CompleteOn.DELIVERED]
    in_case = await after_sales.open_orders(tx, at_once)
    for step in arrived:
        if completes(book[step.order.id], in_case):
            book.move(step.order.id, Trigger.RECEIPT_EXPIRED, because=step.because, at=now)
    window = timedelta(seconds=shop.current().receipt_window_seconds)
    waiting = sorted({step.order.id for step in arrived if book[step.order.id].state is State.DELIVERED})
    return [Timer(TimerKind.RECEIPT, order_id, now + window) for order_id in waiting]
