"""What is asked of payment channels: the only handlers that talk to the outside, a queue for each channel.

    message                the channel says               then
    ---------------------  -----------------------------  ----------------------------------------------------------
    gateway.start          here is what the client needs  payment.started answers the payment.start
                           no                             command.rejected with PAY_CHANNEL_ERROR
                           nothing, four times            command.rejected with PAY_CHANNEL_UNKNOWN
    gateway.capture        paid, failed                   payment.observed, for payment_results to judge
    gateway.query          paid, failed                   the same
                           approved                       gateway.capture
                           closed, never heard of it      closed: payment.attempt_closed
                           not paid yet, nothing          asked again later (timer), closed after the window
    gateway.close          closed                         payment.attempt_closed
                           paid                           payment.observed
                           not now, nothing               asked again later (timer)
    gateway.refund         done, no, under way, nothing   refund.observed
    gateway.refund_query   done, no, under way, nothing   refund.observed
    gateway.certificates   certificates                   kept, for every process

The questions are asked before the transaction and hold none; each carries a number of ours that makes asking twice
harmless. While a channel cannot be reached its queue alone waits.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import CommandRejected
from messages.envelope import Envelope
from messages.gateway import (
    AttemptCall,
    GatewayCapture,
    GatewayCertificates,
    GatewayClose,
    GatewayQuery,
    GatewayRefund,
    GatewayStart,
    RefundCall,
)
from messages.payments import PaymentObserved, PaymentStart
from messages.refunds import RefundObserved
from messages.topology import CHANNELS
from workers.channels import caller, configured
from workers.channels.port import (
    Approved,
    Channel,
    Paid,
    Ready,
    RefundAsk,
    Refunded,
    Refused,
    Request,
    Response,
    Unknown,
)
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Outside, Route
from workers.store import attempts, commands, notices, timers
from workers.store.attempts import Attempt, Change
from workers.store.hearing import closed, observed_refund
from workers.store.refunds import call_queue

Item: TypeAlias = Envelope[Any]
Answer: TypeAlias = Ready | Paid | Approved | Refunded | Refused | Unknown | Mapping[str, str]
BATCH_MAX_ITEMS = 20  # as many as are asked side by side
START_TRIES = 4  # by then the buyer has gone elsewhere
DONE = frozenset({"captured", "failed", "closed"})
NO_CHANNEL = Refused("NO_CHANNEL", "this process does not speak with the channel")


@dataclass(frozen=True)
class Question:
    """One item, how it is asked and how the answer is read. Without `build` there is nothing to ask."""

    item_id: str
    build: Callable[[datetime], Request | None]
    read: Callable[[Response, datetime], Answer]


@dataclass(frozen=True)
class Questions:
    """What one batch asks of one channel."""

    channel: str
    questions: Sequence[Question]


async def prepare(tx: Transaction, items: Sequence[Item], *, channel: str) -> Questions:
    """What the questions need to know; one statement per table."""
    speaks = configured().get(channel)
    if speaks is None:
        return Questions(channel, ())
    found = await attempts.read(tx, [item.body.attempt_id for item in items if isinstance(item.body, AttemptCall)])
    asked = await attempts.refunds_asked(tx, [i.body.refund_no for i in items if isinstance(i.body, RefundCall)])
    made = (question(speaks, item, found, {no: ask for no, (_, _, ask) in asked.items()}) for item in items)
    return Questions(channel, [one for one in made if one is not None])


def question(
    channel: Channel, item: Item, found: Mapping[int, Attempt], refunds: Mapping[str, RefundAsk]
) -> Question | None:
    """How one message is put to the channel; None where there is nothing to ask."""
    body = item.body
    if isinstance(body, GatewayCertificates):
        serial = body.serial
        read = channel.read_certificates
        return Question(item.id, lambda at: channel.certificates(at, serial), lambda r, at: read(r, at, serial))
    if isinstance(body, RefundCall):
        ask = refunds.get(body.refund_no)
        return refund_question(channel, item, ask) if ask else None
    attempt = found.get(body.attempt_id)
    return attempt_question(channel, item, attempt) if attempt and attempt.state not in DONE else None


def refund_question(channel: Channel, item: Item, ask: RefundAsk) -> Question:
    """Give back, or how does it stand."""
    if isinstance(item.body, GatewayRefund):
        return Question(item.id, lambda at: channel.refund(ask, at), lambda r, at: channel.refunded(ask, r, at))
    return Question(item.id, lambda at: channel.query_refund(ask, at), lambda r, at: channel.refund_found(ask, r, at))


def attempt_question(channel: Channel, item: Item, attempt: Attempt) -> Question:
    """Open, take, close, or how does it stand."""
    asked = attempt.asked
    match item.body:
        case GatewayStart():
            return Question(
                item.id, lambda at: opening(channel, attempt, at), lambda r, at: channel.started(asked, r, at)
            )
        case GatewayCapture():
            return Question(item.id, lambda at: channel.capture(asked, at), lambda r, at: channel.paid(asked, r, at))
        case GatewayClose():
            return Question(item.id, lambda at: channel.close(asked, at), lambda r, at: channel.closed(asked, r, at))
    return Question(item.id, lambda at: channel.query(asked, at), lambda r, at: channel.paid(asked, r, at))


def opening(channel: Channel, attempt: Attempt, at: datetime) -> Request | None:
    """The call that opens an attempt, where the channel wants one."""
    request = channel.start(attempt.asked, at)
    return request if isinstance(request, Request) else None


async def ask(questions: Questions) -> Mapping[str, Answer]:
    """Ask side by side. Raises ChannelAwayError when the channel cannot be reached."""
    if not questions.questions:
        return {}
    speaks = caller(questions.channel)
    answers = await asyncio.gather(*(speaks.ask(one.build, one.read) for one in questions.questions))
    pairs = zip(questions.questions, answers, strict=True)
    return {one.item_id: answer for one, answer in pairs if answer is not None}


@dataclass
class Desk:
    """What a batch's answers come to."""

    found: Mapping[int, Attempt]
    undecided: Mapping[commands.Key, str]
    refunds: Mapping[str, tuple[str, int, RefundAsk]]
    changes: list[Change] = field(default_factory=list)
    outcomes: commands.Outcomes = field(default_factory=dict)
    news: list[outbox.Announcement] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    certificates: dict[str, dict[str, str]] = field(default_factory=dict)


