"""WeChat Pay behind the port. Scenes: qr (Native), jsapi (in WeChat, needs `payer`: the openid), h5 (in a browser on a
phone, needs `client_ip`) and app.
"""

import copy
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import orjson

from workers.domain.codes import Code
from workers.providers import rsa
from workers.providers.parsing import BEIJING, FieldError, Fields, MerchantError, json_fields, only, unfit, unreadable
from workers.providers.port import (
    Attempt,
    CertificateUnknown,
    Irrelevant,
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
from workers.providers.wechat import mapping, signing
from workers.providers.wechat.settings import PUBLIC_KEY_ID, WeChatSettings
from workers.providers.wechat.statement import rows

TRANSACTIONS = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
PLACES = {"qr": "native", "jsapi": "jsapi", "h5": "h5", "app": "app"}
PAID_ALREADY = frozenset({"ORDERPAID", "ORDER_PAID"})
CLOSED_ALREADY = frozenset({"ORDERCLOSED", "ORDER_CLOSED"})
NEVER_OPENED = frozenset({"ORDERNOTEXIST", "ORDER_NOT_EXIST"})
NO_REFUND = frozenset({"RESOURCE_NOT_EXISTS"})
AMBIGUOUS = frozenset(
    {
        "SYSTEMERROR",
        "SYSTEM_ERROR",
        "BANKERROR",
        "BANK_ERROR",
        "FREQUENCY_LIMITED",
        "FREQUENCY_LIMIT_EXCEED",
        "RATELIMIT_EXCEED",
        "RATELIMIT_EXCEEDED",
        "RULELIMIT",
        "RULE_LIMIT",
        "USERPAYING",
        "USER_PAYING",
        "SIGN_ERROR",
    }
)
"""Too much, too early, or not believed: the same question may be answered otherwise later."""


class WeChat:
    """One merchant of WeChat Pay. Holds keys; its repr shows none."""

    name = "wechat"
    scenes = frozenset(PLACES)
    currencies = frozenset({"CNY"})
    captures = False
    notifications_prove = True

    def __init__(self, settings: WeChatSettings) -> None:
        self._settings = settings
        first = settings.merchant_keys[0]
        self._seal = signing.OurSeal(
            settings.mchid, first.serial, rsa.private_key(first.private_key.get_secret_value())
        )
        self._keys: Mapping[str, rsa.PublicKey] = signing.ring(settings.platform_keys, {})
        self._answers_with = next((name for name in settings.platform_keys if name.startswith(PUBLIC_KEY_ID)), None)

    def start(self, attempt: Attempt, at: datetime) -> Request | Refused:
        """Every scene is opened by a call."""
        if refused := unfit(attempt, self.scenes, self.currencies):
            return refused
        lacks = {"jsapi": ("payer", attempt.payer), "h5": ("client_ip", attempt.client_ip)}
        field, value = lacks.get(attempt.scene, ("", "-"))
        if not value:
            return Refused("PARAM_ERROR", f"the scene {attempt.scene} needs {field}")
        order: dict[str, Any] = {
            "appid": self._appid(attempt.scene),
            "mchid": self._settings.mchid,
            "description": attempt.subject[:127],
            "out_trade_no": attempt.out_trade_no,
            "time_expire": attempt.expire_at.astimezone(BEIJING).isoformat(timespec="seconds"),
            "notify_url": self._settings.notify_url,
            "amount": {"total": attempt.amount, "currency": attempt.currency},
        }
        if attempt.scene == "jsapi":
            order["payer"] = {"openid": attempt.payer}
        if attempt.client_ip:
            order["scene_info"] = {"payer_client_ip": attempt.client_ip}
        if attempt.scene == "h5":
            order["scene_info"]["h5_info"] = {"type": "Wap"}
        return self._request("POST", f"{TRANSACTIONS}/{PLACES[attempt.scene]}", at, order)

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        """A code, a link, or what opens the cashier; the latter two hours long."""
        answer = self._answer(response, at)
        if isinstance(answer, Refused) and answer.code in PAID_ALREADY:
            return Unknown("it is paid already")
        if not isinstance(answer, Fields):
            return answer
        try:
            return self._ready(attempt, answer, at)
        except FieldError as error:
            return Unknown(str(error))

    def _ready(self, attempt: Attempt, answer: Fields, at: datetime) -> Ready:
        if attempt.scene == "qr":
            return Ready("qr", url=answer.text("code_url", length_max=512))
        if attempt.scene == "h5":
            back = "&" + urlencode({"redirect_url": attempt.return_url}) if attempt.return_url else ""
            return Ready("redirect", url=answer.text("h5_url", length_max=512) + back)
        prepay_id, appid = answer.text("prepay_id", length_max=64), self._appid(attempt.scene)
        if attempt.scene == "app":
            seconds, nonce, signature = self._seal.client(appid, prepay_id, at)
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
            seconds, nonce, signature = self._seal.client(appid, package, at)
            fields = {
                "appId": appid,
                "timeStamp": seconds,
                "nonceStr": nonce,
                "package": package,
                "signType": "RSA",
                "paySign": signature,
            }
        return Ready("app", fields=fields, reference=prepay_id)

    def verify(self, notification: Notification) -> Said | Rejected | CertificateUnknown:
        """Signature, time, seal, merchant, in this order."""
        if why := unreadable(notification.headers, notification.body):
            return Rejected(Code.PAY_CALLBACK_INVALID, why)
        doubt = self._doubt(notification.headers, notification.body, notification.received_at)
        if doubt is not None:
            return doubt
        try:
            return self._said(json_fields(notification.body))
        except MerchantError as error:
            return Rejected(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return Rejected(Code.PAY_CALLBACK_INVALID, str(error))

    def _said(self, told: Fields) -> Said:
        event = told.text("event_type", length_max=64)
        if event not in mapping.EVENTS:
            return Irrelevant(event)
        said = json_fields(signing.opened(told.part("resource"), self._settings.apiv3_keys))
        self._ours(said)
        state = mapping.EVENTS[event]
        if state is None:
            paid = mapping.paid(said, None, told.moment("create_time"))
            if paid.status != "captured":
                raise FieldError("trade_state is not of this event")
            return paid
        if said.text("refund_status") != state:
            raise FieldError("refund_status is not of this event")
        return mapping.refunded(said, "refund_status", told.moment("create_time"))

    def _ours(self, said: Fields) -> None:
        """Refunds name no appid."""
        if said.text("mchid") != self._settings.mchid:
            raise MerchantError("mchid is not ours")
        if said.has("trade_state") and said.text("appid") not in self._settings.appids:
            raise MerchantError("appid is not ours")

    def capture(self, attempt: Attempt, at: datetime) -> None:
        """Approval is payment."""

    def query(self, attempt: Attempt, at: datetime) -> Request:
        """By our number: only what is paid has one of theirs."""
        return self._request("GET", f"{self._place(attempt)}?{urlencode({'mchid': self._settings.mchid})}", at)

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        """The answer to `query`. Refused: it was never opened. Any other no says nothing about the money."""
        answer = self._answer(response, at)
        if not isinstance(answer, Fields):
            return only(answer, NEVER_OPENED)
        try:
            self._ours(answer)
            paid = mapping.paid(answer, attempt, at)
        except (FieldError, MerchantError) as error:
            return Unknown(str(error))
        return paid if paid.out_trade_no == attempt.out_trade_no else Unknown("it answers about another attempt")

    def close(self, attempt: Attempt, at: datetime) -> Request:
        """Five minutes after the start at the earliest, says the documentation; before, it may refuse."""
        return self._request("POST", f"{self._place(attempt)}/close", at, {"mchid": self._settings.mchid})

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        """Closed. `pending` with the reason ORDERPAID: it is paid, and `query` says how. Refused with ORDER_NOT_EXIST:
        it was never opened, and may still be until it expires.
        """
        answer = self._answer(response, at)
        code = answer.code if isinstance(answer, Refused) else None
        told = Paid(attempt.out_trade_no, attempt.out_trade_no, "closed", attempt.amount, attempt.currency, at)
        if isinstance(answer, Fields) or code in CLOSED_ALREADY:
            return told
        if code in PAID_ALREADY:
            return Paid(told.out_trade_no, told.trade_no, "pending", told.amount, told.currency, at, "ORDERPAID")
        return answer

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Accepted at once, done within minutes or days."""
        body = {
            "transaction_id": ask.trade_no,
            "out_refund_no": ask.refund_no,
            "notify_url": self._settings.notify_url,
            "amount": {"refund": ask.amount, "total": ask.total, "currency": ask.currency},
        }
        return self._request("POST", REFUNDS, at, body | ({"reason": ask.reason[:80]} if ask.reason else {}))

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `refund`."""
        answer = self._answer(response, at)
        if not isinstance(answer, Fields):
            return answer
        try:
            done = mapping.refunded(answer, "status", at)
        except FieldError as error:
            return Unknown(str(error))
        same = (done.refund_no, done.amount, done.currency) == (ask.refund_no, ask.amount, ask.currency)
        return done if same else Unknown("it answers about another refund")

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        """By our number."""
        return self._request("GET", f"{REFUNDS}/{quote(ask.refund_no, safe='@*')}", at)

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `query_refund`. Refused: there is no such refund. Any other no says nothing about the money."""
        answer = self.refunded(ask, response, at)
        return answer if isinstance(answer, Refunded) else only(answer, NO_REFUND)

    def certificates(self, at: datetime, serial: str) -> Request | None:
        """All current ones. A 微信支付公钥 is downloaded by people and comes with the settings."""
        return None if serial.startswith(PUBLIC_KEY_ID) else self._request("GET", "/v3/certificates", at)

    def read_certificates(
        self, response: Response, at: datetime, serial: str | None = None
    ) -> Mapping[str, str] | Unknown:
        """Our APIv3 key opens them; then the one that is named must have signed the answer."""
        if response.status != 200 or unreadable(response.headers, response.body):
            return Unknown(f"the answer is not readable (HTTP {response.status})")
        try:
            found = signing.certificates(json_fields(response.body).parts("data"), self._settings.apiv3_keys, at)
        except FieldError as error:
            return Unknown(str(error))
        doubt = self.with_certificates(found)._doubt(response.headers, response.body, at)
        return found if doubt is None else _unbelieved(doubt)

    def with_certificates(self, known: Mapping[str, str]) -> "WeChat":
        """The same provider, which also believes these."""
        other = copy.copy(self)
        other._keys = signing.ring(known, self._keys)
        return other

    def token(self) -> None:
        """Requests are signed one by one."""

    def read_token(self, response: Response) -> Refused:
        """Never asked for."""
        return Refused("NO_TOKEN", "WeChat Pay has no tokens")

    def statement(self, content: bytes, day: date) -> Sequence[Row]:
        """The rows of a 交易账单. Raises StatementError."""
        return rows(content, day, self._settings.mchid)

    def _appid(self, scene: str) -> str:
        return self._settings.app_appid or self._settings.appid if scene == "app" else self._settings.appid

    def _place(self, attempt: Attempt) -> str:
        return f"{TRANSACTIONS}/out-trade-no/{quote(attempt.out_trade_no, safe='@*')}"

    def _doubt(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Rejected | CertificateUnknown | None:
        return signing.doubt(headers, body, at, self._keys, self._settings.timestamp_window_seconds)

    def _request(self, method: Literal["GET", "POST"], path: str, at: datetime, content: Any = None) -> Request:
        body = orjson.dumps(content) if content is not None else b""
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "oms",
            "authorization": self._seal.authorization(method, path, body, at),
        }
        if self._answers_with:
            headers["wechatpay-serial"] = self._answers_with  # it then answers with this key, not with a certificate's
        return Request(method, self._settings.base_url + path, headers, body)

    def _answer(self, response: Response, at: datetime) -> Fields | Refused | Unknown:
        """What an answer says. Without its signature nothing is believed, a refusal neither."""
        if response.status not in (200, 204, 400, 403, 404):
            return Unknown(f"HTTP {response.status}")
        if why := unreadable(response.headers, response.body):
            return Unknown(why)
        doubt = self._doubt(response.headers, response.body, at)
        if doubt is not None:
            return _unbelieved(doubt)
        try:
            answer = json_fields(response.body or b"{}")
            if response.status in (200, 204):
                return answer
            code = answer.text("code", length_max=64)
        except FieldError as error:
            return Unknown(str(error))
        return Unknown(code) if code in AMBIGUOUS else Refused(code, answer.excerpt("message") or code)


def _unbelieved(doubt: Rejected | CertificateUnknown) -> Unknown:
    if isinstance(doubt, CertificateUnknown):
        return Unknown("it is signed with a certificate that is not known here", doubt.serial)
    return Unknown(f"it is not believed: {doubt.message}")
