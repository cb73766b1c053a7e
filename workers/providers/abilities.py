"""Abilities that only some providers have, beside those of the port. Callers check with isinstance."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.port import (
    AuthorizedPayment,
    DisputeReport,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    PaymentOrder,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundReport,
    UnknownOutcome,
)


@runtime_checkable
class CapturingProvider(Protocol):
    """A provider at which the buyer's approval moves no money: we capture it (PayPal)."""

    def capture(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Take the money of an approved payment, or reserve it if the payment is to authorise.

        `read_payment` reads the response.
        """


@runtime_checkable
class AuthorizingProvider(Protocol):
    """A provider that reserves money which we capture or void later (PayPal, Stripe).

    It promises the money for `honored_for` from the authorisation or its last renewal; the authorisation itself may be
    valid for longer. `query` and `read_payment` report also what became of an authorisation.
    """

    honored_for: timedelta

    def capture_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Take `amount` of the authorisation, and let go of the rest."""

    def read_captured(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `capture_authorization`. A ProviderRefusal means that it takes no money."""

    def void_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Let go of the whole authorisation."""

    def read_voided(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `void_authorization`: a voided authorisation is reported as closed."""

    def renew_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Have the provider promise the money anew, or poll one that promises nothing anew (Stripe)."""

    def read_renewed(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `renew_authorization`: the authorisation, under a number that may be new."""


@runtime_checkable
class ClosingProvider(Protocol):
    """A provider that closes a payment on request, and then takes no more money for it (Alipay, WeChat Pay, Stripe)."""

    def close(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Close the payment."""

    def read_close(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `close`: the payment is closed, or no longer waits for its buyer."""


@runtime_checkable
class ForeignRefundSource(Protocol):
    """A provider that answers queries of refunds which we did not request (all but UnionPay)."""

    def query_foreign_refund(self, refund: ForeignRefund, at: datetime) -> HttpRequest:
        """Poll the refund by its number at the provider."""

    def read_foreign_refund(
        self, refund: ForeignRefund, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `query_foreign_refund`. The report names the capture."""


@runtime_checkable
class DisputeSource(Protocol):
    """A provider that answers queries of buyers' disputes (PayPal, Stripe)."""

    def query_dispute(self, dispute_no: str, at: datetime) -> HttpRequest:
        """Poll the dispute."""

    def read_dispute(
        self, dispute_no: str, response: HttpResponse, at: datetime
    ) -> DisputeReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `query_dispute`. A ProviderRefusal means that there is no such dispute."""


@runtime_checkable
class EvidenceTaker(Protocol):
    """A provider that takes evidence against a buyer's dispute by a request (PayPal, Stripe)."""

    def give_evidence(self, evidence: DisputeEvidence, at: datetime) -> HttpRequest:
        """Give the evidence to the provider, which may take it once for a dispute."""

    def read_evidence(
        self, evidence: DisputeEvidence, response: HttpResponse, at: datetime
    ) -> EvidenceReceipt | ProviderRefusal | UnknownOutcome:
        """Read the response to `give_evidence`."""


TAKES_EVIDENCE = frozenset({"paypal", "stripe"})
"""The names of the providers that are an EvidenceTaker."""


@runtime_checkable
class CertificateSource(Protocol):
    """A provider whose current certificates can be downloaded (WeChat Pay, PayPal)."""

    def certificates(self, at: datetime, serial: str) -> HttpRequest | None:
        """Download the certificates, among them the one of this serial (or address).

        Returns None if the provider does not offer it for download.
        """

    def read_certificates(
        self, response: HttpResponse, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | UnknownOutcome:
        """Verify the downloaded certificates, and return serial (or address) -> PEM.

        `serial` is the requested one; PayPal's response does not repeat it.
        """

    def with_certificates(self, known: Mapping[str, str]) -> Provider:
        """The same provider, which also believes these certificates."""


@runtime_checkable
class TokenSource(Protocol):
    """A provider whose requests carry an access token (PayPal)."""

    def token(self) -> HttpRequest:
        """Fetch an access token."""

    def read_token(self, response: HttpResponse) -> tuple[str, int] | UnknownOutcome:
        """Read (token, seconds until it ends)."""


def with_certificates(provider: Provider, known: Mapping[str, str]) -> Provider:
    """The same provider, which also believes the downloaded certificates if it uses such."""
    return provider.with_certificates(known) if isinstance(provider, CertificateSource) else provider
