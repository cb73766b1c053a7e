"""Handles calls to providers, one queue for each. No other handler talks to the outside.

    message                the provider's answer                 then
    ---------------------  ------------------------------------  --------------------------------------------------
    provider.start         what the client needs                 payment.started answers the payment.start
                           a refusal                             command.rejected with PAY_PROVIDER_ERROR
                           none, four times                      command.rejected with PAY_PROVIDER_UNKNOWN
    provider.capture       captured, authorised, failed          payment.observed, for payment_results to judge
    provider.query         captured, authorised, failed          the same
                           approved, within the window           provider.capture
                           closed                                payment.attempt_closed
                           no such payment, after the window     the same
                           not paid, after the window            provider.close
                           not paid yet, or none                 polled again later (timer)
    provider.close         closed                                payment.attempt_closed
                           approved, or under way                polled soon (timer)
                           a refusal                             nothing: the timer polls when the window has ended
                           none                                  retried
    provider.authorization_capture, provider.authorization_void, provider.authorization_renew,
    and any of an attempt  captured, voided, authorised, failed  authorization.observed, for payment_authorizations
    that was authorised    none                                  nothing: the timer has the provider polled
    provider.refund        refunded, under way, refusal, none    refund.observed
    provider.refund_query  refunded, under way, none             refund.observed
                           no such refund                        provider.refund, under the same number
                           of a refund that is not ours          refund.observed when its end is known, retried before
    provider.dispute_query the dispute                           dispute.observed
    provider.dispute_evidence accepted, or a refusal             dispute.evidence_observed
    either of them         none                                  retried
    provider.certificates  certificates                          stored, for every process
    any                    signed with a certificate that is     also provider.certificates
                           not known here

The calls are made before the transaction, while none is open (services/provider_requests.py); each carries a number of
ours, so that a repeated call does no harm. While a provider cannot be reached, only its own queue waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event, as_reason_code
from messages.envelope import Envelope
from messages.payments import PaymentStart
from messages.providers import (
    AUTHORIZATION_CALLS,
    AttemptCall,
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderDisputeEvidence,
    ProviderDisputeQuery,
    ProviderQuery,
    ProviderStart,
    RefundCall,
)
from messages.reasons import Reason
from messages.topology import PROVIDERS, provider_calls_queue
from workers import shop
from workers.domain.codes import Code
from workers.domain.payment_rules import AttemptState, poll_pause
from workers.domain.refusal import Refusal
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    ReportedPayment,
    UnknownOutcome,
)
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute
from workers.services import attempts, authorization_answers, commands, dispute_calls, refund_answers
from workers.services.provider_requests import ProviderAnswer, prepare, send
from workers.services.refund_answers import RetryLater
from workers.store import attempts as attempt_rows
from workers.store import notifications, timers
from workers.store.attempts import DONE, LIVE, Attempt, AttemptChange
from workers.store.timers import Timer, TimerKind

Item: TypeAlias = Envelope[Any]
BATCH_MAX_ITEMS = 20  # the calls of a batch are made side by side, and the calls module makes 20 at once
START_TRIES = 4  # over 36 s (1 + 5 + 30): by then the buyer no longer waits for the page
ENDED = ProviderRefusal("ENDED", "the attempt was replaced, paid or closed before the provider had answered")


@dataclass(frozen=True)
class CallContext:
    """What one batch decides with.

    `attempts` are locked, by id. `undecided` are payment.starts without an outcome: command key -> command id.
    `refunds` are those of captures that came through our attempts: number -> (provider, order). A provider's clock may
    be behind ours by `grace`.
    """

    attempts: Mapping[int, Attempt]
    undecided: Mapping[commands.CommandKey, str]
    refunds: Mapping[str, tuple[str, RefundOrder]]
    now: datetime
    grace: timedelta
    provider: str


@dataclass(frozen=True)
class CallDecision:
    """The changes that one answer causes. `outcome` answers the payment.start; `poll_at` sets the attempt's timer."""

    retry: RetryLater | None = None
    change: AttemptChange | None = None
    outcome: tuple[commands.CommandKey, Event] | None = None
    poll_at: tuple[int, datetime] | None = None
    stops_polling: int | None = None
    announcements: tuple[outbox.Announcement, ...] = ()


