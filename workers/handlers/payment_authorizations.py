"""Handles authorised payments, whose money is taken when the goods leave (R-18).

    authorization.observed says that  then
    --------------------------------  ------------------------------------------------------------------------------
    it is captured, as requested      payment.captured (kept); what was deferred is refunded
    it is captured as a whole         the same; what was released goes back as refunds, too
    another amount is captured        payment.captured (mismatch): refunded, an alert, and the goods stop
    a stray one is captured           payment.captured with its verdict: refunded
    the capture failed                the goods stop, and an alert; if the order has ended, it is voided
    it is voided, or has expired      payment.voided; if the order wanted it, the goods stop, and an alert
    it is open, though we captured    requested again, under the same number
    or voided it
    it is open under another number,  renewed: payment.authorized with its new end
    or for longer

    authorization.due, for one that   then
    --------------------------------  ------------------------------------------------------------------------------
    is being captured or voided       provider.query
    waits for its goods               provider.authorization_renew
    the same, ends within a day, and  it is captured: payment.capture_requested
    goods are requested or in parcels
    the same, of which none are, and  its orders are cancelled (authorization_expired): order.cancelled,
    was renewed in vain               payment.released, stock and benefits back
    has ended                         nothing

    payment.capture, for an order     then
    --------------------------------  ------------------------------------------------------------------------------
    with an authorisation, or a       payment.capture_requested, provider.authorization_capture
    capture that failed
    otherwise                         command.rejected: ORDER_NOT_FOUND, AUTH_FORBIDDEN, PAY_NOT_AUTHORIZED

The goods stop by a hold of kind payment on each order that has not ended; if all have, the alert says so. An operator
sends payment.capture to try again and order.release, or order.cancel. The authorisation of an order changes under the
lock of that order alone.
"""

from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.authorizations import AuthorizationDue, AuthorizationObserved, PaymentCapture
from messages.base import AlertRaised, CommandRejected, Event
from messages.envelope import Envelope
from messages.reasons import Reason
from workers.domain.book import SYSTEM
from workers.domain.codes import Code
from workers.domain.holds import HoldKind
from workers.domain.order import FINISHED, CancelType, Effect, Trigger
from workers.domain.payment_authorizations import (
    ENDED,
    AuthorizationChange,
    AuthorizationReport,
    AuthorizationState,
    PaymentAuthorization,
    ProviderStep,
    apply_report,
    capture_now,
    ends_soon,
    renewed_in_vain,
)
from workers.domain.payment_rules import AttemptState, PaymentVerdict
from workers.domain.refund_amounts import RefundState
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import (
    authorization,
    authorization_context,
    benefits,
    business_counts,
    cancellations,
    commands,
    hand_overs,
    holds,
    order_events,
    payment_authorizations,
    refunds,
)
from workers.services.authorization_context import AuthorizationContext, fact_of
from workers.services.payment_authorizations import CaptureBegun, next_look
from workers.services.payment_events import payment_event
from workers.store import attempts, ids, orders, payments, timers
from workers.store import holds as hold_rows
from workers.store import payment_authorizations as authorization_rows
from workers.store import refunds as refund_rows
from workers.store.attempts import AttemptChange
from workers.store.holds import PlacedHold
from workers.store.payments import PaymentFact
from workers.store.refunds import RefundDue
from workers.store.timers import TimerKind

Item: TypeAlias = Envelope[Any]
STOPPED = {
    "authorization_voided": "the provider voided the authorisation, or it has expired: cancel the order",
    "capture_failed": "its capture failed: send payment.capture to try again, or cancel the order",
    "capture_amount_differs": "another amount was captured, and is refunded: cancel the order",
}
"""Why the goods stop -> what a person should do."""
EXPIRED = "authorization_expired"
"""The reason code of an order that is cancelled because its authorised money ends before its goods were requested."""
COLLECT = "its goods may have left; try payment.capture if the capture failed, or collect the money from the buyer"
"""What a person should do if the order has ended, so that it cannot be held."""


async def follow_authorizations(tx: Transaction, batch: Batch[Any]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(PaymentCapture))
    fresh = {id(item) for item in claims.fresh}
    context = await authorization_context.read(tx, batch, [item.body.order_id for item in claims.fresh])
    outcomes: commands.Outcomes = {}
    for item in batch:
        match item.body:
            case AuthorizationObserved():
                observe(context, batch, item, item.body)
            case AuthorizationDue():
                look(context, item, item.body, batch.now)
            case PaymentCapture() if id(item) in fresh:
                outcomes[commands.key_of(item)] = capture(context, item, item.body), item
    await write(tx, context, outcomes, claims, batch.now)


