"""Handles the stock's answers to orders that are being placed.

    order is    stock.reserved                                        stock.refused
    ----------  ----------------------------------------------------  ------------------------------------
    placing     awaiting payment: number, intent, payment timer,      rejected: order.rejected; coupon, points
                order.created, its lines leave the cart and take      and limited prices are free again
                the warehouses that the stock chose;
                nothing to pay: at once paid as well, and held
                for its group if it has one
    reinstating  order.reinstated, and paid at once with the payment   cancelled again, the payment is refunded as
                 that waits                                           late (services/reinstatements.py)
    otherwise   nothing (the saga timer came first and released it)   nothing
    unknown     retried                                               retried

An exchange order that gets its stock stays in placing, and its case is announced the reservation. The case decides
later (after_sale.exchange_decided): `send` takes it on as above, `end` gives the stock free and rejects it.

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
from messages.replacements import AfterSaleExchangeDecided
from messages.stock import StockRefused, StockReserved
from messages.timers import TimerDue
from workers import shop
from workers.domain.book import Book, Step
from workers.domain.codes import Code
from workers.domain.order import Effect, Order, OrderKind, State, Trigger
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, buying_groups, commands, created_orders, order_events, refunds, reinstatements
from workers.services.created_orders import SoldLines
from workers.store import carts, ids, order_drafts, orders, timers
from workers.store.timers import TimerKind

StockAnswer: TypeAlias = StockReserved | StockRefused | AfterSaleExchangeDecided
Item: TypeAlias = Envelope[StockAnswer]
TURNS = {State.PLACING: 0, State.REINSTATING: reinstatements.SECOND_TURN}
"""State of an order -> the turn of the reservation that it waits for."""


def order_of(body: StockAnswer) -> int:
    """Return the id of the order that the message is about."""
    return body.exchange_order_id if isinstance(body, AfterSaleExchangeDecided) else body.group_id


def accepts(body: StockAnswer) -> bool:
    """True if the message takes a sale, or an exchange order whose stock is reserved, out of placing."""
    return isinstance(body, StockReserved) or (isinstance(body, AfterSaleExchangeDecided) and body.decision == "send")


def turn_of(body: StockAnswer) -> int:
    """Return the turn of the reservation that the message is about."""
    return 0 if isinstance(body, AfterSaleExchangeDecided) else body.turn


def first_answers(batch: Batch[StockAnswer], before: dict[int, Order]) -> tuple[list[Item], list[Item]]:
    """Return the answers that move an order: the first one for each order that waits for it.

    Beside them come the reservations of exchange orders, which move no order.
    """
    first: dict[int, Item] = {}
    waiting: list[Item] = []
    for item in batch:
        order = before.get(order_of(item.body))
        if order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif TURNS.get(order.state) != turn_of(item.body):
            continue
        elif order.kind is OrderKind.EXCHANGE and isinstance(item.body, StockReserved):
            waiting.append(item)
        else:
            first.setdefault(order.id, item)
    return list(first.values()), waiting


def is_late(book: Book[Item], item: Item) -> bool:
    """True if the answer is for an order that a late payment is to reinstate."""
    return book[order_of(item.body)].state is State.REINSTATING


def moved_lines(items: Sequence[Item]) -> list[tuple[int, str, str]]:
    """Return (order id, SKU, warehouse) where the stock chose another warehouse than the line's own."""
    moves = [move for item in items if isinstance(item.body, StockReserved) for move in item.body.moved]
    return [(move.holder_id, move.sku_id, move.warehouse) for move in moves]