NOTHING = CallDecision()


async def take_answers(tx: Transaction, batch: Batch[Any], *, provider: str) -> None:
    """Decide on the answers that the provider gave before this transaction, and write each table once."""
    context = await read(tx, batch, provider)
    answers: Mapping[str, ProviderAnswer] = batch.answers
    decisions = [(item, decide(item, answers.get(item.id), context)) for item in batch]
    for item, decision in decisions:
        if decision.retry is not None:
            batch.retry(item, decision.retry.reason, decision.retry.why)

    outcomes: commands.Outcomes = {d.outcome[0]: (d.outcome[1], item) for item, d in decisions if d.outcome}
    replies = await commands.conclude(tx, outcomes)
    await attempt_rows.save(tx, [decision.change for _, decision in decisions if decision.change])
    stopped = [decision.stops_polling for _, decision in decisions if decision.stops_polling is not None]
    await timers.stop(tx, [(TimerKind.ATTEMPT, attempt_id) for attempt_id in stopped])
    polls = dict(decision.poll_at for _, decision in decisions if decision.poll_at)
    await timers.start(tx, [Timer(TimerKind.ATTEMPT, key, at) for key, at in polls.items() if key not in stopped])
    await notifications.keep_certificates(tx, downloaded(batch, answers))

    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    calls = [announcement for _, decision in decisions for announcement in decision.announcements]
    downloads = [
        attempts.provider_call(ProviderCertificates(provider=provider, serial=serial), provider, because=item)
        for serial, item in sorted(missing_certificates(batch, answers).items())
    ]
    await outbox.append(tx, [*events, *calls, *downloads, *replies])


async def read(tx: Transaction, batch: Batch[Any], provider: str) -> CallContext:
    """Lock the batch's attempts, and read what else it decides with: one statement per table."""
    grace = timedelta(seconds=shop.current().payment_grace_seconds)
    calls = [item.body for item in batch if isinstance(item.body, AttemptCall)]
    refund_nos = [item.body.refund_no for item in batch if isinstance(item.body, RefundCall)]
    started = await attempt_rows.read(tx, [body.attempt_id for body in calls if isinstance(body, ProviderStart)])
    undecided = await commands.undecided(tx, [attempt.command for attempt in started.values()])
    locked = await attempt_rows.lock(tx, [body.attempt_id for body in calls])
    refunds = await attempts.refunds_of_attempts(tx, refund_nos)
    return CallContext(locked, undecided, refunds, batch.now, grace, provider)


def decide(item: Item, answer: ProviderAnswer | None, context: CallContext) -> CallDecision:
    """Decide what the answer to one message changes. The answer is None if no request was needed. No I/O."""
    match item.body:
        case RefundCall(refund_no=refund_no):
            known = context.refunds.get(refund_no)
            return decide_follow_up(refund_answers.follow_up(item, context.provider, known, answer, context.now))
        case ProviderDisputeQuery() | ProviderDisputeEvidence():
            return decide_follow_up(dispute_calls.follow_up(item, context.provider, answer))
        case AttemptCall(attempt_id=attempt_id) if attempt_id in context.attempts:
            return decide_attempt(item, context.attempts[attempt_id], answer, context)
    return NOTHING


def decide_follow_up(follows: outbox.Announcement | RetryLater | None) -> CallDecision:
    """Announce what follows from an answer, or try again. No I/O."""
    if isinstance(follows, RetryLater):
        return CallDecision(retry=follows)
    return CallDecision(announcements=(follows,)) if follows else NOTHING


def decide_attempt(item: Item, attempt: Attempt, answer: ProviderAnswer | None, context: CallContext) -> CallDecision:
    """Decide what an answer changes for its attempt. No I/O."""
    if isinstance(item.body, ProviderStart):
        return decide_start(item, attempt, answer, context)
    if attempt.state is AttemptState.AUTHORIZED or isinstance(item.body, AUTHORIZATION_CALLS):
        follows = authorization_answers.follow_up(item, attempt, answer)
        return CallDecision(announcements=(follows,)) if follows else NOTHING
    if answer is None:
        return CallDecision(stops_polling=attempt.id) if attempt.state in DONE else NOTHING
    end = decide_end(item, attempt, answer)
    if end is not None:
        return end
    if isinstance(item.body, ProviderQuery):
        return decide_poll(item, attempt, answer, context)
    return decide_capture_or_close(item, attempt, answer, context.now)


