"""Verifies providers' notifications and turns them, and answers to our own queries, into what payment_results judges.

payment.callback is                                  then
---------------------------------------------------  ----------------------------------------------------------
not believed (signature, time, merchant, form)       payment.callback_rejected, counted; the raw notification is kept
signed with a certificate that is not known here     provider.certificates, and tried again; believed by none that its
                                                     provider names, it is not believed
of a provider that this process does not speak with   tried again later: others may
about a refund                                       refund.observed, for the refunds queue; provider.refund_query
                                                     where it does not say how the refund ended
an approval of an attempt that waits for one         provider.capture: the money comes when we ask for it
by PayPal, of anything else                          provider.query, provider.refund_query: the answer counts
about an attempt that nobody knows                   tried again later, at last a dead letter
about an attempt that was paid or failed             a fact, judged like any other
about an attempt that is closed                      payment.attempt_closed
"""

import asyncio
import base64
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from prometheus_client import Counter

import outbox
from db.pool import Transaction
from messages.base import Internal
from messages.envelope import Envelope
from messages.payments import (
    PaymentAttemptClosed,
    PaymentCallback,
    PaymentCallbackRejected,
    PaymentObserved,
    PaymentResult,
)
from messages.providers import ProviderCapture, ProviderCertificates, ProviderQuery, ProviderRefundQuery
from messages.refunds import RefundObserved
from messages.topology import PROVIDERS, provider_calls_queue
from workers.providers import configured
from workers.providers.port import (
    Approved,
    CertificateUnknown,
    Irrelevant,
    Notification,
    Paid,
    Provider,
    Refunded,
    Rejected,
    Said,
)
from workers.store import attempts, notifications
from workers.store.attempts import LIVE, Attempt, AttemptChange
from workers.store.notifications import Kept

Verdict: TypeAlias = Said | Rejected | CertificateUnknown
Call: TypeAlias = Envelope[PaymentCallback]
REJECTED = Counter("oms_payment_callbacks_rejected", "Notifications that were not believed", ["provider", "code"])
BELIEVED = Counter("oms_payment_callbacks_believed", "Notifications that were", ["provider"])
AT_ONCE = 5  # some 0.3 ms; a thread would hold the interpreter as long, and not let go of it in between
CERTIFICATE_TRIES = 3  # half a minute later: a provider that is slower tells us again, or is asked
FETCH_AGAIN_SECONDS = 3.0
FETCHES_MAX_PER_MINUTE = 10  # per provider and process: anybody may post a notification, and name a certificate
STRANGER = Rejected("PAY_SIGNATURE_INVALID", "its certificate is none that the provider names")
NO_PROVIDER = Rejected("PAY_METHOD_INVALID", "there is no such provider here")


class Fetches:
    """Which certificates were asked for lately: strangers shall not make us ask without end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, list[tuple[float, str]]] = {}

    def allow(self, provider: str, serial: str) -> bool:
        """Whether it may be asked for now; then it counts as asked for."""
        now = self._clock()
        lately = [(at, name) for at, name in self._asked.get(provider, []) if now - at < 60.0]
        just_now = any(name == serial and now - at < FETCH_AGAIN_SECONDS for at, name in lately)
        allowed = not just_now and len(lately) < FETCHES_MAX_PER_MINUTE
        self._asked[provider] = [*lately, (now, serial)] if allowed else lately
        return allowed


FETCHES = Fetches()


class Arrived(Protocol):
    """The messages of a batch, and a way to put one off."""

    def of(self, *types: type[Any]) -> list[Envelope[Any]]: ...
    def retry(self, item: Envelope[Any], reason: str, why: str) -> None: ...


@dataclass
class Heard:
    """What a batch's notifications and answers come to."""

    results: list[tuple[Envelope[Any], PaymentResult]] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    news: list[outbox.Announcement] = field(default_factory=list)
    changes: list[AttemptChange] = field(default_factory=list)
    by_item: dict[str, Attempt] = field(default_factory=dict)

    def attempt_of(self, item: Envelope[Any]) -> Attempt | None:
        """The attempt that a result came from, where it is one of ours."""
        return self.by_item.get(item.id)


