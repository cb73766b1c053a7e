"""Handles refunds: their results, and the requests of operators.

message                                              then
---------------------------------------------------  -------------------------------------------------------
refund.result succeeded, first time                  succeeded for good: refund.succeeded, the order's total grows
refund.result failed, not succeeded before           failed: refund.failed and an alert; the money is still owed
refund.observed                                      the same, from a provider that we call: also submitted or unknown,
                                                     and then the provider is polled until the end is known
refund.result for another amount or currency         dead letter, for an operator to look at
refund.result for an unknown number                  retried, at last a dead letter
refund.request, not above what is captured and left  a refund of its own: refund.requested; points that were used come
                                                     back, points that were earned go, both in proportion
refund.request that names a failed refund            refund.requested again, under the same number; if the provider does
                                                     not accept that number again, a request without it opens another
refund.request otherwise                             command.rejected with PAY_REFUND_EXCEEDS or REFUND_NOT_ALLOWED
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from prometheus_client import Gauge

import outbox
from db.pool import Transaction
from messages.base import AlertRaised, CommandRejected
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.refunds import RefundFailed, RefundObserved, RefundRequest, RefundRequested, RefundResult, RefundSucceeded
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refund_amounts import RefundState
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import authorization, benefits, commands, refunds
from workers.store import orders, payments, timers
from workers.store import refunds as refund_rows
from workers.store.refunds import RefundDue, RefundRow
from workers.store.timers import Timer, TimerKind

ENDS = (RefundState.SUCCEEDED, RefundState.FAILED)
RUNNING = Gauge("oms_refunds_running", "Refunds without a known end, counted up to 100,000")
OLDEST = Gauge("oms_refunds_oldest_age_seconds", "Age of the oldest refund without a known end, 0 without any")
FIRST_POLL = timedelta(seconds=10)
"""The sweeper polls in ever longer steps after this."""
NOT_FAILED = Refusal(Code.REFUND_NOT_ALLOWED, "that refund has not failed")
ResultItem: TypeAlias = Envelope[RefundResult | RefundObserved]
RequestItem: TypeAlias = Envelope[RefundRequest]


def decide(item: RequestItem, order: Order | None, kept: payments.Kept | None) -> Refusal | None:
    """Return why an operator's refund is rejected, or None. No I/O."""
    body = item.body
    if (refusal := authorization.denied(body.actor, body.order_id, order)) is not None:
        return refusal
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if kept is None or (order is not None and order.state is State.SPLIT):
        why = "name one of the orders that it was split into" if kept else "nothing of this order is captured"
        return Refusal(Code.REFUND_NOT_ALLOWED, why)
    if not 1 <= body.amount <= kept.left:
        details = {"requested": body.amount, "left": kept.left, "currency": kept.currency}
        return Refusal(Code.PAY_REFUND_EXCEEDS, f"1 to {kept.left} can still go back", details)
    return None


