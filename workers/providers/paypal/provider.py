"""PayPal's adapter. Its only scene is page: a link to PayPal, where the buyer approves."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from workers.domain.codes import Code
from workers.domain.money import render
from workers.providers.certificates import UntrustedError
from workers.providers.parsing import FieldError, Fields, MerchantError, json_fields, keep_not_found, unreadable
from workers.providers.paypal import mapping
from workers.providers.paypal.authorizations import PayPalAuthorizations
from workers.providers.paypal.disputes import PayPalDisputes
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.paypal.signing import PayPalTrust
from workers.providers.paypal.statement import rows
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    Notification,
    PaymentOrder,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    RejectedNotification,
    Report,
    StatementRow,
    UnknownCertificate,
    UnknownOutcome,
)

CURRENCIES = frozenset(
    {
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "ILS",
        "JPY",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PHP",
        "PLN",
        "SEK",
        "SGD",
        "THB",
        "USD",
    }
)
"""The currencies that PayPal collects, without HUF and TWD: they have no decimals at PayPal and two in ISO 4217."""
REPEATABLE_FOR = timedelta(days=30)  # PayPal remembers a refund's PayPal-Request-Id for 45 days
JSON = {"content-type": "application/json", "accept": "application/json"}
_TOKEN = re.compile(r"[!-~]{1,4096}")


class PayPal(PayPalAuthorizations, PayPalDisputes):
    """One app of one merchant at PayPal. It holds keys; its repr shows none."""

    name = "paypal"
    scenes = frozenset({"page"})
    currencies = CURRENCIES
    notifications_prove = False

    def __init__(self, settings: PayPalSettings, certificates: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._certificates = {**settings.certificates, **(certificates or {})}
        self._trust = PayPalTrust(settings, self._certificates)
        self._approval = re.compile(settings.approval_url_pattern)

    def start(self, payment: PaymentOrder, at: datetime) -> HttpRequest | ProviderRefusal:
        """Create an order. The same payment again gets the same order."""
        if payment.scene not in self.scenes or payment.currency not in self.currencies or payment.amount <= 0:
            return ProviderRefusal(Code.PAY_PARAM_INVALID, "PayPal collects some currencies, on a page")
        place = {
            "return_url": payment.return_url or self._settings.return_url,
            "cancel_url": self._settings.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
        }
        unit = {
            "custom_id": payment.out_trade_no,
            "invoice_id": payment.out_trade_no,
            "description": payment.subject[:127],
            "amount": _money(payment.amount, payment.currency),
            "payee": {"merchant_id": self._settings.merchant_id},
        }
        order = {
            "intent": "AUTHORIZE" if payment.authorize else "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": place}},
        }
        return self._post("/v2/checkout/orders", payment.out_trade_no, order)

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read the address at PayPal where the buyer approves."""
        order = mapping.read_response(response)
        if not isinstance(order, Fields):
            return order
        try:
            links = {link.text("rel"): link for link in order.parts("links")}
            link = links.get("payer-action") or links.get("approve")
            url = link.text("href", 2000) if link else ""
            if not self._approval.fullmatch(url):
                return UnknownOutcome("the order has no address at PayPal where it is approved")
            return ClientAction("redirect", url, reference=order.number("id"))
        except FieldError as error:
            return UnknownOutcome(str(error))

    def verify(self, notification: Notification) -> Report | RejectedNotification | UnknownCertificate:
        """Check the certificate, the time and the signature, then the merchant."""
        why = unreadable(notification.headers, notification.body)
        if why is not None:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, why)
        failure = self._trust.authenticate(notification)
        if failure is not None:
            return failure
        try:
            return mapping.read_notification(json_fields(notification.body), self._settings.merchant_id)
        except MerchantError as error:
            return RejectedNotification(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, str(error))

    def capture(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Take the money of an approved order, or authorise it."""
        assert payment.reference is not None, "an approved attempt has its order at PayPal"
        step = "authorize" if payment.authorize else "capture"
        path = f"/v2/checkout/orders/{quote(payment.reference, safe='')}/{step}"
        return self._post(path, f"{payment.out_trade_no}-{step}", {})

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Fetch the order. Without its identifier, create it again: the response is the order that exists."""
        if payment.reference is None:
            again = self.start(payment, at)
            assert isinstance(again, HttpRequest), "it was started before"
            return again
        return self._get(f"/v2/checkout/orders/{quote(payment.reference, safe='')}")

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ApprovalReport | ProviderRefusal | UnknownOutcome:
        """Read the order. A ProviderRefusal means that there is no such order."""
        order = mapping.read_response(response)
        if isinstance(order, ProviderRefusal):
            return mapping.read_refusal(order, response.status, payment, at)
        if isinstance(order, UnknownOutcome):
            return order
        try:
            return mapping.read_order(order, payment, self._settings.merchant_id, at)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Give back some or all of a capture."""
        body = {
            "amount": _money(refund.amount, refund.currency),
            "invoice_id": refund.refund_no,
            "custom_id": refund.refund_no,
            "note_to_payer": refund.reason[:255],
        }
        return self._post(f"/v2/payments/captures/{quote(refund.trade_no, safe='')}/refund", refund.refund_no, body)

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund. Often it has succeeded at once."""
        fields = mapping.read_response(response)
        if not isinstance(fields, Fields):
            return fields
        try:
            report = mapping.read_refund(fields, refund.refund_no)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return report if report.refund_no == refund.refund_no else UnknownOutcome("the answer is about something else")

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Fetch the order that has the refund, because we do not keep PayPal's identifier of the refund.

        Without the order's identifier, request the refund again under the same request id while PayPal remembers that
        id, and later fetch the capture.
        """
        if refund.reference is not None:
            return self._get(f"/v2/checkout/orders/{quote(refund.reference, safe='')}")
        if at - refund.requested_at < REPEATABLE_FOR:
            return self.refund(refund, at)
        return self._get(f"/v2/payments/captures/{quote(refund.trade_no, safe='')}")

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read an order, a refund, or a capture (which proves nothing).

        A ProviderRefusal means that the order has no such refund.
        """
        if refund.reference is None:
            report = self.read_refund(refund, response, at)
            if isinstance(report, ProviderRefusal) and response.status not in (404, 422):
                return UnknownOutcome(report.code)
            return report
        order = mapping.read_response(response)
        if not isinstance(order, Fields):
            return UnknownOutcome(order.code) if isinstance(order, ProviderRefusal) else order
        try:
            if order.number("id") != refund.reference:
                return UnknownOutcome("the answer is about something else")
            return mapping.find_refund(order, refund, self._settings.merchant_id)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def query_foreign_refund(self, refund: ForeignRefund, at: datetime) -> HttpRequest:
        """Fetch the refund by PayPal's own number."""
        return self._get(f"/v2/payments/refunds/{quote(refund.provider_no or refund.refund_no, safe='')}")

    def read_foreign_refund(
        self, refund: ForeignRefund, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund. A ProviderRefusal means that there is no such refund; any other error proves nothing."""
        fields = mapping.read_response(response)
        if isinstance(fields, ProviderRefusal):
            return keep_not_found(fields, mapping.ABSENT)
        if isinstance(fields, UnknownOutcome):
            return fields
        try:
            return mapping.read_foreign_refund(fields, refund)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def certificates(self, at: datetime, serial: str) -> HttpRequest | None:
        """Download the certificate at this address, if PayPal offers certificates there."""
        return HttpRequest("GET", serial, {}) if self._trust.is_certificate_address(serial) else None

    def read_certificates(
        self, response: HttpResponse, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | UnknownOutcome:
        """Verify the certificate, and return it under the address from which it was downloaded."""
        if serial is None or not self._trust.is_certificate_address(serial):
            return UnknownOutcome("no certificate of this address was requested")
        if response.status != 200 or unreadable(response.headers, response.body) is not None:
            return UnknownOutcome(f"HTTP {response.status}, or an answer that is encoded or too large")
        try:
            pem = response.body.decode("ascii")
            self._trust.verified(pem, at)
        except (UnicodeDecodeError, UntrustedError):
            return UnknownOutcome("the answer is no certificate that is believed here")
        return {serial: pem}

    def with_certificates(self, known: Mapping[str, str]) -> "PayPal":
        """The same app, which also knows these certificates. It looks up only addresses of PayPal."""
        return PayPal(self._settings, {**self._certificates, **known})

    def token(self) -> HttpRequest:
        """Fetch an access token with the first secret."""
        secret = self._settings.client_secrets[0].get_secret_value()
        basic = base64.b64encode(f"{self._settings.client_id}:{secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        return HttpRequest("POST", self._url("/v1/oauth2/token"), headers, b"grant_type=client_credentials")

    def read_token(self, response: HttpResponse) -> tuple[str, int] | UnknownOutcome:
        """Read (token, seconds until it ends). A refusal says nothing about the request that needs the token."""
        if response.status != 200 or unreadable(response.headers, response.body) is not None:
            return UnknownOutcome(f"no token: HTTP {response.status}")
        try:
            answer = json_fields(response.body)
            token, lives_seconds = answer.text("access_token", 4096), answer.whole("expires_in")
        except FieldError as error:
            return UnknownOutcome(str(error))
        return (token, lives_seconds) if _TOKEN.fullmatch(token) else UnknownOutcome("access_token is no token")

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read a settlement report."""
        return rows(content, day, self._settings.merchant_id)

    def _url(self, path: str) -> str:
        return self._settings.api_url.rstrip("/") + path

    def _get(self, path: str) -> HttpRequest:
        return HttpRequest("GET", self._url(path), JSON, bearer=True)

    def _post(self, path: str, request_id: str, body: Mapping[str, Any]) -> HttpRequest:
        headers = {**JSON, "paypal-request-id": request_id, "prefer": "return=representation"}
        return HttpRequest("POST", self._url(path), headers, orjson.dumps(body), bearer=True)


def _money(amount: int, currency: str) -> dict[str, str]:
    return {"currency_code": currency, "value": render(amount, currency)}
