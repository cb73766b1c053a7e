"""What happens when the risk check has answered.

    order is    risk.result passed                       risk.result rejected, captcha_required
    ----------  ---------------------------------------  -------------------------------------------------------
    placing     stock.reserve with the saga's deadline   rejected: order.rejected with RISK_BLOCKED or
                                                         RISK_CAPTCHA_REQUIRED; coupon and points are free again,
                                                         and stock, should the verdict come unasked
    otherwise   nothing: the saga timer was first        nothing
    unknown     tried again later, at last a dead letter

The first verdict about an order counts and is kept with it (snapshot 6). No stock was reserved before it (S3-10).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import OrderRejected
from messages.risk import RiskResult
from messages.stock import StockLine, StockReserve
from workers.domain.book import Book, Step
from workers.domain.order import Effect, Order, State, Trigger
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, commands, order_events
from workers.store import orders, timers

Item: TypeAlias = Envelope[RiskResult]
CODES = {"rejected": "RISK_BLOCKED", "captcha_required": "RISK_CAPTCHA_REQUIRED"}


def decide(order: Order, verdict: str, judged: bool) -> str | None:
    """ "reserve", the code to reject with, or None where the verdict means nothing any more. No I/O."""
    if judged or order.state is not State.PLACING:
        return None
    return CODES.get(verdict, "reserve")


async def take_verdicts(tx: Transaction, batch: Batch[RiskResult]) -> None:
    """Lock every order once; the first verdict counts."""
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in batch}))
    judged = await orders.judged(tx, book.before)
    due = await timers.read(tx, [("saga", key) for key in book.before])
    verdicts: list[tuple[int, Item]] = []
    passed: list[Item] = []

    for item in batch:
        order = book.get(item.body.order_id)
        if order is None:
            batch.retry(item, "order_unknown", "its order is not in the database yet")
            continue
        decision = decide(order, item.body.verdict, order.id in judged)
        if decision is None:
            continue
        judged.add(order.id)
        verdicts.append((order.id, item))
        if decision == "reserve":
            passed.append(item)
            continue
        for step in book.move_family(order.id, Trigger.RISK_REJECTED, because=item, at=batch.now, reason=decision):
            step.event = rejected(step, decision)

    reserves = await reservations(tx, book, passed, {key: due.get(("saga", key), batch.now) for key in book.before})
    await orders.save(tx, book)
    await orders.keep_verdicts(tx, [(key, item.body.verdict, item.body.reason, item.user) for key, item in verdicts])
    applied = await benefits.apply(tx, book, batch.now)
    await timers.stop(tx, [("saga", key) for key in book.ids(Effect.SAGA_TIMER_ENDS)])
    answers = await commands.conclude(tx, commands.creations(book))
    await outbox.append(
        tx,
        [
            *reserves,
            *order_events.steps(book),
            *order_events.stock_orders(book),
            *benefits.announcements(applied),
            *answers,
        ],
    )


async def reservations(
    tx: Transaction, book: Book[Item], passed: Sequence[Item], deadlines: dict[int, datetime]
) -> list[outbox.Announcement]:
    """What order_creation left out until now."""
    holders = {item.body.order_id: [o.id for o in book.family(item.body.order_id)] for item in passed}
    lines = await orders.lines(tx, [key for family in holders.values() for key in family])
    return [
        outbox.internal(
            StockReserve(
                group_id=item.body.order_id,
                deadline=deadlines[item.body.order_id],
                lines=tuple(
                    StockLine(holder_id=key, sku_id=line.sku_id, warehouse=line.warehouse, qty=line.qty)
                    for key in holders[item.body.order_id]
                    for line in lines[key]
                ),
            ),
            because=item,
        )
        for item in passed
    ]


def rejected(step: Step[Item], code: str) -> OrderRejected:
    """order.rejected, without what the check knows."""
    message = "the order needs a captcha" if code == "RISK_CAPTCHA_REQUIRED" else "the risk check refused the order"
    return OrderRejected(**order_events.common(step), request_id=step.order.request_id, code=code, message=message)


ROUTE = Route(queue="risk-results", handler=take_verdicts)
