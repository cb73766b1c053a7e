"""WeChat Pay's adapter.

Scenes: qr (Native), jsapi (in WeChat, needs `payer`: the openid), h5 (in a browser on a phone, needs `client_ip`), app.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import orjson

from workers.domain.codes import Code
from workers.providers import rsa
from workers.providers.parsing import (
    BEIJING,
    FieldError,
    Fields,
    MerchantError,
    json_fields,
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
    UnknownCertificate,
    UnknownOutcome,
)
from workers.providers.wechat import mapping, signing
from workers.providers.wechat.settings import PUBLIC_KEY_ID, WeChatSettings
from workers.providers.wechat.statement import rows

TRANSACTIONS = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
SCENES = {"qr": "native", "jsapi": "jsapi", "h5": "h5", "app": "app"}
ALREADY_PAID = frozenset({"ORDERPAID", "ORDER_PAID"})
ALREADY_CLOSED = frozenset({"ORDERCLOSED", "ORDER_CLOSED"})
NOT_FOUND = frozenset({"ORDERNOTEXIST", "ORDER_NOT_EXIST"})


class WeChat:
    """One merchant of WeChat Pay. It holds keys, and its repr shows none of them."""

    name = "wechat"
    scenes = frozenset(SCENES)
    currencies = frozenset({"CNY"})
    notifications_prove = True

    def __init__(self, settings: WeChatSettings) -> None:
        self._settings = settings
        first = settings.merchant_keys[0]
        self._signer = signing.MerchantSigner(
            settings.mchid, first.serial, rsa.private_key(first.private_key.get_secret_value())
        )
        self._keys: Mapping[str, rsa.PublicKey] = signing.key_ring(settings.platform_keys, {})
        self._response_key = next((name for name in settings.platform_keys if name.startswith(PUBLIC_KEY_ID)), None)

    def start(self, payment: PaymentOrder, at: datetime) -> HttpRequest | ProviderRefusal:
        """Open the payment. Every scene needs a request first."""
        if refused := refuse_unoffered(payment, self.scenes, self.currencies):
            return refused
        needed = {"jsapi": ("payer", payment.payer), "h5": ("client_ip", payment.client_ip)}
        field, value = needed.get(payment.scene, ("", "-"))
        if not value:
            return ProviderRefusal("PARAM_ERROR", f"the scene {payment.scene} needs {field}")
        order: dict[str, Any] = {
            "appid": self._appid(payment.scene),
            "mchid": self._settings.mchid,
            "description": payment.subject[:127],
            "out_trade_no": payment.out_trade_no,
            "time_expire": payment.expire_at.astimezone(BEIJING).isoformat(timespec="seconds"),
            "notify_url": self._settings.notify_url,
            "amount": {"total": payment.amount, "currency": payment.currency},
        }
        if payment.scene == "jsapi":
            order["payer"] = {"openid": payment.payer}
        if payment.client_ip:
            order["scene_info"] = {"payer_client_ip": payment.client_ip}
        if payment.scene == "h5":
            order["scene_info"]["h5_info"] = {"type": "Wap"}
        return self._request("POST", f"{TRANSACTIONS}/{SCENES[payment.scene]}", at, order)

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read a QR code, a link, or the fields that open the cashier. The fields work for two hours."""
        answer = self._read(response, at)
        if isinstance(answer, ProviderRefusal) and answer.code in ALREADY_PAID:
            return UnknownOutcome("it is paid already")
        if not isinstance(answer, Fields):
            return answer
        try:
            return self._action(payment, answer, at)
        except FieldError as error:
            return UnknownOutcome(str(error))

    def _action(self, payment: PaymentOrder, answer: Fields, at: datetime) -> ClientAction:
        if payment.scene == "qr":
            return ClientAction("qr", url=answer.text("code_url", length_max=512))
        if payment.scene == "h5":
            back = "&" + urlencode({"redirect_url": payment.return_url}) if payment.return_url else ""
            return ClientAction("redirect", url=answer.text("h5_url", length_max=512) + back)
        prepay_id, appid = answer.text("prepay_id", length_max=64), self._appid(payment.scene)
        if payment.scene == "app":
            seconds, nonce, signature = self._signer.client(appid, prepay_id, at)
            fields = {
                "appid": appid,
                "partnerid": self._settings.mchid,
                "prepayid": prepay_id,
                "package": "Sign=WXPay",
                "noncestr": nonce,
                "timestamp": seconds,
                "sign": signature,
            }
        else:
            package = f"prepay_id={prepay_id}"
            seconds, nonce, signature = self._signer.client(appid, package, at)
            fields = {
                "appId": appid,
                "timeStamp": seconds,
                "nonceStr": nonce,
                "package": package,
                "signType": "RSA",
                "paySign": signature,
            }
        return ClientAction("app", fields=fields, reference=prepay_id)

    def verify(self, notification: Notification) -> Report | RejectedNotification | UnknownCertificate:
        """Check signature and time, decrypt, and check the merchant, in this order."""
        if why := unreadable(notification.headers, notification.body):
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, why)
        failure = self._authenticate(notification.headers, notification.body, notification.received_at)
        if failure is not None:
            return failure
        try:
            return self._content(json_fields(notification.body))
        except MerchantError as error:
            return RejectedNotification(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, str(error))

    def _content(self, event: Fields) -> Report:
        about = event.text("event_type", length_max=64)
        if about not in mapping.EVENTS:
            return IrrelevantNotification(about)
        fields = json_fields(signing.decrypt(event.part("resource"), self._settings.apiv3_keys))
        self._check_merchant(fields)
        state = mapping.EVENTS[about]
        if state is None:
            report = mapping.read_payment(fields, None, event.moment("create_time"))
            if report.status != ReportedPayment.CAPTURED:
                raise FieldError("trade_state is not of this event")
            return report
        if fields.text("refund_status") != state:
            raise FieldError("refund_status is not of this event")
        return mapping.read_refund(fields, "refund_status", event.moment("create_time"))

    def _check_merchant(self, fields: Fields) -> None:
        """Check mchid and, of a payment, appid. A refund names no appid."""
        if fields.text("mchid") != self._settings.mchid:
            raise MerchantError("mchid is not ours")
        if fields.has("trade_state") and fields.text("appid") not in self._settings.appids:
            raise MerchantError("appid is not ours")

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Query by our number, because only a paid transaction has a number of WeChat Pay's."""
        return self._request("GET", f"{self._path(payment)}?{urlencode({'mchid': self._settings.mchid})}", at)

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read a transaction. A ProviderRefusal means that it was never opened; any other error proves nothing."""
        answer = self._read(response, at)
        if not isinstance(answer, Fields):
            return keep_not_found(answer, NOT_FOUND)
        try:
            self._check_merchant(answer)
            report = mapping.read_payment(answer, payment, at)
        except (FieldError, MerchantError) as error:
            return UnknownOutcome(str(error))
        same = report.out_trade_no == payment.out_trade_no
        return report if same else UnknownOutcome("the response is about another payment")

    def close(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Close the payment. WeChat Pay may refuse for five minutes after the start, as its documentation says."""
        return self._request("POST", f"{self._path(payment)}/close", at, {"mchid": self._settings.mchid})

    def read_close(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Read the response to `close`.

        `pending` with the reason ORDERPAID means that it is paid; a query tells how. A ProviderRefusal with
        ORDER_NOT_EXIST means that it was never opened; it may still be opened until it expires.
        """
        answer = self._read(response, at)
        code = answer.code if isinstance(answer, ProviderRefusal) else None
        number = payment.out_trade_no
        closed = PaymentReport(number, number, ReportedPayment.CLOSED, payment.amount, payment.currency, at)
        if isinstance(answer, Fields) or code in ALREADY_CLOSED:
            return closed
        if code in ALREADY_PAID:
            return replace(closed, status=ReportedPayment.PENDING, reason="ORDERPAID")
        return answer

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Request a refund. WeChat Pay accepts it at once and makes it within minutes or days."""
        body = {
            "transaction_id": refund.trade_no,
            "out_refund_no": refund.refund_no,
            "notify_url": self._settings.notify_url,
            "amount": {"refund": refund.amount, "total": refund.total, "currency": refund.currency},
        }
        return self._request("POST", REFUNDS, at, body | ({"reason": refund.reason[:80]} if refund.reason else {}))

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        done = self._refund(response, at)
        if not isinstance(done, RefundReport):
            return done
        same = (done.refund_no, done.amount, done.currency) == (refund.refund_no, refund.amount, refund.currency)
        return done if same else UnknownOutcome("the response is about another refund")

    def _refund(self, response: HttpResponse, at: datetime) -> RefundReport | ProviderRefusal | UnknownOutcome:
        answer = self._read(response, at)
        try:
            return mapping.read_refund(answer, "status", at) if isinstance(answer, Fields) else answer
        except FieldError as error:
            return UnknownOutcome(str(error))

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Query by our number."""
        return self._request("GET", f"{REFUNDS}/{quote(refund.refund_no, safe='@*')}", at)

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read a refund. A ProviderRefusal means that there is no such refund; any other error proves nothing."""
        answer = self.read_refund(refund, response, at)
        return answer if isinstance(answer, RefundReport) else keep_not_found(answer, mapping.REFUND_NOT_FOUND)

    def query_foreign_refund(self, refund: ForeignRefund, at: datetime) -> HttpRequest:
        """Query by the number that the merchant platform gave the refund."""
        return self._request("GET", f"{REFUNDS}/{quote(refund.refund_no, safe='@*')}", at)

    def read_foreign_refund(
        self, refund: ForeignRefund, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read the refund, which must draw on the same transaction."""
        done = self._refund(response, at)
        if not isinstance(done, RefundReport):
            return keep_not_found(done, mapping.REFUND_NOT_FOUND)
        same = (done.refund_no, done.trade_no) == (refund.refund_no, refund.trade_no)
        return done if same else UnknownOutcome("the response is about another refund")

    def certificates(self, at: datetime, serial: str) -> HttpRequest | None:
        """Download all current certificates. A 微信支付公钥 is no download: it is in the settings."""
        return None if serial.startswith(PUBLIC_KEY_ID) else self._request("GET", "/v3/certificates", at)

    def read_certificates(
        self, response: HttpResponse, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | UnknownOutcome:
        """Decrypt the certificates with our APIv3 key. One of them must verify the signature of the response."""
        if response.status != 200 or unreadable(response.headers, response.body):
            return UnknownOutcome(f"the answer is not readable (HTTP {response.status})")
        try:
            found = signing.certificates(json_fields(response.body).parts("data"), self._settings.apiv3_keys, at)
        except FieldError as error:
            return UnknownOutcome(str(error))
        failure = self.with_certificates(found)._authenticate(response.headers, response.body, at)
        return found if failure is None else _unverified(failure)

    def with_certificates(self, known: Mapping[str, str]) -> "WeChat":
        """The same merchant, which also believes these certificates."""
        other = copy.copy(self)
        other._keys = signing.key_ring(known, self._keys)
        return other

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read a 交易账单. Raises StatementError."""
        return rows(content, day, self._settings.mchid)

    def _appid(self, scene: str) -> str:
        return self._settings.app_appid or self._settings.appid if scene == "app" else self._settings.appid

    def _path(self, payment: PaymentOrder) -> str:
        return f"{TRANSACTIONS}/out-trade-no/{quote(payment.out_trade_no, safe='@*')}"

    def _authenticate(
        self, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> RejectedNotification | UnknownCertificate | None:
        return signing.authenticate(headers, body, at, self._keys, self._settings.timestamp_window_seconds)

    def _request(self, method: Literal["GET", "POST"], path: str, at: datetime, content: Any = None) -> HttpRequest:
        body = orjson.dumps(content) if content is not None else b""
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "oms",
            "authorization": self._signer.authorization(method, path, body, at),
        }
        if self._response_key:
            headers["wechatpay-serial"] = self._response_key  # WeChat Pay signs its response with this key
        return HttpRequest(method, self._settings.base_url + path, headers, body)

    def _read(self, response: HttpResponse, at: datetime) -> Fields | ProviderRefusal | UnknownOutcome:
        """Verify and read a response. We believe nothing without a signature, not even a refusal."""
        if response.status not in (200, 204, 400, 403, 404):
            return UnknownOutcome(f"HTTP {response.status}")
        if why := unreadable(response.headers, response.body):
            return UnknownOutcome(why)
        failure = self._authenticate(response.headers, response.body, at)
        if failure is not None:
            return _unverified(failure)
        try:
            answer = json_fields(response.body or b"{}")
            if response.status in (200, 204):
                return answer
            code = answer.text("code", length_max=64)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return (
            UnknownOutcome(code)
            if code in mapping.AMBIGUOUS
            else ProviderRefusal(code, answer.excerpt("message") or code)
        )


def _unverified(failure: RejectedNotification | UnknownCertificate) -> UnknownOutcome:
    if isinstance(failure, UnknownCertificate):
        return UnknownOutcome("it is signed with a certificate that is not known here", failure.serial)
    return UnknownOutcome(f"it is not believed: {failure.message}")
