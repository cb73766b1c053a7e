"""Handles reports of payments, from providers and from payment services that we trust.

    payment.callback is                                  then
    ---------------------------------------------------  --------------------------------------------------------
    rejected (signature, time, merchant, form)           payment.callback_rejected, counted
    signed with a certificate that is unknown here       provider.certificates, and retried; rejected after three
                                                         tries, when the provider does not name the certificate; if
                                                         it is replayed, a dead letter again in place of that
    of a provider that has no settings in this process   retried: another worker may have them
    about an attempt that is unknown                     retried, at last a dead letter (order_unknown)
    about an attempt or a refund of another cell         handed on to that cell
    about an attempt that was captured or failed         a payment result, see below
    about an attempt that was authorised                 the same, judged as a capture: it makes the order paid, and the
                                                         money comes later; voided if it is not kept
    an approval of an attempt that is live               provider.capture: the money comes when we capture it
    about an attempt that is closed                      payment.attempt_closed
    about a refund that succeeded or failed              refund.observed, for the refunds queue
    about a refund that is under way                     provider.refund_query
    about a refund that we did not request               the same: it is taken into the books when its end is known
    about a buyer's dispute                              provider.dispute_query
    from PayPal, about anything but an approval          provider.query or provider.refund_query: PayPal signs only a
                                                         checksum, so its answer counts and the notification does not

    a payment result for   captured, as much as is due     captured, another amount   failed
    ---------------------  ------------------------------  -------------------------  ------------------------------
    placing                retried                         retried                    retried
    awaiting payment       paid, stock is deducted         refunded, alert            recorded; cancelled by policy,
                                                                                      unless another attempt is live
    cancelled, rejected    refunded (late)                 refunded, alert            recorded
    timed out, by policy   waits: reinstating, its stock   refunded, alert            recorded
                           is reserved again
    reinstating            refunded (duplicate)            refunded, alert            recorded
    paid or later          refunded (duplicate)            refunded, alert            recorded
    unknown                retried, at last a dead letter: money must not vanish

Verified and rejected notifications are kept, encrypted, for disputes. A payment result is what a notification proves,
payment.observed (the answer to a poll of ours) or payment.result (from the shop's payment service). A split order is
paid as a whole: its children become paid with it. A payment of merged orders (`intent_id`) pays all of them or none: if
one of them no longer waits, or the amount differs, the whole of it goes back.
The same fact again (provider, trade number, kind) changes nothing, also within one batch, and under any of the orders
that the payment pays; with another amount, or an order that it does not pay, it is a dead letter (fact_differs), for an
operator to look at. So is an intent that does not pay the order (intent_unknown).
The order's row lock serialises a capture and a cancellation: the second sees what the first did. Once an order no
longer waits for money, provider.close closes its other attempts.
A paid order of a group of buyers is held, and group.paid has the group counted (services/buying_groups.py).
progress.mark: everything published before it is handled, so payment timers that were due by then may act.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from prometheus_client import Counter

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.payments import PaymentCallback, PaymentObserved, PaymentResult, ProgressMark
from messages.providers import ProviderCapture, ProviderDisputeQuery, ProviderQuery
from messages.reasons import Reason
from workers import shop
from workers.domain import payment_rules
from workers.domain.order import CancelType, Effect, Order, State, Trigger
from workers.domain.payment_authorizations import AuthorizationState, PaymentAuthorization, ProviderStep
from workers.domain.payment_rules import AttemptState, PaymentVerdict, ends_by_failure
from workers.providers import configured
from workers.providers.port import Provider, RejectedNotification, UnknownCertificate
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import (
    attempts,
    benefits,
    business_counts,
    buying_groups,
    certificate_fetches,
    order_events,
    payment_authorizations,
    payment_context,
    payment_notifications,
    refunds,
    reinstatements,
)
from workers.services.attempts import provider_call
from workers.services.certificate_fetches import CertificateFetchLimiter
from workers.services.payment_authorizations import next_look
from workers.services.payment_context import PaymentContext, ReportedResult
from workers.services.payment_events import callback_rejected, payment_event, wrong_amount
from workers.services.payment_notifications import (
    ApprovalReported,
    AttemptUnknown,
    ClosingReported,
    DisputeUnproven,
    OfAnotherCell,
    PaymentReported,
    PaymentUnproven,
    ProviderNotConfigured,
    ProviderReport,
    RefundReported,
    RefundUnproven,
)
from workers.store import attempts as attempt_rows
from workers.store import free_texts, notifications, orders, payments, timers
from workers.store import payment_authorizations as authorization_rows
from workers.store import refunds as refund_rows
from workers.store.attempts import Attempt, AttemptChange
from workers.telemetry import lines

PaymentMessage: TypeAlias = PaymentResult | PaymentCallback | PaymentObserved | ProgressMark
Item: TypeAlias = Envelope[Any]
BELIEVED = Counter("oms_payment_callbacks_believed", "Notifications that were believed", ["provider"])
REJECTED = Counter("oms_payment_callbacks_rejected", "Notifications that were not believed", ["provider", "code"])
AUTHORIZED = (AttemptState.AUTHORIZED, AttemptState.CAPTURED)
CERTIFICATE_FETCHES = CertificateFetchLimiter()


async def handle_payment_results(tx: Transaction, batch: Batch[PaymentMessage]) -> None:
    """Verify, lock every order once, decide in order of arrival, write each table once, announce."""
    providers = configured()
    reports = await payment_notifications.read(tx, batch, providers)
    results = results_in_order(batch, reports)
    context = await payment_context.read(tx, results, batch.now)
    retry_undecidable(batch, reports)
    accepted, facts = decide_results(batch, context, results)

    book = context.book
    rejections = await keep_notifications(tx, reports, providers)
    joined = await buying_groups.hold_paid(tx, book, batch.now)
    await orders.save(tx, book)
    await payments.record(tx, [fact for _, fact in facts])
    business_counts.note_payments(fact for _, fact in facts)
    reserved = await keep_authorizations(tx, context)
    await free_texts.keep(tx, [payment_context.text_of(item, fact, book) for item, fact in facts])
    reserves = await reinstatements.begin(tx, context, shop.current().saga_deadline_seconds)
    applied = await benefits.apply(tx, book, batch.now)
    changes = attempt_changes(reports, accepted)
    closings = await attempts.close_superseded(tx, book, changes)
    strays = [(item, fact) for item, fact in facts if fact.verdict in refunds.STRAY_CAUSES]
    opened = await refund_rows.open_all(tx, [refunds.due_for_stray(book, fact, because=item) for item, fact in strays])
    ended = [(timers.TimerKind.PAYMENT, key) for key in book.ids(Effect.PAYMENT_TIMER_ENDS)]
    ended += [(timers.TimerKind.ATTEMPT, change.id) for change in changes if change.state in attempt_rows.DONE]
    await timers.stop(tx, ended)
    await timers.set_progress(tx, max((item.body.at for item in batch.of(ProgressMark)), default=None))

    notified = [*certificate_fetches.calls(reports, CERTIFICATE_FETCHES), *follow_ups(reports), *rejections]
    about = [(item, fact, book[fact.result.order_id].root_id) for item, fact in facts]
    events = [outbox.event(payment_event(fact), because=item, stream=root_id) for item, fact, root_id in about]
    wrong = [(item, fact) for item, fact in facts if fact.verdict is PaymentVerdict.MISMATCH]
    alerts = [outbox.event(wrong_amount(fact), because=item) for item, fact in wrong]
    owed = [*order_events.stock_orders(book), *reserves, *order_events.hand_overs(book), *joined]
    owed += [*refunds.announcements(opened), *benefits.announcements(applied)]
    closes = attempts.close_calls(closings)
    await outbox.append(tx, [*notified, *reserved, *events, *order_events.steps(book), *alerts, *owed, *closes])


def results_in_order(batch: Batch[PaymentMessage], reports: Sequence[ProviderReport]) -> list[ReportedResult]:
    """Return the results from payment services, notifications and polls, in the order in which they arrived."""
    places = {item.id: place for place, item in enumerate(batch)}
    results = [ReportedResult(item, item.body) for item in batch.of(PaymentResult)]
    for report in reports:
        if isinstance(report.meaning, PaymentReported):
            known = report.meaning
            results.append(ReportedResult(report.item, known.result, known.attempt, known.authorized_until))
    return sorted(results, key=lambda one: places[one.item.id])


def retry_undecidable(batch: Batch[PaymentMessage], reports: Sequence[ProviderReport]) -> None:
    """Retry or hand on the notifications that cannot be verified yet, or whose attempt is not known here."""
    for report in reports:
        match report.meaning:
            case UnknownCertificate():
                batch.retry(report.item, Reason.CERTIFICATE_UNKNOWN, "its certificate is not known here yet")
            case ProviderNotConfigured(provider):
                batch.retry(report.item, Reason.PROVIDER_NOT_CONFIGURED, f"set OMS_{provider.upper()}")
            case OfAnotherCell(cell):
                batch.hand_on(report.item, cell)
            case AttemptUnknown():
                batch.retry(report.item, Reason.ORDER_UNKNOWN, "no attempt of this provider has its number yet")


def decide_results(
    batch: Batch[PaymentMessage], context: PaymentContext, results: Sequence[ReportedResult]
) -> tuple[list[ReportedResult], list[tuple[Item, payments.PaymentFact]]]:
    """Judge each result, after those before it. Returns the accepted results, and the facts that are new."""
    accepted: list[ReportedResult] = []
    facts: list[tuple[Item, payments.PaymentFact]] = []
    for one in results:
        item, result = one.item, one.result
        key, order = payments.key_of(result), context.book.get(result.order_id)
        fact = context.recorded.get(key)
        if fact is not None and not context.is_same_fact(fact, result):
            why = "this trade number was reported before with another order or amount"
            batch.dead(item, Reason.FACT_DIFFERS, why)
        elif order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif order.state is State.PLACING:
            batch.retry(item, Reason.ORDER_PLACING, "its order is still being placed")
        elif not context.pays(order, result):
            batch.dead(item, Reason.INTENT_UNKNOWN, "this intent is not one that pays this order")
        elif one.attempt is not None and one.authorized_until is not None:
            if one.attempt.state not in AUTHORIZED and one.attempt.id not in context.reserved:
                accepted.append(one)
                context.reserved[one.attempt.id] = item, reserve(context, one, one.attempt, one.authorized_until)
        else:
            accepted.append(one)
            if fact is None:
                new = apply_result(context, order, item, result)
                context.recorded[key] = payments.RecordedFact(order.id, new.intent_id, result.amount, result.currency)
                facts.append((item, new))
    return accepted, facts


def apply_result(context: PaymentContext, order: Order, item: Item, result: PaymentResult) -> payments.PaymentFact:
    """Judge a new result and take the steps that follow from it. No I/O."""
    book, intent = context.book, context.merged_intent(result)
    paid = [book[key] for key in sorted(intent.shares)] if intent else [order]
    if result.kind == "failed":
        verdict = PaymentVerdict.FAILED
    elif intent is not None:
        due = sum(each.payable_amount for each in paid)  # an adjustment may have changed the shares that were read
        verdict = payment_rules.verdict_on_merged_capture(paid, due, result.amount, result.currency)
    else:
        verdict = payment_rules.verdict_on_capture(order, result.amount, result.currency)
    if verdict is PaymentVerdict.LATE and context.may_reinstate(order, result):
        verdict = PaymentVerdict.WAITING
        book.move_family(order.id, Trigger.LATE_CAPTURED, because=item, at=context.now)
        context.benefits.hold_again(order)
    intent_id = result.intent_id or order.intent_id
    if verdict is PaymentVerdict.KEPT:
        for each in paid:
            book.amend(each.id, captured_amount=each.captured_amount + each.payable_amount)
            book.pay(each.id, Trigger.CAPTURED, because=item, at=context.now, intent_id=intent_id)
    elif result.kind == "captured" and result.currency == order.currency:
        book.amend(order.id, captured_amount=book[order.id].captured_amount + result.amount)
    elif verdict is PaymentVerdict.FAILED and ends_by_failure(order) and item.id not in context.spared:
        why: dict[str, Any] = {"cancel_type": CancelType.PAYMENT_FAILED}
        why["reason_code"] = result.reason_code or "payment_failed"
        book.move_family(order.id, Trigger.PAYMENT_FAILED, because=item, at=context.now, **why)
    return payments.PaymentFact(result, intent_id, verdict)


def reserve(
    context: PaymentContext, one: ReportedResult, attempt: Attempt, expire_at: datetime
) -> PaymentAuthorization:
    """Judge an authorisation as the capture that it stands for; one that is not kept is voided. No I/O."""
    order, result = context.book[one.result.order_id], one.result
    verdict = payment_rules.verdict_on_capture(order, result.amount, result.currency)
    if context.merged_intent(result) is not None:
        verdict = PaymentVerdict.DUPLICATE  # no payment of several orders is authorised
    if verdict is PaymentVerdict.KEPT:
        intent_id = result.intent_id or order.intent_id
        context.book.pay(order.id, Trigger.AUTHORIZED, because=one.item, at=context.now, intent_id=intent_id)
    return PaymentAuthorization(
        attempt_id=attempt.id,
        order_id=order.id,
        provider=attempt.provider,
        authorization_no=result.trade_no,
        amount=result.amount,
        currency=result.currency,
        verdict=verdict,
        state=AuthorizationState.AUTHORIZED if verdict is PaymentVerdict.KEPT else AuthorizationState.VOIDING,
        authorized_at=result.occurred_at,
        expire_at=expire_at,
    )


async def keep_authorizations(tx: Transaction, context: PaymentContext) -> list[outbox.Announcement]:
    """Record the batch's authorisations and watch over them. Returns payment.authorized, and the voids of strays."""
    found = list(context.reserved.values())
    await authorization_rows.record(tx, [one for _, one in found])
    kept = {one.attempt_id: one for _, one in found if one.verdict is PaymentVerdict.KEPT}
    looks = {one.attempt_id: None for _, one in found} | {key: next_look(one) for key, one in kept.items()}
    await authorization_rows.look_at(tx, looks)
    messages: list[outbox.Announcement] = []
    for item, one in found:
        order = context.book[one.order_id]
        event = payment_authorizations.authorized(one, order.intent_id)
        messages.append(outbox.event(event, because=item, stream=order.root_id))
        if one.verdict is PaymentVerdict.MISMATCH:
            messages.append(outbox.event(payment_authorizations.wrong_amount(one), because=item))
        if one.attempt_id not in kept:
            messages.append(payment_authorizations.call(one, ProviderStep.VOID, item))
    return messages


