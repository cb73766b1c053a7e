"""Handles the stock's answers to orders that are being placed.

    order is    stock.reserved                                        stock.refused
    ----------  ----------------------------------------------------  ------------------------------------
    placing     awaiting payment: number, intent, payment timer,      rejected: order.rejected; coupon, points
                order.created, its lines leave the cart and take      and limited prices are free again
                the warehouses that the stock chose;
                nothing to pay: at once paid as well
    otherwise   nothing (the saga timer came first and released it)   nothing
    unknown     retried                                               retried

The children of a split order take every step with it; the intent and the timer are the parent's.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.carts import CartItemsRemoved
from messages.envelope import Envelope
from messages.orders import OrderRejected
from messages.reasons import Reason
from messages.stock import StockRefused, StockReserved
from messages.timers import TimerDue
from workers import shop
from workers.domain.book import Book, Step
from workers.domain.order import Effect, Order, State, Trigger
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, commands, created_orders, order_events
from workers.services.created_orders import SoldLines
from workers.store import carts, ids, orders, timers
from workers.store.timers import TimerKind

StockAnswer: TypeAlias = StockReserved | StockRefused
Item: TypeAlias = Envelope[StockAnswer]


def first_answers(batch: Batch[StockAnswer], before: dict[int, Order]) -> list[Item]:
    """Return the answers that move an order: the first one for each order that is still being placed."""
    first: dict[int, Item] = {}
    for item in batch:
        order = before.get(item.body.group_id)
        if order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif order.state is State.PLACING:
            first.setdefault(order.id, item)
    return list(first.values())


async def handle_stock_results(tx: Transaction, batch: Batch[StockAnswer]) -> None:
    """Lock every order once, number and announce those that got their stock, reject the others."""
    book = Book[Item](await orders.lock(tx, {item.body.group_id for item in batch}))
    answers = first_answers(batch, book.before)
    reserved = [book[item.body.group_id] for item in answers if isinstance(item.body, StockReserved)]
    families = [book.family(order.id) for order in reserved]
    lines = await created_orders.read_lines(tx, [[member.id for member in family] for family in families])
    given = await gifts(tx, [member for family in families for member in family])

    for item in answers:
        order_id = item.body.group_id
        if isinstance(item.body, StockReserved):
            accept(book, item, given, lines, batch.now)
            if book[order_id].payable_amount == 0:
                book.pay(order_id, Trigger.NOTHING_TO_PAY, because=item, at=batch.now)
        else:
            for step in book.move_family(
                order_id, Trigger.REFUSED, because=item, at=batch.now, reason_code=item.body.code
            ):
                step.event = rejected(step, item.body)

    sourced = [move for item in answers if isinstance(item.body, StockReserved) for move in item.body.moved]
    await orders.move_lines(tx, [(move.holder_id, move.sku_id, move.warehouse) for move in sourced])
    roots = [book[order.id] for order in reserved]
    payable = [order for order in roots if order.state is State.AWAITING_PAYMENT]
    await orders.save(tx, book, payable=roots)
    applied = await benefits.apply(tx, book, batch.now)
    removed = await empty_carts(tx, book)
    tiers_seconds = shop.current().delay_tiers_seconds
    sagas = [(TimerKind.SAGA, key) for key in book.ids(Effect.SAGA_TIMER_ENDS)]
    await timers.change(tx, stopped=sagas, started=payment_timers(payable, tiers_seconds))
    replies = await commands.conclude(tx, commands.creations(book))
    owed = [
        *order_events.hand_overs(book),
        *order_events.stock_orders(book),
        *wake(payable, book, tiers_seconds),
        *benefits.announcements(applied),
        *removed,
    ]
    await outbox.append(tx, [*order_events.steps(book), *owed, *replies])


async def empty_carts(tx: Transaction, book: Book[Item]) -> list[outbox.Announcement]:
    """Remove from carts the lines that were ordered, once the orders are accepted (S0-01): cart.items_removed."""
    steps = [step for step in book.owing(Effect.CART_EMPTIED) if step.order.source == "cart"]
    if not steps:
        return []
    because = {step.order.user_id: step.because for step in steps}
    removed = await carts.remove_ordered(tx, {member.id for step in steps for member in book.family(step.order.id)})
    return [
        outbox.event(CartItemsRemoved(user_id=user_id, sku_ids=sku_ids), because=because[user_id])
        for user_id, sku_ids in removed.items()
    ]


async def gifts(tx: Transaction, accepted: Sequence[Order]) -> dict[int, dict[str, Any]]:
    """Order id -> the fields that an accepted order gets: a number, unless it brought one, and its root's intent."""
    roots = [order for order in accepted if not order.is_child]
    unnumbered = [order for order in accepted if order.order_no is None]
    users, channels = [order.user_id for order in roots], [order.channel for order in unnumbered]
    taken, numbers = await ids.take_with_numbers(tx, users, channels, shop.current().business_time_zone)
    intents = dict(zip([order.id for order in roots], taken, strict=True))
    named = {order.id: order.order_no for order in accepted}
    named |= dict(zip([order.id for order in unnumbered], numbers, strict=True))
    return {order.id: {"order_no": named[order.id], "intent_id": intents[order.root_id]} for order in accepted}


def accept(book: Book[Item], item: Item, given: Mapping[int, dict[str, Any]], lines: SoldLines, now: datetime) -> None:
    """Let the order and its children await payment, and announce each with order.created."""
    children = tuple(order.id for order in book.children(item.body.group_id))
    for order in book.family(item.body.group_id):
        expire_at = now + timedelta(seconds=order.payment_window_seconds)
        fields = {**given[order.id], "expire_at": expire_at}
        step = book.move(order.id, Trigger.RESERVED, because=item, at=now, **fields)
        step.event = created_orders.created(step, lines, () if order.is_child else children)


def rejected(step: Step[Item], body: StockRefused) -> OrderRejected:
    """Build order.rejected, with the units that were short."""
    short = [shortage.model_dump() for shortage in body.short]
    return OrderRejected(
        **order_events.common(step),
        request_id=step.order.request_id,
        code=body.code,
        message="not everything that was ordered is in stock" if short else "the stock did not answer in time",
        details={"short": short},
    )


def payment_timers(payable: Sequence[Order], tiers_seconds: Collection[int]) -> list[timers.Timer]:
    """Make a timer per order that awaits payment. The sweeper wakes it if its window is no tier of the exchange."""
    return [
        timers.Timer(
            TimerKind.PAYMENT, order.id, order.expire_at, by_broker=order.payment_window_seconds in tiers_seconds
        )
        for order in payable
    ]


def wake(payable: Sequence[Order], book: Book[Item], tiers_seconds: Collection[int]) -> list[outbox.Announcement]:
    """Send timer.due through the delay exchange, for orders with a payment window that is one of its tiers."""
    because = {step.order.id: step.because for step in book.steps}
    return [
        outbox.later(
            TimerDue(kind=TimerKind.PAYMENT, key=order.id, due_at=order.expire_at),
            seconds=order.payment_window_seconds,
            queue="timeouts",
            because=because[order.id],
        )
        for order in payable
        if order.payment_window_seconds in tiers_seconds
    ]


ROUTE = Route(queue="stock-results", handler=handle_stock_results)
