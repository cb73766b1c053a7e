"""A test gateway that speaks WeChat Pay APIv3. Its QR codes hold weixin://wxpay/bizpayurl?pr=..."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from scripts.gateways import wechat_account
from scripts.gateways import wechat_payloads as payloads
from scripts.gateways import wechat_protocol as protocol
from scripts.gateways.gateway import FileWriter, Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write
from scripts.gateways.server import Handler
from scripts.gateways.wechat_account import APPID, MCHID, WeChatAccount, WeChatKeys

SCAN = "weixin://wxpay/bizpayurl?pr="
H5 = "/cgi-bin/mmpayweb-bin/checkmweb"
Answer: TypeAlias = tuple[int, Any]


NO_RIGHT = 403, {"code": "NO_AUTH", "message": "商户无权限"}


class WeChatRefusalError(Exception):
    """WeChat Pay refuses a call. Has the status and body of the response."""

    def __init__(self, status: int, code: str, message: str = "参数错误") -> None:
        super().__init__(code)
        self.response = status, {"code": code, "message": message}


class WeChatGateway(Gateway):
    """WeChat Pay for one merchant."""

    name = "wechat"
    schedule_seconds = (
        15,
        15,
        30,
        180,
        600,
        1200,
        1800,
        1800,
        1800,
        3600,
        10_800,
        10_800,
        10_800,
        21_600,
        21_600,
    )

    def __init__(
        self, notify_url: str, habits: Habits | None = None, *, keys: WeChatKeys | None = None, **more: Any
    ) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = WeChatAccount(keys or WeChatKeys(), self.rotate_after)

    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        return self.account.configuration(self.origin, self.notify_url, write_file)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return wechat_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return wechat_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return wechat_account.forged(copy)

    # ------------------------------------------------------------ the merchant

    def routes(self) -> Iterable[web.RouteDef]:
        one = "/v3/pay/transactions/out-trade-no/{number}"
        return [
            web.post("/v3/pay/transactions/{place:native|jsapi|h5|app}", self._api(self._open)),
            web.get(one, self._api(self._query)),
            web.post(f"{one}/close", self._api(self._close)),
            web.post("/v3/refund/domestic/refunds", self._api(self._refund)),
            web.get("/v3/refund/domestic/refunds/{number}", self._api(self._query_refund)),
            web.get("/v3/certificates", self._api(lambda _r, _a, now: (200, self.account.certificates(now)))),
            web.get(H5, self._page),
        ]

    def _api(self, answer: Callable[[web.Request, Any, datetime], Answer]) -> Handler:
        """Wrap a handler: verify the signature and the merchant, answer, sign."""

        async def handle(request: web.Request) -> web.Response:
            body, now = await request.read(), datetime.now(UTC)
            try:
                signed_by = self.account.check(request, body, now)
                content = json.loads(body) if body else {}
                named = {signed_by, content.get("mchid", MCHID), request.query.get("mchid", MCHID)}
                status, response = answer(request, content, now) if named == {MCHID} else NO_RIGHT
            except protocol.WeChatProtocolError as error:
                status, response = 401, {"code": "SIGN_ERROR", "message": str(error)}
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                status, response = 400, {"code": "PARAM_ERROR", "message": type(error).__name__}
            except WeChatRefusalError as refusal:
                status, response = refusal.response
            return self.account.answer(status, response, now)

        return self.call(handle)

    def _open(self, request: web.Request, content: Any, now: datetime) -> Answer:
        place = request.match_info["place"]
        _check_order(content, place)
        payment = self.ledger.payments.get(content["out_trade_no"]) or self._opened(content, now)
        if payment.state == "paid":
            raise WeChatRefusalError(400, "ORDERPAID", "该订单已支付")
        if payment.state == "closed" or payment.expired(now):
            raise WeChatRefusalError(400, "ORDER_CLOSED", "订单已关闭")
        if payment.request != content:
            raise WeChatRefusalError(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        code = payment.trade_no
        if place == "native":
            return 200, {"code_url": f"{SCAN}{code}"}
        if place == "h5":
            return 200, {"h5_url": f"{self.origin}{H5}?prepay_id=wx{code}&package=1"}
        return 200, {"prepay_id": f"wx{code}"}

    def _opened(self, content: Any, now: datetime) -> Payment:
        number, total, trade_no = content["out_trade_no"], content["amount"]["total"], self.ledger.new_number(now)
        ends = datetime.fromisoformat(content["time_expire"])
        return self.ledger.open(Payment(number, trade_no, total, "CNY", content["notify_url"], content, now, ends))

    def _known(self, request: web.Request) -> Payment:
        payment = self.ledger.payments.get(request.match_info["number"])
        if payment is None:
            raise WeChatRefusalError(404, "ORDER_NOT_EXIST", "订单不存在")
        return payment

    def _query(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment = self._known(request)
        if any(refund.done(now) for refund in payment.refunds):
            return 200, payloads.transaction(payment, "REFUND", now)
        closed = payment.state == "closed" or payment.expired(now)
        return 200, payloads.transaction(
            payment, "SUCCESS" if payment.paid_at else "CLOSED" if closed else "NOTPAY", now
        )

    def _close(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment = self._known(request)
        self.maybe_pay_before_close(payment, now)
        if payment.state == "paid":
            raise WeChatRefusalError(400, "ORDERPAID", "该订单已支付")
        payment.state = "closed"
        return 204, None

    def _refund(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment = self.ledger.trades.get(content["transaction_id"])
        if payment is None or payment.paid_at is None:
            raise WeChatRefusalError(404, "RESOURCE_NOT_EXISTS", "订单不存在")
        refund = self.ledger.refunds.get(content["out_refund_no"])
        if refund is None:
            refund = self._refunded(payment, content, now)
        elif (refund.payment, refund.amount) != (payment, content["amount"]["refund"]):
            raise WeChatRefusalError(400, "PARAM_ERROR", "订单金额或退款金额与之前请求不一致")
        return 200, payloads.refund_answer(refund, now)

    def _refunded(self, payment: Payment, content: Any, now: datetime) -> Refund:
        amount, done_at = content["amount"], self.refund_done_at(now)
        back = amount["refund"]
        if (amount["total"], amount["currency"]) != (payment.captured, "CNY") or type(back) is not int or back <= 0:
            raise WeChatRefusalError(400, "PARAM_ERROR", "订单金额不一致")
        if payment.refunding + back > payment.captured:
            raise WeChatRefusalError(403, "NOT_ENOUGH", "退款金额大于可退金额")
        refund_id = f"5{self.ledger.new_number(now)}"
        refund = self.ledger.refund(Refund(content["out_refund_no"], refund_id, payment, back, content, now, done_at))
        write = self.account.notification("REFUND.SUCCESS", lambda _at: payloads.refund_notification(refund))
        self.notify(content.get("notify_url", payment.notify_url), write, after=(done_at - now).total_seconds())
        return refund

    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        amounts = {"refund": amount, "total": payment.captured, "currency": "CNY"}
        return self._refunded(payment, {"out_refund_no": self.ledger.new_number(now), "amount": amounts}, now)

    def _query_refund(self, request: web.Request, content: Any, now: datetime) -> Answer:
        refund = self.ledger.refunds.get(request.match_info["number"])
        if refund is None:
            raise WeChatRefusalError(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return 200, payloads.refund_answer(refund, now)

    # ------------------------------------------------------------ the buyer

    def paid(self, payment: Payment) -> Write:
        return self.account.notification("TRANSACTION.SUCCESS", lambda at: payloads.transaction(payment, "SUCCESS", at))

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self._coded(request.query.get("prepay_id", "")))
        except CannotPayError as error:
            return web.Response(status=404, text=str(error))

    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by a scanned code, by the link for phone browsers, or by the fields for WeChat or an app."""
        if url.startswith(SCAN):
            return self._coded(url.removeprefix(SCAN))
        if url:
            return self._coded(parse_qs(urlsplit(url).query).get("prepay_id", [""])[0])
        try:
            return self._coded(self.account.check_client(fields))
        except (protocol.WeChatProtocolError, KeyError, ValueError) as error:
            raise CannotPayError(f"the cashier does not open: {error}") from error

    def _coded(self, code: str) -> Payment:
        payment = self.ledger.trades.get(code.removeprefix("wx"))
        if payment is None:
            raise CannotPayError("the provider knows no such code")
        return payment


def _check_order(content: Any, place: str) -> None:
    amount, number = content["amount"], content["out_trade_no"]
    needed = {"jsapi": lambda: content["payer"]["openid"], "h5": lambda: content["scene_info"]["payer_client_ip"]}
    sound = (
        content["appid"] == APPID and content["description"] and 6 <= len(number) <= 32 and amount["currency"] == "CNY"
    )
    if not sound or type(amount["total"]) is not int or amount["total"] <= 0 or not needed.get(place, lambda: True)():
        raise WeChatRefusalError(400, "PARAM_ERROR")