def notification(body: PaymentCallback) -> Notification:
    """The notification's own bytes."""
    headers = {name.lower(): value for name, value in body.headers.items()}
    return Notification(headers, base64.b64decode(body.body), body.received_at)


async def verified(calls: Sequence[Call], providers: Mapping[str, Provider]) -> list[Verdict]:
    """What each says, if it is believed. No I/O: signatures only, and the event loop has its turn after a few."""
    verdicts: list[Verdict] = []
    for place, item in enumerate(calls):
        if place % AT_ONCE == 0:
            await asyncio.sleep(0)
        verdicts.append(verdict(item.body, providers.get(item.body.provider)))
    return verdicts


def verdict(body: PaymentCallback, provider: Provider | None) -> Verdict:
    """What a notification says, if it is believed."""
    if provider is None:
        return NO_PROVIDER
    try:
        raw = notification(body)
    except ValueError:
        return Rejected("PAY_CALLBACK_INVALID", "the body is not base64")
    return provider.verify(raw)


async def hear(tx: Transaction, batch: Arrived) -> Heard:
    """Verify the batch's notifications, keep them, and turn what is believed into results."""
    calls, observed = batch.of(PaymentCallback), batch.of(PaymentObserved)
    heard = Heard()
    if not (calls or observed):
        return heard
    verdicts = await _verified(tx, calls)
    numbers = [said.out_trade_no for said in verdicts if isinstance(said, Paid | Approved)]
    heard.attempts = await attempts.find(tx, numbers, [item.body.attempt_id for item in observed])
    kept: list[tuple[Call, Kept, Rejected | None]] = []
    for item, found in zip(calls, verdicts, strict=True):
        over = isinstance(found, CertificateUnknown) and item.attempt >= CERTIFICATE_TRIES
        said = STRANGER if over else found
        if isinstance(said, CertificateUnknown):
            batch.retry(item, "certificate_unknown", "its certificate is not known here yet")
            heard.news += _fetch(item, said)
        elif said is NO_PROVIDER and item.body.provider in PROVIDERS:
            batch.retry(item, "provider_not_configured", f"set OMS_{item.body.provider.upper()}")
        else:
            rejected = said if isinstance(said, Rejected) else None
            code = rejected.code if rejected else None
            kept.append((item, Kept(item.body.provider, _raw(item.body), code, _about(said)), rejected))
            _take(batch, heard, item, said)
    by_id = {attempt.id: attempt for attempt in heard.attempts.values()}
    for answer in observed:
        _result(heard, answer, by_id[answer.body.attempt_id], answer.body)
    heard.news += await _keep(tx, kept)
    return heard


async def _verified(tx: Transaction, calls: Sequence[Call]) -> list[Verdict]:
    providers = configured()
    verdicts = await verified(calls, providers)
    unsure = [place for place, found in enumerate(verdicts) if isinstance(found, CertificateUnknown)]
    fetched = await notifications.certificates(tx, {calls[place].body.provider for place in unsure})
    if not fetched:
        return verdicts
    wider = {**providers, **{name: providers[name].with_certificates(known) for name, known in fetched.items()}}
    again = await verified([calls[place] for place in unsure], wider)
    for place, found in zip(unsure, again, strict=True):
        verdicts[place] = found
    return verdicts


def _raw(body: PaymentCallback) -> Notification:
    try:
        return notification(body)
    except ValueError:
        return Notification(dict(body.headers), body.body.encode(), body.received_at)


def _about(said: Said | Rejected) -> str | None:
    match said:
        case Paid() | Approved():
            return said.out_trade_no
        case Refunded():
            return said.refund_no
    return None


def _fetch(item: Call, said: CertificateUnknown) -> list[outbox.Announcement]:
    provider = item.body.provider
    if not FETCHES.allow(provider, said.serial):
        return []
    message = ProviderCertificates(provider=provider, serial=said.serial)
    return [_call(message, provider, item)]


