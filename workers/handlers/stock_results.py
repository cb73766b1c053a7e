"""What happens when the stock has answered.

order is    stock.reserved                                        stock.refused
----------  ----------------------------------------------------  ------------------------------------
placing     awaiting payment: number, intent, payment timer,      rejected: order.rejected
            order.created; nothing to pay: at once paid as well
otherwise   nothing (the saga timer was first and released it)    nothing
unknown     tried again later                                     tried again later
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from pydantic import ConfigDict, TypeAdapter

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import EventLine, OrderCreated, OrderEvent, OrderRejected
from messages.stock import StockRefused, StockReserved
from messages.timers import TimerDue
from workers.domain.book import Book, Step
from workers.domain.order import Effect, Order, State, Trigger
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.store import announce, commands, ids, orders, payments, shop, timers

Result: TypeAlias = StockReserved | StockRefused
Item: TypeAlias = Envelope[Result]


class SoldLine(EventLine):
    """A line of the snapshot, which knows more of it than the wire says."""

    model_config = ConfigDict(extra="ignore")


SOLD_LINES = TypeAdapter(tuple[SoldLine, ...])


def first_answers(batch: Batch[Result], before: dict[int, Order]) -> list[Item]:
    """The answers that move an order: the first one for each order that is still being placed."""
    first: dict[int, Item] = {}
    for item in batch:
        order = before.get(item.body.group_id)
        if order is None:
            batch.retry(item, "order_unknown", "its order is not in the database yet")
        elif order.state is State.PLACING:
            first.setdefault(order.id, item)
    return list(first.values())


async def settle_placing(tx: Transaction, batch: Batch[Result]) -> None:
    """Lock every order once, number and announce those that got their stock, reject the others."""
    rules, window = shop.current(), timedelta(seconds=shop.current().payment_window_seconds)
    book = Book[Item](await orders.lock(tx, {item.body.group_id for item in batch}))
    answers = first_answers(batch, book.before)
    reserved = [book[item.body.group_id] for item in answers if isinstance(item.body, StockReserved)]
    lines = await orders.item_snapshots(tx, [order.id for order in reserved])
    intents = iter(await ids.take(tx, [order.user_id for order in reserved]))
    numbers = iter(await ids.take_order_numbers(tx, [order.channel for order in reserved], rules.business_time_zone))
    special: dict[int, OrderEvent] = {}

    for item in answers:
        order_id, place = item.body.group_id, len(book.steps)
        if isinstance(item.body, StockReserved):
            given: dict[str, Any] = {
                "order_no": next(numbers),
                "intent_id": next(intents),
                "expire_at": batch.now + window,
            }
            step = book.move(order_id, Trigger.RESERVED, because=item, at=batch.now, **given)
            special[place] = created(step, lines[order_id])
            if step.order.payable_amount == 0:
                book.move(order_id, Trigger.NOTHING_TO_PAY, because=item, at=batch.now)
        else:
            step = book.move(order_id, Trigger.REFUSED, because=item, at=batch.now, reason=item.body.code)
            special[place] = rejected(step, item.body)

    payable = [order for order in book.changed if order.state is State.AWAITING_PAYMENT]
    await orders.save(tx, book)
    await payments.open_intents(tx, [book[order.id] for order in reserved])
    await timers.stop(tx, [("saga", key) for key in book.ids(Effect.SAGA_TIMER_ENDS)])
    await timers.start(tx, payment_timers(payable))
    replies = await commands.conclude(tx, commands.creations(book, special))
    await outbox.append(
        tx, [*announce.steps(book, special), *announce.stock_orders(book), *wake(payable, book), *replies]
    )


def created(step: Step[Item], lines: bytes) -> OrderCreated:
    """order.created, with the lines as they were sold."""
    order = step.order
    assert order.intent_id is not None
    return OrderCreated(
        **announce.common(step),
        request_id=order.request_id,
        intent_id=order.intent_id,
        pay_before=order.expire_at,
        lines=SOLD_LINES.validate_json(lines),
    )


def rejected(step: Step[Item], body: StockRefused) -> OrderRejected:
    """order.rejected, with what was short."""
    short = [shortage.model_dump() for shortage in body.short]
    return OrderRejected(
        **announce.common(step),
        request_id=step.order.request_id,
        code=body.code,
        message="not everything that was ordered is in stock" if short else "the stock did not answer in time",
        details={"short": short},
    )


def payment_timers(payable: Sequence[Order]) -> list[timers.Timer]:
    """One per order that waits for money, woken by the delay exchange: the window is one of its tiers."""
    return [timers.Timer("payment", order.id, order.expire_at, by_broker=True) for order in payable]


def wake(payable: Sequence[Order], book: Book[Item]) -> list[outbox.Announcement]:
    """The wake-ups that travel through the delay exchange."""
    because = {step.order.id: step.because for step in book.steps}
    seconds = shop.current().payment_window_seconds
    return [
        outbox.later(
            TimerDue(kind="payment", key=order.id, due_at=order.expire_at),
            seconds=seconds,
            queue="timeouts",
            because=because[order.id],
        )
        for order in payable
    ]


ROUTE = Route(queue="stock-results", handler=settle_placing)