def observe(context: AuthorizationContext, batch: Batch[Any], item: Item, body: AuthorizationObserved) -> None:
    """Apply one report of the provider."""
    one = context.known.get(body.attempt_id)
    if one is None:
        batch.retry(item, Reason.ORDER_UNKNOWN, "the attempt is not recorded as authorised yet")
        return
    money = body.amount, body.currency
    report = AuthorizationReport(body.status, body.number or "", *money, body.reason_code, body.expire_at, body.capture)
    change = apply_report(one, report, batch.now)
    if change is None:
        return
    context.change(change.after)
    order = context.book[one.order_id]
    if change.verdict is not None:
        take_money(context, item, body, change, change.verdict)
    elif change.after.state is AuthorizationState.VOIDED:
        context.attempts.append(AttemptChange(one.attempt_id, AttemptState.CLOSED, reason_code="voided"))
        voided = payment_authorizations.voided(change.after, order.intent_id)
        context.news.append(outbox.event(voided, because=item, stream=order.root_id))
    if one.state is AuthorizationState.CAPTURING and change.after.state is not one.state and change.verdict is None:
        context.releases[order.root_id] = item, "", False, False
    if change.renewed:
        renewed = payment_authorizations.authorized(change.after, order.intent_id)
        context.news.append(outbox.event(renewed, because=item, stream=order.root_id))
    if change.step is not None:
        context.request(change.after, change.step, item)
    if change.stops_goods is not None:
        context.stops.append((order.root_id, change.stops_goods, item))


def take_money(
    context: AuthorizationContext,
    item: Item,
    body: AuthorizationObserved,
    change: AuthorizationChange,
    verdict: PaymentVerdict,
) -> None:
    """Record a capture, and refund what of it is not wanted. One that is in the books already is not taken twice."""
    one, order = change.after, context.book[change.after.order_id]
    result = fact_of(body, one, order.intent_id)
    context.attempts.append(AttemptChange(one.attempt_id, AttemptState.CAPTURED, trade_no=result.trade_no))
    if payments.key_of(result) in context.recorded:
        return
    context.facts.append((item, PaymentFact(result, order.intent_id, verdict)))
    if result.currency == order.currency:
        context.book.amend(order.id, captured_amount=order.captured_amount + result.amount)
    if one.verdict is PaymentVerdict.KEPT:
        kept = verdict is PaymentVerdict.KEPT
        number = result.trade_no if kept else ""
        context.releases[order.root_id] = item, number, kept, change.gives_back


def look(context: AuthorizationContext, item: Item, body: AuthorizationDue, now: datetime) -> None:
    """Poll what is under way, and keep what waits for its goods from ending unseen."""
    one = context.known.get(body.attempt_id)
    if one is None or one.state in ENDED:
        return
    after = capture_now(one)
    if one.state is not AuthorizationState.AUTHORIZED or after is None:
        context.request(one, ProviderStep.QUERY, item)
    elif ends_soon(one, now) and one.order_id in context.goods_wanted:
        context.change(after)
        context.begun.append(CaptureBegun(after, one.order_id, item))
    elif ends_soon(one, now) and renewed_in_vain(one, now):
        cancel(context, item, one, now)
    elif now >= next_look(one):
        context.request(one, ProviderStep.RENEW, item)


def cancel(context: AuthorizationContext, item: Item, one: PaymentAuthorization, now: datetime) -> None:
    """Cancel the orders of which no goods were requested before their money is lost: no money is taken for them."""
    context.give_up(one)
    why: dict[str, Any] = {"cancel_type": CancelType.SYSTEM, "reason_code": EXPIRED}
    for order in context.book.family(one.order_id):
        if order.allows(Trigger.CANCEL):
            context.book.move(order.id, Trigger.CANCEL, because=item, at=now, **why)


def capture(context: AuthorizationContext, item: Item, body: PaymentCapture) -> Event:
    """Begin to capture an order's authorisation for an operator. Returns the outcome of the command."""
    order = context.book.get(body.order_id)
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        return commands.rejected(item, denial or authorization.not_found(body.order_id))
    if body.actor.type == "user":
        return commands.rejected(item, authorization.FORBIDDEN)
    one = context.kept.get(order.root_id)
    after = capture_now(one) if one is not None else None
    if one is None or after is None:
        details = {"order_id": str(order.id), "authorization": one.state.value if one else "none"}
        why = "it has no authorised money that can be captured"
        return commands.rejected(item, Refusal(Code.PAY_NOT_AUTHORIZED, why, details))
    context.change(after)
    context.begun.append(CaptureBegun(after, order.root_id, item))
    return payment_authorizations.capture_requested(after)


