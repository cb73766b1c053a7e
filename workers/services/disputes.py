"""What a dispute changes in the books, and how it is announced. No I/O."""

from collections.abc import Iterable, Sequence

from messages.base import AlertRaised, as_reason_code
from messages.payments import DisputeObserved, PaymentDisputed
from messages.refunds import RefundReturned
from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.providers.port import DisputeReport
from workers.services.foreign_refunds import REVERSAL
from workers.store.disputes import GoneRefund

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
    )


def returned(refund: GoneRefund) -> RefundReturned:
    """Build refund.returned: the money of a reversal came back."""
    return RefundReturned(
        order_id=refund.order_id,
        refund_no=refund.refund_no,
        provider=refund.provider,
        trade_no=refund.trade_no,
        amount=refund.amount,
        currency=refund.currency,
        cause=refund.cause,
    )


def alert(dispute: DisputeObserved, order: Order, back: Sequence[GoneRefund]) -> AlertRaised:
    """Build alert.raised, with what a person should do."""
    content = (
        f"{MEANINGS[dispute.state]} {dispute.amount} {dispute.currency} of {dispute.trade_no} at {dispute.provider}: "
        f"{dispute.dispute_no}{f', {dispute.reason_code}' if dispute.reason_code else ''}"
    )
    owed = bool(back) and order.state in (State.CANCELLED, State.REJECTED)
    if owed:
        content += "; its money is back, and the order was cancelled: refund it by refund.request"
    return AlertRaised(
        title=f"payment disputed: {dispute.state}",
        content=content,
        level="HIGH" if owed or dispute.state in ("opened", "lost") else "LOW",
        code=Code.PAY_DISPUTED,
        order_id=order.id,
    )
