"""What happens when a buyer wants to pay.

    payment.start for an order that             then
    ------------------------------------------  --------------------------------------------------------------------
    awaits payment, in time, the right amount   an attempt is open: payment.started with what the client needs; where
                                                the provider must be asked first, as soon as it has answered
    the same, once more                         one more attempt; the provider is asked to close the ones before
    is paid, ended, expired; another amount     command.rejected: PAY_ALREADY_PAID, ORDER_STATE_INVALID, PAY_EXPIRED,
                                                PAY_AMOUNT_MISMATCH
    by a provider, scene or currency unknown     command.rejected: PAY_METHOD_INVALID, PAY_PARAM_INVALID

With `intent_id`, merged orders are paid together. What a buyer pays at an attempt that was closed too late is a second
capture, and goes back.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.envelope import Envelope
from messages.payments import PaymentStart
from messages.providers import ProviderStart
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.payment_rules import unfit, unpayable, unpriced
from workers.domain.refusal import Refusal
from workers.providers import configured
from workers.providers.port import Ready, Refused, Request
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import attempts, authorization, commands
from workers.store import attempts as attempt_rows
from workers.store import ids, orders, payments, timers
from workers.store.attempts import Attempt

Item: TypeAlias = Envelope[PaymentStart]
BATCH_MAX_ITEMS = 50  # each takes a signature of about a millisecond


@dataclass
class Desk:
    """What the decisions of one batch read, and the attempts they open."""

    book: Book[Item]
    merged: Mapping[int, payments.Merged]
    ids: Iterator[int]
    opened: list[tuple[Item, Attempt]] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What is to be paid, and until when: merged orders until the first of them ends."""

    order: Order
    intent_id: int
    amount: int
    expire_at: datetime


def decide(item: Item, desk: Desk, now: datetime) -> Wanted | Refusal:
    """What is to be paid, or why not. No I/O."""
    body = item.body
    order = desk.book.get(body.order_id)
    refusal = authorization.denied(body.actor, body.order_id, order)
    if refusal is not None or order is None:
        return refusal or authorization.not_found(body.order_id)
    intent = desk.merged.get(body.intent_id or 0)
    pays = order.id in intent.shares if intent else body.intent_id in (None, order.intent_id)
    if not pays:
        return Refusal(Code.PAY_PARAM_INVALID, "this intent does not pay this order", {"field": "intent_id"})
    paid = [desk.book[key] for key in sorted(intent.shares)] if intent else [order]
    due = intent.amount if intent else order.payable_amount
    provider = configured().get(body.provider)
    scenes, currencies = (provider.scenes, provider.currencies) if provider else ((), ())
    refusal = (
        unfit(body.provider, body.scene, body.currency, scenes, currencies)
        or unpayable(paid, now)
        or unpriced(body.amount, body.currency, due, order)
    )
    if refusal is not None:
        return refusal
    intent_id = intent.id if intent else order.intent_id
    assert intent_id is not None, "an order that awaits payment has its intent"
    return Wanted(order, intent_id, due, min(one.expire_at for one in paid))


async def start_payments(tx: Transaction, batch: Batch[PaymentStart]) -> None:
    """Lock every order once, open an attempt for each, write each table once. Nobody outside is asked here."""
    claims = await commands.claim(tx, batch)
    merged = await payments.merged(tx, [item.body.intent_id for item in claims.fresh])
    named = {item.body.order_id for item in claims.fresh} | {key for one in merged.values() for key in one.shares}
    book = Book[Item](await orders.lock(tx, named))
    desk = Desk(book, merged, iter(await ids.take(tx, [item.body.actor.id for item in claims.fresh])))
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        match decide(item, desk, batch.now):
            case Refusal() as refusal:
                outcomes[commands.key_of(item.body)] = commands.rejected(item, refusal), item
            case wanted:
                desk.opened.append((item, attempt(item, wanted, next(desk.ids), batch.now)))

    before = await attempt_rows.live(tx, {one.intent_id for _, one in desk.opened})
    answers = await asyncio.to_thread(signed, desk.opened, batch.now)
    asked: list[outbox.Announcement] = []
    written: list[Attempt] = []
    for (item, one), answer in zip(desk.opened, answers, strict=True):
        match answer:
            case Ready():
                written.append(replace(one, state="requested", reference=answer.reference))
                outcomes[commands.key_of(item.body)] = attempts.started(one, answer), item
            case Refused():
                refusal = Refusal(Code.PAY_PARAM_INVALID, answer.message, {"provider_code": answer.code})
                outcomes[commands.key_of(item.body)] = commands.rejected(item, refusal), item
            case Request():
                written.append(one)
                asked.append(attempts.provider_call(ProviderStart(attempt_id=one.id), one.provider, because=item))

    await attempt_rows.open_all(tx, written, batch.now)
    closings = superseded([live.attempt for live in before], written, desk.opened)
    await attempt_rows.save(tx, [attempts.closing_change(closing.attempt) for closing in closings])
    first = [(one.id, attempts.poll_at(one, batch.now)) for one in written]
    await timers.start(tx, [timers.Timer(timers.TimerKind.ATTEMPT, attempt_id, at) for attempt_id, at in first])
    replies = await commands.conclude(tx, outcomes)
    news: list[tuple[Event, Item]] = [(event, item) for event, item in outcomes.values()]
    told = [outbox.event(event, because=item) for event, item in news]
    await outbox.append(tx, [*told, *asked, *attempts.close_calls(closings), *replies, *claims.answers])


def attempt(item: Item, wanted: Wanted, attempt_id: int, now: datetime) -> Attempt:
    """What the provider is asked to collect; not asked yet."""
    body = item.body
    return Attempt(
        id=attempt_id,
        out_trade_no=attempts.number(attempt_id),
        intent_id=wanted.intent_id,
        order_id=wanted.order.id,
        provider=body.provider,
        scene=body.scene,
        amount=wanted.amount,
        currency=wanted.order.currency,
        state="created",
        reference=None,
        trade_no=None,
        command=commands.key_of(body),
        started_at=now,
        expire_at=wanted.expire_at,
        details={"return_url": body.return_url, "client_ip": body.client_ip, "payer": body.payer},
    )


def signed(opened: Sequence[tuple[Item, Attempt]], now: datetime) -> list[Ready | Request | Refused]:
    """What each provider says to each attempt: signatures, no calls. Runs beside the event loop."""
    return [configured()[one.provider].start(attempts.to_collect(one), now) for _, one in opened]


def superseded(
    before: Sequence[Attempt], written: Sequence[Attempt], opened: Sequence[tuple[Item, Attempt]]
) -> list[attempts.Closing]:
    """Attempts that another one of the same intent has replaced: those before, and all but the last of this batch.

    The payment.start of the one that stays is what closes the others.
    """
    newest = {one.intent_id: one.id for one in written}
    starts = {one.id: item for item, one in opened}
    return [
        attempts.Closing(one, starts[newest[one.intent_id]])
        for one in (*before, *written)
        if one.intent_id in newest and one.id != newest[one.intent_id]
    ]


ROUTE = Route(queue="payment-requests", handler=start_payments, batch_max_items=BATCH_MAX_ITEMS)