async def handle_stock_results(tx: Transaction, batch: Batch[StockAnswer]) -> None:
    """Lock every order once, number and announce those that got their stock, reject the others."""
    book = Book[Item](await orders.lock(tx, {order_of(item.body) for item in batch}))
    answers, waiting = first_answers(batch, book.before)
    late = [item for item in answers if is_late(book, item)]
    answers = [item for item in answers if not is_late(book, item)]
    reserved = [book[order_of(item.body)] for item in answers if accepts(item.body)]
    families = [book.family(order.id) for order in reserved]
    lines = await created_orders.read_lines(tx, [[member.id for member in family] for family in families])
    given = await gifts(tx, [member for family in families for member in family])

    for item in answers:
        order_id = order_of(item.body)
        if accepts(item.body):
            accept(book, item, given, lines, batch.now)
            if book[order_id].payable_amount == 0:
                book.pay(order_id, Trigger.NOTHING_TO_PAY, because=item, at=batch.now)
        elif isinstance(item.body, AfterSaleExchangeDecided):
            end(book, item, batch.now)
        elif isinstance(item.body, StockRefused):
            for step in book.move_family(
                order_id, Trigger.REFUSED, because=item, at=batch.now, reason_code=item.body.code
            ):
                step.event = rejected(step, item.body)

    for item in late:
        reinstate(book, item, batch.now)
    await orders.move_lines(tx, moved_lines([*answers, *late, *waiting]))
    roots = [book[order.id] for order in reserved]
    payable = [order for order in roots if order.state is State.AWAITING_PAYMENT]
    joined = await buying_groups.hold_paid(tx, book, batch.now)
    await orders.save(tx, book, payable=roots)
    opened = await reinstatements.end(tx, book)
    applied = await benefits.apply(tx, book, batch.now)
    removed = await empty_carts(tx, book)
    tiers_seconds = shop.current().delay_tiers_seconds
    sagas = [(TimerKind.SAGA, key) for key in book.ids(Effect.SAGA_TIMER_ENDS)]
    await timers.change(tx, stopped=sagas, started=payment_timers(payable, tiers_seconds))
    replies = await commands.conclude(tx, commands.creations(book))
    owed = [
        *order_events.hand_overs(book),
        *order_events.stock_orders(book),
        *joined,
        *wake(payable, book, tiers_seconds),
        *refunds.announcements(opened),
        *benefits.announcements(applied),
        *removed,
        *(order_events.exchange_moved(book[order_of(item.body)], "reserved", item) for item in waiting),
    ]
    await outbox.append(tx, [*order_events.steps(book), *owed, *replies])


async def empty_carts(tx: Transaction, book: Book[Item]) -> list[outbox.Announcement]:
    """Remove what accepted orders came from: drafts, and from carts the lines (S0-01): cart.items_removed."""
    accepted = book.owing(Effect.CART_EMPTIED)
    await order_drafts.remove_ordered(tx, [step.order.id for step in accepted if step.order.source == "draft"])
    steps = [step for step in accepted if step.order.source == "cart"]
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
    users, numbered = [one.user_id for one in roots], [ids.NumberOf(one.user_id, one.channel) for one in unnumbered]
    taken, numbers = await ids.take_with_numbers(tx, users, numbered, shop.current().business_time_zone)
    intents = dict(zip([order.id for order in roots], taken, strict=True))
    named = {order.id: order.order_no for order in accepted}
    named |= dict(zip([order.id for order in unnumbered], numbers, strict=True))
    return {order.id: {"order_no": named[order.id], "intent_id": intents[order.root_id]} for order in accepted}


def accept(book: Book[Item], item: Item, given: Mapping[int, dict[str, Any]], lines: SoldLines, now: datetime) -> None:
    """Let the order and its children await payment, and announce each with order.created."""
    root_id = order_of(item.body)
    children = tuple(order.id for order in book.children(root_id))
    for order in book.family(root_id):
        expire_at = now + timedelta(seconds=order.payment_window_seconds)
        fields = {**given[order.id], "expire_at": expire_at}
        step = book.move(order.id, Trigger.RESERVED, because=item, at=now, **fields)
        step.event = created_orders.created(step, lines, () if order.is_child else children)


def reinstate(book: Book[Item], item: Item, now: datetime) -> None:
    """Pay the order that has its goods again with the capture that waits, or cancel it once more."""
    order_id = order_of(item.body)
    if isinstance(item.body, StockReserved):
        lives: dict[str, Any] = {"cancel_type": None, "reason_code": None, "cancelled_at": None}
        book.move_family(order_id, Trigger.REINSTATED, because=item, at=now, **lives)
        book.pay(order_id, Trigger.CAPTURED, because=item, at=now)
    elif isinstance(item.body, StockRefused):
        book.move_family(order_id, Trigger.NOT_REINSTATED, because=item, at=now, reason_code=item.body.code)


def end(book: Book[Item], item: Item, now: datetime) -> None:
    """Reject an exchange order whose case sends no goods: its stock is free again."""
    code = Code.AFTERSALE_ENDED
    step = book.move(order_of(item.body), Trigger.EXCHANGE_ENDED, because=item, at=now, reason_code=code)
    step.event = OrderRejected(
        **order_events.common(step),
        request_id=step.order.request_id,
        code=code,
        message="its after-sale case has ended without sending other goods",
        details={},
    )


def rejected(step: Step[Item], body: StockRefused) -> OrderRejected:
    """Build order.rejected, with the units that were short."""
    if not body.short:
        message = "the stock did not answer in time"
    elif all(one.want <= one.have + one.elsewhere for one in body.short):
        message = "the warehouses have it together only, and all units of a SKU come from one warehouse: order fewer"
    else:
        message = "not everything that was ordered is in stock"
    return OrderRejected(
        **order_events.common(step),
        request_id=step.order.request_id,
        code=body.code,
        message=message,
        details={"short": [shortage.model_dump() for shortage in body.short]},
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
