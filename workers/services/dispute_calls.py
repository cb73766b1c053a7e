"""What a provider's answer about a dispute leads to: a message for the disputes queue, or another try. No I/O.

Evidence is given again after an answer that was lost. Stripe repeats its first answer then. PayPal may refuse, because
it has the evidence: that is a refusal as any other, and whom its alert calls sees on PayPal's page what is there.
"""

from typing import Any

import outbox
from messages.base import as_reason_code
from messages.disputes import DisputeEvidenceObserved
from messages.envelope import Envelope
from messages.providers import ProviderDisputeEvidence
from messages.reasons import Reason
from workers.providers.evidence import EvidenceReceipt
from workers.providers.port import DisputeReport, ProviderRefusal, UnknownOutcome
from workers.services import disputes
from workers.services.provider_requests import ProviderAnswer
from workers.services.refund_answers import RetryLater


def follow_up(
    item: Envelope[Any], provider: str, answer: ProviderAnswer | None
) -> outbox.Announcement | RetryLater | None:
    """Return what follows from the answer to a call about a dispute; None if no call was needed."""
    match answer:
        case None:
            return None
        case UnknownOutcome():
            return RetryLater(Reason.PROVIDER_UNKNOWN, answer.why)
        case DisputeReport():
            return outbox.internal(disputes.observed(answer, provider), because=item)
        case EvidenceReceipt() | ProviderRefusal() if isinstance(item.body, ProviderDisputeEvidence):
            return outbox.internal(evidence_observed(item.body, provider, answer), because=item)
    return RetryLater(Reason.PROVIDER_UNKNOWN, "the provider knows no such dispute")


def evidence_observed(
    body: ProviderDisputeEvidence, provider: str, answer: EvidenceReceipt | ProviderRefusal
) -> DisputeEvidenceObserved:
    """Build dispute.evidence_observed, for the disputes queue."""
    refused = isinstance(answer, ProviderRefusal)
    return DisputeEvidenceObserved(
        provider=provider,
        dispute_no=body.dispute_no,
        number=body.number,
        state="refused" if refused else "accepted",
        reason_code=as_reason_code(answer.code) if isinstance(answer, ProviderRefusal) else None,
    )