async def keep_notifications(
    tx: Transaction, reports: Sequence[ProviderReport], providers: Mapping[str, Provider]
) -> list[outbox.Announcement]:
    """Keep and count the verified and the rejected notifications. Returns payment.callback_rejected for the latter."""
    rejections: list[outbox.Announcement] = []
    verified = [(report, report.record) for report in reports if report.record is not None]
    ids = await notifications.keep(tx, [record for _, record in verified])
    for (report, record), notification_id in zip(verified, ids, strict=True):
        rejected = report.meaning
        if isinstance(rejected, RejectedNotification):
            about = (record.provider if record.provider in providers else "unknown", rejected.code)
            outbox.once_committed(REJECTED.labels(*about).inc)
            outbox.once_committed(lines.rejected(ROUTE.queue, report.item, *about))
            rejections.append(outbox.event(callback_rejected(notification_id, record, rejected), because=report.item))
        else:
            outbox.once_committed(BELIEVED.labels(record.provider).inc)
    return rejections


def follow_ups(reports: Iterable[ProviderReport]) -> list[outbox.Announcement]:
    """Build the provider calls, events and internal messages that notifications cause besides payment results."""
    messages: list[outbox.Announcement] = []
    for report in reports:
        item = report.item
        match report.meaning:
            case ApprovalReported(attempt):
                messages.append(provider_call(ProviderCapture(attempt_id=attempt.id), attempt.provider, because=item))
            case PaymentUnproven(attempt):
                messages.append(provider_call(ProviderQuery(attempt_id=attempt.id), attempt.provider, because=item))
            case ClosingReported(attempt, reason_code):
                event = attempts.closed(attempt, reason_code or "closed_by_provider")
                messages.append(outbox.event(event, because=item))
            case RefundReported(refund):
                messages.append(outbox.internal(refunds.observed(refund, item.body.provider), because=item))
            case DisputeUnproven(number):
                query = ProviderDisputeQuery(dispute_no=number)
                messages.append(provider_call(query, item.body.provider, because=item))
            case RefundUnproven(refund):
                messages.append(refunds.provider_refund_query(item.body.provider, refund, because=item))
    return messages


def attempt_changes(reports: Iterable[ProviderReport], accepted: Iterable[ReportedResult]) -> list[AttemptChange]:
    """Return what approvals, closings and accepted results change, also where the fact was recorded before."""
    changes: list[AttemptChange] = []
    for report in reports:
        match report.meaning:
            case ApprovalReported(attempt, reference):
                changes.append(AttemptChange(attempt.id, reference=reference))
            case ClosingReported(attempt, reason_code):
                changes.append(AttemptChange(attempt.id, AttemptState.CLOSED, reason_code=reason_code))
    for one in accepted:
        if one.attempt is not None:
            result = one.result
            if one.authorized_until is not None:
                changes.append(AttemptChange(one.attempt.id, AttemptState.AUTHORIZED))
                continue
            state, trade_no = AttemptState(result.kind), result.trade_no
            changes.append(AttemptChange(one.attempt.id, state, trade_no=trade_no, reason_code=result.reason_code))
    return changes


ROUTE = Route(queue="payment-results", handler=handle_payment_results)
