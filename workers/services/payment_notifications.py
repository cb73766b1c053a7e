"""Verifies providers' notifications, and finds out what they and the answers to our polls mean.

The service returns values and changes nothing. handlers/payment_results.py has the table of what follows from each
value: the retries, the events, the calls to providers and the changes of attempts and orders.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from db.pool import Transaction
from messages.base import as_reason_code
from messages.cells import Cell
from messages.envelope import Envelope
from messages.payments import PaymentCallback, PaymentObserved, PaymentResult
from messages.topology import PROVIDERS
from workers.domain.codes import Code
from workers.domain.payment_rules import AttemptState
from workers.providers.abilities import with_certificates
from workers.providers.port import (
    ApprovalReport,
    DisputeReport,
    IrrelevantNotification,
    Notification,
    PaymentReport,
    Provider,
    RefundReport,
    RejectedNotification,
    Report,
    ReportedPayment,
    UnknownCertificate,
)
from workers.runtime.batch import Batch
from workers.store import attempts, notifications
from workers.store.attempts import LIVE, Attempt
from workers.store.notifications import NotificationRecord

Callback: TypeAlias = Envelope[PaymentCallback]
VERIFIED_PER_TURN = 5  # about 0.3 ms; a thread would hold the interpreter as long, and not release it in between
AUTHORIZED_FOR = timedelta(days=3)  # an authorisation whose end its provider does not report
CERTIFICATE_TRIES = 3  # about 30 s; a provider that publishes its certificate later notifies again, or is polled
CERTIFICATE_NOT_NAMED = RejectedNotification(
    Code.PAY_SIGNATURE_INVALID, "it names a certificate that the provider does not publish"
)
NO_SUCH_PROVIDER = RejectedNotification(Code.PAY_METHOD_INVALID, "there is no such provider here")


@dataclass(frozen=True)
class ProviderNotConfigured:
    """This process has no settings for the provider. Another worker may have them."""

    provider: str


@dataclass(frozen=True)
class AttemptUnknown:
    """The notification is believed, but no attempt at this provider has the number that it names."""

    out_trade_no: str


@dataclass(frozen=True)
class PaymentReported:
    """An attempt was captured or failed, as `result` says; or authorised, if it has an end.

    Then `result` is the capture that it stands for, under the number of the authorisation.
    """

    attempt: Attempt
    result: PaymentResult
    authorized_until: datetime | None = None


@dataclass(frozen=True)
class PaymentUnproven:
    """The provider's signature does not prove what the notification says of the attempt; only a query does."""

    attempt: Attempt


@dataclass(frozen=True)
class ApprovalReported:
    """The buyer approved a live attempt, and we must capture it. `reference` is the provider's own id of it."""

    attempt: Attempt
    reference: str


@dataclass(frozen=True)
class ClosingReported:
    """The provider closed an attempt that was neither captured nor closed before."""

    attempt: Attempt
    reason_code: str | None


@dataclass(frozen=True)
class RefundReported:
    """A refund succeeded or failed."""

    refund: RefundReport


@dataclass(frozen=True)
class RefundUnproven:
    """The signature does not prove the refund, or the refund is under way and the amount may be the sum of several."""

    refund: RefundReport


@dataclass(frozen=True)
class DisputeUnproven:
    """A buyer disputes a payment, or the dispute went on. Only the answer to a query proves it."""

    dispute_no: str


@dataclass(frozen=True)
class OfAnotherCell:
    """The attempt or the refund is in another cell of the shop, which has to read the notification."""

    cell: str


@dataclass(frozen=True)
class NothingNew:
    """The notification is believed and changes nothing: it is not about us, or about what is known or undecided."""


Meaning: TypeAlias = (
    RejectedNotification
    | UnknownCertificate
    | ProviderNotConfigured
    | AttemptUnknown
    | PaymentReported
    | PaymentUnproven
    | ApprovalReported
    | ClosingReported
    | RefundReported
    | RefundUnproven
    | DisputeUnproven
    | OfAnotherCell
    | NothingNew
)
Verification: TypeAlias = Report | RejectedNotification | UnknownCertificate | ProviderNotConfigured


