"""provider.*: the calls that we owe to a provider. Each provider has a queue of its own, addressed directly."""

from typing import ClassVar

from messages.base import ExternalId, Internal, OrderId


class AttemptCall(Internal):
    """Something to ask about one attempt."""

    attempt_id: OrderId


class ProviderStart(AttemptCall):
    """Open the attempt at the provider; the answer decides the payment.start that asked for it."""

    TYPE: ClassVar[str] = "provider.start.v1"


class ProviderCapture(AttemptCall):
    """The buyer approved: take the money."""

    TYPE: ClassVar[str] = "provider.capture.v1"


class ProviderQuery(AttemptCall):
    """How does the attempt stand?"""

    TYPE: ClassVar[str] = "provider.query.v1"


class ProviderClose(AttemptCall):
    """Nobody shall pay the attempt any more."""

    TYPE: ClassVar[str] = "provider.close.v1"


class RefundCall(Internal):
    """Something to ask about one refund."""

    refund_no: ExternalId


class ProviderRefund(RefundCall):
    """Give the money back. The same number again is the same refund."""

    TYPE: ClassVar[str] = "provider.refund.v1"


class ProviderRefundQuery(RefundCall):
    """How does the refund stand?"""

    TYPE: ClassVar[str] = "provider.refund_query.v1"


class ProviderCertificates(Internal):
    """Fetch the provider's certificates: one that signed a notification is not known here."""

    TYPE: ClassVar[str] = "provider.certificates.v1"
    provider: ExternalId
    serial: str