def _take(batch: Arrived, heard: Heard, item: Call, said: Said | Rejected) -> None:
    """Fold one believed notification."""
    provider = item.body.provider
    proves = provider not in configured() or configured()[provider].notifications_prove
    match said:
        case Rejected() | Irrelevant():
            return
        case Refunded() if not proves or said.status == "processing":  # which may name the sum of several refunds
            heard.news.append(_call(ProviderRefundQuery(refund_no=said.refund_no), provider, item))
        case Refunded():
            heard.news.append(outbox.internal(observed_refund(said), because=item))
        case Paid() | Approved():
            attempt = heard.attempts.get(said.out_trade_no)
            if attempt is None or attempt.provider != provider:
                batch.retry(item, "order_unknown", "no attempt of this provider has its number yet")
            elif proves or isinstance(said, Approved):
                _told_of(heard, item, attempt, said)
            elif attempt.state != "captured":
                heard.news.append(_call(ProviderQuery(attempt_id=attempt.id), provider, item))


def _told_of(heard: Heard, item: Call, attempt: Attempt, said: Paid | Approved) -> None:
    """Fold what is known of an attempt by now."""
    if isinstance(said, Approved):
        if attempt.state in LIVE:
            heard.changes.append(AttemptChange(attempt.id, reference=said.reference))
            heard.news.append(_call(ProviderCapture(attempt_id=attempt.id), attempt.provider, item))
    elif said.status == "closed" and attempt.state not in ("captured", "closed"):
        heard.changes.append(AttemptChange(attempt.id, "closed", reason=said.reason))
        heard.news.append(closed(attempt, said.reason or "closed by the provider", item))
    elif said.status in ("captured", "failed"):
        _result(heard, item, attempt, said)


def _call(message: Internal, provider: str, because: Call) -> outbox.Announcement:
    return outbox.to_queue(message, queue=provider_calls_queue(provider), because=because)


def _result(heard: Heard, item: Envelope[Any], attempt: Attempt, said: Paid | PaymentObserved) -> None:
    kind = said.status if isinstance(said, Paid) else said.kind
    result = PaymentResult(
        order_id=attempt.order_id,
        provider=attempt.provider,
        trade_no=said.trade_no,
        kind=kind,  # type: ignore[arg-type]
        amount=said.amount,
        currency=said.currency,
        occurred_at=said.occurred_at,
        reason=said.reason,
        intent_id=attempt.intent_id,
    )
    heard.by_item[item.id] = attempt
    heard.results.append((item, result))


def observed_refund(said: Refunded) -> RefundObserved:
    """For the refunds queue."""
    status = "submitted" if said.status == "processing" else said.status
    return RefundObserved(
        refund_no=said.refund_no,
        status=status,
        amount=said.amount,
        currency=said.currency,
        occurred_at=said.occurred_at,
        reason=said.reason,
    )


def closed(attempt: Attempt, reason: str, because: Envelope[Any]) -> outbox.Announcement:
    """payment.attempt_closed."""
    event = PaymentAttemptClosed(
        order_id=attempt.order_id, attempt_id=attempt.id, provider=attempt.provider, reason=reason[:255]
    )
    return outbox.event(event, because=because)


async def _keep(tx: Transaction, kept: Iterable[tuple[Call, Kept, Rejected | None]]) -> list[outbox.Announcement]:
    rows = list(kept)
    notification_ids = await notifications.keep(tx, [one for _, one, _ in rows])
    news = []
    for (item, one, rejected), notification_id in zip(rows, notification_ids, strict=True):
        if rejected is None:
            BELIEVED.labels(one.provider).inc()
            continue
        REJECTED.labels(one.provider if one.provider in configured() else "unknown", rejected.code).inc()
        event = PaymentCallbackRejected(
            provider=one.provider,
            notification_id=notification_id,
            code=rejected.code,
            message=rejected.message,
            received_at=item.body.received_at,
        )
        news.append(outbox.event(event, because=item))
    return news
