"""Builds the HTTP requests for a batch of provider.* messages, sends them, and reads the responses.

This runs before the handler's transaction; no transaction is open during the calls. Every request carries a number of
ours as its idempotency key, so that sending it again after a crash does no harm.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.envelope import Envelope
from messages.providers import (
    AUTHORIZATION_CALLS,
    AttemptCall,
    ProviderAuthorizationCapture,
    ProviderAuthorizationVoid,
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderDisputeEvidence,
    ProviderDisputeQuery,
    ProviderRefund,
    ProviderRefundQuery,
    ProviderStart,
    RefundCall,
)
from workers.domain.payment_authorizations import PaymentAuthorization
from workers.domain.payment_rules import AttemptState
from workers.providers import caller, configured
from workers.providers.abilities import (
    AuthorizingProvider,
    CapturingProvider,
    CertificateSource,
    ClosingProvider,
    DisputeSource,
    EvidenceTaker,
    ForeignRefundSource,
    with_certificates,
)
from workers.providers.calls import Caller, ProviderAwayError
from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.port import (
    ApprovalReport,
    AuthorizedPayment,
    ClientAction,
    DisputeReport,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    PaymentOrder,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    ReportedPayment,
    UnknownOutcome,
)
from workers.services import dispute_evidence
from workers.services.attempts import capture_number, payment_order, refunds_of_attempts
from workers.store import attempts, notifications, payment_authorizations
from workers.store.attempts import DONE, LIVE, Attempt
from workers.store.disputes import EvidenceKey
from workers.telemetry import lines

Item: TypeAlias = Envelope[Any]
ProviderAnswer: TypeAlias = (
    ClientAction
    | PaymentReport
    | ApprovalReport
    | RefundReport
    | DisputeReport
    | EvidenceReceipt
    | ProviderRefusal
    | UnknownOutcome
    | Mapping[str, str]  # certificates by serial
)
Build: TypeAlias = Callable[[PaymentOrder, datetime], HttpRequest | None]
Read: TypeAlias = Callable[[PaymentOrder, HttpResponse, datetime], ProviderAnswer]
NOT_OFFERED = ProviderRefusal("NOT_OFFERED", "the provider does not offer this request")


@dataclass(frozen=True)
class ProviderRequest:
    """One message as an HTTP request: `build` makes it at a given time (None: not offered), `read` reads the response.

    `tolerates_absence` is True where an unreachable address must not pause the queue: a stranger may have invented it.
    """

    item_id: str
    build: Callable[[datetime], HttpRequest | None]
    read: Callable[[HttpResponse, datetime], ProviderAnswer]
    tolerates_absence: bool = False


@dataclass(frozen=True)
class RequestBatch:
    """The requests of one batch to one provider."""

    provider: str
    requests: Sequence[ProviderRequest]


async def prepare(tx: Transaction, items: Sequence[Item], *, provider: str) -> RequestBatch:
    """Read what the requests need, one statement per table, and build them. Items that need no request are left out.

    Raises ProviderAwayError if this process has no settings for the provider; another worker will take the message.
    """
    adapter = configured().get(provider)
    if adapter is None:
        raise ProviderAwayError(f"this process has no settings for {provider}: set OMS_{provider.upper()}")
    downloaded = await notifications.certificates(tx, [provider])
    if downloaded:
        adapter = with_certificates(adapter, downloaded[provider])
    found = await attempts.read(tx, [item.body.attempt_id for item in items if isinstance(item.body, AttemptCall)])
    refund_nos = [item.body.refund_no for item in items if isinstance(item.body, RefundCall)]
    refunds = {refund_no: order for refund_no, (_, order) in (await refunds_of_attempts(tx, refund_nos)).items()}
    stepping = [item.body.attempt_id for item in items if isinstance(item.body, AUTHORIZATION_CALLS)]
    reserved = await payment_authorizations.read(tx, stepping)
    against = [item for item in items if isinstance(item.body, ProviderDisputeEvidence)]
    given = await dispute_evidence.read(tx, provider, against)
    requests = [
        *(request_for(adapter, item, found, refunds, reserved) for item in items if item not in against),
        *(evidence_request(adapter, item, given[key]) for item in against if (key := evidence_key(item)) in given),
    ]
    return RequestBatch(provider, [request for request in requests if request is not None])


def request_for(
    provider: Provider,
    item: Item,
    found: Mapping[int, Attempt],
    refunds: Mapping[str, RefundOrder],
    reserved: Mapping[int, PaymentAuthorization],
) -> ProviderRequest | None:
    """Return the request for one message; None if it needs none: its attempt has ended or does not exist."""
    body = item.body
    if isinstance(body, ProviderCertificates):
        return certificates_request(provider, item, body.serial)
    if isinstance(body, ProviderDisputeQuery):
        return dispute_request(provider, item, body.dispute_no)
    if isinstance(body, RefundCall):
        refund = refunds.get(body.refund_no)
        return refund_request(provider, item, refund) if refund else foreign_refund_request(provider, item)
    attempt = found.get(body.attempt_id)
    if attempt is None or attempt.state is AttemptState.CAPTURED:
        return None
    if isinstance(body, AUTHORIZATION_CALLS):
        return authorization_request(provider, item, attempt, reserved.get(attempt.id))
    started = isinstance(body, ProviderStart) and attempt.state is not AttemptState.CREATED
    closed = isinstance(body, ProviderClose) and attempt.state in DONE
    return None if started or closed else attempt_request(provider, item, attempt)


def certificates_request(provider: Provider, item: Item, serial: str) -> ProviderRequest:
    """Download the provider's certificates, among them the one of this serial."""
    if not isinstance(provider, CertificateSource):
        return not_offered(item)
    return ProviderRequest(
        item.id,
        build=partial(provider.certificates, serial=serial),
        read=partial(provider.read_certificates, serial=serial),
        tolerates_absence=True,
    )


