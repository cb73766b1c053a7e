"""Authorised payments: the step that the provider takes next, when we look at them again, and their events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import outbox
from db.pool import Transaction
from messages.authorizations import PaymentAuthorized, PaymentCaptureRequested, PaymentVoided
from messages.base import AlertRaised
from messages.envelope import Envelope
from messages.providers import (
    AttemptCall,
    ProviderAuthorizationCapture,
    ProviderAuthorizationRenew,
    ProviderAuthorizationVoid,
    ProviderQuery,
)
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.payment_authorizations import PaymentAuthorization, ProviderStep, capture_now, look_at
from workers.domain.shop import CaptureOn
from workers.providers import configured
from workers.providers.abilities import AuthorizingProvider
from workers.services.attempts import provider_call
from workers.store import payment_authorizations

CALLS: Mapping[ProviderStep, type[AttemptCall]] = {
    ProviderStep.CAPTURE: ProviderAuthorizationCapture,
    ProviderStep.VOID: ProviderAuthorizationVoid,
    ProviderStep.RENEW: ProviderAuthorizationRenew,
    ProviderStep.QUERY: ProviderQuery,
}


@dataclass(frozen=True)
class CaptureBegun:
    """An authorisation that is being captured, its order or the parent of it, and the message that calls for it."""

    one: PaymentAuthorization
    root_id: int
    because: Envelope[Any]


def call(one: PaymentAuthorization, step: ProviderStep, because: Envelope[Any]) -> outbox.Announcement:
    """Request a step of the provider."""
    more = {"number": one.captures} if step is ProviderStep.CAPTURE else {}
    return provider_call(CALLS[step](attempt_id=one.attempt_id, **more), one.provider, because=because)


def next_look(one: PaymentAuthorization) -> datetime:
    """Return when an authorisation that waits for its goods needs a look."""
    provider = configured().get(one.provider)
    honored_for = provider.honored_for if isinstance(provider, AuthorizingProvider) else None
    return look_at(one, honored_for)


async def capture(tx: Transaction, book: Book[Any], leaving: Mapping[int, Envelope[Any]]) -> list[outbox.Announcement]:
    """Begin to capture the authorisations of orders whose goods leave: order id -> the message that says so.

    It reads only if such an order pays when its goods leave. A capture that failed before is tried again.
    """
    because = {book[key].root_id: item for key, item in leaving.items() if book[key].capture_on is CaptureOn.HAND_OVER}
    begun = []
    for root_id, one in (await payment_authorizations.kept(tx, because)).items():
        after = capture_now(one)
        if after is not None:
            begun.append(CaptureBegun(after, root_id, because[root_id]))
    await payment_authorizations.save(tx, [each.one for each in begun])
    await payment_authorizations.poll(tx, [each.one.attempt_id for each in begun])
    return announcements(begun)


def announcements(begun: Iterable[CaptureBegun]) -> list[outbox.Announcement]:
    """Build payment.capture_requested, in its order's stream, and the call to the provider."""
    messages: list[outbox.Announcement] = []
    for each in begun:
        messages.append(outbox.event(capture_requested(each.one), because=each.because, stream=each.root_id))
        messages.append(call(each.one, ProviderStep.CAPTURE, each.because))
    return messages


def capture_requested(one: PaymentAuthorization) -> PaymentCaptureRequested:
    """Build payment.capture_requested."""
    return PaymentCaptureRequested(
        order_id=one.order_id,
        attempt_id=one.attempt_id,
        provider=one.provider,
        amount=one.capture_amount or 0,
        currency=one.currency,
    )


def authorized(one: PaymentAuthorization, intent_id: int | None) -> PaymentAuthorized:
    """Build payment.authorized."""
    return PaymentAuthorized(**about(one, intent_id) | {"verdict": one.verdict}, expire_at=one.expire_at)


def voided(one: PaymentAuthorization, intent_id: int | None) -> PaymentVoided:
    """Build payment.voided."""
    return PaymentVoided(**about(one, intent_id), reason_code=one.reason_code)


def about(one: PaymentAuthorization, intent_id: int | None) -> dict[str, Any]:
    """Return the fields that every event about a payment has."""
    return {
        "order_id": one.order_id,
        "intent_id": intent_id,
        "provider": one.provider,
        "trade_no": one.authorization_no,
        "amount": one.amount,
        "currency": one.currency,
    }


def wrong_amount(one: PaymentAuthorization) -> AlertRaised:
    """Build alert.raised: a buyer agreed to pay another amount than the order costs."""
    content = f"authorised {one.amount} {one.currency} at {one.provider}, which is not what the order costs: voided"
    return AlertRaised.of(
        title="wrong amount authorised",
        content=content,
        code=Code.PAY_AMOUNT_MISMATCH,
        order_id=one.order_id,
    )
