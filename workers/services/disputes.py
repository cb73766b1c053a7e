"""What a dispute changes in the books, and how it is announced. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from messages.base import AlertRaised, as_reason_code
from messages.disputes import (
    DisputeEvidenceAnswered,
    DisputeEvidenceObserved,
    DisputeEvidenceSubmitted,
    DisputeSubmitEvidence,
)
from messages.payments import DisputeObserved, PaymentDisputed
from messages.refunds import RefundReturned
from workers.domain.after_sale_rules import EVIDENCE_CHARS_MAX, EVIDENCE_MAX
from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refusal import Refusal
from workers.providers.abilities import TAKES_EVIDENCE
from workers.providers.port import DisputeReport
from workers.services import authorization, refunds
from workers.services.foreign_refunds import REVERSAL
from workers.store.disputes import GoneRefund, StoredDispute

SUBMISSIONS_MAX = 20  # dispute.get shows them all; a provider takes evidence a few times

MEANINGS = {
    "opened": "a buyer disputes",
    "won": "the shop won the dispute about",
    "lost": "the shop lost the dispute about",
    "closed": "the dispute was closed about",
}


def observed(report: DisputeReport, provider: str) -> DisputeObserved:
    """Build dispute.observed, for the disputes queue: what the provider answered."""
    return DisputeObserved(
        provider=provider,
        dispute_no=report.dispute_no,
        trade_no=report.trade_no,
        state=report.state.value,
        amount=report.amount,
        currency=report.currency,
        occurred_at=report.occurred_at,
        reason_code=as_reason_code(report.reason),
        due_at=report.due_at,
    )


def unprovable(body: DisputeSubmitEvidence, stored: StoredDispute | None, now: datetime) -> Refusal | None:
    """Return why evidence against this dispute is rejected, or None."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    details = {"provider": body.provider, "dispute_no": body.dispute_no}
    if stored is None:
        return Refusal(Code.PAY_DISPUTE_NOT_FOUND, "the provider has reported no such dispute", details)
    if stored.state != "opened":
        why = f"the dispute is decided: {stored.state}"
        return Refusal(Code.PAY_DISPUTE_ENDED, why, details | {"state": stored.state})
    if stored.due_at is not None and now > stored.due_at:
        why = f"it had to be answered until {stored.due_at.isoformat(timespec='seconds')}"
        return Refusal(Code.PAY_DISPUTE_OVERDUE, why, details)
    return _unfit(body, stored, details)


def _unfit(body: DisputeSubmitEvidence, stored: StoredDispute, details: Mapping[str, object]) -> Refusal | None:
    """Return what is wrong with the evidence itself, or None."""
    why = None
    if not body.evidence and body.description is None:
        why = "give references in evidence, or a description"
    elif len(body.evidence) > EVIDENCE_MAX or any(len(one) > EVIDENCE_CHARS_MAX for one in body.evidence):
        why = f"at most {EVIDENCE_MAX} references of {EVIDENCE_CHARS_MAX} characters: the shop keeps the files"
    elif stored.submissions >= SUBMISSIONS_MAX:
        why = f"evidence is recorded at most {SUBMISSIONS_MAX} times for a dispute"
    elif body.to_provider and body.provider not in TAKES_EVIDENCE:
        why = (
            f"{body.provider} takes evidence on its own page alone: submit it there, and record it without to_provider"
        )
    elif body.to_provider and body.description is None:
        why = "a description is what we give to the provider: photos and documents are given on its own page"
    return None if why is None else Refusal(Code.PAY_EVIDENCE_INVALID, why, details)


def submitted(body: DisputeSubmitEvidence, stored: StoredDispute, order_ids: Sequence[int]) -> DisputeEvidenceSubmitted:
    """Build dispute.evidence_submitted: `stored` counts this submission."""
    return DisputeEvidenceSubmitted(
        provider=body.provider,
        dispute_no=body.dispute_no,
        trade_no=stored.trade_no,
        order_ids=tuple(order_ids),
        number=stored.submissions,
        references=len(body.evidence),
        to_provider=body.to_provider,
        due_at=stored.due_at,
    )


