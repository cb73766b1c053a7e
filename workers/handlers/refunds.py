"""Handles refunds: their results, and the requests of operators.

message                                              then
---------------------------------------------------  -------------------------------------------------------
refund.result succeeded, first time                  succeeded for good: refund.succeeded, the order's total grows
                                                     by what was left of the capture; above that an alert, and the
                                                     refund is in excess
refund.result failed, not succeeded before           failed: refund.failed and an alert; the money is still owed. What
                                                     points followed it is undone until it, or another, takes its place
refund.observed                                      the same, from a provider that we call: also submitted or unknown,
                                                     and then the provider is polled until the end is known
refund.result for another amount or currency         dead letter, for an operator to look at
refund.result for an unknown number                  retried, at last a dead letter
the same, succeeded, and its capture is known        the provider gave money back by itself: in the books under its
                                                     number, refund.succeeded and an alert; what is left goes down.
                                                     Again: nothing; with another amount a dead letter
refund.request, not above what is captured and left  a refund of its own: refund.requested; points that were used come
                                                     back, points that were earned go, both in proportion
refund.request that names a failed refund            refund.requested again, under the same number; if the provider does
                                                     not accept that number again, a request without it opens another
refund.request otherwise                             command.rejected with PAY_REFUND_EXCEEDS or REFUND_NOT_ALLOWED
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised, CommandRejected
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.refunds import RefundFailed, RefundObserved, RefundRequest, RefundRequested, RefundResult, RefundSucceeded
from outbox.shared_gauge import SharedGauge
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refund_amounts import GONE, PENDING, CaptureShare, RefundState
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import authorization, benefits, commands, foreign_refunds, refunds
from workers.store import free_texts, orders, payments, timers
from workers.store import refunds as refund_rows
from workers.store.refunds import (
    CapturedFor,
    CaptureKey,
    ForeignKey,
    ForeignRefundPart,
    OpenedRefund,
    RefundDue,
    RefundEnd,
    RefundRow,
)
from workers.store.timers import Timer, TimerKind

RUNNING = SharedGauge("oms_refunds_running", "Refunds without a known end, counted up to 100,000")
OLDEST = SharedGauge("oms_refunds_oldest_age_seconds", "Age of the oldest refund without a known end, 0 without any")
EXCESS = SharedGauge("oms_refunds_excess", "Refunds that succeeded above what was left of their captures")
FIRST_POLL = timedelta(seconds=10)
"""The sweeper polls in ever longer steps after this."""
NOT_FAILED = Refusal(Code.REFUND_NOT_ALLOWED, "that refund has not failed")
ResultItem: TypeAlias = Envelope[RefundResult | RefundObserved]
RequestItem: TypeAlias = Envelope[RefundRequest]
DrawnOn: TypeAlias = tuple[int, str, str]
"""(order id, provider, trade number): the refunds with the same three share what can go back."""


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


@dataclass
class RefundContext:
    """What one batch reads and decides with. The orders are locked.

    `known` is refund number -> refund, as changed so far by this batch. `shares` is what each order may give back of a
    capture. `left` is order id -> the capture that the order keeps, for operators' requests.
    """

    book: Book[Any]
    known: dict[str, RefundRow]
    shares: dict[DrawnOn, CaptureShare]
    left: dict[int, payments.Kept]
    captures: dict[CaptureKey, CapturedFor] = field(default_factory=dict)
    """The captures of refunds that providers made by themselves."""
    foreign: dict[ForeignKey, tuple[int, str]] = field(default_factory=dict)
    """(amount, currency) of such refunds that are in the books."""
    ends: dict[str, RefundEnd] = field(default_factory=dict)
    """The new states, by refund number."""
    recounted: dict[int, Envelope[Any]] = field(default_factory=dict)
    """Order id -> the message because of which a refund begins or ceases to count."""

    def move(self, refund: RefundRow, state: RefundState) -> None:
        """Take a refund that has not succeeded yet to another state, and count it from now on."""
        self.known[refund.refund_no] = replace(refund, state=state)
        self.count(refund.draws_on, refund.amount, refund.state, state)

    def count(self, drawn_on: DrawnOn, amount: int, before: RefundState, state: RefundState) -> None:
        """Count the new state of a refund in what is left of its capture."""
        share = self.shares[drawn_on].after(amount, before, state)
        self.shares[drawn_on] = share
        kept = self.left.get(drawn_on[0])
        if kept is not None and drawn_on == (kept.order_id, kept.provider, kept.trade_no):
            self.left[kept.order_id] = replace(kept, owed=share.gone + share.pending)

    def ids(self, states: Collection[RefundState]) -> list[int]:
        """Return the ids of the refunds that this batch took to one of these states."""
        return [self.known[refund_no].id for refund_no, end in self.ends.items() if end.state in states]


async def handle_refunds(tx: Transaction, batch: Batch[RefundResult | RefundObserved | RefundRequest]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(RefundRequest))
    context = await read(tx, batch.of(RefundResult, RefundObserved), claims.fresh)
    book = context.book

    news, foreign = decide_results(batch, context)
    again, outcomes = repeated([item for item in claims.fresh if item.body.refund_no], context)
    dues, refused_requests = requests([item for item in claims.fresh if not item.body.refund_no], book, context.left)
    outcomes |= refused_requests
    opened = await refund_rows.open_all(tx, dues)
    outcomes |= {commands.key_of(o.due.because.body): (refunds.requested(o), o.due.because) for o in opened}
    await orders.save(tx, book)
    await refund_rows.finish(tx, list(context.ends.values()))
    await refund_rows.reopen(tx, [refund.refund_no for _, refund in again])
    await free_texts.keep(tx, written(batch, context, opened, again))
    news += foreign_refunds.announcements(await refund_rows.take_in(tx, foreign))
    applied = await benefits.apply(tx, book, batch.now, opened, context.recounted)
    await timers.start(tx, [Timer(TimerKind.REFUND, key, batch.now + FIRST_POLL) for key in context.ids(PENDING)])
    await timers.stop(tx, [(TimerKind.REFUND, key) for key in context.ids({*GONE, RefundState.FAILED})])
    ours = await refund_rows.watch(tx, [refund.id for _, refund in again])
    news += [
        outbox.event(RefundRequested(**about(refund)), because=item, stream=book[refund.order_id].root_id)
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


async def read(tx: Transaction, results: Sequence[ResultItem], fresh: Sequence[RequestItem]) -> RefundContext:
    """Lock the orders of the results and requests, and read the refunds that they name: one statement per table."""
    owners = await refund_rows.orders_of(tx, [item.body.refund_no for item in results])
    keys = foreign_refunds.keys([item.body for item in results if item.body.refund_no not in owners])
    payers = await refund_rows.payers(tx, [key[:2] for key in keys])
    book = Book[Any](await orders.lock(tx, {*owners.values(), *payers, *(item.body.order_id for item in fresh)}))
    captures = await refund_rows.captured_for(tx, [key[:2] for key in keys])
    known = await refund_rows.read(tx, {*owners, *filter(None, (item.body.refund_no for item in fresh))})
    left = await payments.kept(tx, [item.body.order_id for item in fresh])
    shares = {refund.draws_on: refund.share for refund in known.values()}
    shares |= {(order_id, *key): s for key, one in captures.items() for order_id, s in one.shares.items()}
    return RefundContext(book, known, shares, left, captures, await refund_rows.foreign(tx, keys))


def decide_results(
    batch: Batch[Any], context: RefundContext
) -> tuple[list[outbox.Announcement], list[ForeignRefundPart]]:
    """Judge each result, after those before it. Returns what they announce, and the refunds that are not ours."""
    news: list[outbox.Announcement] = []
    foreign: list[ForeignRefundPart] = []
    results: list[ResultItem] = batch.of(RefundResult, RefundObserved)
    for item in results:
        refund = context.known.get(item.body.refund_no)
        if refund is None:
            foreign += decide_foreign(batch, context, item)
        elif (item.body.amount, item.body.currency) != (refund.amount, refund.currency):
            batch.dead(item, Reason.REFUND_AMOUNT_DIFFERS, "its amount or currency is not that of the refund")
        elif refund.state not in (*GONE, item.body.status):
            end = judge(refund, context, item.body)
            context.move(refund, end.state)
            context.ends[refund.refund_no] = end
            if end.state.counts != refund.state.counts:
                context.recounted[refund.order_id] = item
            news += apply_end(context.book, refund, end, item)
    return news, foreign


def decide_foreign(batch: Batch[Any], context: RefundContext, item: ResultItem) -> list[ForeignRefundPart]:
    """Take a refund that is not ours into the books, one part for each order that it concerns."""
    body, key = item.body, foreign_refunds.key_of(item.body)
    capture = None if key is None else context.captures.get(key[:2])
    if key is None:
        batch.retry(item, Reason.REFUND_UNKNOWN, "no refund has this number yet")
    elif body.status != "succeeded":
        return []
    elif capture is None:
        batch.retry(item, Reason.REFUND_UNKNOWN, f"neither this refund nor the capture {key[1]} is known yet")
    elif context.foreign.get(key, (body.amount, body.currency)) != (body.amount, body.currency):
        batch.dead(item, Reason.REFUND_AMOUNT_DIFFERS, "this refund was reported before with another amount")
    elif body.currency != capture.currency:
        batch.dead(item, Reason.REFUND_AMOUNT_DIFFERS, "its currency is not that of the capture")
    elif key not in context.foreign:
        context.foreign[key] = body.amount, body.currency
        shares = {order_id: context.shares[order_id, *key[:2]] for order_id in capture.shares}
        parts = foreign_refunds.parts(context.book, capture, key, shares, item)
        for part in parts:
            drawn_on = part.order_id, part.provider, part.trade_no
            context.count(drawn_on, part.amount, RefundState.FAILED, RefundState.SUCCEEDED)
            context.recounted[part.order_id] = item
            order, within = context.book[part.order_id], part.amount - part.excess_amount
            if part.currency == order.currency:
                context.book.amend(order.id, refunded_amount=order.refunded_amount + within)
        return parts
    return []


def judge(refund: RefundRow, context: RefundContext, body: RefundResult | RefundObserved) -> RefundEnd:
    """Return the new state of a refund that has not succeeded yet. No I/O."""
    state, earlier = RefundState(body.status), context.ends.get(refund.refund_no)
    late = refund.state is RefundState.FAILED or (earlier is not None and earlier.unexpected)
    excess = context.shares[refund.draws_on].excess_of(refund.amount) if state in GONE else 0
    if excess:
        state = RefundState.EXCESS
    return RefundEnd(refund.refund_no, state, body.reason_code, excess_amount=excess, unexpected=late)


def apply_end(book: Book[Any], refund: RefundRow, end: RefundEnd, item: ResultItem) -> list[outbox.Announcement]:
    """Apply a refund's new state to the book, and return what it announces."""
    order = book[refund.order_id]
    if end.state in PENDING:
        return []
    if end.state in GONE:
        if refund.currency == order.currency:
            within = refund.amount - end.excess_amount
            book.amend(order.id, refunded_amount=order.refunded_amount + within)
        succeeded = RefundSucceeded(**about(refund), excess_amount=end.excess_amount)
        alerts = [refunds.in_excess(succeeded)] if end.excess_amount else []
        news = [outbox.event(succeeded, because=item, stream=order.root_id)]
        return [*news, *(outbox.event(alert, because=item) for alert in alerts)]
    failed = RefundFailed(**about(refund), reason_code=end.reason_code)
    content = f"refund {refund.refund_no} of {refund.amount} {refund.currency} failed at {refund.provider}"
    alert = AlertRaised(
        title="refund failed", content=content, level="HIGH", code=Code.PAY_PROVIDER_ERROR, order_id=refund.order_id
    )
    return [outbox.event(failed, because=item, stream=order.root_id), outbox.event(alert, because=item)]


