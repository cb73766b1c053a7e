"""Handles dispute.observed, what a provider answers about a buyer's dispute (a complaint or a charge-back).

    the dispute is                        then
    ------------------------------------  -------------------------------------------------------------------------
    opened, or goes on with another       recorded; payment.disputed for each order that the capture paid, and an
    amount                                alert. No money has moved: a reversal is a refund of its own
    lost, or closed                       the same
    won                                   the same; the reversals of the capture are returned, up to the disputed
                                          amount: refund.returned, and what is left of the capture grows again
    known in this state, or in a newer    nothing
    about a capture that is not known     retried, at last a dead letter

Points, growth and coupons follow the returned money as they followed the reversal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.payments import DisputeObserved
from messages.reasons import Reason
from workers.domain.book import Book
from workers.domain.refund_amounts import RefundState, excess_without
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, disputes
from workers.store import disputes as dispute_rows
from workers.store import orders, refunds
from workers.store.disputes import DisputeKey, GoneRefund, StoredDispute
from workers.store.refunds import CapturedFor, CaptureKey

Item: TypeAlias = Envelope[DisputeObserved]


@dataclass
class DisputeContext:
    """What one batch reads and decides with: locked orders, captures, and the refunds that succeeded, by id."""

    book: Book[Any]
    captures: Mapping[CaptureKey, CapturedFor]
    stored: dict[DisputeKey, StoredDispute]
    gone: dict[int, GoneRefund]
    recounted: dict[int, tuple[RefundState, int]] = field(default_factory=dict)
    """Refund id -> its new state, and what is above the capture now."""


def is_news(body: DisputeObserved, stored: StoredDispute | None) -> bool:
    """True if the report is newer than what is recorded, and differs from it. No I/O."""
    if stored is None:
        return True
    same = (stored.state, stored.amount, stored.currency) == (body.state, body.amount, body.currency)
    return not same and body.occurred_at >= stored.occurred_at


async def record_disputes(tx: Transaction, batch: Batch[DisputeObserved]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    context = await read(tx, batch)
    newest: dict[DisputeKey, DisputeObserved] = {}
    news: list[outbox.Announcement] = []
    because: dict[int, Envelope[Any]] = {}
    for item in batch:
        body, key = item.body, (item.body.provider, item.body.dispute_no)
        capture = context.captures.get((body.provider, body.trade_no))
        if capture is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "the capture that the buyer disputes is not known yet")
        elif is_news(body, context.stored.get(key)):
            newest[key] = body
            context.stored[key] = StoredDispute(body.state, body.amount, body.currency, body.occurred_at)
            back = take_back(context, capture, body)
            because |= {refund.order_id: item for refund in back}
            news += announcements(context, capture, item, back)

    await orders.save(tx, context.book)
    await dispute_rows.save(tx, list(newest.values()))
    await dispute_rows.recount(tx, context.recounted)
    applied = await benefits.apply(tx, context.book, batch.now, [], because)
    await outbox.append(tx, [*news, *benefits.announcements(applied)])


async def read(tx: Transaction, batch: Batch[DisputeObserved]) -> DisputeContext:
    """Lock the orders that the disputed captures paid, and read what is recorded: one statement per table."""
    keys = [(item.body.provider, item.body.trade_no) for item in batch]
    book = Book[Any](await orders.lock(tx, await refunds.payers(tx, keys)))
    captures = await refunds.captured_for(tx, keys)
    stored = await dispute_rows.read(tx, [(item.body.provider, item.body.dispute_no) for item in batch])
    won = [key for item, key in zip(batch, keys, strict=True) if item.body.state == "won"]
    return DisputeContext(book, captures, stored, {refund.id: refund for refund in await dispute_rows.gone(tx, won)})


def take_back(context: DisputeContext, capture: CapturedFor, body: DisputeObserved) -> list[GoneRefund]:
    """Return the reversals whose money a won dispute brought back, and count the refunds of their orders again."""
    back = disputes.returned_by(body, context.gone.values())
    for refund in back:
        of_order = {
            key: (one.amount, context.recounted.get(key, (None, one.excess_amount))[1])
            for key, one in context.gone.items()
            if (one.order_id, one.provider, one.trade_no) == (refund.order_id, refund.provider, refund.trade_no)
        }
        share = capture.shares[refund.order_id].amount
        stay = excess_without(share, of_order, {refund.id})
        before = sum(amount - excess for amount, excess in of_order.values())
        after = sum(of_order[key][0] - excess for key, excess in stay.items())
        order = context.book[refund.order_id]
        if refund.currency == order.currency:
            context.book.amend(order.id, refunded_amount=order.refunded_amount - before + after)
        context.recounted |= {
            key: (RefundState.EXCESS if excess else RefundState.SUCCEEDED, excess)
            for key, excess in stay.items()
            if excess != of_order[key][1]
        }
        context.recounted[refund.id] = RefundState.RETURNED, 0
        del context.gone[refund.id]
    return back


def announcements(
    context: DisputeContext, capture: CapturedFor, item: Item, back: list[GoneRefund]
) -> list[outbox.Announcement]:
    """Build payment.disputed and its alert for each order that the capture paid, and refund.returned."""
    messages: list[outbox.Announcement] = []
    for order_id in sorted(capture.shares):
        order = context.book[order_id]
        event = disputes.disputed(item.body, order, capture.intent_id)
        messages.append(outbox.event(event, because=item, stream=order.root_id))
        alert = disputes.alert(item.body, order, [refund for refund in back if refund.order_id == order_id])
        messages.append(outbox.event(alert, because=item))
    for refund in back:
        stream = context.book[refund.order_id].root_id
        messages.append(outbox.event(disputes.returned(refund), because=item, stream=stream))
    return messages


ROUTE = Route(queue="disputes", handler=record_disputes)