async def write(
    tx: Transaction,
    context: AuthorizationContext,
    outcomes: commands.Outcomes,
    claims: commands.Claims,
    now: datetime,
) -> None:
    """Write each table once, and announce what changed."""
    book = context.book
    placed = await stop_goods(tx, context, now)
    await payments.record(tx, [fact for _, fact in context.facts])
    business_counts.note_payments(fact for _, fact in context.facts)
    await authorization_rows.save(tx, list(context.changed.values()))
    await attempts.save(tx, context.attempts)
    ended = [one.attempt_id for one in context.known.values() if one.state in ENDED]
    await timers.stop(tx, [(TimerKind.AUTHORIZATION, key) for key in ended])
    await authorization_rows.look_at(tx, {key: at for key, at in context.looks.items() if key not in ended})
    refunded = await end_releases(tx, context)
    given = await cancellations.give_back(tx, book, {}) if book.owing(Effect.REFUND_ALL) else cancellations.NOTHING
    await orders.save(tx, book)
    await hold_rows.place(tx, placed)
    applied = await benefits.apply(tx, book, now, given.opened, given.causes)
    opened = await refund_rows.open_all(tx, strays(context))
    answers = await commands.conclude(tx, outcomes)
    rejections = [outbox.event(e, because=item) for e, item in outcomes.values() if isinstance(e, CommandRejected)]
    captured = [
        outbox.event(payment_event(f), because=i, stream=book[f.result.order_id].root_id) for i, f in context.facts
    ]
    news = [*captured, *context.news, *order_events.steps(book), *order_events.hand_overs(book), *rejections]
    news += await hand_overs.held_at_work(tx, book)
    news += [*payment_authorizations.announcements(context.begun), *refunds.announcements(opened), *refunded]
    news += [*given.restocks, *refunds.announcements(given.opened), *benefits.announcements(applied)]
    await outbox.append(tx, [*news, *context.calls, *answers, *claims.answers])


async def stop_goods(tx: Transaction, context: AuthorizationContext, now: datetime) -> list[PlacedHold]:
    """Hold the orders whose money could not be taken, and raise an alert for each payment."""
    stopping: dict[int, tuple[str, Item]] = {}
    for root_id, reason_code, item in context.stops:
        targets = holds.targets(context.book, root_id)
        ended = all(order.state in FINISHED for order in targets)
        context.news.append(outbox.event(not_taken(root_id, reason_code, ended=ended), because=item))
        for order in targets:
            held = any(hold.kind is HoldKind.PAYMENT for hold in context.open_holds.get(order.id, ()))
            if order.allows(Trigger.HELD) and not held:
                stopping.setdefault(order.id, (reason_code, item))
    new_ids = iter(await ids.take(tx, [context.book[key].user_id for key in stopping]))
    placed: list[PlacedHold] = []
    for order_id, (reason_code, item) in stopping.items():
        why = holds.Why(HoldKind.PAYMENT, reason_code, SYSTEM)
        others = context.open_holds.get(order_id, [])
        hold, _ = holds.place(context.book, order_id, others, next(new_ids), why, because=item, now=now)
        placed.append(hold)
    return placed


def not_taken(root_id: int, reason_code: str, *, ended: bool) -> AlertRaised:
    """Build alert.raised: what a person should do about authorised money that was not taken."""
    content = f"the order has ended, {reason_code}: {COLLECT}" if ended else f"goods stop: {STOPPED[reason_code]}"
    code = Code.PAY_CAPTURE_FAILED
    return AlertRaised.of(title="authorised money not taken", content=content, code=code, order_id=root_id)


async def end_releases(tx: Transaction, context: AuthorizationContext) -> list[outbox.Announcement]:
    """Settle what was released or deferred, once a capture has ended, and announce what is refunded now."""
    ends = [(root_id, number, taken, back) for root_id, (_, number, taken, back) in sorted(context.releases.items())]
    parts = await authorization_rows.end_releases(tx, ends)
    await refund_rows.watch(tx, [part.id for part in parts if part.refunded])
    messages: list[outbox.Announcement] = []
    for part in parts:
        root_id = context.book[part.order_id].root_id
        item = context.releases[root_id][0]
        if part.refunded or part.deferred:
            messages.append(outbox.event(refunds.requested_late(part), because=item, stream=root_id))
        if part.refunded:
            messages.append(refunds.provider_refund(part.provider, part.refund_no, item))
            messages += [] if part.deferred else refunds.captured_after_all(part, item)
        elif part.deferred:
            released = RefundState.RELEASED
            messages += refunds.case_news(part.order_id, part.case_id, part.refund_no, released, item)
    return messages


def strays(context: AuthorizationContext) -> list[RefundDue]:
    """Return the refunds of captures that are not kept."""
    return [
        refunds.due_for_stray(context.book, fact, because=item)
        for item, fact in context.facts
        if fact.verdict in refunds.STRAY_CAUSES
    ]


ROUTE = Route(queue="payment-authorizations", handler=follow_authorizations)
