"""Stripe's adapter. Its only scene is page: a link to Checkout, where the buyer pays by card."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from urllib.parse import quote, urlencode

from workers.domain.codes import Code
from workers.providers.parsing import FieldError, Fields, MerchantError, json_fields, keep_not_found, unreadable
from workers.providers.port import (
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
    ReportedPayment,
    StatementRow,
    UnknownOutcome,
)
from workers.providers.stripe import mapping, responses, signing
from workers.providers.stripe.authorizations import StripeAuthorizations
from workers.providers.stripe.currencies import CURRENCIES, collects, to_stripe
from workers.providers.stripe.disputes import StripeDisputes
from workers.providers.stripe.settings import StripeSettings
from workers.providers.stripe.statement import rows

API_VERSION = "2024-10-28.acacia"
OPEN_FOR_MIN = timedelta(minutes=40)
"""Stripe opens a session for 30 minutes at least, as of its creation, which may come some minutes after the start."""
OPEN_FOR_MAX = timedelta(hours=23, minutes=55)  # 24 hours at most
REFUNDS_MAX = 100  # that one answer lists
INTENT = {"expand[]": "payment_intent.latest_charge"}


class Stripe(StripeAuthorizations, StripeDisputes):
    """One account at Stripe. It holds keys; its repr shows none."""

    name = "stripe"
    scenes = frozenset({"page"})
    currencies = CURRENCIES
    notifications_prove = True

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._page = re.compile(settings.checkout_url_pattern)

    def start(self, payment: PaymentOrder, at: datetime) -> HttpRequest | ProviderRefusal:
        """Create a session. The same payment again gets the same session, for a day."""
        if payment.scene not in self.scenes or not collects(payment.amount, payment.currency):
            return ProviderRefusal(Code.PAY_PARAM_INVALID, "Stripe collects some currencies, on a page")
        until = min(max(payment.expire_at, payment.started_at + OPEN_FOR_MIN), payment.started_at + OPEN_FOR_MAX)
        item = "line_items[0]"
        session = {
            "mode": "payment",
            "payment_method_types[0]": "card",
            "client_reference_id": payment.out_trade_no,
            f"{item}[quantity]": "1",
            f"{item}[price_data][currency]": payment.currency.lower(),
            f"{item}[price_data][unit_amount]": str(to_stripe(payment.amount, payment.currency)),
            f"{item}[price_data][product_data][name]": payment.subject[:250],
            "payment_intent_data[capture_method]": "manual" if payment.authorize else "automatic",
            f"payment_intent_data[metadata][{mapping.OURS}]": payment.out_trade_no,
            "success_url": payment.return_url or self._settings.return_url,
            "cancel_url": self._settings.cancel_url,
            "expires_at": str(int(until.timestamp())),
        }
        return self._post("/v1/checkout/sessions", session, payment.out_trade_no)

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read the address at Stripe where the buyer pays."""
        session = responses.read(response)
        if not isinstance(session, Fields):
            return session
        try:
            report = mapping.read_session(session, replace(payment, reference=None), at, live=self._settings.live)
            if isinstance(report, UnknownOutcome):
                return report
            url = session.text("url", 2000)
            if not self._page.fullmatch(url):
                return UnknownOutcome("the session has no address at Stripe where it is paid")
            return ClientAction("redirect", url, reference=mapping.session_id(session))
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def verify(self, notification: Notification) -> Report | RejectedNotification:
        """Check the signature and the time, then the mode."""
        why = unreadable(notification.headers, notification.body)
        if why is not None:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, why)
        failure = signing.authenticate(notification, self._settings)
        if failure is not None:
            return failure
        try:
            return mapping.read_notification(json_fields(notification.body), live=self._settings.live)
        except MerchantError as error:
            return RejectedNotification(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, str(error))

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Fetch the session. Without its id, create it again: the response is the session that exists."""
        if payment.reference is None:
            return self._again(payment, at)
        return self._get(_path(payment.reference), INTENT)

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the session. A ProviderRefusal means that there is no such session.

        Without its id, it means that Stripe has not created it, and does not create it now.
        """
        session = responses.read(response)
        if isinstance(session, ProviderRefusal):
            return session if payment.reference is None else keep_not_found(session, responses.ABSENT)
        return session if isinstance(session, UnknownOutcome) else self._read_session(session, payment, at)

    def close(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Expire the session. Without its id, nobody has its address: create it again, as in `query`."""
        if payment.reference is None:
            return self._again(payment, at)
        return self._post(f"{_path(payment.reference)}/expire", INTENT)

    def read_close(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the session. One that is no longer open was paid or has expired: `pending`, and a query tells which."""
        session = responses.read(response)
        money = payment.amount, payment.currency
        if isinstance(session, ProviderRefusal):
            if payment.reference is None or session.code in responses.ABSENT:
                return session
            return PaymentReport(payment.out_trade_no, "", ReportedPayment.PENDING, *money, at, "not_open")
        if isinstance(session, UnknownOutcome):
            return session
        report = self._read_session(session, payment, at)
        waits = isinstance(report, PaymentReport) and report.status is ReportedPayment.PENDING
        if payment.reference is None and waits:
            return PaymentReport(payment.out_trade_no, "", ReportedPayment.CLOSED, *money, at, "not_opened")
        return report

    def _read_session(self, session: Fields, payment: PaymentOrder, at: datetime) -> PaymentReport | UnknownOutcome:
        try:
            return mapping.read_session(session, payment, at, live=self._settings.live)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Give back some or all of a charge."""
        form = {
            "charge": refund.trade_no,
            "amount": str(to_stripe(refund.amount, refund.currency)),
            f"metadata[{mapping.REFUND}]": refund.refund_no,
            f"metadata[{mapping.OURS}]": refund.out_trade_no,
        }
        return self._post("/v1/refunds", form, refund.refund_no)

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund. Often it has succeeded at once.

        A repeated answer says how the refund was when it was made, and it may have failed since: only a query tells.
        """
        fields = responses.read(response)
        if not isinstance(fields, Fields):
            return fields
        if responses.is_replayed(response):
            return UnknownOutcome("the answer to an earlier request with this number")
        try:
            report = mapping.read_refund(fields)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return report if report.refund_no == refund.refund_no else UnknownOutcome("the answer is about something else")

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Fetch the refunds of the charge, because we do not keep Stripe's number of the refund."""
        return self._get("/v1/refunds", {"charge": refund.trade_no, "limit": str(REFUNDS_MAX)})

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Find the refund. A ProviderRefusal means that the charge has no such refund."""
        found = responses.read(response)
        if not isinstance(found, Fields):
            return UnknownOutcome(found.code) if isinstance(found, ProviderRefusal) else found
        try:
            return mapping.find_refund(found, refund)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def query_foreign_refund(self, refund: ForeignRefund, at: datetime) -> HttpRequest:
        """Fetch the refund by Stripe's own number, or the dispute that withdrew the money."""
        number = quote(refund.provider_no or refund.refund_no, safe="")
        return self._get(f"/v1/disputes/{number}" if refund.reversal else f"/v1/refunds/{number}")

    def read_foreign_refund(
        self, refund: ForeignRefund, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund. A ProviderRefusal means that there is no such refund; any other error proves nothing."""
        fields = responses.read(response)
        if not isinstance(fields, Fields):
            return keep_not_found(fields, responses.ABSENT)
        try:
            return mapping.read_foreign_refund(fields, refund)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read the itemised report of what changed the balance."""
        return rows(content, day)

    def _again(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        again = self.start(payment, at)
        assert isinstance(again, HttpRequest), "it was started before"
        return again

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> HttpRequest:
        more = f"?{urlencode(query)}" if query else ""
        return HttpRequest("GET", self._url(path) + more, self._headers())

    def _post(self, path: str, form: Mapping[str, str], key: str | None = None) -> HttpRequest:
        headers = {**self._headers(), "content-type": "application/x-www-form-urlencoded"}
        if key is not None:
            headers["idempotency-key"] = key
        return HttpRequest("POST", self._url(path), headers, urlencode(form).encode())

    def _url(self, path: str) -> str:
        return self._settings.api_url.rstrip("/") + path

    def _headers(self) -> dict[str, str]:
        key = self._settings.secret_key.get_secret_value()
        return {"authorization": f"Bearer {key}", "stripe-version": API_VERSION, "accept": "application/json"}


def _path(session: str) -> str:
    return f"/v1/checkout/sessions/{quote(session, safe='')}"