def answered(body: DisputeEvidenceObserved, trade_no: str, order_ids: Sequence[int]) -> DisputeEvidenceAnswered:
    """Build dispute.evidence_answered."""
    return DisputeEvidenceAnswered(
        provider=body.provider,
        dispute_no=body.dispute_no,
        trade_no=trade_no,
        order_ids=tuple(order_ids),
        number=body.number,
        state=body.state,
        reason_code=body.reason_code,
    )


def refused(body: DisputeEvidenceObserved, order_ids: Sequence[int]) -> AlertRaised:
    """Build alert.raised: a person has to answer the dispute where the provider took nothing from us."""
    content = (
        f"{body.provider} refused submission {body.number} against {body.dispute_no}"
        f"{f', {body.reason_code}' if body.reason_code else ''}: look what it has on its own page, and answer there"
    )
    return AlertRaised.of(
        title="evidence refused", content=content, code=Code.PAY_EVIDENCE_REFUSED, order_id=order_ids[0]
    )


def reminder_at(state: str, due_at: datetime | None, before_seconds: int, now: datetime) -> datetime | None:
    """Return when people are reminded of a dispute; None if it needs no answer, or the time for it has come already.

    The alert of a dispute that is opened, or gets another date, says until when to answer: so soon before that it is
    the reminder.
    """
    if state != "opened" or due_at is None or not before_seconds:
        return None
    at = due_at - timedelta(seconds=before_seconds)
    return at if at > now else None


def reminder(provider: str, dispute_no: str, stored: StoredDispute, order_ids: Sequence[int]) -> AlertRaised:
    """Build the alert that a dispute has to be answered soon."""
    assert stored.due_at is not None
    done = f"evidence was submitted {stored.given} times" if stored.given else "no evidence was submitted"
    content = (
        f"dispute {dispute_no} about {stored.amount} {stored.currency} of {stored.trade_no} has to be answered at "
        f"{provider} until {stored.due_at.isoformat(timespec='minutes')}; {done}: answer it there, and record that "
        "with dispute.submit_evidence"
    )
    return AlertRaised.of(
        title="dispute to be answered", content=content, code=Code.PAY_DISPUTE_DUE, order_id=order_ids[0]
    )


def returned_by(dispute: DisputeObserved, gone: Iterable[GoneRefund]) -> list[GoneRefund]:
    """Return the reversals that a won dispute takes back: the oldest of its capture, up to the disputed amount."""
    found: list[GoneRefund] = []
    left = dispute.amount if dispute.state == "won" else 0
    for refund in gone:
        is_of_it = (refund.provider, refund.trade_no) == (dispute.provider, dispute.trade_no)
        if is_of_it and refund.cause.startswith(f"{REVERSAL}:") and refund.amount <= left:
            found.append(refund)
            left -= refund.amount
    return found


def disputed(dispute: DisputeObserved, order: Order, intent_id: int | None) -> PaymentDisputed:
    """Build payment.disputed for one order that the capture paid."""
    return PaymentDisputed(
        order_id=order.id,
        intent_id=intent_id,
        provider=dispute.provider,
        trade_no=dispute.trade_no,
        amount=dispute.amount,
        currency=dispute.currency,
        dispute_no=dispute.dispute_no,
        state=dispute.state,
        reason_code=dispute.reason_code,
        due_at=dispute.due_at,
    )


def returned(refund: GoneRefund) -> RefundReturned:
    """Build refund.returned: the money of a reversal came back."""
    return RefundReturned(**refunds.about(refund, refund.refund_no))


def alert(dispute: DisputeObserved, order: Order, back: Sequence[GoneRefund]) -> AlertRaised:
    """Build alert.raised, with what a person should do."""
    content = (
        f"{MEANINGS[dispute.state]} {dispute.amount} {dispute.currency} of {dispute.trade_no} at {dispute.provider}: "
        f"{dispute.dispute_no}{f', {dispute.reason_code}' if dispute.reason_code else ''}"
    )
    if dispute.due_at is not None:
        content += f"; answer it there until {dispute.due_at.isoformat(timespec='minutes')}"
    owed = bool(back) and order.state in (State.CANCELLED, State.REJECTED)
    if owed:
        content += "; its money is back, and the order was cancelled: refund it by refund.request"
    return AlertRaised.of(
        title=f"payment disputed: {dispute.state}",
        content=content,
        code=Code.PAY_DISPUTED,
        order_id=order.id,
    )
