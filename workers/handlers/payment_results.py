"""What happens when a payment.result comes from a trusted adapter, or a payment.callback from a provider.

    order is             captured, as much as is due     captured, another amount   failed
    -------------------  ------------------------------  -------------------------  -------------------------------
    placing              tried again later               tried again later          tried again later
    awaiting payment     paid, stock is deducted         refunded, alert            recorded; cancelled by policy,
                                                                                    unless another attempt is live
    cancelled, rejected  refunded (late)                 refunded, alert            recorded
    paid or later        refunded (duplicate)            refunded, alert            recorded
    unknown              tried again later, at last a dead letter: money must not vanish

A split order is paid as a whole: its children become paid with it. A payment of merged orders (`intent_id`) pays all
of them or none: where one is no longer waiting, or the amount is another, the whole of it goes back.
The same fact again (provider, trade number, kind) changes nothing, also within one batch; with another order or amount
it is a dead letter, for a person to look at. A capture that meets a cancellation is decided by the order's row lock:
whichever is second sees what the first did.
A payment.callback is believed by its signature alone (services/payment_notifications.py has that table);
payment.observed is what a provider answered when we asked. Once an order no longer waits for money, its other attempts
are closed.
progress.mark: everything published before it is settled, so payment timers that were due by then may act.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised
from messages.envelope import Envelope
from messages.payments import (
    PaymentCallback,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentObserved,
    PaymentResult,
    ProgressMark,
)
from workers.domain.book import Book
from workers.domain.order import Effect, Order, State, Trigger
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import attempts, benefits, order_events, payment_notifications, refunds
from workers.store import attempts as attempt_rows
from workers.store import notifications, orders, payments, timers
from workers.store import refunds as refund_rows
from workers.store.attempts import AttemptChange
from workers.store.refunds import RefundDue

Told: TypeAlias = PaymentResult | PaymentCallback | PaymentObserved | ProgressMark
Item: TypeAlias = Envelope[Any]
FORGET_SECONDS = 60.0  # a little at a time, and more than is ever believed or refused in a minute
REFUND_CAUSE = {"late": "late", "duplicate": "dup", "mismatch": "amount"}
"""Verdict -> the first word of the refund's cause."""


def judge(order: Order, result: PaymentResult) -> str:
    """What a new fact means for the order: kept, late, duplicate, mismatch or failed. No I/O."""
    if result.kind == "failed":
        return "failed"
    if order.is_child or (result.amount, result.currency) != (order.payable_amount, order.currency):
        return "mismatch"
    return verdict_of(order.state)


def judge_merged(orders_paid: Sequence[Order], amount_due: int, result: PaymentResult) -> str:
    """The same for a payment of several orders. No I/O."""
    if result.kind == "failed":
        return "failed"
    if (result.amount, result.currency) != (amount_due, orders_paid[0].currency):
        return "mismatch"
    verdicts = {verdict_of(order.state) for order in orders_paid}
    return "kept" if verdicts == {"kept"} else "late" if "late" in verdicts else "duplicate"


def verdict_of(state: State) -> str:
    """What the right amount means for an order in this state."""
    if state in (State.CANCELLED, State.REJECTED):
        return "late"
    return "kept" if state is State.AWAITING_PAYMENT else "duplicate"


