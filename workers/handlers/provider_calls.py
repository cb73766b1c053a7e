"""What is asked of providers: the only handlers that talk to the outside, a queue for each provider.

    message                the provider says               then
    ---------------------  -----------------------------  ----------------------------------------------------------
    provider.start          here is what the client needs  payment.started answers the payment.start
                           no                             command.rejected with PAY_PROVIDER_ERROR
                           nothing, four times            command.rejected with PAY_PROVIDER_UNKNOWN
    provider.capture        paid, failed                   payment.observed, for payment_results to judge
    provider.query          paid, failed                   the same
                           approved                       provider.capture, in time
                           closed                         payment.attempt_closed
                           never heard of it, after the   the same
                           window
                           not paid, after the window     provider.close
                           not paid yet, nothing          asked again later (timer)
    provider.close          closed                         payment.attempt_closed
                           it does not wait any more      asked in a moment (timer) how it stands
                           no; it closes nothing          nothing: the timer asks when the window has ended
                           nothing                        tried again later
    provider.refund         done, no, under way, nothing   refund.observed
    provider.refund_query   done, under way, nothing       refund.observed
                           never heard of it              provider.refund, under the same number
    provider.certificates   certificates                   kept, for every process
    any                    signed with a certificate      provider.certificates besides
                           that is not known here

The questions are asked before the transaction and hold none; each carries a number of ours that makes asking twice
harmless. While a provider cannot be reached its queue alone waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import CommandRejected, Internal
from messages.envelope import Envelope
from messages.payments import PaymentObserved, PaymentStart
from messages.providers import (
    AttemptCall,
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderQuery,
    ProviderRefund,
    ProviderRefundQuery,
    ProviderStart,
    RefundCall,
)
from messages.reasons import Reason
from messages.refunds import RefundObserved
from messages.topology import PROVIDERS, provider_calls_queue
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.providers.port import Approved, Paid, Ready, RefundAsk, Refunded, Refused, Unknown
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute
from workers.services import attempts, commands
from workers.services.provider_requests import Answer, ask, prepare
from workers.services.refunds import observed as observed_refund
from workers.store import attempts as attempt_rows
from workers.store import notifications, timers
from workers.store.attempts import DONE, LIVE, Attempt, AttemptChange

Item: TypeAlias = Envelope[Any]
BATCH_MAX_ITEMS = 20  # as many as are asked side by side
IN_A_MOMENT = timedelta(seconds=10)  # a provider that contradicts itself is not asked faster than this
AT_MOST = timedelta(hours=1)
START_TRIES = 4  # by then the buyer has gone elsewhere
ENDED = Refused("ENDED", "the attempt was replaced, paid or closed before the provider had answered")


@dataclass
class Desk:
    """What a batch's answers come to."""

    found: Mapping[int, Attempt]
    undecided: Mapping[commands.Key, str]
    refunds: Mapping[str, tuple[str, RefundAsk]]
    changes: list[AttemptChange] = field(default_factory=list)
    outcomes: commands.Outcomes = field(default_factory=dict)
    news: list[outbox.Announcement] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    asked_again: dict[int, datetime] = field(default_factory=dict)
    certificates: dict[str, dict[str, str]] = field(default_factory=dict)


async def take_answers(tx: Transaction, batch: Batch[Any], *, provider: str) -> None:
    """Write what the provider said, each table once. Nothing is asked in here."""
    calls = [item for item in batch if isinstance(item.body, AttemptCall)]
    starts = [item for item in calls if isinstance(item.body, ProviderStart)]
    seen = await attempt_rows.read(tx, [item.body.attempt_id for item in starts])
    undecided = await commands.undecided(tx, [attempt.command for attempt in seen.values()])
    refunds = [item.body.refund_no for item in batch if isinstance(item.body, RefundCall)]
    locked = await attempt_rows.lock(tx, [item.body.attempt_id for item in calls])
    desk = Desk(locked, undecided, await attempts.refunds_of_attempts(tx, refunds))
    wanted: dict[str, Item] = {}

    for item in batch:
        answer: Answer | None = batch.answers.get(item.id)
        if answer is None:  # nothing was to be asked: it has ended, or was never there
            unasked(batch, desk, item)
            continue
        if isinstance(answer, Unknown) and answer.serial and not isinstance(item.body, ProviderCertificates):
            wanted[answer.serial] = item
        match item.body:
            case ProviderStart():
                start(batch, desk, item, answer)
            case ProviderQuery():
                attempt_told(desk, item, answer, batch.now)
            case AttemptCall():
                ordered_told(batch, desk, item, answer)
            case RefundCall():
                refund_told(desk, item, answer, batch.now)
            case ProviderCertificates():
                certificates_told(desk, item, answer)

    replies = await commands.conclude(tx, desk.outcomes)
    await attempt_rows.save(tx, desk.changes)
    await timers.stop(tx, [(timers.TimerKind.ATTEMPT, key) for key in desk.ended])
    later = [
        timers.Timer(timers.TimerKind.ATTEMPT, key, at) for key, at in desk.asked_again.items() if key not in desk.ended
    ]
    await timers.start(tx, later)
    await notifications.keep_certificates(tx, desk.certificates)
    told = [outbox.event(event, because=item) for event, item in desk.outcomes.values()]
    fetches = [fetching(provider, serial, item) for serial, item in sorted(wanted.items())]
    await outbox.append(tx, [*told, *desk.news, *fetches, *replies])