def dispute_request(provider: Provider, item: Item, dispute_no: str) -> ProviderRequest:
    """Poll a buyer's dispute."""
    if not isinstance(provider, DisputeSource):
        return not_offered(item)
    return ProviderRequest(
        item.id, partial(provider.query_dispute, dispute_no), partial(provider.read_dispute, dispute_no)
    )


def evidence_key(item: Item) -> EvidenceKey:
    """The submission that a message is about."""
    return item.body.dispute_no, item.body.number


def evidence_request(provider: Provider, item: Item, evidence: DisputeEvidence | None) -> ProviderRequest:
    """Give the provider evidence against a dispute. Nothing is sent of a text that was erased."""
    if evidence is None or not isinstance(provider, EvidenceTaker):
        return not_offered(item)
    return ProviderRequest(
        item.id, partial(provider.give_evidence, evidence), partial(provider.read_evidence, evidence)
    )


def refund_request(provider: Provider, item: Item, refund: RefundOrder) -> ProviderRequest:
    """Refund, or poll the refund."""
    if isinstance(item.body, ProviderRefund):
        return ProviderRequest(item.id, partial(provider.refund, refund), partial(provider.read_refund, refund))
    return ProviderRequest(item.id, partial(provider.query_refund, refund), partial(provider.read_refund_query, refund))


def foreign_refund_request(provider: Provider, item: Item) -> ProviderRequest | None:
    """Poll a refund that is not ours; None if its capture is not named, or the provider answers no such query."""
    body = item.body
    if not isinstance(body, ProviderRefundQuery) or body.trade_no is None:
        return None
    if not isinstance(provider, ForeignRefundSource):
        return None
    refund = ForeignRefund(body.refund_no, body.trade_no, body.provider_no, body.reversal)
    return ProviderRequest(
        item.id, partial(provider.query_foreign_refund, refund), partial(provider.read_foreign_refund, refund)
    )


def authorization_request(
    provider: Provider, item: Item, attempt: Attempt, one: PaymentAuthorization | None
) -> ProviderRequest | None:
    """Capture, void or renew an authorisation; None if there is none, or another capture has replaced this one."""
    if one is None or getattr(item.body, "number", one.captures) != one.captures:
        return None
    if not isinstance(provider, AuthorizingProvider):
        return not_offered(item)
    amount = one.capture_amount if isinstance(item.body, ProviderAuthorizationCapture) else one.amount
    capture_no = capture_number(attempt, one.captures)
    payment = AuthorizedPayment(
        attempt.out_trade_no, one.authorization_no, attempt.reference, amount or 0, one.currency, capture_no
    )
    match item.body:
        case ProviderAuthorizationCapture():
            build, read = provider.capture_authorization, provider.read_captured
        case ProviderAuthorizationVoid():
            build, read = provider.void_authorization, provider.read_voided
        case _:
            build, read = provider.renew_authorization, provider.read_renewed
    return ProviderRequest(item.id, partial(build, payment), partial(read, payment))