async def settle_payments(tx: Transaction, batch: Batch[Told]) -> None:
    """Verify, lock every order once, judge in order of arrival, write each table once."""
    heard = await payment_notifications.hear(tx, batch)
    results = sorted([*((item, item.body) for item in batch.of(PaymentResult)), *heard.results], key=arrival(batch))
    marks = [item.body.at for item in batch.of(ProgressMark)]
    merged = await payments.merged(tx, [result.intent_id for _, result in results])
    named = {result.order_id for _, result in results} | {key for intent in merged.values() for key in intent.shares}
    book = Book[Item](await orders.lock(tx, named))
    own = await payments.own_intents(tx, [other_intent(book, merged, result) for _, result in results])
    seen = await payments.known(tx, [result for _, result in results])
    rivals = await others_live(tx, book, heard)
    told_of: list[tuple[Item, PaymentResult]] = []
    facts: list[tuple[Item, payments.Fact]] = []

    for item, result in results:
        order, key = book.get(result.order_id), payments.key_of(result)
        intent = merged.get(result.intent_id or 0)
        if seen.get(key, payments.body_of(result)) != payments.body_of(result):
            batch.dead(item, "fact_differs", "this trade number was reported before with another order or amount")
        elif order is None:
            batch.retry(item, "order_unknown", "its order is not in the database yet")
        elif order.state is State.PLACING:
            batch.retry(item, "order_placing", "its order is still being placed")
        elif not pays(intent, order, result, own):
            batch.dead(item, "intent_unknown", "this intent is not one that pays this order")
        else:
            told_of.append((item, result))
            if key not in seen:
                seen[key] = payments.body_of(result)
                facts.append((item, settle(book, order, intent, item, result, batch.now, rivals)))

    await orders.save(tx, book)
    await payments.record(tx, [fact for _, fact in facts])
    applied = await benefits.apply(tx, book, batch.now)
    changes = [*heard.changes, *attempt_changes(heard, told_of)]
    closings = await attempts.close_superseded(tx, book, changes)
    opened = await refund_rows.open_all(tx, [due(book, item, fact) for item, fact in refundable(facts)])
    ended = [("payment", key) for key in book.ids(Effect.PAYMENT_TIMER_ENDS)]
    ended += [("attempt", change.id) for change in changes if change.state in attempt_rows.DONE]
    await timers.stop(tx, ended)
    await timers.set_progress(tx, max(marks, default=None))
    news = [told(book, item, fact) for item, fact in facts]
    alerts = [outbox.event(alert(fact), because=item) for item, fact in facts if fact.verdict == "mismatch"]
    owed = [*order_events.stock_orders(book), *refunds.announcements(opened)]
    undone = [*benefits.announcements(applied), *attempts.close_calls(closings)]
    await outbox.append(tx, [*heard.news, *news, *order_events.steps(book), *alerts, *owed, *undone])


def arrival(batch: Batch[Told]) -> Callable[[tuple[Item, PaymentResult]], int]:
    """Notifications and results in the one order in which they arrived."""
    places = {item.id: place for place, item in enumerate(batch)}
    return lambda pair: places[pair[0].id]


def attempt_changes(
    heard: payment_notifications.Heard, told_of: Sequence[tuple[Item, PaymentResult]]
) -> list[AttemptChange]:
    """How each fact leaves the attempt that it came from, also one that was recorded before."""
    return [
        AttemptChange(attempt.id, result.kind, trade_no=result.trade_no, reason=result.reason)
        for item, result in told_of
        if (attempt := heard.attempt_of(item)) is not None
    ]


async def others_live(tx: Transaction, book: Book[Item], heard: payment_notifications.Heard) -> frozenset[str]:
    """Items that tell of a failed attempt whose order has another one that may still be paid."""
    failed = [
        (item, attempt)
        for item, result in heard.results
        if result.kind == "failed"
        and (attempt := heard.attempt_of(item))
        and cancels(book.get(result.order_id), "failed")
    ]
    pairs = await attempt_rows.rivals(tx, {attempt.intent_id for _, attempt in failed})
    return frozenset(
        item.id for item, attempt in failed if any(i == attempt.intent_id and k != attempt.id for i, k in pairs)
    )


def other_intent(book: Book[Item], merged: Mapping[int, payments.Merged], result: PaymentResult) -> int | None:
    """An intent that may not be the one its order has: an order that is paid with others gets theirs, perhaps in this
    batch.
    """
    order = book.get(result.order_id)
    same = order is not None and result.intent_id == order.intent_id and not merged
    known = order is None or result.intent_id in merged or same
    return None if known else result.intent_id


