"""Handles refunds: their results, and the requests of operators.

message                                              then
---------------------------------------------------  -------------------------------------------------------
refund.result succeeded, first time                  succeeded for good: refund.succeeded, the order's total grows
                                                     by what was left of the capture; above that an alert, and the
                                                     refund is in excess
refund.result failed, not succeeded before           failed: refund.failed and an alert; the money is still owed. What
                                                     points followed it is undone until it, or another, takes its place
refund.result failed, of one that had succeeded      an alert, if it failed after that: the buyer is paid by hand
refund.observed                                      the same, from a provider that we call: also submitted or unknown,
                                                     and then the provider is polled until the end is known
refund.result of one whose money came back           nothing: it is older than the dispute that was won
refund.result for another amount or currency         dead letter, for an operator to look at
refund.result for an unknown number                  retried, at last a dead letter
the same, succeeded, and its capture is known        the provider gave money back by itself: in the books under its
                                                     number, refund.succeeded and an alert; what is left goes down.
                                                     Again: nothing; with another amount a dead letter
refund.request, not above what is captured and left  a refund of its own: refund.requested; points that were used come
                                                     back, points that were earned go, both in proportion
refund.request that names a failed refund            refund.requested again, under the same number
the same, which it `replaces`                        refund.requested under a new number, of the same capture, once: for
                                                     a provider that does not accept the old number again
a refund of a case ends, is requested again, or is   its case follows: after_sale.refund_moved
replaced
otherwise         command.rejected: REFUND_PARAM_INVALID, PAY_REFUND_EXCEEDS, REFUND_NOT_ALLOWED
"""