async def handle_refunds(tx: Transaction, batch: Batch[RefundResult | RefundObserved | RefundRequest]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    results: list[ResultItem] = batch.of(RefundResult, RefundObserved)
    claims = await commands.claim(tx, batch.of(RefundRequest))
    owners = await refund_rows.orders_of(tx, [item.body.refund_no for item in results])
    book = Book[Any](await orders.lock(tx, {*owners.values(), *(item.body.order_id for item in claims.fresh)}))
    known = await refund_rows.read(tx, {*owners, *filter(None, (item.body.refund_no for item in claims.fresh))})
    left = await payments.kept(tx, [item.body.order_id for item in claims.fresh])
    finished: dict[str, RefundResult | RefundObserved] = {}
    news: list[outbox.Announcement] = []

    for item in results:
        refund = known.get(item.body.refund_no)
        if refund is None:
            batch.retry(item, Reason.REFUND_UNKNOWN, "no refund has this number yet")
        elif (item.body.amount, item.body.currency) != (refund.amount, refund.currency):
            batch.dead(item, Reason.REFUND_AMOUNT_DIFFERS, "its amount or currency is not that of the refund")
        elif refund.state not in (RefundState.SUCCEEDED, item.body.status):
            known[refund.refund_no] = replace(refund, state=RefundState(item.body.status))
            finished[refund.refund_no] = item.body
            news += apply_result(book, refund, item)

    again, outcomes = repeated([item for item in claims.fresh if item.body.refund_no], book, known, left)
    dues, refused_requests = requests([item for item in claims.fresh if not item.body.refund_no], book, left)
    outcomes |= refused_requests
    opened = await refund_rows.open_all(tx, dues)
    outcomes |= {commands.key_of(o.due.because.body): (refunds.requested(o), o.due.because) for o in opened}
    await orders.save(tx, book)
    applied = await benefits.apply(tx, book, batch.now, opened)
    await refund_rows.finish(tx, list(finished.values()))
    await timers.start(tx, [Timer(TimerKind.REFUND, key, batch.now + FIRST_POLL) for key in pending(finished, known)])
    ended = [known[refund_no].id for refund_no, body in finished.items() if body.status in ENDS]
    await timers.stop(tx, [(TimerKind.REFUND, key) for key in ended])
    await refund_rows.reopen(tx, [refund.refund_no for _, refund in again])
    ours = await refund_rows.watch(tx, [refund.id for _, refund in again])
    news += [
        outbox.event(requested_again(refund), because=item, stream=book[refund.order_id].root_id)
        for item, refund in again
    ]
    news += [
        refunds.provider_refund(refund.provider, refund.refund_no, item) for item, refund in again if refund.id in ours
    ]
    answers = await commands.conclude(tx, outcomes)
    refused = [outbox.event(e, because=item) for e, item in outcomes.values() if isinstance(e, CommandRejected)]
    await outbox.append(
        tx,
        [*news, *refunds.announcements(opened), *benefits.announcements(applied), *refused, *answers, *claims.answers],
    )


def apply_result(book: Book[Any], refund: RefundRow, item: ResultItem) -> list[outbox.Announcement]:
    """Apply one result to the book, and return what it announces."""
    order = book[refund.order_id]
    if item.body.status not in ENDS:
        return []
    if item.body.status == "succeeded":
        if refund.currency == order.currency:
            book.amend(order.id, refunded_amount=order.refunded_amount + refund.amount)
        return [outbox.event(RefundSucceeded(**about(refund)), because=item, stream=order.root_id)]
    failed = RefundFailed(**about(refund), reason=item.body.reason)
    content = f"refund {refund.refund_no} of {refund.amount} {refund.currency} failed at {refund.provider}"
    alert = AlertRaised(
        title="refund failed", content=content, level="HIGH", code=Code.PAY_PROVIDER_ERROR, order_id=refund.order_id
    )
    return [outbox.event(failed, because=item, stream=order.root_id), outbox.event(alert, because=item)]


def pending(finished: Mapping[str, RefundResult | RefundObserved], known: Mapping[str, RefundRow]) -> list[int]:
    """Return the ids of the refunds whose providers must be polled."""
    return [known[refund_no].id for refund_no, body in finished.items() if body.status not in ENDS]


def requested_again(refund: RefundRow) -> RefundRequested:
    """Build refund.requested for a refund that was requested before and failed."""
    return RefundRequested(**about(refund))


def about(refund: RefundRow) -> dict[str, Any]:
    """Return the fields that every refund event has."""
    return {
        "order_id": refund.order_id,
        "refund_no": refund.refund_no,
        "provider": refund.provider,
        "trade_no": refund.trade_no,
        "amount": refund.amount,
        "currency": refund.currency,
        "cause": refund.cause,
    }


def repeated(
    fresh: Sequence[RequestItem], book: Book[Any], known: Mapping[str, RefundRow], left: dict[int, payments.Kept]
) -> tuple[list[tuple[RequestItem, RefundRow]], commands.Outcomes]:
    """Return the failed refunds that are requested again, which lessen what is left, and each request's outcome."""
    again: dict[str, tuple[RequestItem, RefundRow]] = {}
    outcomes: commands.Outcomes = {}
    for item in fresh:
        body = item.body
        refund = known.get(body.refund_no or "")
        kept = left.get(body.order_id)
        taken = NOT_FAILED if body.refund_no in again else not_again(body, refund, kept)
        refusal = authorization.denied(body.actor, body.order_id, book.get(body.order_id)) or taken
        if refusal is None and refund is not None:
            again[refund.refund_no] = (item, refund)
            if kept is not None and draws_on(refund, kept):
                left[body.order_id] = replace(kept, owed=kept.owed + refund.amount)
            outcomes[commands.key_of(body)] = requested_again(refund), item
        else:
            assert refusal is not None, "a refund that may be requested again is there"
            outcomes[commands.key_of(body)] = commands.rejected(item, refusal), item
    return list(again.values()), outcomes


def draws_on(refund: RefundRow, kept: payments.Kept) -> bool:
    """True if the refund draws on the capture that the order keeps; other captures go back whole."""
    return (refund.provider, refund.trade_no) == (kept.provider, kept.trade_no)


def not_again(body: RefundRequest, refund: RefundRow | None, kept: payments.Kept | None) -> Refusal | None:
    """Return why this refund is not requested again, or None. No I/O."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if refund is None or refund.order_id != body.order_id:
        return Refusal(Code.REFUND_NOT_ALLOWED, "the order has no refund of this number")
    if refund.state is not RefundState.FAILED:
        return NOT_FAILED
    if refund.amount != body.amount:
        return Refusal(Code.REFUND_NOT_ALLOWED, f"that refund is of {refund.amount}", {"amount": refund.amount})
    if kept is not None and draws_on(refund, kept) and refund.amount > kept.left:
        details = {"requested": refund.amount, "left": kept.left, "currency": kept.currency}
        return Refusal(
            Code.PAY_REFUND_EXCEEDS, f"{kept.left} can still go back: the rest was refunded otherwise", details
        )
    return None


def requests(
    fresh: Sequence[RequestItem], book: Book[Any], left: dict[int, payments.Kept]
) -> tuple[list[RefundDue], commands.Outcomes]:
    """Return the refunds that operators' requests open, and the outcomes of the rejected requests."""
    dues: list[RefundDue] = []
    refused: commands.Outcomes = {}
    for item in fresh:
        body, order = item.body, book.get(item.body.order_id)
        refusal = decide(item, order, left.get(body.order_id))
        if refusal is not None:
            refused[commands.key_of(body)] = commands.rejected(item, refusal), item
            continue
        assert order is not None
        capture = left[order.id]
        left[order.id] = replace(capture, owed=capture.owed + body.amount)
        cause = f"operator:{body.request_id}"
        dues.append(refunds.due(order, capture, cause, body.amount, because=item, reason=body.reason))
    return dues, refused


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many refunds have no end yet, and how old the oldest is."""
    running, oldest_seconds = await refund_rows.backlog(tx)
    RUNNING.set(running)
    OLDEST.set(oldest_seconds)


ROUTE = Route(queue="refunds", handler=handle_refunds, every=(Every(30.0, measure),))