def written(
    batch: Batch[Any], context: RefundContext, opened: Sequence[OpenedRefund], again: Sequence[tuple[Any, RefundRow]]
) -> list[free_texts.Written]:
    """Return the messages whose texts are about a refund, with its number and its user, if the refund is known."""
    users = {refund_no: context.book[refund.order_id].user_id for refund_no, refund in context.known.items()}
    results = [(item, item.body.refund_no) for item in batch.handled if isinstance(item.body, RefundResult)]
    known = [*results, *((item, refund.refund_no) for item, refund in again)]
    texts = [(item, refund_no, users.get(refund_no)) for item, refund_no in known]
    return texts + [(one.due.because, one.refund_no, one.due.user_id) for one in opened]


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
    fresh: Sequence[RequestItem], context: RefundContext
) -> tuple[list[tuple[RequestItem, RefundRow]], commands.Outcomes]:
    """Return the failed refunds that are requested again, which lessen what is left, and each request's outcome."""
    again: list[tuple[RequestItem, RefundRow]] = []
    outcomes: commands.Outcomes = {}
    for item in fresh:
        body = item.body
        refund = context.known.get(body.refund_no or "")
        denial = authorization.denied(body.actor, body.order_id, context.book.get(body.order_id))
        refusal = denial or not_again(body, refund, context.shares)
        if refusal is None and refund is not None:
            context.move(refund, RefundState.REQUESTED)
            context.recounted[refund.order_id] = item
            again.append((item, refund))
            outcomes[commands.key_of(body)] = RefundRequested(**about(refund)), item
        else:
            assert refusal is not None, "a refund that may be requested again is there"
            outcomes[commands.key_of(body)] = commands.rejected(item, refusal), item
    return again, outcomes


