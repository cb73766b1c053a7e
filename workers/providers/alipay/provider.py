"""Alipay behind the port. Scenes: page and wap (a link), app (an order string for its SDK), qr (a code, by a call)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson

from workers.domain.codes import Code
from workers.domain.money import render
from workers.providers import rsa
from workers.providers.alipay import mapping, signing
from workers.providers.alipay.settings import AlipaySettings
from workers.providers.alipay.statement import rows
from workers.providers.parsing import BEIJING, FieldError, Fields, MerchantError, form_fields, only, unfit, unreadable
from workers.providers.port import (
    Attempt,
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

PAGES = {
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    "app": ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
}
PRECREATE, QUERY, CLOSE = "alipay.trade.precreate", "alipay.trade.query", "alipay.trade.close"
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
DONE = "10000"
AMBIGUOUS = frozenset({"10003", "20000", "40005"})
"""Waiting, not available, too often: the same question may be answered otherwise later."""
UNCLEAR = ("SYSTEM_ERROR", "unknow-error", "call-limited", "TRADE_HAS_SUCCESS", "invalid-signature")
"""Parts of codes, which have been seen with several prefixes, that leave it open what happened, or may go well once
Alipay knows our key: while that is changed nothing must end for good.
"""
NOT_WAITING = ("TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS")
NEVER_BEGUN = frozenset({"ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"})
MAYBE_REFUNDED = ("TRADE_HAS_CLOSE", "DISCORDANT_REPEAT_REQUEST", *NOT_WAITING)
"""Said to a refund too whose trade is closed because all of it went back, perhaps by this very refund."""


class Alipay:
    """One application at Alipay. Holds keys; its repr shows none."""

    name = "alipay"
    scenes = frozenset({*PAGES, "qr"})
    currencies = frozenset({mapping.CURRENCY})
    captures = False
    notifications_prove = True

    def __init__(self, settings: AlipaySettings) -> None:
        self._settings = settings
        self._key = rsa.private_key(settings.app_private_keys[0].get_secret_value())
        self._keys = tuple(rsa.public_key(pem) for pem in settings.alipay_public_keys)
        self._names = settings.certificate_names

    def start(self, attempt: Attempt, at: datetime) -> Ready | Request | Refused:
        """Links and order strings are signed here; Alipay hears of them when the buyer comes."""
        if refused := unfit(attempt, self.scenes, self.currencies):
            return refused
        method, product = PAGES.get(attempt.scene, (PRECREATE, self._settings.qr_product_code))
        order = {
            "out_trade_no": attempt.out_trade_no,
            "total_amount": render(attempt.amount, attempt.currency),
            "subject": attempt.subject.translate(str.maketrans("/=&", "   "))[:256],
            "product_code": product,
            "time_expire": _beijing(attempt.expire_at),
        }
        back = attempt.return_url if attempt.scene in ("page", "wap") else None
        if back and attempt.scene == "wap":
            order["quit_url"] = back  # for who does not pay; who pays comes back to return_url
        fields = self._fields(method, at, order, notify_url=self._settings.notify_url, return_url=back)
        if method == PRECREATE:
            return self._request(fields)
        query = signing.encoded(signing.signed(fields, self._key))
        if attempt.scene == "app":
            return Ready("app", fields={"order_string": query})
        return Ready("redirect", url=f"{self._settings.gateway_url}?{query}")

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        """The code that the buyer scans."""
        answer = self._answer(PRECREATE, response)
        if not isinstance(answer, Fields):
            return answer
        try:
            if answer.text("out_trade_no") != attempt.out_trade_no:
                return Unknown("it answers about another attempt")
            return Ready("qr", url=answer.text("qr_code", length_max=1024))
        except FieldError as error:
            return Unknown(str(error))

    def verify(self, notification: Notification) -> Said | Rejected:
        """Signature, application and seller, in this order. Never the time: copies keep it for 25 hours."""
        if why := unreadable(notification.headers, notification.body):
            return Rejected(Code.PAY_CALLBACK_INVALID, why)
        try:
            fields = form_fields(notification.body)
            if not signing.notified(fields, self._keys):
                return Rejected(Code.PAY_SIGNATURE_INVALID, "it is not signed by Alipay in RSA2")
            return self._said(signing.decoded(fields))
        except MerchantError as error:
            return Rejected(Code.PAY_MERCHANT_MISMATCH, str(error))
        except FieldError as error:
            return Rejected(Code.PAY_CALLBACK_INVALID, str(error))

    def _said(self, said: Fields) -> Said:
        for name, ours in (("app_id", self._settings.app_id), ("seller_id", self._settings.seller_id)):
            if said.text(name) != ours:
                raise MerchantError(f"{name} is not ours")
        about = said.text("notify_type", length_max=64)
        return mapping.notified(said) if about == "trade_status_sync" else Irrelevant(about)

    def capture(self, attempt: Attempt, at: datetime) -> None:
        """Approval is payment."""

    def query(self, attempt: Attempt, at: datetime) -> Request:
        """By our number: theirs is given when the buyer comes."""
        return self._request(self._fields(QUERY, at, {"out_trade_no": attempt.out_trade_no}))

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        """The answer to `query`. Refused: the buyer never came, and may until it expires. Any other no says nothing."""
        answer = self._answer(QUERY, response)
        if not isinstance(answer, Fields):
            return only(answer, NEVER_BEGUN)
        try:
            paid = mapping.queried(answer, attempt, at)
        except FieldError as error:
            return Unknown(str(error))
        return paid if paid.out_trade_no == attempt.out_trade_no else Unknown("it answers about another attempt")

    def close(self, attempt: Attempt, at: datetime) -> Request:
        """Only what waits for its buyer can be closed."""
        return self._request(self._fields(CLOSE, at, {"out_trade_no": attempt.out_trade_no}))

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        """Closed. `pending` with the code as reason: it does not wait any more, and `query` says why. Refused with
        ACQ.TRADE_NOT_EXIST: the buyer never came, and their link is good until it expires.
        """
        answer, number = self._answer(CLOSE, response), attempt.out_trade_no
        told = Paid(number, number, "closed", attempt.amount, attempt.currency, at)
        if isinstance(answer, Fields):
            same = not answer.has("out_trade_no") or answer.excerpt("out_trade_no") == number
            return told if same else Unknown("it answers about another attempt")
        code = answer.code if isinstance(answer, Refused) else ""
        if "TRADE_HAS_CLOSE" in code:
            return told
        if any(part in code for part in NOT_WAITING):
            return Paid(number, number, "pending", attempt.amount, attempt.currency, at, code)
        return answer

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Done at once. The same number and amount again move no money again."""
        refund = {
            "trade_no": ask.trade_no,
            "refund_amount": render(ask.amount, ask.currency),
            "out_request_no": ask.refund_no,
            **({"refund_reason": ask.reason[:256]} if ask.reason else {}),
        }
        return self._request(self._fields(REFUND, at, refund))

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `refund`."""
        answer = self._answer(REFUND, response)
        if isinstance(answer, Refused) and any(part in answer.code for part in MAYBE_REFUNDED):
            return Unknown(answer.code)
        if not isinstance(answer, Fields):
            return answer
        try:
            return mapping.refunded(answer, ask, at)
        except FieldError as error:
            return Unknown(str(error))

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        """Ten seconds after the refund at the earliest."""
        asked = {"trade_no": ask.trade_no, "out_request_no": ask.refund_no, "query_options": ["gmt_refund_pay"]}
        return self._request(self._fields(REFUND_QUERY, at, asked))

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        """The answer to `query_refund`. Refused: there is no such refund. Any other no says nothing."""
        answer = self._answer(REFUND_QUERY, response)
        if not isinstance(answer, Fields):
            return only(answer, NEVER_BEGUN)
        try:
            return mapping.refund_found(answer, ask, at)
        except FieldError as error:
            return Unknown(str(error))

    def certificates(self, at: datetime, serial: str) -> None:
        """Its public keys are downloaded by people and come with the settings."""

    def read_certificates(self, response: Response, at: datetime, serial: str | None = None) -> Unknown:
        """Never asked for."""
        return Unknown("Alipay's public keys are not fetched")

    def with_certificates(self, known: Mapping[str, str]) -> "Alipay":
        """Nothing else is believed."""
        return self

    def token(self) -> None:
        """Requests are signed one by one."""

    def read_token(self, response: Response) -> Refused:
        """Never asked for."""
        return Refused("NO_TOKEN", "Alipay has no tokens")

    def statement(self, content: bytes, day: date) -> Sequence[Row]:
        """The rows of a 业务明细. Raises StatementError."""
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

    def _request(self, fields: Mapping[str, str]) -> Request:
        """What is asked stands in the form, all else in the link: the charset is known before the form is decoded."""
        headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8", "user-agent": "oms"}
        told = signing.signed(fields, self._key)
        form = signing.encoded({"biz_content": told.pop("biz_content")})
        return Request("POST", f"{self._settings.gateway_url}?{signing.encoded(told)}", headers, form.encode())

    def _answer(self, method: str, response: Response) -> Fields | Refused | Unknown:
        """What an answer says. Without its signature nothing is believed, a refusal neither."""
        if response.status != 200:
            return Unknown(f"HTTP {response.status}")
        if why := unreadable(response.headers, response.body):
            return Unknown(why)
        try:
            said = signing.answered(response.body, method.replace(".", "_") + "_response", self._keys)
            code = said.text("code", length_max=16)
        except FieldError as error:
            return Unknown(str(error))
        if code == DONE:
            return said
        detail = said.excerpt("sub_code") or code
        if code in AMBIGUOUS or any(part in detail for part in UNCLEAR):
            return Unknown(detail)
        return Refused(detail[:64], said.excerpt("sub_msg") or said.excerpt("msg") or detail)


def _beijing(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
