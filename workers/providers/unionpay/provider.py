"""UnionPay behind the port."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from workers.domain.codes import Code
from workers.providers.parsing import FieldError, unreadable
from workers.providers.port import (
    Attempt,
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
from workers.providers.rsa import private_key
from workers.providers.unionpay.mapping import ABSENT, DONE, OPEN, captured, no, refunded, said
from workers.providers.unionpay.settings import UnionPaySettings
from workers.providers.unionpay.signing import Trust, UntrustedError
from workers.providers.unionpay.statement import rows
from workers.providers.unionpay.wire import RSA, VERSION, Message, answered, beijing, digest, form, posted, signed

FORM = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
CHANNEL_TYPES = {"page": "07", "wap": "08", "app": "08"}
_ORDER_ID = re.compile(r"[0-9A-Za-z]{8,40}")


class UnionPay:
    """One merchant at UnionPay."""

    name = "unionpay"
    scenes = frozenset(CHANNEL_TYPES)
    currencies = frozenset({"CNY"})
    captures = False
    notifications_prove = True

    def __init__(self, settings: UnionPaySettings) -> None:
        self._settings = settings
        self._key = private_key(settings.signing_keys[0].private_key.get_secret_value())
        self._certificate_id = settings.signing_keys[0].certificate_id
        self._trust = Trust(
            settings.root_certificates,
            settings.intermediate_certificates,
            settings.certificate_holder,
            settings.sha1_certificates,
        )

    def start(self, attempt: Attempt, at: datetime) -> Ready | Request | Refused:
        """A form for the browser; for an app the call that gives its `tn`."""
        why = _unfit(attempt, at)
        if why is not None:
            return Refused(Code.PAY_PARAM_INVALID, why)
        fields = self._signed(
            {
                "txnType": "01",
                "txnSubType": "01",
                "bizType": "000201",
                "currencyCode": "156",
                "channelType": CHANNEL_TYPES[attempt.scene],
                "orderId": attempt.out_trade_no,
                "txnTime": beijing(attempt.started_at),
                "txnAmt": str(attempt.amount),
                "payTimeout": beijing(attempt.expire_at),
                "backUrl": self._settings.notify_url,
                "frontUrl": attempt.return_url or self._settings.return_url,
            }
        )
        if attempt.scene == "app":
            return self._post("appTransReq", fields)
        return Ready("form", self._url("frontTransReq"), fields)

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        """The `tn` that UnionPay's app SDK is started with."""
        answer = self._answer(response, attempt.out_trade_no, attempt.started_at, at)
        if isinstance(answer, Unknown):
            return answer
        refusal = no(answer)
        if refusal is not None:
            return refusal
        if not answer.has("tn"):
            return Unknown("the answer has no tn")
        tn = answer.text("tn")
        return Ready("app", fields={"tn": tn}, reference=tn)

    def verify(self, notification: Notification) -> Said | Rejected:
        """A notification about a payment or a refund."""
        why = unreadable(notification.headers, notification.body)
        if why is not None:
            return Rejected(Code.PAY_CALLBACK_INVALID, why)
        try:
            fields = posted(notification.body)
            why = self._doubt(fields, notification.received_at)
            if why is not None:
                return Rejected(Code.PAY_SIGNATURE_INVALID, why)
            if fields.get("merId") != self._settings.merchant_id:
                return Rejected(Code.PAY_MERCHANT_MISMATCH, "merId is another merchant's")
            return said(Message(fields))
        except FieldError as error:
            return Rejected(Code.PAY_CALLBACK_INVALID, str(error))

    def capture(self, attempt: Attempt, at: datetime) -> None:
        """Paying is one step."""

    def query(self, attempt: Attempt, at: datetime) -> Request:
        """How does the attempt stand?"""
        return self._query(attempt.out_trade_no, attempt.started_at)

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Unknown:
        """Only success is final before payTimeout: a buyer whose card is refused may take another one."""
        answer = self._answer(response, attempt.out_trade_no, attempt.started_at, at)
        if isinstance(answer, Unknown):
            return answer
        code = answer.code("respCode")
        if code not in ("00", ABSENT):
            return Unknown(f"respCode {code}")
        over = at >= attempt.expire_at + timedelta(seconds=self._settings.grace_seconds)
        status: Literal["closed", "pending"] = "closed" if over else "pending"
        try:
            code = answer.code("origRespCode") if code == "00" else code
            if code in DONE:
                return captured(answer, code)
        except FieldError as error:
            return Unknown(str(error))
        return Paid(attempt.out_trade_no, "", status, attempt.amount, attempt.currency, at, code)

    def close(self, attempt: Attempt, at: datetime) -> None:
        """UnionPay ends an attempt by its payTimeout."""

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Unknown:
        """Nothing is ever asked."""
        return Unknown("UnionPay closes by payTimeout only")

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Give back some or all of it. The same orderId and txnTime again are the same refund (answered with 12)."""
        fields = {
            "txnType": "04",
            "txnSubType": "00",
            "bizType": "000201",
            "channelType": "07",
            "currencyCode": "156",
            "orderId": ask.refund_no,
            "txnTime": beijing(ask.requested_at),
            "txnAmt": str(ask.amount),
            "origQryId": ask.trade_no,
            "backUrl": self._settings.notify_url,
        }
        return self._post("backTransReq", self._signed(fields))

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """00 only says that the refund is accepted."""
        answer = self._answer(response, ask.refund_no, ask.requested_at, at)
        if isinstance(answer, Unknown):
            return answer
        return no(answer) or Refunded(ask.refund_no, "processing", ask.amount, ask.currency, at)

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        """How does the refund stand?"""
        return self._query(ask.refund_no, ask.requested_at)

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """A refund involves no buyer: any answer but those that leave it open is final."""
        answer = self._answer(response, ask.refund_no, ask.requested_at, at)
        if isinstance(answer, Unknown):
            return answer
        code = answer.code("respCode")
        if code == ABSENT:
            return Refused(code, "UnionPay knows no such refund")
        if code != "00":
            return Unknown(f"respCode {code}")
        try:
            code = answer.code("origRespCode")
            if code in DONE:
                return refunded(answer, code)
        except FieldError as error:
            return Unknown(str(error))
        return Refunded(ask.refund_no, "processing" if code in OPEN else "failed", ask.amount, ask.currency, at, code)

    def certificates(self, at: datetime, serial: str) -> None:
        """Each message brings its own."""

    def read_certificates(self, response: Response, at: datetime, serial: str | None = None) -> Unknown:
        """Nothing is ever asked."""
        return Unknown("UnionPay's messages bring their certificates")

    def with_certificates(self, known: Mapping[str, str]) -> "UnionPay":
        """Certificates are believed by who issued them."""
        return self

    def token(self) -> None:
        """Each request is signed."""

    def read_token(self, response: Response) -> Refused:
        """Nothing is ever asked."""
        return Refused(Code.PAY_PROVIDER_ERROR, "UnionPay has no tokens")

    def statement(self, content: bytes, day: date) -> Sequence[Row]:
        """The payments and refunds in a ZM file. Clearing days end at 23:00, so rows are not held against `day`."""
        return rows(content, self._settings.merchant_id)

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        whole = {**fields, "accessType": "0", "merId": self._settings.merchant_id}
        return signed(whole, self._key, self._certificate_id)

    def _url(self, interface: str) -> str:
        return f"{self._settings.gateway_url.rstrip('/')}/gateway/api/{interface}.do"

    def _post(self, interface: str, fields: Mapping[str, str]) -> Request:
        return Request("POST", self._url(interface), FORM, form(fields))

    def _query(self, order_id: str, sent_at: datetime) -> Request:
        fields = {"txnType": "00", "txnSubType": "00", "bizType": "000000", "orderId": order_id}
        return self._post("queryTrans", self._signed({**fields, "txnTime": beijing(sent_at)}))

    def _doubt(self, fields: Mapping[str, str], at: datetime) -> str | None:
        """Why a message is not believed to be UnionPay's."""
        if (fields.get("version"), fields.get("signMethod")) != (VERSION, RSA):
            return f"is not of version {VERSION} with signMethod {RSA}"
        if not fields.get("signature") or not fields.get("signPubKeyCert"):
            return "has no signature or no certificate"
        try:
            key = self._trust.key(fields["signPubKeyCert"], at)
        except UntrustedError as error:
            return str(error)
        return None if key.signed(fields["signature"], digest(fields)) else "the signature is wrong"

    def _answer(self, response: Response, order_id: str, sent_at: datetime, at: datetime) -> Message | Unknown:
        """A verified answer to a question about that transaction."""
        if response.status != 200:
            return Unknown(f"HTTP {response.status}")
        try:
            why = unreadable(response.headers, response.body)
            fields = answered(response.body) if why is None else {}
        except FieldError as error:
            return Unknown(str(error))
        why = why or self._doubt(fields, at)
        if why is not None:
            return Unknown(why)
        expected = {"merId": self._settings.merchant_id, "orderId": order_id, "txnTime": beijing(sent_at)}
        if any(fields.get(name) != value for name, value in expected.items()):
            return Unknown("the answer is about something else")
        answer = Message(fields)
        try:
            answer.code("respCode")
        except FieldError as error:
            return Unknown(str(error))
        return answer


def _unfit(attempt: Attempt, at: datetime) -> str | None:
    """Why UnionPay would not take the attempt."""
    if attempt.scene not in CHANNEL_TYPES or attempt.currency != "CNY":
        return "UnionPay collects CNY on a page, a mobile page or in an app"
    if not _ORDER_ID.fullmatch(attempt.out_trade_no):
        return "UnionPay takes order numbers of 8 to 40 letters and digits"
    if not 0 < attempt.amount < 10**12:
        return "UnionPay takes amounts of 1 to 12 digits"
    return "the attempt has expired" if attempt.expire_at <= at else None