def unasked(batch: Batch[Any], desk: Desk, item: Item) -> None:
    """Nothing was to be asked: it has ended, is being closed, or was never there."""
    if isinstance(item.body, RefundCall) and item.body.refund_no not in desk.refunds:
        batch.retry(item, Reason.REFUND_UNKNOWN, "no attempt of ours brought what this refund is to give back")
    if isinstance(item.body, AttemptCall) and (attempt := desk.found.get(item.body.attempt_id)) is not None:
        ended_before(desk, attempt)
    if isinstance(item.body, ProviderStart):
        start(batch, desk, item, ENDED)


def start(batch: Batch[Any], desk: Desk, item: Item, answer: Answer) -> None:
    """The provider opened the attempt, or not: the payment.start is answered once."""
    attempt = desk.found.get(item.body.attempt_id)
    if attempt is None or attempt.command not in desk.undecided:
        return
    match answer:
        case Ready() if attempt.state == "created":
            desk.changes.append(AttemptChange(attempt.id, "requested", reference=answer.reference))
            desk.outcomes[attempt.command] = attempts.started(attempt, answer), item
            return
        case Ready():  # its close may have come first
            desk.changes.append(AttemptChange(attempt.id, reference=answer.reference))
            desk.news.append(call(ProviderClose(attempt_id=attempt.id), attempt, item))
            refusal = Refusal(Code.PAY_PROVIDER_ERROR, ENDED.message, {"provider_code": ENDED.code})
        case _ if attempt.state == "captured":
            refusal = Refusal(Code.PAY_ALREADY_PAID, "the order is paid")
        case Unknown() if item.attempt + 1 < START_TRIES:
            batch.retry(item, Reason.PROVIDER_UNKNOWN, answer.why)
            return
        case Unknown():
            refusal = Refusal(Code.PAY_PROVIDER_UNKNOWN, "the provider does not answer: try again, or another provider")
        case Refused():
            refusal = Refusal(Code.PAY_PROVIDER_ERROR, "the provider refused", {"provider_code": answer.code})
        case _:
            refusal = Refusal(Code.PAY_PROVIDER_ERROR, "the provider answered something else")
    if attempt.state == "created":
        state = "unknown" if isinstance(answer, Unknown) else "failed"
        desk.changes.append(AttemptChange(attempt.id, state, reason=refusal.code))
        desk.ended += [attempt.id] if state == "failed" else []
    rejected = CommandRejected(
        command_id=desk.undecided[attempt.command],
        type=PaymentStart.TYPE,
        code=refusal.code,
        message=refusal.message,
        details=dict(refusal.details),
    )
    desk.outcomes[attempt.command] = rejected, item


def attempt_told(desk: Desk, item: Item, answer: Answer, now: datetime) -> None:
    """How an attempt stands. While nobody knows, its provider is asked again."""
    attempt = desk.found.get(item.body.attempt_id)
    if attempt is None or ended_otherwise(desk, item, attempt, answer) or settled(desk, item, attempt, answer):
        return
    over, gone = now >= attempt.expire_at, now >= attempts.gone_at(attempt)
    match answer:
        case Refused() if gone:
            end(desk, item, attempt, "nobody paid it")
        case Paid() | Approved() if over:
            desk.changes.append(AttemptChange(attempt.id, "closing"))
            desk.news.append(call(ProviderClose(attempt_id=attempt.id), attempt, item))
        case Approved() if attempt.state in LIVE:
            desk.changes.append(AttemptChange(attempt.id, reference=answer.reference))
            desk.news.append(call(ProviderCapture(attempt_id=attempt.id), attempt, item))
    if not gone:
        desk.asked_again[attempt.id] = attempts.poll_at(attempt, now)


def ordered_told(batch: Batch[Any], desk: Desk, item: Item, answer: Answer) -> None:
    """What became of an attempt that was to be captured or closed. A plain no is left to the timer's question.

    A capture without an answer may have happened even where the attempt was closed in the meantime.
    """
    attempt = desk.found.get(item.body.attempt_id)
    if attempt is None or ended_otherwise(desk, item, attempt, answer) or settled(desk, item, attempt, answer):
        return
    match answer:
        case Unknown():
            batch.retry(item, Reason.PROVIDER_UNKNOWN, answer.why)
        case Paid() | Approved() if isinstance(item.body, ProviderClose):
            desk.asked_again[attempt.id] = batch.now + in_a_while(attempt, batch.now)