def not_again(body: RefundRequest, refund: RefundRow | None, shares: Mapping[DrawnOn, CaptureShare]) -> Refusal | None:
    """Return why this refund is not requested again, or None. No I/O."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if refund is None or refund.order_id != body.order_id:
        return Refusal(Code.REFUND_NOT_ALLOWED, "the order has no refund of this number")
    if refund.state is not RefundState.FAILED:
        return NOT_FAILED
    if refund.amount != body.amount:
        return Refusal(Code.REFUND_NOT_ALLOWED, f"that refund is of {refund.amount}", {"amount": refund.amount})
    left = shares[refund.draws_on].left
    if refund.amount > left:
        details = {"requested": refund.amount, "left": left, "currency": refund.currency}
        why = f"{left} can still go back: the rest was refunded otherwise"
        return Refusal(Code.PAY_REFUND_EXCEEDS, why, details)
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
        dues.append(refunds.due(order, capture, cause, body.amount, because=item, reason_code=body.reason_code))
    return dues, refused


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many refunds have no end yet, how old the oldest is, and how many are in excess."""
    for gauge, value in zip((RUNNING, OLDEST, EXCESS), await refund_rows.backlog(tx), strict=True):
        gauge.set(value)


ROUTE = Route(queue="refunds", handler=handle_refunds, every=(Every(30.0, measure),))
