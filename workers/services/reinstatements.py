"""Reinstates orders that are paid late: reserves their goods again, and keeps or refunds the capture that waits.

a late capture of an order that     then
----------------------------------  ------------------------------------------------------------------------
timed out, by its policy, once      reinstating: stock.reserve in a second turn, with a deadline, and with
                                    the other warehouses that its sale allowed
and the stock answers               then
reserved                            awaiting_payment and paid at once; the capture is kept
refused, or not in time, or the     cancelled again, the second turn is released, the whole capture is
order is cancelled meanwhile        refunded as late
"""

from datetime import timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.stock import StockReserve
from workers.domain.book import Book
from workers.domain.order import Effect
from workers.domain.payment_rules import PaymentVerdict
from workers.services import benefits
from workers.services.payment_context import PaymentContext
from workers.services.refunds import stray_cause
from workers.store import benefits as benefit_rows
from workers.store import refunds, reinstatements, timers
from workers.store.refunds import OpenedRefund, RefundDue
from workers.store.timers import Timer, TimerKind

Item: TypeAlias = Envelope[Any]
SECOND_TURN = 1


async def begin(tx: Transaction, context: PaymentContext, window_seconds: int) -> list[outbox.Announcement]:
    """Write what the orders that are to be reinstated hold again, and start their deadlines.

    Returns stock.reserve for each, and what happened to coupons and points. Call it before benefits are applied.
    """
    book, goods, now = context.book, context.goods, context.now
    owing, deadline = book.owing(Effect.STOCK_RESERVE), now + timedelta(seconds=window_seconds)
    await timers.start(tx, [Timer(TimerKind.SAGA, step.order.id, deadline) for step in owing])
    await benefit_rows.save(tx, context.benefits)
    causes = {step.order.id: step.because for step in owing}
    held = benefits.announcements(benefits.Applied.by_order(context.benefits, causes))
    reserves = [
        StockReserve(group_id=key, deadline=deadline, lines=tuple(goods[key]), turn=SECOND_TURN) for key in causes
    ]
    return [*held, *(outbox.internal(reserve, because=causes[reserve.group_id]) for reserve in reserves)]


async def end(tx: Transaction, book: Book[Item]) -> list[OpenedRefund]:
    """Keep the captures of the orders that were reinstated, and open the refunds of those that were not."""
    verdicts = dict.fromkeys(book.ids(Effect.CAPTURE_KEPT), PaymentVerdict.KEPT)
    causes = {step.order.id: step.because for step in book.owing(Effect.CAPTURE_REFUNDED)}
    ended = await reinstatements.end_waiting(tx, verdicts | dict.fromkeys(causes, PaymentVerdict.LATE))
    dues = [
        RefundDue(
            order_id=one.order_id,
            root_id=book[one.order_id].root_id,
            user_id=book[one.order_id].user_id,
            cause=stray_cause(PaymentVerdict.LATE, one.provider, one.trade_no),
            intent_id=one.intent_id,
            provider=one.provider,
            trade_no=one.trade_no,
            amount=one.amount,
            currency=one.currency,
            because=causes[one.order_id],
            stray=True,
        )
        for one in ended
        if one.order_id in causes
    ]
    return await refunds.open_all(tx, dues)