def pays(intent: payments.Merged | None, order: Order, result: PaymentResult, own: Mapping[int, int]) -> bool:
    """Whether the intent that the result names, if it names one, is the order's."""
    if intent is not None:
        return order.id in intent.shares
    return result.intent_id in (None, order.intent_id) or own.get(result.intent_id or 0) == order.root_id


def settle(  # noqa: PLR0917 (a fact, where it falls, and when)
    book: Book[Item],
    order: Order,
    intent: payments.Merged | None,
    item: Item,
    result: PaymentResult,
    now: datetime,
    rivals: Container[str] = frozenset(),
) -> payments.Fact:
    """Fold one new fact into the book. `rivals` are items after whose failure another attempt may still be paid."""
    paid = [book[key] for key in sorted(intent.shares)] if intent else [order]
    verdict = judge_merged(paid, intent.amount, result) if intent else judge(order, result)
    intent_id = result.intent_id or order.intent_id
    if verdict == "kept":
        for each in paid:
            book.amend(each.id, captured_amount=each.captured_amount + each.payable_amount)
            book.pay(each.id, Trigger.CAPTURED, because=item, at=now, intent_id=intent_id)
    elif result.kind == "captured" and result.currency == order.currency:
        book.amend(order.id, captured_amount=order.captured_amount + result.amount)
    elif cancels(order, verdict) and item.id not in rivals:
        why: dict[str, Any] = {"cancel_type": "payment_failed", "reason": result.reason or "the payment failed"}
        book.move_family(order.id, Trigger.PAYMENT_FAILED, because=item, at=now, **why)
    return payments.Fact(result, intent_id, verdict)


def cancels(order: Order | None, verdict: str) -> bool:
    """Whether a failed attempt ends the order (C-03); one of a merged payment ends only the order it names."""
    if order is None or order.is_child or order.state is not State.AWAITING_PAYMENT:
        return False
    return verdict == "failed" and order.on_payment_failure == "cancel"


def refundable(facts: list[tuple[Item, payments.Fact]]) -> list[tuple[Item, payments.Fact]]:
    """Money that came in and is not kept."""
    return [(item, fact) for item, fact in facts if fact.verdict in REFUND_CAUSE]


def due(book: Book[Item], item: Item, fact: payments.Fact) -> RefundDue:
    """The whole capture goes back, once per capture."""
    order, result = book[fact.result.order_id], fact.result
    cause = f"{REFUND_CAUSE[fact.verdict]}:{result.provider}:{result.trade_no}"
    return RefundDue(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=cause,
        intent_id=fact.intent_id,
        provider=result.provider,
        trade_no=result.trade_no,
        amount=result.amount,
        currency=result.currency,
        because=item,
        stray=True,
    )


def told(book: Book[Item], item: Item, fact: payments.Fact) -> outbox.Announcement:
    """What the world hears, in the order's stream."""
    return outbox.event(event_of(fact), because=item, stream=book[fact.result.order_id].root_id)


def event_of(fact: payments.Fact) -> PaymentEvent:
    """What the world hears of a payment fact."""
    result = fact.result
    about: dict[str, Any] = {
        "order_id": result.order_id,
        "intent_id": fact.intent_id,
        "provider": result.provider,
        "trade_no": result.trade_no,
        "amount": result.amount,
        "currency": result.currency,
    }
    if fact.verdict == "failed":
        return PaymentFailed(**about, reason=result.reason)
    return PaymentCaptured(**about | {"verdict": fact.verdict})


def alert(fact: payments.Fact) -> AlertRaised:
    """Somebody paid another amount than the order asks for."""
    result = fact.result
    content = (
        f"captured {result.amount} {result.currency} by {result.provider}, which is not what the order costs: refunded"
    )
    return AlertRaised(
        title="wrong amount captured",
        content=content,
        level="HIGH",
        code="PAY_AMOUNT_MISMATCH",
        order_id=result.order_id,
    )


ROUTE = Route(queue="payment-results", handler=settle_payments, every=(Every(FORGET_SECONDS, notifications.forget),))
