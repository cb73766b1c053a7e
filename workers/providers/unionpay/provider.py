"""UnionPay's adapter. Scenes: page and wap (a form that the buyer's browser posts), app (a `tn` for its SDK)."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from workers.domain.codes import Code
from workers.providers.certificates import UntrustedError
from workers.providers.parsing import FieldError, unreadable
from workers.providers.port import (
    ClientAction,
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
    ReportedRefund,
    StatementRow,
    UnknownOutcome,
)
from workers.providers.rsa import private_key
from workers.providers.unionpay import mapping
from workers.providers.unionpay.mapping import ABSENT, DONE, OPEN, UnionPayMessage, beijing
from workers.providers.unionpay.settings import UnionPaySettings
from workers.providers.unionpay.signing import UnionPayTrust, signed
from workers.providers.unionpay.statement import rows

FORM = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
CHANNEL_TYPES = {"page": "07", "wap": "08", "app": "08"}  # scene -> channelType: internet, mobile
_ORDER_ID = re.compile(r"[0-9A-Za-z]{8,40}")


class UnionPay:
    """One merchant at UnionPay. It holds keys, and its repr shows none of them."""

    name = "unionpay"
    scenes = frozenset(CHANNEL_TYPES)
    currencies = frozenset({"CNY"})
    notifications_prove = True

    def __init__(self, settings: UnionPaySettings) -> None:
        self._settings = settings
        self._key = private_key(settings.signing_keys[0].private_key.get_secret_value())
        self._certificate_id = settings.signing_keys[0].certificate_id
        self._trust = UnionPayTrust(
            settings.root_certificates,
            settings.intermediate_certificates,
            settings.certificate_holder,
            settings.sha1_certificates,
        )

    def start(self, payment: PaymentOrder, at: datetime) -> ClientAction | HttpRequest | ProviderRefusal:
        """Sign a form for the browser, or the request that gets an app's `tn`."""
        why = _problem(payment, at)
        if why is not None:
            return ProviderRefusal(Code.PAY_PARAM_INVALID, why)
        fields = self._signed(
            {
                "txnType": "01",
                "txnSubType": "01",
                "bizType": "000201",
                "currencyCode": "156",
                "channelType": CHANNEL_TYPES[payment.scene],
                "orderId": payment.out_trade_no,
                "txnTime": beijing(payment.started_at),
                "txnAmt": str(payment.amount),
                "payTimeout": beijing(payment.expire_at),
                "backUrl": self._settings.notify_url,
                "frontUrl": payment.return_url or self._settings.return_url,
            }
        )
        if payment.scene == "app":
            return self._post("appTransReq", fields)
        return ClientAction("form", self._url("frontTransReq"), fields)

    def read_start(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        """Read the `tn` with which an app starts UnionPay's SDK."""
        message = self._read(response, payment.out_trade_no, payment.started_at, at)
        if isinstance(message, UnknownOutcome):
            return message
        failure = mapping.read_failure(message)
        if failure is not None:
            return failure
        if not message.has("tn"):
            return UnknownOutcome("the answer has no tn")
        tn = message.text("tn")
        return ClientAction("app", fields={"tn": tn}, reference=tn)

    def verify(self, notification: Notification) -> Report | RejectedNotification:
        """Check the signature, then the merchant."""
        why = unreadable(notification.headers, notification.body)
        if why is not None:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, why)
        try:
            fields = mapping.notification_fields(notification.body)
            self._trust.check(fields, notification.received_at)
            if fields.get("merId") != self._settings.merchant_id:
                return RejectedNotification(Code.PAY_MERCHANT_MISMATCH, "merId is another merchant's")
            return mapping.read_notification(UnionPayMessage(fields))
        except UntrustedError as error:
            return RejectedNotification(Code.PAY_SIGNATURE_INVALID, str(error))
        except FieldError as error:
            return RejectedNotification(Code.PAY_CALLBACK_INVALID, str(error))

    def query(self, payment: PaymentOrder, at: datetime) -> HttpRequest:
        """Query by our number and the time at which the payment started."""
        return self._query(payment.out_trade_no, payment.started_at)

    def read_payment(
        self, payment: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | UnknownOutcome:
        """Read a payment.

        Before payTimeout only success is final: a buyer whose card is refused may use another one.
        """
        message = self._read(response, payment.out_trade_no, payment.started_at, at)
        if isinstance(message, UnknownOutcome):
            return message
        code = message.code("respCode")
        if code not in ("00", ABSENT):
            return UnknownOutcome(f"respCode {code}")
        over = at >= payment.expire_at + timedelta(seconds=self._settings.grace_seconds)
        status = ReportedPayment.CLOSED if over else ReportedPayment.PENDING
        try:
            code = message.code("origRespCode") if code == "00" else code
            if code in DONE:
                return mapping.read_payment(message, code)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return PaymentReport(payment.out_trade_no, "", status, payment.amount, payment.currency, at, code)

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Refund some or all of a capture. The same orderId and txnTime again are the same refund (answer code 12)."""
        fields = {
            "txnType": "04",
            "txnSubType": "00",
            "bizType": "000201",
            "channelType": "07",
            "currencyCode": "156",
            "orderId": refund.refund_no,
            "txnTime": beijing(refund.requested_at),
            "txnAmt": str(refund.amount),
            "origQryId": refund.trade_no,
            "backUrl": self._settings.notify_url,
        }
        return self._post("backTransReq", self._signed(fields))

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read a refund. The code 00 means only that UnionPay accepted it."""
        message = self._read(response, refund.refund_no, refund.requested_at, at)
        if isinstance(message, UnknownOutcome):
            return message
        accepted = RefundReport(refund.refund_no, ReportedRefund.PROCESSING, refund.amount, refund.currency, at)
        return mapping.read_failure(message) or accepted

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        """Query by our number and the time at which we first requested the refund."""
        return self._query(refund.refund_no, refund.requested_at)

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Read a refund. It involves no buyer, so every answer code is final except those that leave it open."""
        message = self._read(response, refund.refund_no, refund.requested_at, at)
        if isinstance(message, UnknownOutcome):
            return message
        code = message.code("respCode")
        if code == ABSENT:
            return ProviderRefusal(code, "UnionPay knows no such refund")
        if code != "00":
            return UnknownOutcome(f"respCode {code}")
        try:
            code = message.code("origRespCode")
            if code in DONE:
                return mapping.read_refund(message, code)
        except FieldError as error:
            return UnknownOutcome(str(error))
        status = ReportedRefund.PROCESSING if code in OPEN else ReportedRefund.FAILED
        return RefundReport(refund.refund_no, status, refund.amount, refund.currency, at, code)

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """Read a ZM file. Clearing days end at 23:00, so the rows are not compared with `day`."""
        return rows(content, self._settings.merchant_id)

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        whole = {**fields, "accessType": "0", "merId": self._settings.merchant_id}
        return signed(whole, self._key, self._certificate_id)

    def _url(self, interface: str) -> str:
        return f"{self._settings.gateway_url.rstrip('/')}/gateway/api/{interface}.do"

    def _post(self, interface: str, fields: Mapping[str, str]) -> HttpRequest:
        return HttpRequest("POST", self._url(interface), FORM, mapping.form(fields))

    def _query(self, order_id: str, sent_at: datetime) -> HttpRequest:
        fields = {"txnType": "00", "txnSubType": "00", "bizType": "000000", "orderId": order_id}
        return self._post("queryTrans", self._signed({**fields, "txnTime": beijing(sent_at)}))

    def _read(
        self, response: HttpResponse, order_id: str, sent_at: datetime, at: datetime
    ) -> UnionPayMessage | UnknownOutcome:
        """Verify a response, and check that it is about the transaction with this number and time."""
        if response.status != 200:
            return UnknownOutcome(f"HTTP {response.status}")
        why = unreadable(response.headers, response.body)
        if why is not None:
            return UnknownOutcome(why)
        try:
            fields = mapping.response_fields(response.body)
            self._trust.check(fields, at)
        except (FieldError, UntrustedError) as error:
            return UnknownOutcome(str(error))
        expected = {"merId": self._settings.merchant_id, "orderId": order_id, "txnTime": beijing(sent_at)}
        if any(fields.get(name) != value for name, value in expected.items()):
            return UnknownOutcome("the answer is about something else")
        answer = UnionPayMessage(fields)
        try:
            answer.code("respCode")
        except FieldError as error:
            return UnknownOutcome(str(error))
        return answer


def _problem(payment: PaymentOrder, at: datetime) -> str | None:
    """The reason why UnionPay would not take the payment, or None."""
    if payment.scene not in CHANNEL_TYPES or payment.currency != "CNY":
        return "UnionPay collects CNY on a page, a mobile page or in an app"
    if not _ORDER_ID.fullmatch(payment.out_trade_no):
        return "UnionPay takes order numbers of 8 to 40 letters and digits"
    if not 0 < payment.amount < 10**12:
        return "UnionPay takes amounts of 1 to 12 digits"
    return "the attempt has expired" if payment.expire_at <= at else None