def attempt_request(provider: Provider, item: Item, attempt: Attempt) -> ProviderRequest:
    """Start, capture, close or poll the attempt."""
    methods = methods_for(provider, item.body, attempt)
    if methods is None:
        return not_offered(item)
    build, read = methods
    payment = payment_order(attempt)
    return ProviderRequest(item.id, partial(build, payment), partial(read, payment))


def methods_for(provider: Provider, body: AttemptCall, attempt: Attempt) -> tuple[Build, Read] | None:
    """Return the methods that build the request of a message and read its response; None if the provider has none.

    provider.start                                     start    read_start
    provider.capture, while the attempt may be paid    capture  read_payment
    provider.close, at a provider that we capture at   query    read_payment, as not captured
    provider.close, at every other                     close    read_close
    any other                                          query    read_payment
    """
    match body:
        case ProviderStart():
            return partial(build_start, provider), provider.read_start
        case ProviderCapture() if attempt.state in LIVE:
            return (provider.capture, provider.read_payment) if isinstance(provider, CapturingProvider) else None
        case ProviderClose() if isinstance(provider, CapturingProvider):
            return provider.query, partial(read_uncaptured, provider)
        case ProviderClose():
            return (provider.close, provider.read_close) if isinstance(provider, ClosingProvider) else None
    return provider.query, provider.read_payment


def not_offered(item: Item) -> ProviderRequest:
    """Return a request that stands for one that the provider does not offer: it sends nothing and reads NOT_OFFERED."""
    return ProviderRequest(item.id, build=lambda _at: None, read=lambda _response, _at: NOT_OFFERED)


def build_start(provider: Provider, payment: PaymentOrder, at: datetime) -> HttpRequest | None:
    """Return the request that opens the payment, or None if the provider needs none."""
    request = provider.start(payment, at)
    return request if isinstance(request, HttpRequest) else None


def read_uncaptured(provider: Provider, payment: PaymentOrder, response: HttpResponse, at: datetime) -> ProviderAnswer:
    """Read the response to a query that replaces a close, at a provider that waits for our captures."""
    return uncaptured(provider.read_payment(payment, response, at), payment, at)


def uncaptured(answer: ProviderAnswer, payment: PaymentOrder, at: datetime) -> ProviderAnswer:
    """Report a payment that we have not captured as closed: not capturing it is all that closing takes.

    A pending payment with a trade_no has a capture under way, and its answer stays as it is.
    """
    not_captured = isinstance(answer, ApprovalReport | ProviderRefusal)
    if isinstance(answer, PaymentReport) and answer.status == ReportedPayment.PENDING and not answer.trade_no:
        not_captured = True
    if not not_captured:
        return answer
    number, reason = payment.out_trade_no, "not_captured"
    return PaymentReport(number, number, ReportedPayment.CLOSED, payment.amount, payment.currency, at, reason)


async def send(batch: RequestBatch) -> Mapping[str, ProviderAnswer]:
    """Send the requests side by side: item id -> answer. Raises ProviderAwayError if the provider is not reached."""
    if not batch.requests:
        return {}
    provider = caller(batch.provider)
    answers = await asyncio.gather(*(send_one(provider, request) for request in batch.requests))
    return {request.item_id: answer for request, answer in zip(batch.requests, answers, strict=True)}


async def send_one(provider: Caller, request: ProviderRequest) -> ProviderAnswer:
    """Send one request. Raises ProviderAwayError."""
    try:
        with lines.about(request.item_id):
            answer = await provider.call(request.build, request.read)
    except ProviderAwayError as error:
        if not request.tolerates_absence:
            raise
        return UnknownOutcome(str(error))
    return NOT_OFFERED if answer is None else answer