@dataclass(frozen=True)
class ProviderReport:
    """One message with news from a provider, and what it means.

    `record` is the raw notification to keep; None for an answer to a poll, and for a notification that cannot be
    verified yet and comes again.
    """

    item: Envelope[Any]
    meaning: Meaning
    record: NotificationRecord | None = None


async def read(tx: Transaction, batch: Batch[Any], providers: Mapping[str, Provider]) -> list[ProviderReport]:
    """Return what each notification and answer to a poll means: first notifications, each kind in order of arrival.

    `providers` are those that this process has settings for. One statement reads all attempts; certificates that were
    fetched are read only if a notification needs one.
    """
    callbacks, polled = batch.of(PaymentCallback), batch.of(PaymentObserved)
    verdicts = await _verify_with_fetched_certificates(tx, callbacks, providers)
    numbers = [verdict.out_trade_no for verdict in verdicts if isinstance(verdict, PaymentReport | ApprovalReport)]
    found = await attempts.find(tx, numbers, [item.body.attempt_id for item in polled])
    by_id = {attempt.id: attempt for attempt in found.values()}
    return [
        *(
            report(item, verdict, found, providers, batch.cell)
            for item, verdict in zip(callbacks, verdicts, strict=True)
        ),
        *(answered_poll(item, by_id[item.body.attempt_id]) for item in polled),
    ]


async def _verify_with_fetched_certificates(
    tx: Transaction, callbacks: Sequence[Callback], providers: Mapping[str, Provider]
) -> list[Verification]:
    verdicts = await verify_all(callbacks, providers)
    unverified = [place for place, verdict in enumerate(verdicts) if isinstance(verdict, UnknownCertificate)]
    fetched = await notifications.certificates(tx, {callbacks[place].body.provider for place in unverified})
    if not fetched:
        return verdicts
    certified = {name: with_certificates(providers[name], known) for name, known in fetched.items()}
    again = await verify_all([callbacks[place] for place in unverified], {**providers, **certified})
    for place, verdict in zip(unverified, again, strict=True):
        verdicts[place] = verdict
    return verdicts


async def verify_all(callbacks: Sequence[Callback], providers: Mapping[str, Provider]) -> list[Verification]:
    """Verify each signature. No I/O, but the event loop gets a turn after every few."""
    verdicts: list[Verification] = []
    for place, item in enumerate(callbacks):
        if place % VERIFIED_PER_TURN == 0:
            await asyncio.sleep(0)
        verdicts.append(verify(item.body, providers.get(item.body.provider)))
    return verdicts


def verify(body: PaymentCallback, provider: Provider | None) -> Verification:
    """Return what the notification reports, or why it is not believed (yet)."""
    if provider is None:
        return ProviderNotConfigured(body.provider) if body.provider in PROVIDERS else NO_SUCH_PROVIDER
    try:
        raw = decoded(body)
    except ValueError:
        return RejectedNotification(Code.PAY_CALLBACK_INVALID, "the body is not base64")
    return provider.verify(raw)


def decoded(body: PaymentCallback) -> Notification:
    """Return the bytes that the provider posted. Raises ValueError if the body is not base64."""
    headers = {name.lower(): value for name, value in body.headers.items()}
    return Notification(headers, base64.b64decode(body.body), body.received_at)


def report(
    item: Callback,
    verdict: Verification,
    found: Mapping[str, Attempt],
    providers: Mapping[str, Provider],
    cell: Cell | None = None,
) -> ProviderReport:
    """Return what one verified or rejected notification means. `found` has attempts by our number."""
    if cell is not None and (other := cell.other_of(_number_in(verdict))):
        return ProviderReport(item, OfAnotherCell(other))
    meaning = interpret(item, verdict, found, providers)
    if isinstance(meaning, UnknownCertificate | ProviderNotConfigured):
        return ProviderReport(item, meaning)
    code = meaning.code if isinstance(meaning, RejectedNotification) else None
    record = NotificationRecord(item.body.provider, _raw(item.body), code, _number_in(verdict))
    return ProviderReport(item, meaning, record)