def decide_start(item: Item, attempt: Attempt, answer: ProviderAnswer | None, context: CallContext) -> CallDecision:
    """Answer the payment.start once, when the provider has opened the attempt or refuses to. No I/O."""
    stops_polling = attempt.id if answer is None and attempt.state in DONE else None
    if (command_id := context.undecided.get(attempt.command)) is None:
        return CallDecision(stops_polling=stops_polling)
    verdict = start_verdict(attempt, ENDED if answer is None else answer, item.attempt + 1)
    if isinstance(verdict, RetryLater):
        return CallDecision(retry=verdict)
    if isinstance(verdict, ClientAction):
        change = AttemptChange(attempt.id, AttemptState.REQUESTED, reference=verdict.reference)
        return CallDecision(change=change, outcome=(attempt.command, attempts.started(attempt, verdict)))
    decision = CallDecision(
        outcome=(attempt.command, commands.rejected_by(command_id, PaymentStart.TYPE, verdict)),
        stops_polling=stops_polling,
    )
    if isinstance(answer, ClientAction):  # our provider.close may have come before the provider opened the attempt
        close = attempts.provider_call(ProviderClose(attempt_id=attempt.id), attempt.provider, because=item)
        change = AttemptChange(attempt.id, reference=answer.reference)
        return replace(decision, change=change, announcements=(close,))
    if attempt.state is AttemptState.CREATED and isinstance(answer, UnknownOutcome):  # it may be open: polling goes on
        decision = replace(decision, change=AttemptChange(attempt.id, AttemptState.UNKNOWN, reason_code=verdict.code))
    elif attempt.state is AttemptState.CREATED:
        failed = AttemptChange(attempt.id, AttemptState.FAILED, reason_code=verdict.code)
        decision = replace(decision, change=failed, stops_polling=attempt.id)
    return decision


def start_verdict(attempt: Attempt, answer: ProviderAnswer, tries: int) -> ClientAction | Refusal | RetryLater:
    """Return what the client needs, why it gets nothing, or that the provider.start is retried. No I/O."""
    match answer:
        case ClientAction():
            ended = Refusal(Code.PAY_PROVIDER_ERROR, ENDED.message, {"provider_code": ENDED.code})
            return answer if attempt.state is AttemptState.CREATED else ended
        case _ if attempt.state in (AttemptState.AUTHORIZED, AttemptState.CAPTURED):
            return Refusal(Code.PAY_ALREADY_PAID, "the order is paid")
        case UnknownOutcome() if tries < START_TRIES:
            return RetryLater(Reason.PROVIDER_UNKNOWN, answer.why)
        case UnknownOutcome():
            return Refusal(Code.PAY_PROVIDER_UNKNOWN, "the provider does not answer: try again, or another provider")
        case ProviderRefusal():
            return Refusal(Code.PAY_PROVIDER_ERROR, "the provider refused", {"provider_code": answer.code})
    return Refusal(Code.PAY_PROVIDER_ERROR, "the provider answered something else")


def decide_end(item: Item, attempt: Attempt, answer: ProviderAnswer) -> CallDecision | None:
    """Return the decision on an attempt that has ended, earlier or by this answer; None if it has not. No I/O.

    A capture or authorisation that the provider reports after another end still counts: it is announced like any other.
    """
    captured_late = attempt.state in ("failed", "closed")
    match answer:
        case PaymentReport(status=ReportedPayment.CAPTURED | ReportedPayment.AUTHORIZED) if (
            captured_late or attempt.state not in DONE
        ):
            news = outbox.internal(attempts.observed(attempt, answer), because=item)
            return CallDecision(stops_polling=attempt.id if captured_late else None, announcements=(news,))
        case _ if attempt.state in DONE:
            return CallDecision(stops_polling=attempt.id)
        case PaymentReport(status=ReportedPayment.FAILED):
            news = outbox.internal(attempts.observed(attempt, answer), because=item)
            return CallDecision(announcements=(news,))
        case PaymentReport(status=ReportedPayment.CLOSED):
            return close_attempt(item, attempt, as_reason_code(answer.reason) or "closed_by_provider")
    return None


