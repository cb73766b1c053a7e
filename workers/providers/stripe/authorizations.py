"""Stripe's authorisations: a payment intent that was confirmed to be captured later.

A card's bank reserves the money for seven days as a rule; the charge says until when (capture_before). Then Stripe
cancels the payment intent. It offers no renewal. A capture of a part lets go of the rest.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from workers.providers.parsing import FieldError, Fields, MerchantError
from workers.providers.port import (
    AuthorizedPayment,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    ProviderRefusal,
    UnknownOutcome,
)
from workers.providers.stripe import mapping, responses
from workers.providers.stripe.currencies import to_stripe
from workers.providers.stripe.settings import StripeSettings

EXPAND = {"expand[]": "latest_charge"}
NOT_RENEWABLE = ProviderRefusal("not_renewable", "Stripe renews no authorisation")


class StripeAuthorizations(ABC):
    """The part of Stripe's adapter that is about authorisations. None of its requests has an Idempotency-Key."""

    honored_for = timedelta(days=7)
    _settings: StripeSettings

    def capture_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Take `amount` of the authorisation, and let go of the rest."""
        money = {"amount_to_capture": str(to_stripe(payment.amount, payment.currency))}
        number = {f"metadata[{mapping.CAPTURE}]": payment.capture_no}
        return self._post(f"{_path(payment)}/capture", money | number | EXPAND)

    def read_captured(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the payment intent: captured."""
        return self._intent(payment, response, at)

    def void_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Let go of the authorisation."""
        return self._post(f"{_path(payment)}/cancel", {"cancellation_reason": "abandoned", **EXPAND})

    def read_voided(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the payment intent: canceled, which is closed."""
        return self._intent(payment, response, at)

    def renew_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Fetch the payment intent, because Stripe renews no authorisation."""
        return self._get(_path(payment), EXPAND)

    def read_renewed(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the payment intent: one that is still authorised was not renewed."""
        report = self._intent(payment, response, at)
        return NOT_RENEWABLE if isinstance(report, PaymentReport) and report.is_open else report

    def _intent(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        fields = responses.read(response)
        if not isinstance(fields, Fields):
            return fields
        try:
            mapping.check_mode(fields, self._settings.live)
            report = mapping.read_intent(fields, at)
            same = fields.number("id") == payment.authorization_no
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))
        if report is None or not same or report.out_trade_no != payment.out_trade_no:
            return UnknownOutcome("the answer is about something else")
        return report

    @abstractmethod
    def _get(self, path: str, query: Mapping[str, str]) -> HttpRequest:
        """Build a GET request."""

    @abstractmethod
    def _post(self, path: str, form: Mapping[str, str], key: str | None = None) -> HttpRequest:
        """Build a POST request, under an Idempotency-Key of ours if one is given."""


def _path(payment: AuthorizedPayment) -> str:
    return f"/v1/payment_intents/{quote(payment.authorization_no, safe='')}"
