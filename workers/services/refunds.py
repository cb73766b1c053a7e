"""Refunds that a batch owes: what goes back of which capture, and which provider gives it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import outbox
from messages.after_sales import AfterSaleRefundMoved
from messages.authorizations import PaymentReleased
from messages.base import AlertRaised, as_reason_code, without_subject
from messages.envelope import Envelope
from messages.providers import ProviderAuthorizationVoid, ProviderRefund, ProviderRefundQuery
from messages.refunds import RefundObserved, RefundRequest, RefundRequested, RefundResult, RefundSucceeded
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import Order
from workers.domain.payment_authorizations import AuthorizationState
from workers.domain.payment_rules import PaymentVerdict
from workers.domain.refund_amounts import GONE, RefundLine, RefundState
from workers.providers.port import RefundOrder, RefundReport, ReportedRefund, StatementRow
from workers.services import attempts
from workers.store.disputes import GoneRefund
from workers.store.payment_authorizations import ReleasedPart
from workers.store.payments import Kept, PaymentFact
from workers.store.refunds import ForeignRefundPart, OpenedRefund, RefundDue, RefundRow

CASE_CAUSE = "case"
"""The first word of the cause of an after-sale case's first refund; the case's id follows after a colon."""
EXCHANGE_CAUSE = "exchange"
"""The first word of the cause of what goes back because the goods of an exchange cost less; then the case's id."""
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
CASE_STATES: Mapping[RefundState, Literal["requested", "succeeded", "failed"]] = {
    RefundState.REQUESTED: "requested",
    RefundState.SUCCEEDED: "succeeded",
    RefundState.RELEASED: "succeeded",
    RefundState.EXCESS: "succeeded",
    RefundState.FAILED: "failed",
}
"""The states of a refund that its case follows."""


STATES: Mapping[AuthorizationState | None, RefundState] = {
    None: RefundState.REQUESTED,
    **dict.fromkeys(AuthorizationState, RefundState.RELEASED),
    AuthorizationState.CAPTURING: RefundState.DEFERRED,
}
"""The state of the order's authorisation, if it is not captured -> how money that goes back begins."""


def due(
    order: Order,
    capture: Kept,
    cause: str,
    amount: int,
    *,
    because: Envelope[Any],
    reason_code: str | None = None,
    lines: Sequence[RefundLine] = (),
    case_id: int | None = None,
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
        state=STATES.get(capture.reserved, RefundState.REQUESTED),
        case_id=case_id,
    )


def stray_cause(verdict: PaymentVerdict, provider: str, trade_no: str) -> str:
    """Return the cause of the refund of a capture that is not kept; it is unique for the capture."""
    return f"{STRAY_CAUSES[verdict]}:{provider}:{trade_no}"


def due_for_stray(book: Book[Any], fact: PaymentFact, *, because: Envelope[Any]) -> RefundDue:
    """Return the refund of a whole capture that is not kept. There is one per capture."""
    order, result = book[fact.result.order_id], fact.result
    return RefundDue(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=stray_cause(fact.verdict, result.provider, result.trade_no),
        intent_id=fact.intent_id,
        provider=result.provider,
        trade_no=result.trade_no,
        amount=result.amount,
        currency=result.currency,
        because=because,
        stray=True,
    )


def in_place_of(failed: RefundRow, order: Order, cause: str, *, because: Envelope[RefundRequest]) -> RefundDue:
    """Return the refund that takes the place of a failed one, out of the same capture."""
    return RefundDue(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=cause,
        intent_id=failed.intent_id,
        provider=failed.provider,
        trade_no=failed.trade_no,
        amount=failed.amount,
        currency=failed.currency,
        because=because,
        reason_code=because.body.reason_code,
        stray=failed.cause.partition(":")[0] in STRAY_CAUSES.values(),
        replaces=failed.refund_no,
        case_id=failed.case_id,
    )


def about(
    refund: RefundDue | RefundRow | ForeignRefundPart | GoneRefund | ReleasedPart, refund_no: str
) -> dict[str, Any]:
    """Return the fields that every event about a refund has."""
    names = ("order_id", "provider", "trade_no", "amount", "currency")
    shown = {name: getattr(refund, name) for name in names}
    return shown | {"refund_no": refund_no, "cause": without_subject(refund.cause)}


def opening(refund: OpenedRefund) -> RefundRequested | PaymentReleased:
    """Build the event that a refund begins with; for a part that is not captured yet, that it never will be."""
    if refund.due.state is not RefundState.RELEASED:
        return requested(refund)
    return PaymentReleased(**about(refund.due, refund.refund_no))


