"""A test gateway that speaks UnionPay's online gateway 5.1.0.

UnionPay has no call to close a payment, and it only accepts a refund at first: a notification or a query tells that it
is final.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

from aiohttp import web

from scripts.gateways import unionpay_account
from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.gateway import FileWriter, Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write
from scripts.gateways.server import Handler
from scripts.gateways.unionpay_account import UnionPayAccount, UnionPayKeys

API = "/gateway/api/"
SIGNING = ("signature", "signMethod", "certId")
OPEN = "05"  # accepted; how it ends is not known yet
QUERY_ID_DIGITS = 21
Fields: TypeAlias = dict[str, str]


class UnionPayGateway(Gateway):
    """UnionPay for one merchant."""

    name = "unionpay"
    schedule_seconds = (0, 60, 120, 240)

    def __init__(
        self, notify_url: str, habits: Habits | None = None, *, keys: UnionPayKeys | None = None, **more: Any
    ) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = UnionPayAccount(keys or UnionPayKeys(), self.rotate_after)

    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        return self.account.configuration(self.origin, self.notify_url, write_file)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return unionpay_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return unionpay_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return unionpay_account.forged(copy)

    # ------------------------------------------------------------ the merchant

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post(f"{API}frontTransReq.do", self._page),
            web.post(f"{API}appTransReq.do", self._api(self._app)),
            web.post(f"{API}queryTrans.do", self._api(self._query)),
            web.post(f"{API}backTransReq.do", self._api(self._refund)),
        ]

    def _api(self, answer: Callable[[Fields, datetime], Fields]) -> Handler:
        """Wrap a handler: verify the signature, answer, sign."""

        async def handle(request: web.Request) -> web.Response:
            fields: Fields = {}
            try:
                fields = self.account.check(await request.read())
                response = answer(fields, datetime.now(UTC))
            except protocol.UnionPayProtocolError as refusal:
                response = protocol.answered(fields, refusal.code, str(refusal))
            return self.account.answer(response)

        return self.call(handle)

    def _app(self, fields: Fields, now: datetime) -> Fields:
        return protocol.answered(fields, tn=self._opened(fields, now).trade_no)

    def _opened(self, fields: Fields, now: datetime) -> Payment:
        """Return the payment of a request; the same request again is the same payment. Raises UnionPayProtocolError."""
        order = {name: value for name, value in fields.items() if name not in SIGNING}
        number, amount = order["orderId"], order.get("txnAmt", "")
        is_payment = order["txnType"] == "01" and {"backUrl", "payTimeout"} <= order.keys()
        has_amount = order.get("currencyCode") == "156" and amount.isdigit() and int(amount) > 0
        if not is_payment or not has_amount:
            raise protocol.UnionPayProtocolError("13", "报文交易要素缺失")
        known = self.ledger.payments.get(number)
        if known is None:
            ends = datetime.strptime(order["payTimeout"], "%Y%m%d%H%M%S").replace(tzinfo=protocol.CHINA)
            query_id = self.ledger.new_number(now, QUERY_ID_DIGITS)
            return self.ledger.open(Payment(number, query_id, int(amount), "CNY", order["backUrl"], order, now, ends))
        if known.request != order:
            raise protocol.UnionPayProtocolError("12", "重复交易")
        return known

    def _query(self, fields: Fields, now: datetime) -> Fields:
        """Answer a query. orderId and txnTime together name a payment or a refund."""
        number = fields["orderId"]
        payment, refund = self.ledger.payments.get(number), self.ledger.refunds.get(number)
        if refund is not None and refund.request["txnTime"] == fields["txnTime"]:
            code = "00" if refund.done(now) else OPEN
            return protocol.found(fields, refund.request, refund.refund_no, refund.done_at, code)
        if payment is None or payment.request["txnTime"] != fields["txnTime"]:
            return protocol.absent(fields)
        code = "00" if payment.paid_at else OPEN
        return protocol.found(fields, _charged(payment), payment.trade_no, payment.paid_at or now, code)

    def _refund(self, fields: Fields, now: datetime) -> Fields:
        if fields["txnType"] != "04" or not {"txnAmt", "origQryId", "backUrl"} <= fields.keys():
            raise protocol.UnionPayProtocolError("13", "报文交易要素缺失")
        number, payment = fields["orderId"], self.ledger.trades.get(fields["origQryId"])
        if number in self.ledger.refunds:
            raise protocol.UnionPayProtocolError("12", "重复交易")
        if payment is None or payment.paid_at is None:
            raise protocol.UnionPayProtocolError("35", "原交易不存在或状态不正确")
        amount = int(fields["txnAmt"]) if fields["txnAmt"].isdigit() else 0
        if amount <= 0 or payment.refunding + amount > payment.captured:
            raise protocol.UnionPayProtocolError("36", "与原交易信息不符")
        order = {name: value for name, value in fields.items() if name not in SIGNING}
        return protocol.answered(fields, queryId=self._refunded(payment, order, amount, now).refund_no)

    def _refunded(self, payment: Payment, order: Fields, amount: int, now: datetime) -> Refund:
        done_at, query_id = self.refund_done_at(now), self.ledger.new_number(now, QUERY_ID_DIGITS)
        refund = self.ledger.refund(Refund(order["orderId"], query_id, payment, amount, order, now, done_at))
        write = self.account.notification(protocol.happened(order, query_id, done_at))
        self.notify(order["backUrl"], write, after=(done_at - now).total_seconds())
        return refund

    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        order = {
            **payment.request,
            "txnType": "04",
            "txnSubType": "00",
            "orderId": self.ledger.new_number(now),
            "txnTime": now.astimezone(protocol.CHINA).strftime("%Y%m%d%H%M%S"),
            "txnAmt": str(amount),
            "origQryId": payment.trade_no,
        }
        return self._refunded(payment, order, amount, now)

    # ------------------------------------------------------------ the buyer

    def paid(self, payment: Payment) -> Write:
        assert payment.paid_at is not None, "it was paid"
        return self.account.notification(protocol.happened(_charged(payment), payment.trade_no, payment.paid_at))

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self._opened(self.account.check(await request.read()), datetime.now(UTC)))
        except (protocol.UnionPayProtocolError, ValueError) as error:
            return web.Response(status=400, text=str(error))

    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by the form of a browser, or by the `tn` of an app."""
        if "tn" in fields:
            payment = self.ledger.trades.get(fields["tn"])
            if payment is None:
                raise CannotPayError("UnionPay knows no such tn")
            return payment
        try:
            return self._opened(self.account.check(urlencode(fields).encode()), now)
        except (protocol.UnionPayProtocolError, ValueError) as error:
            raise CannotPayError(f"the cashier does not open: {error}") from error


def _charged(payment: Payment) -> Fields:
    return {**payment.request, "txnAmt": str(payment.captured or payment.amount)}
