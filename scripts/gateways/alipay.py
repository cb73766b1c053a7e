"""A test gateway that speaks the protocol of Alipay's gateway.do.

At Alipay a trade exists only once its buyer has come: a query does not find a payment that is merely offered by a QR
code.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from scripts.gateways import alipay_account
from scripts.gateways import alipay_payloads as payloads
from scripts.gateways import alipay_protocol as protocol
from scripts.gateways.alipay_account import AlipayAccount, AlipayKeys
from scripts.gateways.gateway import FileWriter, Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write

CODES = "/bax"
PAGES = frozenset({"alipay.trade.page.pay", "alipay.trade.wap.pay"})
CASHIERS = PAGES | {"alipay.trade.app.pay"}
BUYER = {"buyer_logon_id": "ali***@alipay.com", "buyer_user_id": "2088102122524333"}
Content: TypeAlias = dict[str, Any]


class AlipayRefusalError(Exception):
    """Alipay refuses a call. The message is the sub_code."""


class AlipayGateway(Gateway):
    """Alipay for one application."""

    name = "alipay"
    schedule_seconds = (240, 600, 600, 3600, 7200, 21_600, 54_000)

    def __init__(
        self, notify_url: str, habits: Habits | None = None, *, keys: AlipayKeys | None = None, **more: Any
    ) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = AlipayAccount(keys or AlipayKeys(), self.rotate_after)
        self._methods: Mapping[str, Callable[[protocol.SignedRequest, datetime], Content]] = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._query_refund,
        }

    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        return self.account.configuration(f"{self.origin}/gateway.do", self.notify_url, write_file)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return alipay_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return alipay_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return alipay_account.forged(copy)

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/gateway.do", self._page),
            web.post("/gateway.do", self.call(self._answer)),
            web.get(f"{CODES}{{code}}", self._scanned),
        ]

    # ------------------------------------------------------------ the merchant

    async def _answer(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        try:
            call = self.account.check(_query_of(request), await request.read(), now)
            if call.method in PAGES:
                return self.page(self._opened(call, now, "open"))
            content = self._methods[call.method](call, now)
        except (protocol.AlipayProtocolError, CannotPayError, KeyError) as error:
            wrong = protocol.failed("isv.invalid-parameter", str(error), "40002")
            return web.json_response({"error_response": wrong})
        except AlipayRefusalError as refusal:
            content = protocol.failed(str(refusal))
        return self.account.answer(call.method, content)

    def _precreate(self, call: protocol.SignedRequest, now: datetime) -> Content:
        try:
            payment = self._opened(call, now, "announced")
        except CannotPayError as error:
            raise AlipayRefusalError(
                "ACQ.TRADE_HAS_SUCCESS" if "paid" in str(error) else "ACQ.TRADE_HAS_CLOSE"
            ) from error
        return protocol.ok(out_trade_no=payment.number, qr_code=f"{self.origin}{CODES}{payment.trade_no}")

    def _query(self, call: protocol.SignedRequest, now: datetime) -> Content:
        payment = self._known(call)
        paid = payment.paid_at
        return protocol.ok(
            **BUYER,
            out_trade_no=payment.number,
            trade_no=payment.trade_no,
            trade_status=payloads.status(payment, now),
            total_amount=protocol.yuan(payment.captured or payment.amount),
            **({"send_pay_date": protocol.moment(paid)} if paid else {}),
        )

    def _close(self, call: protocol.SignedRequest, now: datetime) -> Content:
        number = call.order["out_trade_no"]
        if number in self.ledger.payments:
            self.maybe_pay_before_close(self.ledger.payments[number], now)
        payment = self._known(call)
        if payment.state == "closed" or payment.expired(now):
            raise AlipayRefusalError("ACQ.TRADE_HAS_CLOSE")
        if payment.state == "paid":
            raise AlipayRefusalError("ACQ.REASON_TRADE_STATUS_INVALID")
        payment.state = "closed"
        self.notify(
            payment.notify_url,
            self.account.notification(lambda at, key: payloads.notification_fields(payment, at, key, "TRADE_CLOSED")),
        )
        return protocol.ok(trade_no=payment.trade_no, out_trade_no=payment.number)

    def _refund(self, call: protocol.SignedRequest, now: datetime) -> Content:
        payment, order = self._known(call), call.order
        amount = payloads.fen(order["refund_amount"])
        if payment.paid_at is None:
            raise AlipayRefusalError("ACQ.TRADE_STATUS_ERROR")
        refund, moved = self.ledger.refunds.get(order["out_request_no"]), False
        if refund is None:
            refund = self._refunded(payment, order, amount, now)
            moved = refund.done(now)
        elif (refund.payment, refund.amount) != (payment, amount):
            raise AlipayRefusalError("ACQ.DISCORDANT_REPEAT_REQUEST")
        return protocol.ok(
            **BUYER,
            trade_no=payment.trade_no,
            out_trade_no=payment.number,
            fund_change="Y" if moved else "N",
            refund_fee=protocol.yuan(payloads.refunded(payment, now)),
            gmt_refund_pay=protocol.moment(refund.done_at),
        )

    def _refunded(self, payment: Payment, order: Mapping[str, Any], amount: int, now: datetime) -> Refund:
        if amount <= 0 or payment.refunding + amount > payment.captured:
            raise AlipayRefusalError("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        number, done_at = order["out_request_no"], self.refund_done_at(now)
        refund = self.ledger.refund(Refund(number, number, payment, amount, order, now, done_at))
        so_far = payment.refunding
        write = self.account.notification(
            lambda at, key: protocol.refund_notification(
                payloads.notification_fields(payment, at, key),
                out_request_no=number,
                refunded_so_far=so_far,
                at=done_at,
            )
        )
        self.notify(payment.notify_url, write, after=(done_at - now).total_seconds())
        return refund

    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        return self._refunded(payment, {"out_request_no": self.ledger.new_number(now)}, amount, now)

    def _query_refund(self, call: protocol.SignedRequest, now: datetime) -> Content:
        """Answer a refund query. A refund that is unknown or not done yet is answered without any data."""
        payment, refund = self._known(call), self.ledger.refunds.get(call.order["out_request_no"])
        if refund is None or refund.payment is not payment or not refund.done(now):
            return protocol.ok()
        return protocol.ok(
            trade_no=payment.trade_no,
            out_trade_no=payment.number,
            out_request_no=refund.number,
            total_amount=protocol.yuan(payment.captured),
            refund_amount=protocol.yuan(refund.amount),
            refund_status="REFUND_SUCCESS",
            gmt_refund_pay=protocol.moment(refund.done_at),
        )

    def _known(self, call: protocol.SignedRequest) -> Payment:
        order = call.order
        payment = (
            self.ledger.trades.get(order["trade_no"])
            if "trade_no" in order
            else self.ledger.payments.get(order["out_trade_no"])
        )
        if payment is None or payment.state == "announced":
            raise AlipayRefusalError("ACQ.TRADE_NOT_EXIST")
        return payment

    # ------------------------------------------------------------ the buyer

    def paid(self, payment: Payment) -> Write:
        return self.account.notification(lambda at, key: payloads.notification_fields(payment, at, key))

    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by a scanned code, a link or an app's order string."""
        link = urlsplit(url)
        if link.path.startswith(CODES):
            return self._code(link.path.removeprefix(CODES))
        try:
            form = b"" if "order_string" in fields else urlencode(fields).encode()
            call = self.account.check(fields.get("order_string", link.query), form, now)
        except protocol.AlipayProtocolError as error:
            raise CannotPayError(f"Alipay does not open: {error}") from error
        if call.method not in CASHIERS:
            raise CannotPayError(f"{call.method} is not for buyers")
        return self._opened(call, now, "open")

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self.payment_for_buyer(str(request.rel_url), {}, datetime.now(UTC)))
        except CannotPayError as error:
            return web.Response(status=400, text=str(error))

    async def _scanned(self, request: web.Request) -> web.Response:
        try:
            payment = self._code(request.match_info["code"])
        except CannotPayError as error:
            return web.Response(status=404, text=str(error))
        payment.state = "open" if payment.state == "announced" else payment.state
        return self.page(payment)

    def _code(self, code: str) -> Payment:
        payment = self.ledger.trades.get(code)
        if payment is None:
            raise CannotPayError("Alipay knows no such code")
        return payment

    def _opened(self, call: protocol.SignedRequest, now: datetime, state: Any) -> Payment:
        order = call.order
        try:
            notify_url = call.fields["notify_url"]
            number, amount = order["out_trade_no"], payloads.fen(order["total_amount"])
            ends = datetime.strptime(order["time_expire"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=protocol.CHINA)
        except (KeyError, ValueError, TypeError) as error:
            raise CannotPayError(f"the order lacks something: {error}") from error
        known = self.ledger.payments.get(number)
        if known is None:
            new = Payment(number, self.ledger.new_number(now), amount, "CNY", notify_url, order, now, ends, state)
            return self.ledger.open(new)
        if known.request != order or known.state in ("paid", "closed") or known.expired(now):
            raise CannotPayError(f"{number} is {known.state}, or was another order before")
        return known


def _query_of(request: web.Request) -> str:
    """Return the query string unchanged: its signature covers the original text."""
    return request.raw_path.partition("?")[2]
