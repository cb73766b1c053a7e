"""What a provider's answer about a refund leads to: refund.observed, another request, or another try. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import outbox
from messages.envelope import Envelope
from messages.providers import ProviderRefundQuery
from messages.reasons import Reason
from workers.providers.port import ProviderRefusal, RefundOrder, RefundReport, ReportedRefund, UnknownOutcome
from workers.services import refunds
from workers.services.provider_requests import ProviderAnswer


@dataclass(frozen=True)
class RetryLater:
    """The message is retried. Dead letters are grouped by `reason`; `why` is a sentence."""

    reason: Reason
    why: str


def follow_up(
    item: Envelope[Any],
    provider: str,
    known: tuple[str, RefundOrder] | None,
    answer: ProviderAnswer | None,
    now: datetime,
) -> outbox.Announcement | RetryLater | None:
    """Return what follows from the answer to provider.refund or provider.refund_query; None if nothing does.

    `known` is the refund if it is ours and its capture came through an attempt of ours.
    """
    if known is not None:
        return None if answer is None else for_ours(item, provider, known[1], answer, now)
    if not isinstance(item.body, ProviderRefundQuery) or item.body.trade_no is None:
        why = "no attempt of ours made the capture that this refund draws on"
        return RetryLater(Reason.REFUND_UNKNOWN, why) if answer is None else None
    return None if answer is None else for_foreign(item, provider, answer)


def for_ours(
    item: Envelope[Any], provider: str, refund: RefundOrder, answer: ProviderAnswer, now: datetime
) -> outbox.Announcement:
    """Build refund.observed, or request a refund again that the provider does not know."""
    match answer:
        case RefundReport():
            message = refunds.observed(answer, provider)
        case UnknownOutcome():
            message = refunds.unreported(refund, "unknown", "outcome_unknown", now)
        case ProviderRefusal() if isinstance(item.body, ProviderRefundQuery):
            return refunds.provider_refund(provider, refund.refund_no, item)
        case ProviderRefusal():
            message = refunds.unreported(refund, "failed", answer.code, now)
        case _:
            message = refunds.unreported(refund, "unknown", "answer_unknown", now)
    return outbox.internal(message, because=item)


def for_foreign(item: Envelope[Any], provider: str, answer: ProviderAnswer) -> outbox.Announcement | RetryLater | None:
    """Announce the end of a refund that is not ours, or poll it again until the provider tells it.

    Where a provider answers no such query there is no answer, and its day statement lists the refund.
    """
    match answer:
        case RefundReport(status=ReportedRefund.PROCESSING):
            return RetryLater(Reason.PROVIDER_UNKNOWN, "the provider still works on this refund")
        case RefundReport():
            return outbox.internal(refunds.observed(answer, provider), because=item)
        case UnknownOutcome():
            return RetryLater(Reason.PROVIDER_UNKNOWN, answer.why)
        case ProviderRefusal():
            return RetryLater(Reason.REFUND_UNKNOWN, "the provider knows no such refund")
    return None
