"""Attempts to pay: what their provider must collect, when we poll it, and which attempts an order closes.

A store row knows nothing of providers; this module turns rows into what the provider port takes, and back into events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import outbox
from db.pool import Transaction
from messages.base import Message, as_reason_code
from messages.envelope import Envelope
from messages.payments import PaymentAttemptClosed, PaymentObserved, PaymentStarted
from messages.providers import ProviderClose
from messages.topology import provider_calls_queue
from workers.domain import payment_rules
from workers.domain.book import Book, Step
from workers.domain.order import State, Trigger
from workers.domain.payment_rules import AttemptState
from workers.providers import port
from workers.store import attempts
from workers.store.attempts import DONE, Attempt, AttemptChange, LiveAttempt

OBSERVED: Mapping[port.ReportedPayment, Literal["captured", "failed", "authorized"]] = {
    port.ReportedPayment.CAPTURED: "captured",
    port.ReportedPayment.FAILED: "failed",
    port.ReportedPayment.AUTHORIZED: "authorized",
}
"""The provider's word for the state of a payment -> that of payment.observed. The others are none of its results."""


@dataclass(frozen=True)
class Closing:
    """An attempt that its provider must close, and the message that made it superfluous."""

    attempt: Attempt
    because: Envelope[Any]


def number(attempt_id: int) -> str:
    """Return our own number of the attempt at its provider: letters and digits, at most 20."""
    return f"P{attempt_id}"


def capture_number(attempt: Attempt, capture: int) -> str:
    """Return our number of a capture of the attempt's authorisation; the first is 1."""
    return f"{attempt.out_trade_no}-taken-{capture}"


def capture_of(attempt: Attempt, number: str | None) -> int | None:
    """Return which capture of the attempt's authorisation has this number of ours, or None."""
    head, _, tail = (number or "").rpartition("-")
    return int(tail) if head == f"{attempt.out_trade_no}-taken" and tail.isdigit() else None


def payment_order(attempt: Attempt) -> port.PaymentOrder:
    """Return the payment that the attempt's provider must collect."""
    return port.PaymentOrder(
        out_trade_no=attempt.out_trade_no,
        amount=attempt.amount,
        currency=attempt.currency,
        subject=f"Order {attempt.order_id}",
        scene=attempt.scene,
        started_at=attempt.started_at,
        expire_at=attempt.expire_at,
        reference=attempt.reference,
        authorize=attempt.authorize,
        **attempt.details,
    )


def refund_order(refund: attempts.RefundOfAttempt) -> port.RefundOrder:
    """Return the refund that the provider of its capture must make."""
    return port.RefundOrder(
        refund_no=refund.refund_no,
        out_trade_no=refund.out_trade_no,
        trade_no=refund.trade_no,
        amount=refund.amount,
        total=refund.captured_amount,
        currency=refund.currency,
        reason=refund.cause.partition(":")[0],
        captured_at=refund.captured_at,
        requested_at=refund.requested_at,
    )


async def refunds_of_attempts(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, tuple[str, port.RefundOrder]]:
    """Refund number -> (provider, refund that it must make); refunds of captures by others are missing."""
    found = await attempts.refunds_of_attempts(tx, refund_nos)
    return {refund.refund_no: (refund.provider, refund_order(refund)) for refund in found}


def started(attempt: Attempt, action: port.ClientAction) -> PaymentStarted:
    """Build payment.started: what the buyer's client needs to pay this attempt."""
    return PaymentStarted(
        order_id=attempt.order_id,
        intent_id=attempt.intent_id,
        attempt_id=attempt.id,
        out_trade_no=attempt.out_trade_no,
        provider=attempt.provider,
        scene=attempt.scene,
        amount=attempt.amount,
        currency=attempt.currency,
        pay_before=attempt.expire_at,
        kind=action.kind,
        url=action.url,
        fields=dict(action.fields),
    )


def closed(attempt: Attempt, reason_code: str) -> PaymentAttemptClosed:
    """Build payment.attempt_closed: the attempt cannot be paid any more."""
    return PaymentAttemptClosed(
        order_id=attempt.order_id, attempt_id=attempt.id, provider=attempt.provider, reason_code=reason_code
    )


def observed(attempt: Attempt, report: port.PaymentReport) -> PaymentObserved:
    """Build payment.observed, for payment_results, which locks the order and judges the payment."""
    return PaymentObserved(
        attempt_id=attempt.id,
        trade_no=report.trade_no,
        kind=OBSERVED[report.status],
        amount=report.amount,
        currency=report.currency,
        occurred_at=report.occurred_at,
        reason_code=as_reason_code(report.reason),
        expire_at=report.expire_at,
    )


def poll_at(attempt: Attempt, now: datetime, grace: timedelta) -> datetime:
    """Return when we poll the provider next if no notification comes before; its clock may be `grace` behind ours."""
    return payment_rules.poll_at(attempt.started_at, attempt.expire_at, now, grace)


async def close_superseded(
    tx: Transaction, book: Book[Envelope[Any]], changes: Sequence[AttemptChange] = ()
) -> list[Closing]:
    """Write `changes`, and mark as closing the other live attempts of orders that no longer wait for their amount.

    One statement locks all of them, in id order. The handler announces provider.close for what is returned.
    """
    steps = [step for step in book.steps if _supersedes(step)]
    orders = {step.order.id for step in steps}
    intents = {intent for key in orders for intent in (book.before[key].intent_id, book[key].intent_id) if intent}
    found = await attempts.live(tx, intents, orders, [change.id for change in changes])
    known = {change.id for change in changes if change.state in DONE}
    closings = [Closing(live.attempt, _cause(live, steps, book)) for live in found if live.attempt.id not in known]
    await attempts.save(tx, [*changes, *(closing_change(closing.attempt) for closing in closings)])
    return closings


def _supersedes(step: Step[Envelope[Any]]) -> bool:
    """True if the order no longer waits for money, or for another amount than its attempts have."""
    waited = step.previous is State.AWAITING_PAYMENT
    waits = step.order.state is State.AWAITING_PAYMENT and step.trigger is not Trigger.AMOUNT_CHANGED
    return waited and not waits and not step.order.is_child


def _cause(live: LiveAttempt, steps: Sequence[Step[Envelope[Any]]], book: Book[Envelope[Any]]) -> Envelope[Any]:
    """Return the message of the first step of an order that this attempt would have paid, alone or merged."""
    attempt = live.attempt
    for step in steps:
        order_id = step.order.id
        intents = (book.before[order_id].intent_id, book[order_id].intent_id)
        if attempt.intent_id in intents or order_id in live.merged_orders:
            return step.because
    raise AssertionError(f"attempt {attempt.id} pays none of the orders that moved")


def closing_change(attempt: Attempt) -> AttemptChange:
    """Mark the attempt as closing: the buyer must not pay it any more, and its provider does not know that yet."""
    return AttemptChange(attempt.id, AttemptState.CLOSING)


def close_calls(closings: Iterable[Closing]) -> list[outbox.Announcement]:
    """Build provider.close for each closing attempt. A worker that has the provider's settings makes the call."""
    return [
        provider_call(ProviderClose(attempt_id=one.attempt.id), one.attempt.provider, because=one.because)
        for one in closings
    ]


def provider_call(message: Message, provider: str, *, because: Envelope[Any] | None) -> outbox.Announcement:
    """Address a provider.* message to the queue of that provider's calls."""
    return outbox.to_queue(message, queue=provider_calls_queue(provider), because=because)