from collections.abc import Collection, Sequence
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
from workers.services import authorization, benefits, commands, foreign_refunds, refund_refusals, refunds
from workers.store import free_texts, orders, payments, timers
from workers.store import refunds as refund_rows
from workers.store.refunds import (
    CapturedFor,
    CaptureKey,
    DrawnOn,
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
NOT_NUMBERED = ""  # stands for the number of a refund that this batch opens
FIRST_POLL = timedelta(seconds=10)
"""The sweeper polls in ever longer steps after this."""
ResultItem: TypeAlias = Envelope[RefundResult | RefundObserved]
RequestItem: TypeAlias = Envelope[RefundRequest]


def decide(item: RequestItem, order: Order | None, kept: payments.Kept | None) -> Refusal | None:
    """Return why an operator's refund is rejected, or None. No I/O."""
    body = item.body
    if (refusal := authorization.denied(body.actor, body.order_id, order)) is not None:
        return refusal
    if (refusal := refund_refusals.unfit(body)) is not None:
        return refusal
    captured = kept is not None and kept.reserved is None
    if kept is None or not captured or (order is not None and order.state is State.SPLIT):
        why = "name one of the orders that it was split into" if captured else "nothing of this order is captured"
        return Refusal(Code.REFUND_NOT_ALLOWED, why)
    if body.amount > kept.left:
        details = {"requested": body.amount, "left": kept.left, "currency": kept.currency}
        return Refusal(Code.PAY_REFUND_EXCEEDS, f"{kept.left} can still go back", details)
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
    named = [item for item in claims.fresh if item.body.refund_no or item.body.replaces]
    again, replacing, outcomes = repeated(named, context)
    others = [item for item in claims.fresh if not (item.body.refund_no or item.body.replaces)]
    dues, refused_requests = requests(others, book, context.left)
    outcomes |= refused_requests
    opened = await refund_rows.open_all(tx, [*replacing, *dues])
    outcomes |= {commands.key_of(o.due.because): (refunds.opening(o), o.due.because) for o in opened}
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
        outbox.event(
            RefundRequested(**refunds.about(refund, refund.refund_no)),
            because=item,
            stream=book[refund.order_id].root_id,
        )
        for item, refund in again
    ]
    news += [
        refunds.provider_refund(refund.provider, refund.refund_no, item) for item, refund in again if refund.id in ours
    ]
    news += [moved for item, refund in again for moved in refunds.case_moved(refund, RefundState.REQUESTED, item)]
    news += refunds.cases_of_replacements(opened)
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
    failed = filter(None, (item.body.refund_no or item.body.replaces for item in fresh))
    known = await refund_rows.read(tx, {*owners, *failed})
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
        elif refund.state not in (*GONE, RefundState.RETURNED, item.body.status):
            end = judge(refund, context, item.body)
            context.move(refund, end.state)
            context.ends[refund.refund_no] = end
            if end.state.counts != refund.state.counts:
                context.recounted[refund.order_id] = item
            news += apply_end(context.book, refund, end, item)
            news += refunds.case_moved(refund, end.state, item, end.reason_code)
        elif (alert := refunds.failed_later(refund, item.body)) is not None:
            news.append(outbox.event(alert, because=item))
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
        succeeded = RefundSucceeded(**refunds.about(refund, refund.refund_no), excess_amount=end.excess_amount)
        alerts = [refunds.in_excess(succeeded)] if end.excess_amount else []
        news = [outbox.event(succeeded, because=item, stream=order.root_id)]
        return [*news, *(outbox.event(alert, because=item) for alert in alerts)]
    failed = RefundFailed(**refunds.about(refund, refund.refund_no), reason_code=end.reason_code)
    content = f"refund {refund.refund_no} of {refund.amount} {refund.currency} failed at {refund.provider}"
    alert = AlertRaised.of(
        title="refund failed", content=content, code=Code.PAY_PROVIDER_ERROR, order_id=refund.order_id
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


def repeated(
    fresh: Sequence[RequestItem], context: RefundContext
) -> tuple[list[tuple[RequestItem, RefundRow]], list[RefundDue], commands.Outcomes]:
    """Take requests that name a failed refund, in order of arrival: both kinds lessen what is left of its capture.

    Returns the failed refunds that are requested again, those that take the place of one, and each request's outcome,
    but for the refunds that are not opened yet.
    """
    again: list[tuple[RequestItem, RefundRow]] = []
    dues: list[RefundDue] = []
    outcomes: commands.Outcomes = {}
    for item in fresh:
        body = item.body
        failed, order = context.known.get(body.refund_no or body.replaces or ""), context.book.get(body.order_id)
        refusal = authorization.denied(body.actor, body.order_id, order) or refund_refusals.not_again(
            body, failed, context.shares
        )
        if refusal is not None or failed is None or order is None:
            assert refusal is not None, "a refund that may be requested again is there"
            outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
        elif body.replaces is not None:
            context.count(failed.draws_on, failed.amount, RefundState.FAILED, RefundState.REQUESTED)
            dues.append(refunds.in_place_of(failed, order, f"operator:{commands.request_of(item)}", because=item))
            context.known[failed.refund_no] = replace(failed, replaced_by=NOT_NUMBERED)
        else:
            context.move(failed, RefundState.REQUESTED)
            context.recounted[failed.order_id] = item
            again.append((item, failed))
            outcomes[commands.key_of(item)] = RefundRequested(**refunds.about(failed, failed.refund_no)), item
    return again, dues, outcomes


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
            refused[commands.key_of(item)] = commands.rejected(item, refusal), item
            continue
        assert order is not None
        capture = left[order.id]
        left[order.id] = replace(capture, owed=capture.owed + body.amount)
        due = refunds.due(
            order,
            capture,
            f"operator:{commands.request_of(item)}",
            body.amount,
            because=item,
            reason_code=body.reason_code,
        )
        dues.append(due)
    return dues, refused


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many refunds have no end, how old the oldest is, and how many are in excess."""
    for gauge, value in zip((RUNNING, OLDEST, EXCESS), await refund_rows.backlog(tx), strict=True):
        gauge.set(value)


ROUTE = Route(queue="refunds", handler=handle_refunds, every=(Every(30.0, measure),))
