"""What a provider's answers about an authorised attempt mean: authorization.observed, which another handler judges."""

from collections.abc import Mapping
from typing import Any, Literal

import outbox
from messages.authorizations import AuthorizationObserved
from messages.base import Message, as_reason_code
from messages.envelope import Envelope
from messages.providers import ProviderAuthorizationCapture, ProviderAuthorizationRenew
from workers.providers.port import PaymentReport, ProviderRefusal, ReportedPayment
from workers.services.attempts import capture_of
from workers.store.attempts import Attempt

STATUSES: Mapping[ReportedPayment, Literal["authorized", "captured", "voided", "failed", "pending"]] = {
    ReportedPayment.AUTHORIZED: "authorized",
    ReportedPayment.CAPTURED: "captured",
    ReportedPayment.CLOSED: "voided",
    ReportedPayment.FAILED: "failed",
    ReportedPayment.PENDING: "pending",
}
"""The provider's word for the state of an authorised payment -> that of authorization.observed."""

REFUSED: Mapping[type[Message], Literal["failed", "not_renewed"]] = {
    ProviderAuthorizationCapture: "failed",
    ProviderAuthorizationRenew: "not_renewed",
}
"""Request -> what its refusal says of the authorisation."""


def follow_up(item: Envelope[Any], attempt: Attempt, answer: object) -> outbox.Announcement | None:
    """Return authorization.observed, or None if the answer says nothing; then the timer has the provider polled.

    A refused capture takes no money, and a refused renewal changes nothing. A refused void may have been done before.
    """
    if isinstance(answer, PaymentReport):
        return outbox.internal(
            AuthorizationObserved(
                attempt_id=attempt.id,
                status=STATUSES[answer.status],
                number=answer.trade_no or None,
                amount=answer.amount,
                currency=answer.currency,
                occurred_at=answer.occurred_at,
                expire_at=answer.expire_at,
                reason_code=as_reason_code(answer.reason),
                capture=capture_of(attempt, answer.capture_no),
            ),
            because=item,
        )
    refused = REFUSED.get(type(item.body)) if isinstance(answer, ProviderRefusal) else None
    if refused is not None and isinstance(answer, ProviderRefusal):
        return outbox.internal(
            AuthorizationObserved(
                attempt_id=attempt.id,
                status=refused,
                number=None,
                amount=attempt.amount,
                currency=attempt.currency,
                occurred_at=item.occurred_at,
                reason_code=as_reason_code(answer.code),
                capture=getattr(item.body, "number", None),
            ),
            because=item,
        )
    return None
