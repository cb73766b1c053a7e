"""A test gateway that speaks UnionPay's online gateway 5.1.0.

Nothing is closed here, and a refund is only accepted at first: it becomes final by a notification or a query.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

from aiohttp import web

from scripts.gateways import unionpay_account
from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.gateway import Gateway, Handler, Keep
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write
from scripts.gateways.unionpay_account import Account, Keys

API = "/gateway/api/"
SIGNING = ("signature", "signMethod", "certId")
OPEN = "05"  # accepted; how it ends is not known yet
QUERY_ID_DIGITS = 21
Fields: TypeAlias = dict[str, str]


class UnionPayGateway(Gateway):
    """One merchant at UnionPay."""

    name = "unionpay"
    schedule_seconds = (0, 60, 120, 240)

    def __init__(self, notify_url: str, habits: Habits | None = None, *, keys: Keys | None = None, **more: Any) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = Account(keys or Keys(), self.rotate_after)

    def configuration(self, keep: Keep) -> Mapping[str, Any]:
        return self.account.configuration(self.origin, self.notify_url, keep)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return unionpay_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return unionpay_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return unionpay_account.forged(copy)

    # ------------------------------------------------------------ what the merchant asks

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post(f"{API}frontTransReq.do", self._page),
            web.post(f"{API}appTransReq.do", self._api(self._app)),
            web.post(f"{API}queryTrans.do", self._api(self._query)),
            web.post(f"{API}backTransReq.do", self._api(self._refund)),
        ]

    def _api(self, answer: Callable[[Fields, datetime], Fields]) -> Handler:
        """Check who asks, answer, sign."""

        async def handle(request: web.Request) -> web.Response:
            fields: Fields = {}
            try:
                fields = self.account.check(await request.read())
                said = answer(fields, datetime.now(UTC))
            except protocol.ProtocolError as no:
                said = protocol.answered(fields, no.code, str(no))
            return self.account.answer(said)

        return self.call(handle)

    def _app(self, asked: Fields, now: datetime) -> Fields:
        return protocol.answered(asked, tn=self._opened(asked, now).trade_no)

    def _opened(self, asked: Fields, now: datetime) -> Payment:
        """The same order again is the same payment. Raises ProtocolError."""
        order = {name: value for name, value in asked.items() if name not in SIGNING}
        number, amount = order["orderId"], order.get("txnAmt", "")
        sound = order["txnType"] == "01" and order.get("currencyCode") == "156" and amount.isdigit() and int(amount)
        if not sound or not {"backUrl", "payTimeout"} <= order.keys():
            raise protocol.ProtocolError("13", "报文交易要素缺失")
        known = self.ledger.payments.get(number)
        if known is None:
            ends = datetime.strptime(order["payTimeout"], "%Y%m%d%H%M%S").replace(tzinfo=protocol.CHINA)
            query_id = self.ledger.new_number(now, QUERY_ID_DIGITS)
            return self.ledger.open(Payment(number, query_id, int(amount), "CNY", order["backUrl"], order, now, ends))
        if known.asked != order:
            raise protocol.ProtocolError("12", "重复交易")
        return known

    def _query(self, asked: Fields, now: datetime) -> Fields:
        """By orderId and txnTime, which name a payment or a refund."""
        number = asked["orderId"]
        payment, refund = self.ledger.payments.get(number), self.ledger.refunds.get(number)
        if refund is not None and refund.asked["txnTime"] == asked["txnTime"]:
            code = "00" if refund.done(now) else OPEN
            return protocol.found(asked, refund.asked, refund.refund_no, refund.done_at, code)
        if payment is None or payment.asked["txnTime"] != asked["txnTime"]:
            return protocol.absent(asked)
        code = "00" if payment.paid_at else OPEN
        return protocol.found(asked, _charged(payment), payment.trade_no, payment.paid_at or now, code)

    def _refund(self, asked: Fields, now: datetime) -> Fields:
        if asked["txnType"] != "04" or not {"txnAmt", "origQryId", "backUrl"} <= asked.keys():
            raise protocol.ProtocolError("13", "报文交易要素缺失")
        number, payment = asked["orderId"], self.ledger.trades.get(asked["origQryId"])
        if number in self.ledger.refunds:
            raise protocol.ProtocolError("12", "重复交易")
        if payment is None or payment.paid_at is None:
            raise protocol.ProtocolError("35", "原交易不存在或状态不正确")
        amount = int(asked["txnAmt"]) if asked["txnAmt"].isdigit() else 0
        if amount <= 0 or payment.refunding + amount > payment.captured:
            raise protocol.ProtocolError("36", "与原交易信息不符")
        order = {name: value for name, value in asked.items() if name not in SIGNING}
        done_at, query_id = self.refund_done_at(now), self.ledger.new_number(now, QUERY_ID_DIGITS)
        self.ledger.refund(Refund(number, query_id, payment, amount, order, now, done_at))
        write = self.account.notification(protocol.happened(order, query_id, done_at))
        self.tell(asked["backUrl"], write, after=(done_at - now).total_seconds())
        return protocol.answered(asked, queryId=query_id)

    # ------------------------------------------------------------ the buyer

    def paid(self, payment: Payment) -> Write:
        assert payment.paid_at is not None, "it was paid"
        return self.account.notification(protocol.happened(_charged(payment), payment.trade_no, payment.paid_at))

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self._opened(self.account.check(await request.read()), datetime.now(UTC)))
        except (protocol.ProtocolError, ValueError) as error:
            return web.Response(status=400, text=str(error))

    def brought(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """A form for the browser, or the `tn` of an app."""
        if "tn" in fields:
            payment = self.ledger.trades.get(fields["tn"])
            if payment is None:
                raise CannotPayError("UnionPay knows no such tn")
            return payment
        try:
            return self._opened(self.account.check(urlencode(fields).encode()), now)
        except (protocol.ProtocolError, ValueError) as error:
            raise CannotPayError(f"the cashier does not open: {error}") from error


def _charged(payment: Payment) -> Fields:
    return {**payment.asked, "txnAmt": str(payment.captured or payment.amount)}
