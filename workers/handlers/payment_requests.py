"""Handles payment.start, with which a buyer wants to pay.

    payment.start for an order that             then
    ------------------------------------------  --------------------------------------------------------------------
    awaits payment, in time, the right amount   an attempt is open: payment.started with what the buyer's client needs
    the same, where the provider opens it       provider.start; its answer brings payment.started (provider_calls)
    the same, once more                         one more attempt; provider.close for the attempts before
    is paid, ended, expired; another amount     command.rejected: PAY_ALREADY_PAID, ORDER_STATE_INVALID, PAY_EXPIRED,
                                                PAY_AMOUNT_MISMATCH
    pays when its goods leave, at a provider    command.rejected: PAY_METHOD_INVALID
    that authorises no payments
    with an unknown provider, scene, currency   command.rejected: PAY_METHOD_INVALID, PAY_PARAM_INVALID

With `intent_id`, merged orders are paid together. If a buyer pays at an attempt before it is closed, the money is a
second capture and is refunded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import outbox
from db import cipher
from db.pool import Transaction
from messages.envelope import Envelope
from messages.payments import PaymentStart
from messages.providers import ProviderStart
from workers import shop
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.payment_rules import AttemptState, not_offered, unpayable, wrong_amount
from workers.domain.refusal import Refusal
from workers.domain.shop import CaptureOn
from workers.providers import configured
from workers.providers.abilities import AuthorizingProvider
from workers.providers.port import ClientAction, HttpRequest, Provider, ProviderRefusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import attempts, authorization, commands
from workers.store import attempts as attempt_rows
from workers.store import buyers, orders, payments, timers
from workers.store.attempts import Attempt

Item: TypeAlias = Envelope[PaymentStart]
BATCH_MAX_ITEMS = 50  # each needs a signature, which takes about a millisecond


@dataclass(frozen=True)
class StartContext:
    """What one batch decides with. `merged` is intent id -> the orders that it pays together."""

    book: Book[Item]
    merged: Mapping[int, payments.Merged]
    providers: Mapping[str, Provider]

    def buyer(self, body: PaymentStart) -> str:
        """Return the user whose order it is. Without an order no attempt is opened, so that any user will do."""
        order = self.book.get(body.order_id)
        return body.actor.id if order is None else order.user_id


@dataclass(frozen=True)
class AmountDue:
    """The amount to pay, in minor units, and until when: merged orders until the first of them expires.

    `authorizes`: the money is reserved now, and taken when the goods leave.
    """

    order: Order
    intent_id: int
    amount: int
    expire_at: datetime
    authorizes: bool = False


def decide(body: PaymentStart, context: StartContext, now: datetime) -> AmountDue | Refusal:
    """Return the amount to pay, or why the payment is rejected. No I/O."""
    order = context.book.get(body.order_id)
    refusal = authorization.denied(body.actor, body.order_id, order)
    if refusal is not None or order is None:
        return refusal or authorization.not_found(body.order_id)
    intent = context.merged.get(body.intent_id or 0)
    pays = order.id in intent.shares if intent else body.intent_id in (None, order.intent_id)
    if not pays:
        return Refusal(Code.PAY_PARAM_INVALID, "this intent does not pay this order", {"field": "intent_id"})
    paid = [context.book[key] for key in sorted(intent.shares)] if intent else [order]
    due = sum(one.payable_amount for one in paid)  # as locked: an adjustment may have changed the shares that were read
    provider = context.providers.get(body.provider)
    scenes, currencies = (provider.scenes, provider.currencies) if provider else ((), ())
    refusal = (
        not_offered(body.provider, body.scene, body.currency, scenes, currencies)
        or unpayable(paid, now)
        or wrong_amount(body.amount, body.currency, due, order)
    )
    if refusal is not None:
        return refusal
    authorizes = any(one.capture_on is CaptureOn.HAND_OVER for one in paid)
    if authorizes and not isinstance(provider, AuthorizingProvider):
        return unauthorizable(body.provider, context.providers)
    intent_id = intent.id if intent else order.intent_id
    assert intent_id is not None, "an order that awaits payment has its intent"
    return AmountDue(order, intent_id, due, min(one.expire_at for one in paid), authorizes)


def unauthorizable(name: str, providers: Mapping[str, Provider]) -> Refusal:
    """Refuse a provider that takes the money at once, for an order whose money is taken when its goods leave."""
    able = sorted(other for other, one in providers.items() if isinstance(one, AuthorizingProvider))
    offered = ", ".join(able) or "no provider that has settings here"
    why = f"{name} cannot authorise a payment, and this order pays when its goods leave: pay with {offered}"
    return Refusal(Code.PAY_METHOD_INVALID, why, {"field": "provider", "providers": able})


async def start_payments(tx: Transaction, batch: Batch[PaymentStart]) -> None:
    """Lock every order once, open an attempt for each command, write each table once. No provider is called here."""
    claims = await commands.claim(tx, batch)
    context = await read(tx, claims.fresh)
    new = iter(await buyers.take_ids(tx, [context.buyer(item.body) for item in claims.fresh]))
    keys: dict[int, cipher.Sealer] = {}
    outcomes: commands.Outcomes = {}
    opened: list[tuple[Item, Attempt]] = []

    for item in claims.fresh:
        attempt_id, key = next(new)
        keys[attempt_id] = key
        match decide(item.body, context, batch.now):
            case Refusal() as refusal:
                outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
            case AmountDue() as due:
                opened.append((item, new_attempt(item, due, attempt_id, batch.now)))

    before = await attempt_rows.live(tx, {attempt.intent_id for _, attempt in opened})
    signed = await asyncio.to_thread(sign, opened, context.providers, batch.now)
    written: list[tuple[Item, Attempt]] = []
    calls: list[outbox.Announcement] = []
    for (item, attempt), request in zip(opened, signed, strict=True):
        match request:
            case ClientAction():
                written.append((item, replace(attempt, state=AttemptState.REQUESTED, reference=request.reference)))
                outcomes[commands.key_of(item)] = attempts.started(attempt, request), item
            case ProviderRefusal():
                refusal = Refusal(Code.PAY_PARAM_INVALID, request.message, {"provider_code": request.code})
                outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
            case HttpRequest():
                written.append((item, attempt))
                calls.append(
                    attempts.provider_call(ProviderStart(attempt_id=attempt.id), attempt.provider, because=item)
                )

    closings = superseded([live.attempt for live in before], written)
    await attempt_rows.open_all(tx, [attempt for _, attempt in written], batch.now, keys)
    await attempt_rows.save(tx, [attempts.closing_change(closing.attempt) for closing in closings])
    grace = timedelta(seconds=shop.current().payment_grace_seconds)
    polls = [
        timers.Timer(timers.TimerKind.ATTEMPT, attempt.id, attempts.poll_at(attempt, batch.now, grace))
        for _, attempt in written
    ]
    await timers.start(tx, polls)
    replies = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *calls, *attempts.close_calls(closings), *replies, *claims.answers])


async def read(tx: Transaction, items: Sequence[Item]) -> StartContext:
    """Lock the orders that these commands want to pay, alone or together."""
    merged = await payments.merged(tx, [item.body.intent_id for item in items])
    named = {item.body.order_id for item in items} | {key for intent in merged.values() for key in intent.shares}
    return StartContext(Book[Item](await orders.lock(tx, named)), merged, configured())


def new_attempt(item: Envelope[PaymentStart], due: AmountDue, attempt_id: int, now: datetime) -> Attempt:
    """Return the attempt that the command opens, before any call to its provider."""
    body = item.body
    return Attempt(
        id=attempt_id,
        out_trade_no=attempts.number(attempt_id),
        intent_id=due.intent_id,
        order_id=due.order.id,
        provider=body.provider,
        scene=body.scene,
        amount=due.amount,
        currency=due.order.currency,
        state=AttemptState.CREATED,
        reference=None,
        trade_no=None,
        command=commands.key_of(item),
        started_at=now,
        expire_at=due.expire_at,
        authorize=due.authorizes,
        details={"return_url": body.return_url, "client_ip": body.client_ip, "payer": body.payer},
    )


def sign(
    opened: Sequence[tuple[Item, Attempt]], providers: Mapping[str, Provider], now: datetime
) -> list[ClientAction | HttpRequest | ProviderRefusal]:
    """Return what the buyer's client needs for each attempt, or the call that its provider needs first.

    This computes signatures, about a millisecond each, and makes no calls. A thread runs it beside the event loop.
    """
    return [providers[attempt.provider].start(attempts.payment_order(attempt), now) for _, attempt in opened]


def superseded(before: Sequence[Attempt], written: Sequence[tuple[Item, Attempt]]) -> list[attempts.Closing]:
    """Return the attempts that a newer one of the same intent replaces: those before, and all but the batch's last.

    The payment.start of the newest attempt causes the closing of the others.
    """
    newest = {attempt.intent_id: (item, attempt.id) for item, attempt in written}
    closings: list[attempts.Closing] = []
    for attempt in (*before, *(attempt for _, attempt in written)):
        if attempt.intent_id in newest:
            item, newest_id = newest[attempt.intent_id]
            if attempt.id != newest_id:
                closings.append(attempts.Closing(attempt, because=item))
    return closings


ROUTE = Route(queue="payment-requests", handler=start_payments, batch_max_items=BATCH_MAX_ITEMS)
