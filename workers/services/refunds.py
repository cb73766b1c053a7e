"""Refunds that a batch owes: what goes back of which capture, and which provider gives it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import outbox
from messages.base import AlertRaised, as_reason_code
from messages.envelope import Envelope
from messages.providers import ProviderRefund, ProviderRefundQuery
from messages.refunds import RefundObserved, RefundRequested, RefundSucceeded
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.payment_rules import PaymentVerdict
from workers.domain.refund_amounts import RefundLine
from workers.providers.port import RefundOrder, RefundReport, ReportedRefund, StatementRow
from workers.services import attempts
from workers.store.payments import Kept, PaymentFact
from workers.store.refunds import OpenedRefund, RefundDue

STRAY_CAUSES = {
    PaymentVerdict.LATE: "late",
    PaymentVerdict.DUPLICATE: "dup",
    PaymentVerdict.MISMATCH: "amount",
}
"""Verdict on a capture that is not kept -> the first word of its refund's cause."""

STATUSES: Mapping[ReportedRefund, Literal["succeeded", "failed", "submitted"]] = {
    ReportedRefund.SUCCEEDED: "succeeded",
    ReportedRefund.FAILED: "failed",
    ReportedRefund.PROCESSING: "submitted",
}
"""The provider's word for a refund's state -> that of refund.observed."""


def due(
    order: Order,
    capture: Kept,
    cause: str,
    amount: int,
    *,
    because: Envelope[Any],
    reason_code: str | None = None,
    lines: Sequence[RefundLine] = (),
) -> RefundDue:
    """Return a refund of `amount` minor units out of the capture that the order keeps."""
    return RefundDue(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=cause,
        intent_id=capture.intent_id,
        provider=capture.provider,
        trade_no=capture.trade_no,
        amount=amount,
        currency=capture.currency,
        because=because,
        reason_code=reason_code,
        lines=tuple(lines),
    )


def due_for_stray(book: Book[Any], fact: PaymentFact, *, because: Envelope[Any]) -> RefundDue:
    """Return the refund of a whole capture that is not kept. There is one per capture."""
    order, result = book[fact.result.order_id], fact.result
    return RefundDue(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=f"{STRAY_CAUSES[fact.verdict]}:{result.provider}:{result.trade_no}",
        intent_id=fact.intent_id,
        provider=result.provider,
        trade_no=result.trade_no,
        amount=result.amount,
        currency=result.currency,
        because=because,
        stray=True,
    )


def requested(refund: OpenedRefund) -> RefundRequested:
    """Build refund.requested, on which a shop's own payment service acts."""
    owed = refund.due
    return RefundRequested(
        order_id=owed.order_id,
        refund_no=refund.refund_no,
        provider=owed.provider,
        trade_no=owed.trade_no,
        amount=owed.amount,
        currency=owed.currency,
        cause=owed.cause,
    )


def in_excess(refund: RefundSucceeded) -> AlertRaised:
    """Build alert.raised: the provider gave back more than the order had left of its capture."""
    content = (
        f"refund {refund.refund_no} of {refund.amount} {refund.currency} succeeded at {refund.provider}, "
        f"{refund.excess_amount} above what was left of {refund.trade_no}: recover it from the buyer or the provider"
    )
    return AlertRaised(
        title="more refunded than captured",
        content=content,
        level="HIGH",
        code=Code.PAY_REFUND_EXCEEDS,
        order_id=refund.order_id,
    )


def observed(refund: RefundReport, provider: str) -> RefundObserved:
    """Build refund.observed, for the refunds queue: the state of a refund, as the provider reports it."""
    return RefundObserved(
        refund_no=refund.refund_no,
        status=STATUSES[refund.status],
        amount=refund.amount,
        currency=refund.currency,
        occurred_at=refund.occurred_at,
        reason_code=as_reason_code(refund.reason),
        provider=provider,
        trade_no=refund.trade_no,
        provider_no=refund.provider_no,
        reversal=refund.reversal,
    )


def of_line(row: StatementRow, at: datetime) -> RefundReport:
    """Return what a day statement reports of a refund. It has no time, so the report has `at`, on the day."""
    return RefundReport(
        refund_no=row.number,
        status=ReportedRefund.SUCCEEDED,
        amount=row.amount,
        currency=row.currency,
        occurred_at=at,
        trade_no=row.capture_no,
        provider_no=row.provider_no,
        reversal=row.reversal,
    )


def unreported(refund: RefundOrder, status: Literal["unknown", "failed"], code: str, now: datetime) -> RefundObserved:
    """Build refund.observed without a report of the provider: the amount is that of our own order."""
    return RefundObserved(
        refund_no=refund.refund_no,
        status=status,
        amount=refund.amount,
        currency=refund.currency,
        occurred_at=now,
        reason_code=as_reason_code(code),
    )


def announcements(opened: Sequence[OpenedRefund]) -> list[outbox.Announcement]:
    """Build refund.requested for each, in its order's stream; also provider.refund if the capture came through us."""
    events = [outbox.event(requested(o), because=o.due.because, stream=o.due.root_id) for o in opened]
    calls = [provider_refund(o.due.provider, o.refund_no, o.due.because) for o in opened if o.through_us]
    return [*events, *calls]


def provider_refund_query(provider: str, refund: RefundReport, because: Envelope[Any]) -> outbox.Announcement:
    """Build provider.refund_query for a refund, ours or not, that the provider has reported without proof or end."""
    message = ProviderRefundQuery(
        refund_no=refund.refund_no,
        trade_no=refund.trade_no,
        provider_no=refund.provider_no,
        reversal=refund.reversal,
    )
    return attempts.provider_call(message, provider, because=because)


def provider_refund(provider: str, refund_no: str, because: Envelope[Any]) -> outbox.Announcement:
    """Build provider.refund, for the queue of a provider that we call ourselves."""
    return attempts.provider_call(ProviderRefund(refund_no=refund_no), provider, because=because)
