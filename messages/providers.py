"""provider.*: calls that we make to a provider. Each provider has its own queue; the messages are addressed to it."""

from typing import ClassVar

from messages.base import ExternalId, Internal, OrderId, Quantity


class AttemptCall(Internal):
    """A call about one attempt."""

    attempt_id: OrderId


class ProviderStart(AttemptCall):
    """Open the attempt at the provider. The answer decides the outcome of its payment.start."""

    TYPE: ClassVar[str] = "provider.start.v1"


class ProviderCapture(AttemptCall):
    """Capture the money, or authorise it if the attempt says so: the buyer has approved the attempt."""

    TYPE: ClassVar[str] = "provider.capture.v1"


class ProviderAuthorizationCapture(AttemptCall):
    """Capture what is wanted of an authorised attempt: the goods leave. A later `number` replaces this capture."""

    TYPE: ClassVar[str] = "provider.authorization_capture.v1"
    number: Quantity


class ProviderAuthorizationVoid(AttemptCall):
    """Void the authorisation of an attempt: nothing of it is wanted."""

    TYPE: ClassVar[str] = "provider.authorization_void.v1"


class ProviderAuthorizationRenew(AttemptCall):
    """Renew the authorisation of an attempt, before the provider's promise for it ends."""

    TYPE: ClassVar[str] = "provider.authorization_renew.v1"


class ProviderQuery(AttemptCall):
    """Poll the state of the attempt."""

    TYPE: ClassVar[str] = "provider.query.v1"


class ProviderClose(AttemptCall):
    """Close the attempt, so that the buyer cannot pay it any more."""

    TYPE: ClassVar[str] = "provider.close.v1"


AUTHORIZATION_CALLS = (ProviderAuthorizationCapture, ProviderAuthorizationVoid, ProviderAuthorizationRenew)
ATTEMPT_CALLS = (ProviderStart, ProviderCapture, *AUTHORIZATION_CALLS, ProviderQuery, ProviderClose)


class RefundCall(Internal):
    """A call about one refund."""

    refund_no: ExternalId


class ProviderRefund(RefundCall):
    """Refund the money. The provider treats the same number as the same refund."""

    TYPE: ClassVar[str] = "provider.refund.v1"


class ProviderRefundQuery(RefundCall):
    """Poll the state of the refund. If it is not ours, `trade_no` names its capture, as in refund.observed."""

    TYPE: ClassVar[str] = "provider.refund_query.v1"
    trade_no: ExternalId | None = None
    provider_no: ExternalId | None = None
    reversal: bool = False


class ProviderDisputeQuery(Internal):
    """Poll the state of a dispute, which a notification reported without proof."""

    TYPE: ClassVar[str] = "provider.dispute_query.v1"
    dispute_no: ExternalId


class ProviderDisputeEvidence(Internal):
    """Give the provider the submission `number` of a dispute."""

    TYPE: ClassVar[str] = "provider.dispute_evidence.v1"
    dispute_no: ExternalId
    number: Quantity


DISPUTE_CALLS = (ProviderDisputeQuery, ProviderDisputeEvidence)


class ProviderCertificates(Internal):
    """Download the provider's certificates, because a notification is signed with one that is not known here."""

    TYPE: ClassVar[str] = "provider.certificates.v1"
    provider: ExternalId
    serial: str