async def take_answers(tx: Transaction, batch: Batch[Any]) -> None:
    """Write what the channel said, each table once. Nothing is asked in here."""
    calls = [item for item in batch if isinstance(item.body, AttemptCall)]
    starts = [item for item in calls if isinstance(item.body, GatewayStart)]
    seen = await attempts.read(tx, [item.body.attempt_id for item in starts])
    undecided = await commands.undecided(tx, [attempt.command for attempt in seen.values()])
    refunds = [item.body.refund_no for item in batch if isinstance(item.body, RefundCall)]
    locked = await attempts.lock(tx, [item.body.attempt_id for item in calls])
    desk = Desk(locked, undecided, await attempts.refunds_asked(tx, refunds))

    for item in batch:
        answer: Answer = batch.answers.get(item.id, NO_CHANNEL)
        match item.body:
            case GatewayStart():
                start(batch, desk, item, answer)
            case AttemptCall():
                attempt_told(batch, desk, item, answer)
            case RefundCall():
                refund_told(desk, item, answer, batch.now)
            case GatewayCertificates():
                certificates_told(batch, desk, item, answer)

    replies = await commands.conclude(tx, desk.outcomes)
    await attempts.save(tx, desk.changes)
    await timers.stop(tx, [("attempt", key) for key in desk.ended])
    await notices.keep_certificates(tx, desk.certificates)
    told = [outbox.event(event, because=item) for event, item in desk.outcomes.values()]
    await outbox.append(tx, [*told, *desk.news, *replies])


def start(batch: Batch[Any], desk: Desk, item: Item, answer: Answer) -> None:
    """The channel opened the attempt, or not: the payment.start is answered once."""
    attempt = desk.found.get(item.body.attempt_id)
    if attempt is None or attempt.command not in desk.undecided:
        return
    match answer:
        case Ready():
            state = "requested" if attempt.state == "created" else attempt.state
            desk.changes.append(Change(attempt.id, state, reference=answer.reference))
            desk.outcomes[attempt.command] = attempt.started(answer), item
            return
        case Unknown() if item.attempt + 1 < START_TRIES:
            batch.retry(item, "channel_unknown", answer.why)
            return
        case Unknown():
            refusal = Refusal("PAY_CHANNEL_UNKNOWN", "the channel does not answer: try again, or another channel")
        case Refused():
            refusal = Refusal("PAY_CHANNEL_ERROR", "the channel refused", {"channel_code": answer.code})
        case _:
            refusal = Refusal("PAY_CHANNEL_ERROR", "the channel answered something else")
    state = "unknown" if isinstance(answer, Unknown) else "failed"
    desk.changes.append(Change(attempt.id, state, reason=refusal.code))
    rejected = CommandRejected(
        command_id=desk.undecided[attempt.command], type=PaymentStart.TYPE, code=refusal.code, message=refusal.message,
        details=dict(refusal.details),
    )  # fmt: skip
    desk.outcomes[attempt.command] = rejected, item


