"""Alipay's adapter. Scenes: page and wap (a link), app (an order string for its SDK), qr (a code that Alipay makes)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import orjson

from workers.domain.codes import Code
from workers.domain.money import render
from workers.providers import rsa
from workers.providers.alipay import mapping, signing
from workers.providers.alipay.settings import AlipaySettings
from workers.providers.alipay.statement import rows
from workers.providers.parsing import (
    BEIJING,
    FieldError,
    Fields,
    MerchantError,
    form_fields,
    keep_not_found,
    refuse_unoffered,
    unreadable,
)
from workers.providers.port import (
    ClientAction,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    IrrelevantNotification,
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

PAGES = {
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    "app": ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
}
PRECREATE, QUERY, CLOSE = "alipay.trade.precreate", "alipay.trade.query", "alipay.trade.close"
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
DONE = "10000"  # the code of a successful response
AMBIGUOUS = frozenset({"10003", "20000", "40005"})
"""The codes for waiting, not available and too often. The same request may get another response later."""
UNCLEAR = ("SYSTEM_ERROR", "unknow-error", "call-limited", "TRADE_HAS_SUCCESS", "invalid-signature")
"""Codes that contain one of these leave the outcome open. Alipay puts several prefixes before them.

invalid-signature means that Alipay does not believe our signature: the request succeeds once Alipay knows our new key,
and until then no payment may end for good.
"""
NOT_PENDING = ("TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS")
NOT_FOUND = frozenset({"ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"})
MAYBE_REFUNDED = ("TRADE_HAS_CLOSE", "DISCORDANT_REPEAT_REQUEST", *NOT_PENDING)
"""A refund also gets these codes if a refund in full closed its trade, perhaps this very refund."""


class Alipay:
    """One application at Alipay. It holds keys, and its repr shows none of them."""

    name = "alipay"
    scenes = frozenset({*PAGES, "qr"})
    currencies = frozenset({mapping.CURRENCY})
    notifications_prove = True

    def __init__(self, settings: AlipaySettings) -> None:
        self._settings = settings
        self._key = rsa.private_key(settings.app_private_keys[0].get_secret_value())
        self._keys = tuple(rsa.public_key(pem) for pem in settings.alipay_public_keys)
        self._names = settings.certificate_names

    def start(self, payment: PaymentOrder, at: datetime) -> ClientAction | HttpRequest | ProviderRefusal:
        """Sign a link or an order string, which Alipay sees when the buyer opens it.

        A QR code needs a request first.
        """
        if refusal := refuse_unoffered(payment, self.scenes, self.currencies):
            return refusal
        method, product = PAGES.get(payment.scene, (PRECREATE, self._settings.qr_product_code))
        order = {
            "out_trade_no": payment.out_trade_no,
            "total_amount": render(payment.amount, payment.currency),
            "subject": payment.subject.translate(str.maketrans("/=&", "   "))[:256],
            "product_code": product,
            "time_expire": _beijing(payment.expire_at),
        }
        back = payment.return_url if payment.scene in ("page", "wap") else None
        if back and payment.scene == "wap":
            order["quit_url"] = back  # for buyers who do not pay; those who pay return to return_url
        fields = self._fields(method, at, order, notify_url=self._settings.notify_url, return_url=back)
        if method == PRECREATE:
            return self._request(fields)
        query = signing.encoded(signing.signed(fields, self._key))
        if payment.scene == "app":
            return ClientAction("app", fields={"order_string": query})
        return ClientAction("redirect", url=f"{self._settings.gateway_url}?{query}")

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read the QR code that the buyer scans."""
        content = self._read(PRECREATE, response)
        if not isinstance(content, Fields):
            return content
        try:
            if content.text("out_trade_no") != payment.out_trade_no:
                return UnknownOutcome("the response is about another payment")
            return ClientAction("qr", url=content.text("qr_code", length_max=1024))
        except FieldError as error:
            return UnknownOutcome(str(error))

    def verify(self, notification: Notification) -> Report | RejectedNotification:
        """Check signature, application and seller, in this order. A repeat keeps its first time for 25 hours, so the
        time is not checked.
        """
        if why := unreadable(notification.headers, notification.body):
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, why)
        try:
            fields = form_fields(notification.body)
            if not signing.is_notification_signed(fields, self._keys):
                return RejectedNotification(Code.PAY_SIGNATURE_INVALID, "it is not signed by Alipay in RSA2")
            return self._content(signing.decoded(fields))
        except MerchantError as error:
            return RejectedNotification(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, str(error))

    def _content(self, fields: Fields) -> Report:
        for name, ours in (("app_id", self._settings.app_id), ("seller_id", self._settings.seller_id)):
            if fields.text(name) != ours:
                raise MerchantError(f"{name} is not ours")
        about = fields.text("notify_type", length_max=64)
        return mapping.read_notification(fields) if about == "trade_status_sync" else IrrelevantNotification(about)

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Query by our number, because Alipay assigns its own only when the buyer opens the link."""
        return self._request(self._fields(QUERY, at, {"out_trade_no": payment.out_trade_no}))

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read a trade. A ProviderRefusal means that Alipay has no such trade yet; any other error is unknown."""
        content = self._read(QUERY, response)
        if not isinstance(content, Fields):
            return keep_not_found(content, NOT_FOUND)
        try:
            report = mapping.read_payment(content, payment, at)
        except FieldError as error:
            return UnknownOutcome(str(error))
        same = report.out_trade_no == payment.out_trade_no
        return report if same else UnknownOutcome("the response is about another payment")

    def close(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Close the trade. Alipay closes only a trade that waits for its buyer."""
        return self._request(self._fields(CLOSE, at, {"out_trade_no": payment.out_trade_no}))

    def read_close(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `close`.

        `pending` with the code as reason means that the trade no longer waits for its buyer; a query tells why. A
        ProviderRefusal with ACQ.TRADE_NOT_EXIST means that the buyer never opened the link, which works until it
        expires.
        """
        content, number = self._read(CLOSE, response), payment.out_trade_no
        closed = PaymentReport(number, number, ReportedPayment.CLOSED, payment.amount, payment.currency, at)
        if isinstance(content, Fields):
            same = not content.has("out_trade_no") or content.excerpt("out_trade_no") == number
            return closed if same else UnknownOutcome("the response is about another payment")
        code = content.code if isinstance(content, ProviderRefusal) else ""
        if "TRADE_HAS_CLOSE" in code:
            return closed
        if any(part in code for part in NOT_PENDING):
            return replace(closed, status=ReportedPayment.PENDING, reason=code)
        return content

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Refund at once. The same number and amount again move no more money."""
        content = {
            "trade_no": refund.trade_no,
            "refund_amount": render(refund.amount, refund.currency),
            "out_request_no": refund.refund_no,
            **({"refund_reason": refund.reason[:256]} if refund.reason else {}),
        }
        return self._request(self._fields(REFUND, at, content))

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read a refund. Some refusals leave open whether Alipay made this refund; a query tells."""
        content = self._read(REFUND, response)
        if isinstance(content, ProviderRefusal) and any(part in content.code for part in MAYBE_REFUNDED):
            return UnknownOutcome(content.code)
        if not isinstance(content, Fields):
            return content
        try:
            return mapping.read_refund(content, refund, at)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Query by our number, ten seconds after the refund at the earliest."""
        content = {"trade_no": refund.trade_no, "out_request_no": refund.refund_no, "query_options": ["gmt_refund_pay"]}
        return self._request(self._fields(REFUND_QUERY, at, content))

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read a refund. A ProviderRefusal means that there is no such refund; any other error is unknown."""
        content = self._read(REFUND_QUERY, response)
        if not isinstance(content, Fields):
            return keep_not_found(content, NOT_FOUND)
        try:
            return mapping.read_refund_query(content, refund, at)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def query_foreign_refund(self, refund: ForeignRefund, at: datetime) -> HttpRequest:
        """Query by Alipay's number of the trade and the number that the refund has there."""
        content = {"trade_no": refund.trade_no, "out_request_no": refund.refund_no, "query_options": ["gmt_refund_pay"]}
        return self._request(self._fields(REFUND_QUERY, at, content))

    def read_foreign_refund(
        self, refund: ForeignRefund, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund. Its amount is its own, where a notification has the sum of all refunds of the trade."""
        content = self._read(REFUND_QUERY, response)
        if not isinstance(content, Fields):
            return keep_not_found(content, NOT_FOUND)
        try:
            return mapping.read_foreign_refund(content, refund, at)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read a 业务明细. Raises StatementError."""
        return rows(content, day, self._settings.seller_id)

    def _fields(self, method: str, at: datetime, content: Mapping[str, Any], **more: str | None) -> dict[str, str]:
        return {
            "app_id": self._settings.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": signing.SIGN_TYPE,
            "timestamp": _beijing(at),
            "version": "1.0",
            "biz_content": orjson.dumps(content).decode(),
            **self._names,
            **{name: value for name, value in more.items() if value},
        }

    def _request(self, fields: Mapping[str, str]) -> HttpRequest:
        """Put the content in the form and the rest in the link, so that Alipay knows the charset before the form."""
        headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8", "user-agent": "oms"}
        query = signing.signed(fields, self._key)
        form = signing.encoded({"biz_content": query.pop("biz_content")})
        return HttpRequest("POST", f"{self._settings.gateway_url}?{signing.encoded(query)}", headers, form.encode())

    def _read(self, method: str, response: HttpResponse) -> Fields | ProviderRefusal | UnknownOutcome:
        """Verify and read a response. We believe nothing without a signature, not even a refusal."""
        if response.status != 200:
            return UnknownOutcome(f"HTTP {response.status}")
        if why := unreadable(response.headers, response.body):
            return UnknownOutcome(why)
        try:
            fields = signing.read_response(response.body, method.replace(".", "_") + "_response", self._keys)
            code = fields.text("code", length_max=16)
        except FieldError as error:
            return UnknownOutcome(str(error))
        if code == DONE:
            return fields
        detail = fields.excerpt("sub_code") or code
        if code in AMBIGUOUS or any(part in detail for part in UNCLEAR):
            return UnknownOutcome(detail)
        return ProviderRefusal(detail[:64], fields.excerpt("sub_msg") or fields.excerpt("msg") or detail)


def _beijing(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
