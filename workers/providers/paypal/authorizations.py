"""PayPal's authorisations: captured, voided and renewed by Payments v2.

PayPal promises the money of an authorisation for three days, and keeps it for 29. It can be renewed after those three
days, and then has a new number and is promised for three more. A capture that is `final_capture` lets go of the rest.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from workers.domain.money import render
from workers.providers.parsing import FieldError, Fields, MerchantError
from workers.providers.paypal import mapping
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.port import (
    AuthorizedPayment,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    ProviderRefusal,
    ReportedPayment,
    UnknownOutcome,
)

NO_CONTENT = 204


class PayPalAuthorizations(ABC):
    """The part of PayPal's adapter that is about authorisations."""

    honored_for = timedelta(days=3)
    _settings: PayPalSettings

    def capture_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Take `amount` of the authorisation, and let go of the rest."""
        money = {"currency_code": payment.currency, "value": render(payment.amount, payment.currency)}
        about = {"final_capture": True, "invoice_id": payment.capture_no}
        return self._step(payment, "capture", payment.capture_no, {"amount": money, **about})

    def read_captured(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the capture."""
        fields = mapping.read_response(response)
        if not isinstance(fields, Fields):
            return fields
        try:
            return mapping.read_capture(fields, self._settings.merchant_id, payment.out_trade_no)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def void_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Let go of the authorisation."""
        return self._step(payment, "void", f"{payment.authorization_no}-void", {})

    def read_voided(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the authorisation. PayPal may answer without a body."""
        if response.status == NO_CONTENT:
            number, money = payment.authorization_no, (payment.amount, payment.currency)
            return PaymentReport(payment.out_trade_no, number, ReportedPayment.CLOSED, *money, at)
        return self._authorization(payment, response)

    def renew_authorization(self, payment: AuthorizedPayment, at: datetime) -> HttpRequest:
        """Have PayPal promise the money anew."""
        money = {"currency_code": payment.currency, "value": render(payment.amount, payment.currency)}
        return self._step(payment, "reauthorize", f"{payment.authorization_no}-renew", {"amount": money})

    def read_renewed(
        self, payment: AuthorizedPayment, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the new authorisation."""
        return self._authorization(payment, response)

    def _authorization(
        self, payment: AuthorizedPayment, response: HttpResponse
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        fields = mapping.read_response(response)
        if not isinstance(fields, Fields):
            return fields
        try:
            return mapping.read_authorization(fields, self._settings.merchant_id, payment.out_trade_no)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def _step(self, payment: AuthorizedPayment, step: str, request_id: str, body: Mapping[str, Any]) -> HttpRequest:
        return self._post(
            f"/v2/payments/authorizations/{quote(payment.authorization_no, safe='')}/{step}", request_id, body
        )

    @abstractmethod
    def _post(self, path: str, request_id: str, body: Mapping[str, Any]) -> HttpRequest:
        """Build a POST request that carries the token, under a request id of ours."""