def requested_late(part: ReleasedPart) -> RefundRequested | PaymentReleased:
    """Build the event of a part that was deferred: it is refunded after all, or the capture has not taken it."""
    kind = RefundRequested if part.refunded else PaymentReleased
    return kind(**about(part, part.refund_no))


def requested(refund: OpenedRefund) -> RefundRequested:
    """Build refund.requested, on which a shop's own payment service acts."""
    return RefundRequested(**about(refund.due, refund.refund_no), replaces=refund.due.replaces)


def in_excess(refund: RefundSucceeded) -> AlertRaised:
    """Build alert.raised: the provider gave back more than the order had left of its capture."""
    content = (
        f"refund {refund.refund_no} of {refund.amount} {refund.currency} succeeded at {refund.provider}, "
        f"{refund.excess_amount} above what was left of {refund.trade_no}: recover it from the buyer or the provider"
    )
    return AlertRaised.of(
        title="more refunded than captured",
        content=content,
        code=Code.PAY_REFUND_EXCEEDS,
        order_id=refund.order_id,
    )


def failed_later(refund: RefundRow, body: RefundResult | RefundObserved) -> AlertRaised | None:
    """Build alert.raised about a refund that had succeeded here before its provider had it fail; None if it had not.

    A buyer's bank may send money back that was given back: Stripe says so days later. An older failure, after which the
    refund was requested again, says nothing of it.
    """
    done = refund.finished_at if refund.state in GONE else None
    if done is None or body.status != "failed" or body.occurred_at <= done:
        return None
    content = (
        f"refund {refund.refund_no} of {refund.amount} {refund.currency} had succeeded at {refund.provider}, and "
        "failed later: the money is with the shop again, and counts as given back; pay it to the buyer in another way"
    )
    code = Code.PAY_PROVIDER_ERROR
    return AlertRaised.of(title="refund came back", content=content, code=code, order_id=refund.order_id)


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
    """Build refund.requested for each, in its order's stream; also provider.refund if the capture came through us.

    A part of an authorisation is payment.released instead, and provider.authorization_void follows if nothing is left.
    A deferred refund is announced when the end of the capture is known.
    """
    begun = [o for o in opened if o.due.state is not RefundState.DEFERRED]
    events = [outbox.event(opening(o), because=o.due.because, stream=o.due.root_id) for o in begun]
    calls = [provider_refund(o.due.provider, o.refund_no, o.due.because) for o in opened if o.through_us]
    voids = [
        attempts.provider_call(ProviderAuthorizationVoid(attempt_id=o.voids), o.due.provider, because=o.due.because)
        for o in opened
        if o.voids is not None
    ]
    return [*events, *calls, *voids]


def case_moved(
    refund: RefundRow, state: RefundState, item: Envelope[Any], reason_code: str | None = None
) -> list[outbox.Announcement]:
    """Build after_sale.refund_moved if the refund is that of a case, and the case has to follow its new state.

    The failure of a refund that another has replaced is no news: the case follows the other one.
    """
    if state is RefundState.FAILED and refund.replaced_by is not None:
        return []
    return case_news(refund.order_id, refund.case_id, refund.refund_no, state, item, reason_code)


def case_news(  # noqa: PLR0917 (the refund, what happened to it, and because of what)
    order_id: int,
    case_id: int | None,
    refund_no: str,
    state: RefundState,
    item: Envelope[Any],
    reason_code: str | None = None,
) -> list[outbox.Announcement]:
    """Build after_sale.refund_moved for the case of a refund, if it has one that follows this state."""
    follows = CASE_STATES.get(state)
    if case_id is None or follows is None:
        return []
    moved = AfterSaleRefundMoved(
        order_id=order_id,
        case_id=case_id,
        refund_no=refund_no,
        state=follows,
        reason_code=as_reason_code(reason_code),
    )
    return [outbox.internal(moved, because=item)]


def captured_after_all(part: ReleasedPart, item: Envelope[Any]) -> list[outbox.Announcement]:
    """Build after_sale.refund_moved for the case that a released part completed, because the part was captured."""
    if part.case_id is None:
        return []
    news = AfterSaleRefundMoved(
        order_id=part.order_id, case_id=part.case_id, refund_no=part.refund_no, state="captured"
    )
    return [outbox.internal(news, because=item)]


def cases_of_replacements(opened: Sequence[OpenedRefund]) -> list[outbox.Announcement]:
    """Build after_sale.refund_moved for the cases whose failed refunds these refunds replace."""
    replacing = [one for one in opened if one.due.replaces is not None]
    return [
        moved
        for one in replacing
        for moved in case_news(one.due.order_id, one.due.case_id, one.refund_no, one.due.state, one.due.because)
    ]


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
