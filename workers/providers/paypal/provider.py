"""PayPal behind the port."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from workers.domain.codes import Code
from workers.domain.money import render
from workers.providers.parsing import FieldError, Fields, MerchantError, json_fields, unreadable
from workers.providers.paypal import mapping
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.paypal.signing import Trust, UntrustedError
from workers.providers.paypal.statement import rows
from workers.providers.port import (
    Approved,
    Attempt,
    CertificateUnknown,
    Notification,
    Paid,
    Ready,
    RefundAsk,
    Refunded,
    Refused,
    Rejected,
    Request,
    Response,
    Row,
    Said,
    Unknown,
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
"""Not HUF and TWD, which have no decimals at PayPal and two in ISO 4217."""
REPEATABLE = timedelta(days=30)  # PayPal remembers a refund's PayPal-Request-Id for 45 days
JSON = {"content-type": "application/json", "accept": "application/json"}
_TOKEN = re.compile(r"[!-~]{1,4096}")


class PayPal:
    """One app of one merchant at PayPal."""

    name = "paypal"
    scenes = frozenset({"page"})
    currencies = CURRENCIES
    captures = True
    notifications_prove = False

    def __init__(self, settings: PayPalSettings, certificates: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._certificates = {**settings.certificates, **(certificates or {})}
        self._trust = Trust(settings, self._certificates)
        self._approval = re.compile(settings.approval_url_pattern)

    def start(self, attempt: Attempt, at: datetime) -> Request | Refused:
        """Create an order. The same attempt again is the same order."""
        if attempt.scene not in self.scenes or attempt.currency not in self.currencies or attempt.amount <= 0:
            return Refused(Code.PAY_PARAM_INVALID, "PayPal collects some currencies, on a page")
        place = {
            "return_url": attempt.return_url or self._settings.return_url,
            "cancel_url": self._settings.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
        }
        unit = {
            "custom_id": attempt.out_trade_no,
            "invoice_id": attempt.out_trade_no,
            "description": attempt.subject[:127],
            "amount": _money(attempt.amount, attempt.currency),
            "payee": {"merchant_id": self._settings.merchant_id},
        }
        order = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": place}},
        }
        return self._post("/v2/checkout/orders", attempt.out_trade_no, order)

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        """Where the buyer approves."""
        order = mapping.answered(response)
        if not isinstance(order, Fields):
            return order
        try:
            links = {link.text("rel"): link for link in order.parts("links")}
            link = links.get("payer-action") or links.get("approve")
            url = link.text("href", 2000) if link else ""
            if not self._approval.fullmatch(url):
                return Unknown("the order has no address at PayPal where it is approved")
            return Ready("redirect", url, reference=order.number("id"))
        except FieldError as error:
            return Unknown(str(error))

    def verify(self, notification: Notification) -> Said | Rejected | CertificateUnknown:
        """A webhook."""
        why = unreadable(notification.headers, notification.body)
        if why is not None:
            return Rejected(Code.PAY_CALLBACK_INVALID, why)
        doubt = self._trust.doubt(notification)
        if doubt is not None:
            return doubt
        try:
            return mapping.said(json_fields(notification.body), self._settings.merchant_id)
        except MerchantError as error:
            return Rejected(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return Rejected(Code.PAY_CALLBACK_INVALID, str(error))

    def capture(self, attempt: Attempt, at: datetime) -> Request:
        """Take the money of an approved order."""
        assert attempt.reference is not None, "an approved attempt has its order at PayPal"
        path = f"/v2/checkout/orders/{quote(attempt.reference, safe='')}/capture"
        return self._post(path, f"{attempt.out_trade_no}-capture", {})

    def query(self, attempt: Attempt, at: datetime) -> Request:
        """How does the attempt stand? Without the order's number, it is created again, which is answered with it."""
        if attempt.reference is None:
            again = self.start(attempt, at)
            assert isinstance(again, Request), "it was started before"
            return again
        return self._get(f"/v2/checkout/orders/{quote(attempt.reference, safe='')}")

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Approved | Refused | Unknown:
        """How the order stands, or the capture of it. Refused: there is no such order."""
        order = mapping.answered(response)
        if isinstance(order, Refused):
            return mapping.declined(order, response.status, attempt, at)
        if isinstance(order, Unknown):
            return order
        try:
            return mapping.stands(order, attempt, self._settings.merchant_id, at)
        except (FieldError, MerchantError) as error:
            return Unknown(str(error))

    def close(self, attempt: Attempt, at: datetime) -> None:
        """What is not captured costs the buyer nothing."""

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Unknown:
        """Nothing is ever asked."""
        return Unknown("PayPal's orders are not closed, but not captured")

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Give back some or all of a capture."""
        body = {
            "amount": _money(ask.amount, ask.currency),
            "invoice_id": ask.refund_no,
            "custom_id": ask.refund_no,
            "note_to_payer": ask.reason[:255],
        }
        return self._post(f"/v2/payments/captures/{quote(ask.trade_no, safe='')}/refund", ask.refund_no, body)

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The refund, often done at once."""
        refund = mapping.answered(response)
        if not isinstance(refund, Fields):
            return refund
        try:
            found = mapping.refunded(refund, ask.refund_no)
        except FieldError as error:
            return Unknown(str(error))
        return found if found.refund_no == ask.refund_no else Unknown("the answer is about something else")

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        """How does the refund stand? Its number at PayPal is not kept: it is found in the order, or, without that, by
        asking for it again under the same id while PayPal remembers that.
        """
        if ask.reference is not None:
            return self._get(f"/v2/checkout/orders/{quote(ask.reference, safe='')}")
        if at - ask.requested_at < REPEATABLE:
            return self.refund(ask, at)
        return self._get(f"/v2/payments/captures/{quote(ask.trade_no, safe='')}")

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `query_refund`: an order, a refund, or a capture (which tells nothing). Refused: the order has
        no such refund.
        """
        if ask.reference is None:
            told = self.refunded(ask, response, at)
            if isinstance(told, Refused) and response.status not in (404, 422):
                return Unknown(told.code)
            return told
        order = mapping.answered(response)
        if not isinstance(order, Fields):
            return Unknown(order.code) if isinstance(order, Refused) else order
        try:
            if order.number("id") != ask.reference:
                return Unknown("the answer is about something else")
            return mapping.found(order, ask, self._settings.merchant_id)
        except (FieldError, MerchantError) as error:
            return Unknown(str(error))

    def certificates(self, at: datetime, serial: str) -> Request | None:
        """The certificate at that address, if it is one of PayPal's."""
        return Request("GET", serial, {}) if self._trust.ours(serial) else None

    def read_certificates(
        self, response: Response, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | Unknown:
        """The certificate, verified, under the address it was asked for."""
        if serial is None or not self._trust.ours(serial):
            return Unknown("not asked for")
        if response.status != 200 or unreadable(response.headers, response.body) is not None:
            return Unknown(f"HTTP {response.status}, or an answer that is encoded or too large")
        try:
            pem = response.body.decode("ascii")
            self._trust.verified(pem, at)
        except (UnicodeDecodeError, UntrustedError):
            return Unknown("the answer is no certificate that is believed here")
        return {serial: pem}

    def with_certificates(self, known: Mapping[str, str]) -> "PayPal":
        """The same app, which also knows these. Under other addresses than PayPal's they are never looked for."""
        return PayPal(self._settings, {**self._certificates, **known})

    def token(self) -> Request:
        """An access token, for the first secret."""
        secret = self._settings.client_secrets[0].get_secret_value()
        basic = base64.b64encode(f"{self._settings.client_id}:{secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        return Request("POST", self._url("/v1/oauth2/token"), headers, b"grant_type=client_credentials")

    def read_token(self, response: Response) -> tuple[str, int] | Unknown:
        """(token, seconds it lives). That we get none says nothing of what we wanted it for."""
        if response.status != 200 or unreadable(response.headers, response.body) is not None:
            return Unknown(f"no token: HTTP {response.status}")
        try:
            answer = json_fields(response.body)
            token, lives_seconds = answer.text("access_token", 4096), answer.whole("expires_in")
        except FieldError as error:
            return Unknown(str(error))
        return (token, lives_seconds) if _TOKEN.fullmatch(token) else Unknown("access_token is no token")

    def statement(self, content: bytes, day: date) -> Sequence[Row]:
        """The captures and refunds in a settlement report."""
        return rows(content, day, self._settings.merchant_id)

    def _url(self, path: str) -> str:
        return self._settings.api_url.rstrip("/") + path

    def _get(self, path: str) -> Request:
        return Request("GET", self._url(path), JSON, bearer=True)

    def _post(self, path: str, request_id: str, body: Mapping[str, Any]) -> Request:
        headers = {**JSON, "paypal-request-id": request_id, "prefer": "return=representation"}
        return Request("POST", self._url(path), headers, orjson.dumps(body), bearer=True)


def _money(amount: int, currency: str) -> dict[str, str]:
    return {"currency_code": currency, "value": render(amount, currency)}
