"""Handles risk.result, the verdict of the risk check on an order.

    order is    risk.result passed, held                 risk.result rejected, captcha_required
    ----------  ---------------------------------------  -------------------------------------------------------
    placing     stock.reserve with the saga's deadline;  rejected: order.rejected with RISK_BLOCKED or
                held: also a hold, order.held            RISK_CAPTCHA_REQUIRED; coupon and points are free again,
                                                         and stock, if the verdict was not requested
    otherwise   nothing: the saga timer came first       nothing
    unknown     retried, at last a dead letter

The first verdict on an order counts and is stored with it (snapshot 6). Until then no stock is reserved (S3-10).
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import OrderRejected
from messages.reasons import Reason
from messages.risk import RiskResult
from messages.stock import StockLine, StockReserve
from workers.domain.book import SYSTEM, Book
from workers.domain.codes import Code
from workers.domain.holds import HoldKind
from workers.domain.order import Effect, Order, State, Trigger
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, commands, order_events
from workers.services import holds as hold_steps
from workers.store import free_texts, holds, ids, orders, timers
from workers.store.holds import PlacedHold
from workers.store.timers import TimerKind

Item: TypeAlias = Envelope[RiskResult]
REFUSALS = {
    "rejected": Refusal(Code.RISK_BLOCKED, "the risk check refused the order"),
    "captcha_required": Refusal(Code.RISK_CAPTCHA_REQUIRED, "the order needs a captcha"),
}


class AfterVerdict(Enum):
    """What follows a verdict that rejects nothing: the stock is reserved, or the verdict came too late."""

    RESERVE = auto()
    RESERVE_AND_HOLD = auto()
    NOTHING = auto()


def decide(order: Order, verdict: str, judged: bool) -> AfterVerdict | Refusal:
    """Return what follows the verdict, or why the order is rejected. `judged`: it has its verdict already. No I/O."""
    if judged or order.state is not State.PLACING:
        return AfterVerdict.NOTHING
    if verdict == "held":
        return AfterVerdict.RESERVE_AND_HOLD
    return REFUSALS.get(verdict, AfterVerdict.RESERVE)


async def take_verdicts(tx: Transaction, batch: Batch[RiskResult]) -> None:
    """Lock every order once, decide in order of arrival, write each table once. The first verdict counts."""
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in batch}))
    judged, listed = await orders.judged(tx, book.before)
    due = await timers.read(tx, [(TimerKind.SAGA, key) for key in book.before])
    verdicts: list[tuple[int, Item]] = []
    passed: list[Item] = []
    suspect: list[Item] = []

    for item in batch:
        order = book.get(item.body.order_id)
        if order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
            continue
        decision = decide(order, item.body.verdict, order.id in judged)
        if decision is AfterVerdict.NOTHING:
            continue
        judged.add(order.id)
        verdicts.append((order.id, item))
        if isinstance(decision, Refusal):
            reject(book, order, item, decision, batch.now)
        else:
            passed.append(item)
            suspect += [item] if decision is AfterVerdict.RESERVE_AND_HOLD else []

    deadlines = {key: due.get((TimerKind.SAGA, key), batch.now) for key in book.before}
    reserves = await reservations(tx, book, passed, deadlines, listed)
    held = await hold(tx, book, suspect, batch.now)
    await orders.save(tx, book)
    await holds.place(tx, held)
    await orders.keep_verdicts(tx, [(key, item.body.verdict, item.user) for key, item in verdicts])
    await free_texts.keep(tx, [(item, key, book[key].user_id) for key, item in verdicts])
    applied = await benefits.apply(tx, book, batch.now)
    await timers.stop(tx, [(TimerKind.SAGA, key) for key in book.ids(Effect.SAGA_TIMER_ENDS)])
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
    tx: Transaction,
    book: Book[Item],
    passed: Sequence[Item],
    deadlines: dict[int, datetime],
    listed: dict[int, dict[str, list[str]]],
) -> list[outbox.Announcement]:
    """Build stock.reserve for each order that passed, which order_creation left until after the verdict."""
    holders = {item.body.order_id: [o.id for o in book.family(item.body.order_id)] for item in passed}
    lines = await orders.lines(tx, [key for family in holders.values() for key in family])
    return [
        outbox.internal(
            StockReserve(
                group_id=item.body.order_id,
                deadline=deadlines[item.body.order_id],
                lines=tuple(
                    StockLine(
                        holder_id=key,
                        sku_id=line.sku_id,
                        warehouse=line.warehouse,
                        qty=line.qty,
                        others=tuple(
                            name
                            for name in listed.get(item.body.order_id, {}).get(line.sku_id, ())
                            if name != line.warehouse
                        ),
                    )
                    for key in holders[item.body.order_id]
                    for line in lines[key]
                ),
            ),
            because=item,
        )
        for item in passed
    ]


async def hold(tx: Transaction, book: Book[Item], suspect: Sequence[Item], now: datetime) -> list[PlacedHold]:
    """Hold the orders that the risk check wants a person to look at. Returns the holds to insert."""
    targets = [(item, order) for item in suspect for order in hold_steps.targets(book, item.body.order_id)]
    others = await holds.open_of(tx, [order.id for _, order in targets if order.held])
    new_ids = await ids.take(tx, [order.user_id for _, order in targets])
    why = hold_steps.Why(HoldKind.RISK, "risk_check", SYSTEM)
    return [
        hold_steps.place(book, order.id, others.get(order.id, ()), hold_id, why, because=item, now=now)[0]
        for hold_id, (item, order) in zip(new_ids, targets, strict=True)
    ]


def reject(book: Book[Item], order: Order, item: Item, refusal: Refusal, now: datetime) -> None:
    """Reject the order and its children. order.rejected does not repeat the risk check's reason."""
    for step in book.move_family(order.id, Trigger.RISK_REJECTED, because=item, at=now, reason_code=refusal.code):
        step.event = OrderRejected(
            **order_events.common(step),
            request_id=step.order.request_id,
            code=refusal.code,
            message=refusal.message,
        )


ROUTE = Route(queue="risk-results", handler=take_verdicts)