def in_a_while(attempt: Attempt, now: datetime) -> timedelta:
    """When to ask again about one that does not wait for its buyer, and has no end yet: rarer the older it is."""
    return min(max(IN_A_MOMENT, (now - attempt.started_at) // 4), AT_MOST)


def ended_before(desk: Desk, attempt: Attempt) -> bool:
    """Its end is known: nothing is asked about it any more."""
    if attempt.state in DONE:
        desk.ended.append(attempt.id)
    return attempt.state in DONE


def ended_otherwise(desk: Desk, item: Item, attempt: Attempt, answer: Answer) -> bool:
    """Whether its end is known. Money that came all the same counts."""
    ended = ended_before(desk, attempt)
    if ended and attempt.state != "captured" and isinstance(answer, Paid) and answer.status == "captured":
        desk.news.append(outbox.internal(observed(attempt, answer), because=item))
    return ended


def settled(desk: Desk, item: Item, attempt: Attempt, answer: Answer) -> bool:
    """Whether the answer is the attempt's end; then it is told."""
    match answer:
        case Paid(status="captured" | "failed"):
            desk.news.append(outbox.internal(observed(attempt, answer), because=item))
        case Paid(status="closed"):
            end(desk, item, attempt, answer.reason or "closed by the provider")
        case _:
            return False
    return True


def call(message: Internal, attempt: Attempt, because: Item) -> outbox.Announcement:
    """One more call to the attempt's provider."""
    return outbox.to_queue(message, queue=provider_calls_queue(attempt.provider), because=because)


def fetching(provider: str, serial: str, because: Item) -> outbox.Announcement:
    """provider.certificates, for an answer whose certificate is not known here."""
    message = ProviderCertificates(provider=provider, serial=serial)
    return outbox.to_queue(message, queue=provider_calls_queue(provider), because=because)


def end(desk: Desk, item: Item, attempt: Attempt, reason: str) -> None:
    """Nobody can pay it any more."""
    desk.changes.append(AttemptChange(attempt.id, "closed", reason=reason))
    desk.ended.append(attempt.id)
    desk.news.append(outbox.event(attempts.closed(attempt, reason), because=item))


def observed(attempt: Attempt, said: Paid) -> PaymentObserved:
    """For payment_results, which has the order's lock."""
    return PaymentObserved(
        attempt_id=attempt.id,
        trade_no=said.trade_no,
        kind="captured" if said.status == "captured" else "failed",
        amount=said.amount,
        currency=said.currency,
        occurred_at=said.occurred_at,
        reason=said.reason,
    )


def refund_told(desk: Desk, item: Item, answer: Answer, now: datetime) -> None:
    """How a refund stands, for the refunds queue."""
    known = desk.refunds.get(item.body.refund_no)
    if known is None:
        return
    provider, wanted = known
    match answer:
        case Refunded():
            said = observed_refund(answer)
        case Unknown():
            said = refund_unclear(wanted, "unknown", answer.why, now)
        case Refused() if isinstance(item.body, ProviderRefundQuery):
            again = ProviderRefund(refund_no=item.body.refund_no)
            desk.news.append(outbox.to_queue(again, queue=provider_calls_queue(provider), because=item))
            return
        case Refused():
            said = refund_unclear(wanted, "failed", answer.code, now)
        case _:
            said = refund_unclear(wanted, "unknown", "the provider answered something else", now)
    desk.news.append(outbox.internal(said, because=item))


def refund_unclear(ask: RefundAsk, status: Literal["unknown", "failed"], why: str, now: datetime) -> RefundObserved:
    """Without the provider's own words about it."""
    return RefundObserved(
        refund_no=ask.refund_no,
        status=status,
        amount=ask.amount,
        currency=ask.currency,
        occurred_at=now,
        reason=why[:255] or None,
    )


def certificates_told(desk: Desk, item: Item, answer: Answer) -> None:
    """Keep what the provider's own signature vouches for. What still wants a certificate asks for it once more."""
    if isinstance(answer, Mapping):
        desk.certificates.setdefault(item.body.provider, {}).update(answer)


def route(provider: str) -> CallRoute:
    """A provider's own queue: it waits alone when the provider is away."""

    async def handler(tx: Transaction, batch: Batch[Any]) -> None:
        await take_answers(tx, batch, provider=provider)

    return CallRoute(
        queue=provider_calls_queue(provider),
        handler=handler,
        batch_max_items=BATCH_MAX_ITEMS,
        prepare=partial(prepare, provider=provider),
        ask=ask,
    )


ROUTES = tuple(route(provider) for provider in PROVIDERS)
