"""A test gateway that speaks PayPal's Orders v2, Payments v2 and webhooks.

Buyers only approve; money moves when the merchant captures, at once or out of an authorisation. A PayPal-Request-Id
that was seen before repeats its request.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from scripts.gateways import paypal_account, paypal_authorizations
from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.gateway import FileWriter, Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write
from scripts.gateways.paypal_account import CERTIFICATES, MERCHANT_ID, TOKEN_SECONDS, PayPalAccount, PayPalKeys
from scripts.gateways.paypal_authorizations import Refused, Reservation, Reservations
from scripts.gateways.paypal_disputes import ABSENT, PayPalDisputes
from scripts.gateways.server import Handler

INTENTS = ("CAPTURE", "AUTHORIZE")
Answer: TypeAlias = tuple[int, dict[str, Any]]


class PayPalRefusalError(Exception):
    """PayPal refuses a call. Has the status and body of the response."""

    def __init__(self, issue: str, status: int = 422, name: str = "UNPROCESSABLE_ENTITY") -> None:
        super().__init__(issue)
        self.response = status, protocol.error(name, issue)


class PayPalGateway(Gateway):
    """PayPal for one app of one merchant. Notifications go to the webhook of the app; orders do not name a URL."""

    name = "paypal"
    schedule_seconds = (60, 120, 240, 480, 960, 1920, 3600, *(14_400,) * 16, 10_800, 10_620)

    def __init__(
        self, notify_url: str, habits: Habits | None = None, *, keys: PayPalKeys | None = None, **more: Any
    ) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = PayPalAccount(keys or PayPalKeys(), self.rotate_after)
        self._captures: dict[str, Payment] = {}  # by PayPal-Request-Id
        self.disputes = PayPalDisputes(self._say)
        self.reservations = Reservations(self._id)

    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        return self.account.configuration(self.origin, write_file)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return paypal_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return paypal_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return paypal_account.forged(copy)

    # ------------------------------------------------------------ the merchant

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1/oauth2/token", self._token),
            web.post("/v2/checkout/orders", self._api(self._create)),
            web.get("/v2/checkout/orders/{id}", self._api(self._show)),
            web.post("/v2/checkout/orders/{id}/capture", self._api(self._capture)),
            web.post("/v2/checkout/orders/{id}/authorize", self._api(self._authorize)),
            *(
                web.post(f"/v2/payments/authorizations/{{id}}/{step}", self._api(self._step))
                for step in ("capture", "void", "reauthorize")
            ),
            web.post("/merchant/authorization", self._at_page),
            web.post("/v2/payments/captures/{id}/refund", self._api(self._refund)),
            web.get("/v2/payments/captures/{id}", self._api(self._show_capture)),
            web.get("/v2/payments/refunds/{id}", self._api(self._show_refund)),
            web.get(f"{CERTIFICATES}{{name}}", self._certificate),
            web.get("/v1/customer/disputes/{id}", self._api(self._show_dispute)),
            web.post("/v1/customer/disputes/{id}/provide-evidence", self._api(self._take_evidence)),
            web.post("/buyer/dispute", self._dispute),
            web.get("/checkoutnow", self._page),
        ]

    def _api(self, answer: Callable[[web.Request, Any, datetime], Answer]) -> Handler:
        """Wrap a handler: verify the token, parse the body, answer."""

        async def handle(request: web.Request) -> web.Response:
            body, now = await request.read(), datetime.now(UTC)
            if not self.account.knows(request.headers.get("authorization", ""), now):
                return web.json_response({"error": "invalid_token"}, status=401)
            try:
                status, response = answer(request, protocol.content(request.headers.get("content-type", ""), body), now)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                status, response = 400, protocol.error("INVALID_REQUEST", description=type(error).__name__)
            except PayPalRefusalError as refusal:
                status, response = refusal.response
            except Refused as refused:
                about = (404, "RESOURCE_NOT_FOUND") if refused.issue == ABSENT else ()
                status, response = PayPalRefusalError(refused.issue, *about).response
            return web.json_response(response, status=status)

        return self.call(handle)

    async def _token(self, request: web.Request) -> web.Response:
        content = await request.post()
        token = self.account.token(request.headers.get("authorization", ""), datetime.now(UTC))
        if token is None or content.get("grant_type") != "client_credentials":
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _create(self, request: web.Request, content: Any, now: datetime) -> Answer:
        [unit] = content["purchase_units"]
        number, currency = unit["custom_id"], unit["amount"]["currency_code"]
        amount, payee = protocol.minor(unit["amount"]), unit["payee"]["merchant_id"]
        given = content["intent"] in INTENTS, payee, request.headers["paypal-request-id"]
        if given != (True, MERCHANT_ID, number):
            raise PayPalRefusalError("INVALID_PARAMETER_VALUE", 400, "INVALID_REQUEST")
        known = self.ledger.payments.get(number)
        if known is not None:
            if known.request != content:
                raise PayPalRefusalError("DUPLICATE_REQUEST_ID")
            return 200, self._order(known, now)
        new = Payment(number, self._id(now), amount, currency, self.notify_url, content, now)
        new.reference = new.trade_no
        return 201, self._order(self.ledger.open(new), now)

    def _show(self, request: web.Request, content: Any, now: datetime) -> Answer:
        return 200, self._order(self._known(request), now)

    def _show_capture(self, request: web.Request, content: Any, now: datetime) -> Answer:
        return 200, _capture(self._known(request))

    def _known(self, request: web.Request) -> Payment:
        """Find the payment by the order's id, or by the capture's id once it is captured."""
        payment = self.ledger.trades.get(request.match_info["id"])
        if payment is None or ("/captures/" in request.path and request.match_info["id"] != payment.trade_no):
            raise PayPalRefusalError("INVALID_RESOURCE_ID", 404, "RESOURCE_NOT_FOUND")
        return payment

    def _capture(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment, request_id = self._known(request), request.headers["paypal-request-id"]
        if self._captures.get(request_id) is payment:
            return 200, self._order(payment, now)
        if payment.state == "paid":
            raise PayPalRefusalError("ORDER_ALREADY_CAPTURED")
        if payment.state != "approved":
            raise PayPalRefusalError("ORDER_NOT_APPROVED")
        payment.pay(self.dice.charged(payment.amount), now)
        self.ledger.rename(payment, self._id(now))
        self._captures[request_id] = payment
        self.notify(self.notify_url, self.paid(payment))
        return 201, self._order(payment, now)

    def _authorize(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment, request_id = self._known(request), request.headers["paypal-request-id"]
        if payment.request["intent"] != "AUTHORIZE" or payment.state not in ("approved", "reserved"):
            raise PayPalRefusalError("ORDER_NOT_APPROVED")
        self.reservations.once(request_id, lambda: self._reserve(payment, now))
        return 201, self._order(payment, now)

    def _reserve(self, payment: Payment, now: datetime) -> Reservation:
        one = self.reservations.open(payment, self.dice.charged(payment.amount), now)
        self._notify_of("CREATED", one)
        return one

    def _step(self, request: web.Request, content: Any, now: datetime) -> Answer:
        """Capture, void or renew an authorisation, once for each PayPal-Request-Id."""
        one = self.reservations.by_number.get(request.match_info["id"])
        if one is None:
            raise PayPalRefusalError("INVALID_RESOURCE_ID", 404, "RESOURCE_NOT_FOUND")
        steps: dict[str, Callable[[], Any]] = {
            "capture": lambda: self.capture_reservation(
                one, protocol.minor(content["amount"]), now, content.get("invoice_id", "")
            ),
            "void": lambda: self.void_reservation(one),
            "reauthorize": lambda: paypal_authorizations.as_json(self.reservations.renew(one, now)),
        }
        step = request.path.rpartition("/")[2]
        return 201, self.reservations.once(request.headers["paypal-request-id"], steps[step])

    def capture_reservation(self, one: Reservation, amount: int, now: datetime, invoice: str = "") -> dict[str, Any]:
        """Take money of an authorisation, for the merchant or at PayPal's page."""
        number = self.reservations.capture(one, amount, now, invoice=invoice, declined=self.dice("declined"))
        if one.status != "CAPTURED":
            return paypal_authorizations.declined_capture(one, number, invoice, now)
        self.ledger.rename(one.payment, number)
        self.notify(self.notify_url, self.paid(one.payment))
        return self._taken(one.payment)

    def _taken(self, payment: Payment) -> dict[str, Any]:
        """Return the capture, with the number that the merchant gave it if it was one of an authorisation."""
        given = [one.invoice for one in self.reservations.of(payment) if one.invoice]
        return _capture(payment) | ({"invoice_id": given[-1]} if given else {})

    def void_reservation(self, one: Reservation) -> dict[str, Any]:
        """Let go of an authorisation, for the merchant, at PayPal's page, or because it has expired."""
        self.reservations.void(one)
        self._notify_of("VOIDED", one)
        return paypal_authorizations.as_json(one)

    def _notify_of(self, what: str, one: Reservation) -> None:
        event = f"PAYMENT.AUTHORIZATION.{what}"
        write = self.account.notification(self.origin, event, lambda: paypal_authorizations.as_json(one))
        self.notify(self.notify_url, write)

    async def _at_page(self, request: web.Request) -> web.Response:
        """Let a person capture or void the authorisation of {"out_trade_no"} at PayPal's page, by {"step"}."""
        posted = await request.json()
        payment = self.ledger.payments.get(posted.get("out_trade_no", ""))
        found = self.reservations.of(payment) if payment else []
        try:
            if not found:
                return web.json_response({"error": "there is no such authorisation"}, status=409)
            if posted["step"] == "capture":
                amount = posted.get("amount", found[-1].amount)
                return web.json_response(self.capture_reservation(found[-1], amount, datetime.now(UTC)))
            return web.json_response(self.void_reservation(found[-1]))
        except Refused as refused:
            return web.json_response({"error": refused.issue}, status=409)

    def _refund(self, request: web.Request, content: Any, now: datetime) -> Answer:
        payment, number = self._known(request), request.headers["paypal-request-id"]
        refund = self.ledger.refunds.get(number)
        if refund is not None:
            if (refund.payment, refund.request) != (payment, content):
                raise PayPalRefusalError("DUPLICATE_REQUEST_ID")
            return 200, _refund(refund, refund.done(now))
        amount, left = protocol.minor(content["amount"]), payment.captured - payment.refunding
        if content["amount"]["currency_code"] != payment.currency or amount <= 0:
            raise PayPalRefusalError("CURRENCY_MISMATCH")
        if amount > left:
            raise PayPalRefusalError("REFUND_AMOUNT_EXCEEDED" if left else "CAPTURE_FULLY_REFUNDED")
        refund = self._refunded(Refund(number, self._id(now), payment, amount, content, now, self.refund_done_at(now)))
        return 201, _refund(refund, refund.done(now))

    def _refunded(self, refund: Refund, event: str = "PAYMENT.CAPTURE.REFUNDED") -> Refund:
        self.ledger.refund(refund)
        write = self.account.notification(self.origin, event, lambda: _refund(refund, done=True))
        self.notify(self.notify_url, write, after=(refund.done_at - refund.at).total_seconds())
        return refund

    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        """Refund at PayPal's page, where a refund keeps the numbers of its capture, or reverse the payment."""
        number, money = self._id(now), protocol.money(amount, payment.currency)
        content = {"amount": money, "invoice_id": payment.number, "custom_id": payment.number}
        refund = Refund(number, number, payment, amount, content, now, self.refund_done_at(now))
        return self._refunded(refund, "PAYMENT.CAPTURE.REVERSED" if reversal else "PAYMENT.CAPTURE.REFUNDED")

    def _show_refund(self, request: web.Request, content: Any, now: datetime) -> Answer:
        """Show a refund by PayPal's own number."""
        for refund in self.ledger.refunds.values():
            if refund.refund_no == request.match_info["id"]:
                return 200, _refund(refund, refund.done(now))
        raise PayPalRefusalError("INVALID_RESOURCE_ID", 404, "RESOURCE_NOT_FOUND")

    def _id(self, now: datetime) -> str:
        return f"{int(self.ledger.new_number(now, 21)):X}"

    def _order(self, payment: Payment, now: datetime) -> dict[str, Any]:
        found = self.reservations.of(payment)
        status = {"paid": "COMPLETED", "approved": "APPROVED"}.get(payment.state, "PAYER_ACTION_REQUIRED")
        taken = [self._taken(payment)] if payment.paid_at else []
        return protocol.order(
            payment.reference,
            "COMPLETED" if found else status,
            payment.request,
            site=self.origin,
            captures=[*paypal_authorizations.declined_captures(found), *taken],
            authorizations=[paypal_authorizations.as_json(one) for one in found],
            refunds=[_refund(refund, refund.done(now)) for refund in payment.refunds],
        )

    async def _certificate(self, request: web.Request) -> web.Response:
        text = self.account.certificate(request.match_info["name"])
        return web.Response(text=text) if text else web.Response(status=404)

    # ------------------------------------------------------------ the buyer

    def pay(self, payment: Payment, now: datetime) -> None:
        """Let the buyer approve the order. The merchant captures it."""
        if payment.state != "open":
            raise CannotPayError(f"{payment.number} is {payment.state}")
        payment.state = "approved"
        order = self._order(payment, now)
        self.notify(self.notify_url, self.account.notification(self.origin, "CHECKOUT.ORDER.APPROVED", lambda: order))

    def paid(self, payment: Payment) -> Write:
        return self.account.notification(self.origin, "PAYMENT.CAPTURE.COMPLETED", lambda: _capture(payment))

    async def _dispute(self, request: web.Request) -> web.Response:
        """Let the buyer of {"out_trade_no"} dispute {"amount"}, or resolve the dispute with {"outcome"}."""
        posted = await request.json()
        payment = self.ledger.payments.get(posted.get("out_trade_no", ""))
        if payment is None or payment.paid_at is None:
            return web.json_response({"error": "there is no such paid payment"}, status=409)
        return web.json_response(
            {"dispute_no": self.open_dispute(payment, posted["amount"], outcome=posted.get("outcome"))}
        )

    def open_dispute(self, payment: Payment, amount: int, *, outcome: str | None = None) -> str:
        """Open a dispute and notify; with an outcome, resolve it.

        If the merchant wins, reversals of the payment are taken back.
        """
        if outcome == "RESOLVED_SELLER_FAVOUR":
            self.ledger.take_back(payment)
        return self.disputes.open(payment, amount, outcome)

    def _show_dispute(self, request: web.Request, content: Any, now: datetime) -> Answer:
        return 200, self.disputes.find(request.match_info["id"])

    def _take_evidence(self, request: web.Request, content: Any, now: datetime) -> Answer:
        return 200, self.disputes.take_evidence(request.match_info["id"], content, now)

    def _say(self, event: str, resource: Mapping[str, Any]) -> None:
        self.notify(self.notify_url, self.account.notification(self.origin, event, lambda: resource))

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self.payment_for_buyer(str(request.rel_url), {}, datetime.now(UTC)))
        except CannotPayError as error:
            return web.Response(status=404, text=str(error))

    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by the link where its order is approved."""
        payment = self.ledger.trades.get(parse_qs(urlsplit(url).query).get("token", [""])[0])
        if payment is None:
            raise CannotPayError("PayPal knows no such order")
        return payment


def _capture(payment: Payment) -> dict[str, Any]:
    assert payment.paid_at is not None, "it was captured"
    amount = protocol.money(payment.captured, payment.currency)
    return protocol.capture(payment.trade_no, payment.reference, payment.request, at=payment.paid_at, amount=amount)


def _refund(refund: Refund, done: bool) -> dict[str, Any]:
    at = refund.done_at if done else refund.at
    return protocol.refund(
        refund.refund_no, refund.request, refund.payment.trade_no, at=at, status="COMPLETED" if done else "PENDING"
    )