def decide_poll(item: Item, attempt: Attempt, answer: ProviderAnswer, context: CallContext) -> CallDecision:
    """Capture what is approved, close what was not paid in its window, and poll again until the window is over."""
    now = context.now
    over, gone = now >= attempt.expire_at, now >= attempt.expire_at + context.grace
    if isinstance(answer, ProviderRefusal) and gone:
        return close_attempt(item, attempt, "payment_timeout")
    poll_at = None if gone else (attempt.id, attempts.poll_at(attempt, now, context.grace))
    match answer:
        case PaymentReport() | ApprovalReport() if over:
            close = attempts.provider_call(ProviderClose(attempt_id=attempt.id), attempt.provider, because=item)
            return CallDecision(change=attempts.closing_change(attempt), poll_at=poll_at, announcements=(close,))
        case ApprovalReport() if attempt.state in LIVE:
            change = AttemptChange(attempt.id, reference=answer.reference)
            capture = attempts.provider_call(ProviderCapture(attempt_id=attempt.id), attempt.provider, because=item)
            return CallDecision(change=change, poll_at=poll_at, announcements=(capture,))
    return CallDecision(poll_at=poll_at)


def decide_capture_or_close(item: Item, attempt: Attempt, answer: ProviderAnswer, now: datetime) -> CallDecision:
    """If the provider just refuses, do nothing: the poll timer queries again.

    A capture without a response may have happened, even where the attempt was closed in the meantime.
    """
    match answer:
        case UnknownOutcome():
            return CallDecision(retry=RetryLater(Reason.PROVIDER_UNKNOWN, answer.why))
        case PaymentReport() | ApprovalReport() if isinstance(item.body, ProviderClose):
            return CallDecision(poll_at=(attempt.id, now + poll_pause(attempt.started_at, now)))
    return NOTHING


def close_attempt(item: Item, attempt: Attempt, reason_code: str) -> CallDecision:
    """Record and announce that the attempt is closed: the buyer cannot pay it any more."""
    change = AttemptChange(attempt.id, AttemptState.CLOSED, reason_code=reason_code)
    event = outbox.event(attempts.closed(attempt, reason_code), because=item)
    return CallDecision(change=change, stops_polling=attempt.id, announcements=(event,))


def downloaded(batch: Batch[Any], answers: Mapping[str, ProviderAnswer]) -> dict[str, dict[str, str]]:
    """Provider -> serial -> certificate, of the certificates that the provider's own signature vouches for."""
    found: dict[str, dict[str, str]] = {}
    for item in batch.of(ProviderCertificates):
        if isinstance(certificates := answers.get(item.id), Mapping):
            found.setdefault(item.body.provider, {}).update(certificates)
    return found


def missing_certificates(batch: Batch[Any], answers: Mapping[str, ProviderAnswer]) -> dict[str, Item]:
    """Serial of an unknown certificate -> a message with a response that is signed with it.

    The response to provider.certificates itself starts no further download.
    """
    missing: dict[str, Item] = {}
    for item in batch:
        answer = answers.get(item.id)
        if isinstance(answer, UnknownOutcome) and answer.serial and not isinstance(item.body, ProviderCertificates):
            missing[answer.serial] = item
    return missing


def route(provider: str) -> CallRoute:
    """Return the route of one provider's queue. While that provider is away, only this queue waits."""

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        await take_answers(tx, batch, provider=provider)

    return CallRoute(
        queue=provider_calls_queue(provider),
        handler=handler,
        batch_max_items=BATCH_MAX_ITEMS,
        prepare=partial(prepare, provider=provider),
        call=send,
    )


ROUTES = tuple(route(provider) for provider in PROVIDERS)