def attempt_told(batch: Batch[Any], desk: Desk, item: Item, answer: Answer) -> None:
    """How an attempt stands."""
    attempt = desk.found.get(item.body.attempt_id)
    if attempt is None or attempt.state in DONE:
        return
    match answer:
        case Paid(status="captured" | "failed"):
            desk.news.append(outbox.internal(observed(attempt, answer), because=item))
        case Paid(status="closed"):
            end(desk, item, attempt, answer.reason or "closed by the channel")
        case Approved():
            desk.changes.append(Change(attempt.id, attempt.state, reference=answer.reference))
            message = GatewayCapture(attempt_id=attempt.id)
            desk.news.append(outbox.to_queue(message, queue=call_queue(attempt.channel), because=item))
        case Refused() if isinstance(item.body, GatewayQuery) and batch.now > attempt.expire_at:
            end(desk, item, attempt, "nobody paid it")
        case Paid() if isinstance(item.body, GatewayQuery) and batch.now > attempt.expire_at:
            message_ = GatewayClose(attempt_id=attempt.id)
            desk.changes.append(Change(attempt.id, "closing"))
            desk.news.append(outbox.to_queue(message_, queue=call_queue(attempt.channel), because=item))
        case Unknown() | Refused() if isinstance(item.body, GatewayClose | GatewayCapture):
            batch.retry(item, "channel_unknown", answer.why if isinstance(answer, Unknown) else answer.code)


def end(desk: Desk, item: Item, attempt: Attempt, reason: str) -> None:
    """Nobody can pay it any more."""
    desk.changes.append(Change(attempt.id, "closed", reason=reason))
    desk.ended.append(attempt.id)
    desk.news.append(closed(attempt, reason, item))


def observed(attempt: Attempt, said: Paid) -> PaymentObserved:
    """For payment_results, which has the order's lock."""
    return PaymentObserved(
        attempt_id=attempt.id, trade_no=said.trade_no, kind="captured" if said.status == "captured" else "failed",
        amount=said.amount, currency=said.currency, occurred_at=said.occurred_at, reason=said.reason,
    )  # fmt: skip


def refund_told(desk: Desk, item: Item, answer: Answer, now: datetime) -> None:
    """How a refund stands, for the refunds queue."""
    known = desk.refunds.get(item.body.refund_no)
    if known is None:
        return
    match answer:
        case Refunded():
            said = observed_refund(answer)
        case Unknown():
            said = refund_unclear(known[2], "unknown", answer.why, now)
        case Refused():
            said = refund_unclear(known[2], "failed", answer.code, now)
        case _:
            said = refund_unclear(known[2], "unknown", "the channel answered something else", now)
    desk.news.append(outbox.internal(said, because=item))


def refund_unclear(ask: RefundAsk, status: Literal["unknown", "failed"], why: str, now: datetime) -> RefundObserved:
    """Without the channel's own words about it."""
    return RefundObserved(
        refund_no=ask.refund_no, status=status, amount=ask.amount, currency=ask.currency, occurred_at=now,
        reason=why[:255] or None,
    )  # fmt: skip


def certificates_told(batch: Batch[Any], desk: Desk, item: Item, answer: Answer) -> None:
    """Keep what the channel's own signature vouches for."""
    if isinstance(answer, Mapping):
        desk.certificates.setdefault(item.body.channel, {}).update(answer)
    elif isinstance(answer, Unknown):
        batch.retry(item, "channel_unknown", answer.why)


ROUTES = tuple(
    Route(
        queue=f"gateway-calls.{channel}",
        handler=take_answers,
        batch_max_items=BATCH_MAX_ITEMS,
        outside=Outside(lambda tx, items, channel=channel: prepare(tx, items, channel=channel), ask),  # type: ignore[misc]
    )
    for channel in CHANNELS
)
