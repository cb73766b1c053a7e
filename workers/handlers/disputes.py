"""Handles disputes (complaints and charge-backs): dispute.observed, what a provider answers about one, what the shop
submits against it (dispute.submit_evidence), what the provider says to that, and the time to do so (dispute.due). R-22.

    dispute.observed                      then
    ------------------------------------  -------------------------------------------------------------------------
    opened, or goes on with another       recorded; payment.disputed for each order that the capture paid, and an
    amount or date                        alert, with the date until which to answer. No money has moved: a reversal is
                                          a refund of its own. A timer runs until OMS_DISPUTE_REMINDER_SECONDS before
                                          that date
    goes on, and waits for no answer      the same without an alert, and the timer ends
    any more
    lost, or closed                       the same, and the timer ends
    won                                   the same; the reversals of the capture are returned, up to the disputed
                                          amount: refund.returned, and what is left of the capture grows again
    known in this state, or in a newer    nothing
    about a capture that is not known     retried, at last a dead letter

    dispute.submit_evidence               then
    ------------------------------------  -------------------------------------------------------------------------
    about an open dispute                 recorded, its text encrypted: dispute.evidence_submitted. With to_provider,
                                          provider.dispute_evidence; else an operator gave it on the provider's page
    about an unknown one                  command.rejected: PAY_DISPUTE_NOT_FOUND
    about one that is decided             command.rejected: PAY_DISPUTE_ENDED
    after its date                        command.rejected: PAY_DISPUTE_OVERDUE
    empty, too long or too often, or to   command.rejected: PAY_EVIDENCE_INVALID
    a provider that takes none from us

    dispute.evidence_observed             then
    ------------------------------------  -------------------------------------------------------------------------
    about evidence that waits for it      recorded: dispute.evidence_answered; if it was refused, an alert
    otherwise                             nothing

    dispute.due                           then
    ------------------------------------  -------------------------------------------------------------------------
    while its timer is due                an alert, once for each date, and the timer ends
    otherwise                             nothing

Points, growth and coupons follow the returned money as they followed the reversal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.disputes import DisputeDue, DisputeEvidenceObserved, DisputeSubmitEvidence
from messages.envelope import Envelope
from messages.payments import DisputeObserved
from messages.providers import ProviderDisputeEvidence
from messages.reasons import Reason
from workers import shop
from workers.domain.book import Book
from workers.domain.refund_amounts import RefundState, excess_without
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import attempts, benefits, commands, disputes
from workers.store import disputes as dispute_rows
from workers.store import free_texts, orders, refunds, timers
from workers.store.disputes import DisputeKey, GoneRefund, NewEvidence, StoredDispute
from workers.store.refunds import CapturedFor, CaptureKey
from workers.store.timers import Timer, TimerKind

Item: TypeAlias = Envelope[DisputeObserved]


@dataclass
class DisputeContext:
    """What one batch reads and decides with: locked orders, captures, and the refunds that succeeded, by id."""

    book: Book[Any]
    captures: Mapping[CaptureKey, CapturedFor]
    stored: dict[DisputeKey, StoredDispute]
    gone: dict[int, GoneRefund]
    by_id: Mapping[int, DisputeKey] = field(default_factory=dict)
    due: dict[int, datetime] = field(default_factory=dict)
    """Dispute id -> when its timer is due, of the disputes that dispute.due names."""
    newest: dict[DisputeKey, DisputeObserved] = field(default_factory=dict)
    submitted: list[NewEvidence] = field(default_factory=list)
    written: list[free_texts.Written] = field(default_factory=list)
    calls: list[outbox.Announcement] = field(default_factory=list)
    reminded: list[int] = field(default_factory=list)
    recounted: dict[int, tuple[RefundState, int]] = field(default_factory=dict)
    """Refund id -> its new state, and what is above the capture now."""

    def payers(self, key: DisputeKey) -> list[int]:
        """Return the orders that the capture of a recorded dispute paid."""
        return sorted(self.captures[key[0], self.stored[key].trade_no].shares)


def is_news(body: DisputeObserved, stored: StoredDispute | None) -> bool:
    """True if the report is newer than what is recorded, and differs from it. No I/O."""
    if stored is None:
        return True
    known = (stored.state, stored.amount, stored.currency, stored.due_at)
    same = known == (body.state, body.amount, body.currency, body.due_at)
    return not same and body.occurred_at >= stored.occurred_at


async def handle_disputes(tx: Transaction, batch: Batch[Any]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(DisputeSubmitEvidence))
    context = await read(tx, batch, claims.fresh)
    news: list[outbox.Announcement] = []
    because: dict[int, Envelope[Any]] = {}
    outcomes: commands.Outcomes = {}
    for item in batch:
        if isinstance(item.body, DisputeObserved):
            news += observe(context, batch, item, because)
        elif isinstance(item.body, DisputeDue):
            news += remind(context, item, batch.now)
        elif item in claims.fresh:
            outcomes[commands.key_of(item)] = submit(context, item, batch.now), item

    await orders.save(tx, context.book)
    remind_at = reminders(context, batch.now)
    await dispute_rows.reminded(tx, context.reminded)
    numbers = await dispute_rows.save(tx, list(context.newest.values()), remind_at)
    await dispute_rows.recount(tx, context.recounted)
    known = {key: one.id for key, one in context.stored.items()}
    await dispute_rows.add_evidence(tx, context.submitted, known | numbers, batch.now)
    news += await answer_evidence(tx, context, batch.of(DisputeEvidenceObserved))
    await free_texts.keep(tx, context.written)
    stopped = [(TimerKind.DISPUTE, dispute_id) for dispute_id in (*context.reminded, *numbers.values())]
    started = [Timer(TimerKind.DISPUTE, numbers[key], at) for key, at in remind_at.items()]
    await timers.change(tx, stopped=stopped, started=started)
    applied = await benefits.apply(tx, context.book, batch.now, [], because)
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(
        tx, [*news, *events, *context.calls, *benefits.announcements(applied), *answers, *claims.answers]
    )


async def read(tx: Transaction, batch: Batch[Any], fresh: Sequence[Envelope[DisputeSubmitEvidence]]) -> DisputeContext:
    """Lock the orders that the disputed captures paid, and read what is recorded: one statement per table."""
    observed, due = batch.of(DisputeObserved), batch.of(DisputeDue)
    named = [(item.body.provider, item.body.dispute_no) for item in fresh]
    named += [(item.body.provider, item.body.dispute_no) for item in batch.of(DisputeEvidenceObserved)]
    trades, by_id = await dispute_rows.captures(tx, named, [item.body.dispute_id for item in due])
    keys = [(item.body.provider, item.body.trade_no) for item in observed]
    wanted = [*keys, *((provider, trade_no) for (provider, _), trade_no in trades.items())]
    book = Book[Any](await orders.lock(tx, await refunds.payers(tx, wanted)))
    captures = await refunds.captured_for(tx, wanted)
    stored = await dispute_rows.read(tx, [*((one.body.provider, one.body.dispute_no) for one in observed), *trades])
    running = await timers.read(tx, [(TimerKind.DISPUTE, dispute_id) for dispute_id in by_id])
    won = [key for item, key in zip(observed, keys, strict=True) if item.body.state == "won"]
    gone = {refund.id: refund for refund in await dispute_rows.gone(tx, won)}
    return DisputeContext(book, captures, stored, gone, by_id, {key: at for (_, key), at in running.items()})


def observe(
    context: DisputeContext, batch: Batch[Any], item: Item, because: dict[int, Envelope[Any]]
) -> list[outbox.Announcement]:
    """Record what a provider answered about a dispute, if it is news."""
    body, key = item.body, (item.body.provider, item.body.dispute_no)
    capture, known = context.captures.get((body.provider, body.trade_no)), context.stored.get(key)
    if capture is None:
        batch.retry(item, Reason.ORDER_UNKNOWN, "the capture that the buyer disputes is not known yet")
        return []
    if not is_news(body, known):
        return []
    context.newest[key] = body
    fields = {name: getattr(body, name) for name in ("state", "amount", "currency", "occurred_at", "due_at")}
    context.stored[key] = replace(known, **fields) if known else StoredDispute(**fields, trade_no=body.trade_no)
    back = take_back(context, capture, body)
    because |= {refund.order_id: item for refund in back}
    answered = known is not None and body.due_at is None and (known.state, known.amount) == (body.state, body.amount)
    return announcements(context, capture, item, back, alerts=not answered)


def submit(context: DisputeContext, item: Envelope[DisputeSubmitEvidence], now: datetime) -> Event:
    """Record what the shop submitted against a dispute, and return the outcome."""
    body, key = item.body, (item.body.provider, item.body.dispute_no)
    stored = context.stored.get(key)
    refusal = disputes.unprovable(body, stored, now)
    if refusal is not None or stored is None:
        assert refusal is not None, "evidence that is recorded has its dispute"
        return commands.rejected(item, refusal)
    order_ids = context.payers(key)
    stored = context.stored[key] = replace(stored, submissions=stored.submissions + 1)
    number = stored.submissions
    context.submitted.append(NewEvidence(key, number, body.evidence, item.id, body.actor.id, body.to_provider))
    if body.to_provider:
        give = ProviderDisputeEvidence(dispute_no=body.dispute_no, number=number)
        context.calls.append(attempts.provider_call(give, body.provider, because=item))
    context.written.append((item, order_ids[0], context.book[order_ids[0]].user_id))
    return disputes.submitted(body, stored, order_ids)


async def answer_evidence(
    tx: Transaction, context: DisputeContext, items: Sequence[Envelope[DisputeEvidenceObserved]]
) -> list[outbox.Announcement]:
    """Record what providers answered to evidence that waits for it, and announce that. A repeat changes nothing."""
    answering: dict[tuple[int, int], Envelope[DisputeEvidenceObserved]] = {}
    for item in items:
        if (known := context.stored.get((item.body.provider, item.body.dispute_no))) is not None:
            answering.setdefault((known.id, item.body.number), item)
    answers = {key: (item.body.state, item.body.reason_code) for key, item in answering.items()}
    messages: list[outbox.Announcement] = []
    for key in sorted(await dispute_rows.answer_evidence(tx, answers)):
        item = answering[key]
        dispute = item.body.provider, item.body.dispute_no
        order_ids = context.payers(dispute)
        event = disputes.answered(item.body, context.stored[dispute].trade_no, order_ids)
        messages.append(outbox.event(event, because=item))
        if item.body.state == "refused":
            messages.append(outbox.event(disputes.refused(item.body, order_ids), because=item))
    return messages


def remind(context: DisputeContext, item: Envelope[DisputeDue], now: datetime) -> list[outbox.Announcement]:
    """Raise the alert of a timer that is due, and end the timer."""
    dispute_id = item.body.dispute_id
    due_at, key = context.due.get(dispute_id), context.by_id.get(dispute_id)
    if due_at is None or key is None or due_at > now or key in context.newest:
        return []
    del context.due[dispute_id]
    context.reminded.append(dispute_id)
    alert = disputes.reminder(*key, context.stored[key], context.payers(key))
    return [outbox.event(alert, because=item)]


def reminders(context: DisputeContext, now: datetime) -> dict[DisputeKey, datetime]:
    """Return when people are reminded of the disputes that this batch changed, of those that need it. No I/O."""
    before = shop.current().dispute_reminder_seconds
    found = {key: disputes.reminder_at(one.state, one.due_at, before, now) for key, one in context.newest.items()}
    return {key: at for key, at in found.items() if at is not None}


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
    context: DisputeContext, capture: CapturedFor, item: Item, back: list[GoneRefund], *, alerts: bool
) -> list[outbox.Announcement]:
    """Build payment.disputed and its alert for each order that the capture paid, and refund.returned."""
    messages: list[outbox.Announcement] = []
    for order_id in sorted(capture.shares):
        order = context.book[order_id]
        event = disputes.disputed(item.body, order, capture.intent_id)
        messages.append(outbox.event(event, because=item, stream=order.root_id))
        alert = disputes.alert(item.body, order, [refund for refund in back if refund.order_id == order_id])
        if alerts:
            messages.append(outbox.event(alert, because=item))
    for refund in back:
        stream = context.book[refund.order_id].root_id
        messages.append(outbox.event(disputes.returned(refund), because=item, stream=stream))
    return messages


ROUTE = Route(queue="disputes", handler=handle_disputes)
