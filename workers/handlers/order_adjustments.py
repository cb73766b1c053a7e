"""Handles order.amount.adjust, with which an operator changes what an order costs before it is paid (R-17).

    order.amount.adjust is              then
    ----------------------------------  ------------------------------------------------------------------------------
    for an order that awaits payment    order.amount_changed with the old and the new amounts; its intent, and those of
                                        merged payments that it is in, change; provider.close for the attempts to pay it
    the same, and nothing is left to    the same, and it is paid at once; held for its group of buyers if it has one
    pay
    for a split order                   the same for the parent and for each child whose lines change
    for a child                         ORDER_STATE_INVALID: it is paid with its parent
    for an order in another state       ORDER_STATE_INVALID
    for another version of the order    ORDER_VERSION_CONFLICT
    below zero, or above the limit      ORDER_AMOUNT_OUT_OF_RANGE
    empty, of unknown lines, or in      ORDER_PARAM_INVALID
    another currency
    for a user                          AUTH_FORBIDDEN

A capture of the old amount that still comes is refunded as one of a wrong amount (payment_results.py). A held order can
be adjusted, because a hold stops only its goods. Coupons, points and tax stay as they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.adjustments import AdjustedLine, OrderAmountAdjust, OrderAmountChanged
from messages.base import CommandRejected, Event
from messages.envelope import Envelope
from workers import shop
from workers.domain.adjustments import AdjustableLine, Adjustment, LineChange, adjust, unadjustable
from workers.domain.book import Book
from workers.domain.order import Effect, Order, Trigger
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import attempts, authorization, benefits, buying_groups, commands, order_events
from workers.store import adjustments, free_texts, orders, timers
from workers.store.adjustments import WHOLE_ORDER, AdjustmentRow
from workers.store.timers import TimerKind

Item: TypeAlias = Envelope[OrderAmountAdjust]


@dataclass
class AdjustmentContext:
    """What one batch reads and decides with.

    `lines` is root id -> the lines of its family, as the batch changes them. `rows` are what it records.
    """

    book: Book[Item]
    lines: dict[int, list[AdjustableLine]]
    rows: list[AdjustmentRow] = field(default_factory=list)


def decide(
    body: OrderAmountAdjust, order: Order, lines: Sequence[AdjustableLine], raise_max_percent: int
) -> list[LineChange] | Refusal:
    """Return what comes off which line, or why the adjustment is rejected. No I/O."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    refusal = unadjustable(order, body.expected_version)
    if refusal is not None:
        return refusal
    off = tuple((line.line_no, line.discount) for line in body.lines)
    wanted = Adjustment(body.discount, off, body.shipping, body.currency)
    return adjust(order, lines, wanted, raise_max_percent)


async def adjust_orders(tx: Transaction, batch: Batch[OrderAmountAdjust]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch)
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in claims.fresh}))
    context = AdjustmentContext(book, await adjustments.lines(tx, adjustable_families(book)))
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = change(context, item, batch.now), item

    taken = [item for event, item in outcomes.values() if not isinstance(event, CommandRejected)]
    await adjustments.save(tx, context.rows)
    joined = await buying_groups.hold_paid(tx, book, batch.now)
    await orders.save(tx, book)
    await free_texts.keep(tx, [(item, item.body.order_id, book[item.body.order_id].user_id) for item in taken])
    applied = await benefits.apply(tx, book, batch.now)
    await timers.stop(tx, [(TimerKind.PAYMENT, key) for key in book.ids(Effect.PAYMENT_TIMER_ENDS)])
    closings = await attempts.close_superseded(tx, book)
    answers = await commands.conclude(tx, outcomes)
    rejections = [
        outbox.event(event, because=item) for event, item in outcomes.values() if isinstance(event, CommandRejected)
    ]
    await outbox.append(
        tx,
        [
            *order_events.steps(book),
            *rejections,
            *order_events.hand_overs(book),
            *order_events.stock_orders(book),
            *joined,
            *benefits.announcements(applied),
            *attempts.close_calls(closings),
            *answers,
            *claims.answers,
        ],
    )


def adjustable_families(book: Book[Item]) -> Mapping[int, list[int]]:
    """Root id -> the orders of its family that have lines, for the roots that await payment."""
    roots = [order for order in book.before.values() if unadjustable(order, None) is None]
    return {order.id: [member.id for member in book.children(order.id) or [order]] for order in roots}


def change(context: AdjustmentContext, item: Item, now: datetime) -> Event:
    """Apply one command to the book, and return its outcome."""
    body, order = item.body, context.book.get(item.body.order_id)
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        return commands.rejected(item, denial or authorization.not_found(body.order_id))
    lines = context.lines.get(order.id, [])
    changes = decide(body, order, lines, shop.current().adjustment_raise_max_percent)
    if isinstance(changes, Refusal):
        return commands.rejected(item, changes)
    after = {each.before.line_no: each.after for each in changes}
    context.lines[order.id] = [after.get(line.line_no, line) for line in lines]
    events = []
    for member in context.book.family(order.id):
        own = [each for each in changes if member.id in (order.id, each.before.order_id)]
        if own:
            events.append(step(context, item, member, own, now))
    if context.book[order.id].payable_amount == 0:
        context.book.pay(order.id, Trigger.NOTHING_TO_PAY, because=item, at=now)
    return events[0]


def step(
    context: AdjustmentContext, item: Item, order: Order, changes: Sequence[LineChange], now: datetime
) -> OrderAmountChanged:
    """Take the step of one order, record what comes off it and off its own lines, and return its event."""
    amount, body = sum(each.amount for each in changes), item.body
    priced = {
        "adjustment_amount": order.adjustment_amount + amount,
        "payable_amount": order.payable_amount - amount,
    }
    moved = context.book.move(
        order.id, Trigger.AMOUNT_CHANGED, because=item, at=now, who=authorization.who(body.actor), **priced
    )
    version, shipping = moved.order.version, sum(each.shipping for each in changes)
    context.rows.append(AdjustmentRow(order.id, version, WHOLE_ORDER, amount, shipping, body.reason_code))
    context.rows += [
        AdjustmentRow(order.id, version, each.before.line_no, each.amount, each.shipping, body.reason_code)
        for each in changes
        if each.before.order_id == order.id
    ]
    event = OrderAmountChanged(
        **order_events.common(moved),
        before=order_events.amounts(order),
        reason_code=body.reason_code,
        lines=tuple(
            AdjustedLine(line_no=each.before.line_no, payable_before=each.before.payable, payable=each.after.payable)
            for each in changes
        ),
    )
    moved.event = event
    return event


ROUTE = Route(queue="order-adjustments", handler=adjust_orders)
