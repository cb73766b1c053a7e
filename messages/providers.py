"""gateway.*: what we ask of payment channels. Each channel has a queue of its own, addressed directly."""

from typing import ClassVar

from messages.base import ExternalId, Internal, OrderId


class AttemptCall(Internal):
    """Something to ask about one attempt."""

    attempt_id: OrderId


class GatewayStart(AttemptCall):
    """Open the attempt at the channel; the answer decides the payment.start that asked for it."""

    TYPE: ClassVar[str] = "gateway.start.v1"


class GatewayCapture(AttemptCall):
    """The buyer approved: take the money."""

    TYPE: ClassVar[str] = "gateway.capture.v1"


class GatewayQuery(AttemptCall):
    """How does the attempt stand?"""

    TYPE: ClassVar[str] = "gateway.query.v1"


class GatewayClose(AttemptCall):
    """Nobody shall pay the attempt any more."""

    TYPE: ClassVar[str] = "gateway.close.v1"


class RefundCall(Internal):
    """Something to ask about one refund."""

    refund_no: ExternalId


class GatewayRefund(RefundCall):
    """Give the money back. The same number again is the same refund."""

    TYPE: ClassVar[str] = "gateway.refund.v1"


class GatewayRefundQuery(RefundCall):
    """How does the refund stand?"""

    TYPE: ClassVar[str] = "gateway.refund_query.v1"


class GatewayCertificates(Internal):
    """Fetch the channel's certificates: one that signed a notification is not known here."""

    TYPE: ClassVar[str] = "gateway.certificates.v1"
    channel: ExternalId
    serial: str