def interpret(
    item: Callback, verdict: Verification, found: Mapping[str, Attempt], providers: Mapping[str, Provider]
) -> Meaning:
    """Return what the verdict on a notification means for the attempt or refund that it names. No I/O."""
    match verdict:
        case UnknownCertificate() if item.attempt >= CERTIFICATE_TRIES and not item.replayed:
            return CERTIFICATE_NOT_NAMED
        case UnknownCertificate() | ProviderNotConfigured() | RejectedNotification():
            return verdict
        case IrrelevantNotification() | DisputeReport():
            return DisputeUnproven(verdict.dispute_no) if isinstance(verdict, DisputeReport) else NothingNew()
    provider = providers[item.body.provider]
    if isinstance(verdict, RefundReport):
        is_final = verdict.status != "processing"
        proven = provider.notifications_prove and is_final
        return RefundReported(verdict) if proven else RefundUnproven(verdict)
    attempt = found.get(verdict.out_trade_no)
    if attempt is None or attempt.provider != item.body.provider:
        return AttemptUnknown(verdict.out_trade_no)
    return interpret_for_attempt(attempt, verdict, proven=provider.notifications_prove)


def interpret_for_attempt(attempt: Attempt, reported: PaymentReport | ApprovalReport, *, proven: bool) -> Meaning:
    """Return what a believed notification means for its attempt in that attempt's present state. No I/O."""
    if isinstance(reported, ApprovalReport):
        return ApprovalReported(attempt, reported.reference) if attempt.state in LIVE else NothingNew()
    if not proven or reported.is_open or attempt.state is AttemptState.AUTHORIZED:
        return NothingNew() if attempt.state is AttemptState.CAPTURED else PaymentUnproven(attempt)
    match reported.status:
        case ReportedPayment.CAPTURED:
            return PaymentReported(attempt, payment_result(attempt, reported, "captured"))
        case ReportedPayment.FAILED:
            return PaymentReported(attempt, payment_result(attempt, reported, "failed"))
        case ReportedPayment.CLOSED if attempt.state not in (AttemptState.CAPTURED, AttemptState.CLOSED):
            return ClosingReported(attempt, as_reason_code(reported.reason))
    return NothingNew()


def answered_poll(item: Envelope[PaymentObserved], attempt: Attempt) -> ProviderReport:
    """Return what the answer to a poll means. provider_calls has verified it."""
    kind, until = item.body.kind, None
    if kind == "authorized":
        kind, until = "captured", item.body.expire_at or item.body.occurred_at + AUTHORIZED_FOR
    return ProviderReport(item, PaymentReported(attempt, payment_result(attempt, item.body, kind), until))


def payment_result(
    attempt: Attempt, reported: PaymentReport | PaymentObserved, kind: Literal["captured", "failed"]
) -> PaymentResult:
    """Return the result that the shop's payment service would report of this attempt."""
    return PaymentResult(
        order_id=attempt.order_id,
        provider=attempt.provider,
        trade_no=reported.trade_no,
        kind=kind,
        amount=reported.amount,
        currency=reported.currency,
        occurred_at=reported.occurred_at,
        reason_code=reported.reason_code if isinstance(reported, PaymentObserved) else as_reason_code(reported.reason),
        intent_id=attempt.intent_id,
    )


def _raw(body: PaymentCallback) -> Notification:
    try:
        return decoded(body)
    except ValueError:
        return Notification(dict(body.headers), body.body.encode(), body.received_at)


def _number_in(verdict: Verification) -> str | None:
    match verdict:
        case PaymentReport() | ApprovalReport():
            return verdict.out_trade_no
        case RefundReport():
            return verdict.refund_no
        case DisputeReport():
            return verdict.dispute_no
    return None
