"""A test gateway that speaks Stripe's Checkout Sessions, Payment Intents, Refunds, Disputes and webhooks.

Buyers pay or authorise on Checkout's page. An Idempotency-Key that was seen before gets the first answer again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from scripts.gateways import stripe_account
from scripts.gateways import stripe_protocol as protocol
from scripts.gateways.gateway import FileWriter, Gateway
from scripts.gateways.habits import Habits
from scripts.gateways.ledger import PAYABLE, CannotPayError, Payment, Refund
from scripts.gateways.notifier import Copy, Write
from scripts.gateways.server import Handler
from scripts.gateways.stripe_account import StripeAccount, StripeKeys
from scripts.gateways.stripe_intents import StripeIntent, StripeIntents, StripeRefusalError

StripeAnswer: TypeAlias = tuple[int, dict[str, Any]]
Parameters: TypeAlias = Mapping[str, str]
SESSION_MIN, SESSION_MAX = timedelta(minutes=30), timedelta(hours=24)
MISSING = ("resource_missing", 404)


class StripeGateway(Gateway):
    """Stripe for one account. Notifications go to its webhook; sessions do not name a URL."""

    name = "stripe"
    schedule_seconds = (60, 300, 1800, 7200, 18_000, 36_000, *(43_200,) * 4, 23_040)

    def __init__(
        self, notify_url: str, habits: Habits | None = None, *, keys: StripeKeys | None = None, **more: Any
    ) -> None:
        super().__init__(notify_url, habits, **more)
        self.account = StripeAccount(keys or StripeKeys(), self.rotate_after)
        self.intents = StripeIntents(lambda now: self.ledger.new_number(now, 24))
        self._answers: dict[str, tuple[str, Parameters, StripeAnswer]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}

    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        return self.account.configuration(self.origin, write_file)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return stripe_account.acknowledged(status, body)

    def reserialised(self, copy: Copy) -> Copy:
        return stripe_account.reserialised(copy)

    def forged(self, copy: Copy) -> Copy:
        return stripe_account.forged(copy)

    # ------------------------------------------------------------ the merchant

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1/checkout/sessions", self._api(self._create)),
            web.get("/v1/checkout/sessions/{id}", self._api(self._show)),
            web.post("/v1/checkout/sessions/{id}/expire", self._api(self._expire)),
            web.get("/v1/payment_intents/{id}", self._api(self._show_intent)),
            web.post("/v1/payment_intents/{id}/capture", self._api(self._capture)),
            web.post("/v1/payment_intents/{id}/cancel", self._api(self._cancel)),
            web.post("/v1/refunds", self._api(self._refund)),
            web.get("/v1/refunds", self._api(self._refunds)),
            web.get("/v1/refunds/{id}", self._api(self._show_refund)),
            web.get("/v1/disputes/{id}", self._api(self._show_dispute)),
            web.post("/v1/disputes/{id}", self._api(self._take_evidence)),
            web.post("/merchant/authorization", self._at_page),
            web.post("/buyer/dispute", self._dispute),
            web.get("/c/pay/{id}", self._page),
        ]

    def _api(self, answer: Callable[[web.Request, Parameters, datetime], StripeAnswer]) -> Handler:
        """Wrap a handler: verify the key, parse the form, answer; under a key that was seen, as the first time."""

        async def handle(request: web.Request) -> web.Response:
            body, now = await request.read(), datetime.now(UTC)
            if not self.account.knows(request.headers.get("authorization", "")):
                return web.json_response(protocol.error("invalid_request_error"), status=401)
            headers = self._replay(request)
            try:
                parameters = protocol.form(body) if body else dict(request.query)
                status, response = self._once(request, parameters, lambda: answer(request, parameters, now))
            except (KeyError, TypeError, ValueError) as error:
                status, response = 400, protocol.error("invalid_request_error", param=type(error).__name__)
            except StripeRefusalError as refusal:
                status, response = refusal.response
            return web.json_response(response, status=status, headers=headers)

        return self.call(handle)

    def _replay(self, request: web.Request) -> dict[str, str]:
        """Return the header of an answer that is repeated."""
        return {"idempotent-replayed": "true"} if request.headers.get("idempotency-key") in self._answers else {}

    def _once(self, request: web.Request, parameters: Parameters, do: Callable[[], StripeAnswer]) -> StripeAnswer:
        key = request.headers.get("idempotency-key")
        if key is None:
            return do()
        if key not in self._answers:
            self._answers[key] = request.path, parameters, do()
        *first, answered = self._answers[key]
        if first != [request.path, parameters]:
            raise StripeRefusalError(None, type_="idempotency_error")
        return answered

    def _create(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        number, numbers = form["client_reference_id"], protocol.metadata(form, "payment_intent_data[metadata]")
        until = datetime.fromtimestamp(int(form["expires_at"]), UTC)
        kind = form["mode"], form["payment_intent_data[capture_method]"] in ("automatic", "manual")
        if (*kind, numbers.get("out_trade_no")) != ("payment", True, number) or number in self.ledger.payments:
            raise StripeRefusalError("parameter_invalid")
        if not SESSION_MIN <= until - now <= SESSION_MAX:
            raise StripeRefusalError("parameter_invalid")
        amount, currency = int(form[f"{protocol.UNIT_PRICE}[unit_amount]"]), form[f"{protocol.UNIT_PRICE}[currency]"]
        if amount <= 0 or not form[f"{protocol.UNIT_PRICE}[product_data][name]"] or currency != currency.lower():
            raise StripeRefusalError("parameter_invalid")
        session = f"cs_test_a1{self.ledger.new_number(now, 56)}"
        new = Payment(number, session, amount, currency.upper(), self.notify_url, form, now, until, reference=session)
        return 200, self.intents.session(self.ledger.open(new), now, self.origin)

    def _payment(self, request: web.Request) -> Payment:
        payment = self.ledger.trades.get(request.match_info["id"])
        if payment is None or payment.reference != request.match_info["id"]:
            raise StripeRefusalError(*MISSING)
        return payment

    def _show(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        return 200, self.intents.session(self._payment(request), now, self.origin, expanded="expand[]" in form)

    def _expire(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        payment = self._payment(request)
        self.maybe_pay_before_close(payment, now)
        if payment.state not in PAYABLE or payment.expired(now):
            raise StripeRefusalError(None)
        payment.state = "closed"
        session = self.intents.session(payment, now, self.origin)
        self._notify("checkout.session.expired", lambda: session)
        return 200, session

    def _intent(self, request: web.Request) -> StripeIntent:
        found = self.intents.by_number.get(request.match_info["id"])
        if found is None:
            raise StripeRefusalError(*MISSING)
        return found

    def _show_intent(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        return 200, self._intent(request).as_json(expanded="expand[]" in form)

    def _capture(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        one = self._intent(request)
        if one.status == "requires_capture" and self.dice("declined"):
            raise StripeRefusalError("card_declined", 402, "card_error")
        self.capture_intent(one, int(form["amount_to_capture"]), now, protocol.metadata(form))
        return 200, one.as_json(expanded=True)

    def capture_intent(self, one: StripeIntent, amount: int, now: datetime, numbers: Mapping[str, str]) -> None:
        """Take money of an authorisation, for the merchant or at Stripe's page."""
        one.capture(amount, now, numbers)
        self.ledger.rename(one.payment, one.charge_no)
        self.notify(self.notify_url, self.paid(one.payment))

    def _cancel(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        one = self._intent(request)
        self.cancel_intent(one, form["cancellation_reason"])
        return 200, one.as_json(expanded=True)

    def cancel_intent(self, one: StripeIntent, reason: str) -> None:
        """Let go of an authorisation, for the merchant, at Stripe's page, or because it has expired."""
        one.cancel(reason)
        self._notify("payment_intent.canceled", one.as_json)

    async def _at_page(self, request: web.Request) -> web.Response:
        """Let a person capture or void the authorisation of {"out_trade_no"} at Stripe's page, by {"step"}."""
        posted = await request.json()
        one = self.intents.of_payment.get(posted.get("out_trade_no", ""))
        if one is None:
            return web.json_response({"error": "there is no such authorisation"}, status=409)
        try:
            if posted["step"] == "capture":
                self.capture_intent(one, posted.get("amount", one.amount), datetime.now(UTC), {})
            else:
                self.cancel_intent(one, "automatic")
        except StripeRefusalError as refusal:
            return web.json_response(refusal.response[1], status=409)
        return web.json_response(one.as_json())

    def _refund(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        payment, numbers = self.ledger.trades.get(form["charge"]), protocol.metadata(form)
        if payment is None or payment.trade_no != form["charge"] or payment.paid_at is None:
            raise StripeRefusalError(*MISSING)
        amount, left = int(form["amount"]), payment.captured - payment.refunding
        if amount <= 0 or amount > left:
            raise StripeRefusalError("amount_too_large" if left else "charge_already_refunded")
        number = f"re_{self.ledger.new_number(now, 24)}"
        refund = Refund(numbers["refund_no"], number, payment, amount, numbers, now, self.refund_done_at(now))
        self._refunded(refund)
        return 200, _refund(refund, refund.done(now))

    def _refunded(self, refund: Refund) -> None:
        """Notify of a refund when it is accepted, and when it is done if that is later."""
        self.ledger.refund(refund)
        wait = (refund.done_at - refund.at).total_seconds()
        self._notify("refund.updated" if wait else "refund.created", lambda: _refund(refund, done=True), after=wait)

    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        """Refund at Stripe's page, or withdraw the money that a buyer disputes."""
        if reversal:
            self.open_dispute(payment, amount)
            return payment.refunds[-1]
        number = f"re_{self.ledger.new_number(now, 24)}"
        refund = Refund(number, number, payment, amount, {}, now, self.refund_done_at(now))
        self._refunded(refund)
        return refund

    def _refunds(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        payment = self.ledger.trades[form["charge"]]
        found = [_refund(one, one.done(now)) for one in reversed(payment.refunds) if not _is_dispute(one)]
        limit = int(form["limit"])
        return 200, {"object": "list", "data": found[:limit], "has_more": len(found) > limit}

    def _show_refund(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        for refund in self.ledger.refunds.values():
            if refund.refund_no == request.match_info["id"] and not _is_dispute(refund):
                return 200, _refund(refund, refund.done(now))
        raise StripeRefusalError(*MISSING)

    def _notify(self, about: str, resource: Callable[[], Mapping[str, Any]], *, after: float = 0.0) -> None:
        self.notify(self.notify_url, self.account.notification(about, resource), after=after)

    # ------------------------------------------------------------ the buyer

    def pay(self, payment: Payment, now: datetime) -> None:
        """Charge the buyer's card, or authorise the payment; the merchant captures it later."""
        if payment.request["payment_intent_data[capture_method]"] == "automatic":
            amount = self.dice.charged(payment.amount)
            payment.pay(amount, now)
            one = self.intents.open(payment, amount, now, status="succeeded")
            self.ledger.rename(payment, one.charge_no)
            self.notify(self.notify_url, self.paid(payment))
            return
        if payment.state not in PAYABLE or payment.expired(now):
            raise CannotPayError(f"{payment.number} is {payment.state}")
        payment.state = "reserved"
        one = self.intents.open(payment, self.dice.charged(payment.amount), now, status="requires_capture")
        self._notify("payment_intent.amount_capturable_updated", one.as_json)

    def paid(self, payment: Payment) -> Write:
        one = self.intents.of_payment[payment.number]
        return self.account.notification("payment_intent.succeeded", one.as_json)

    async def _dispute(self, request: web.Request) -> web.Response:
        """Let the buyer of {"out_trade_no"} dispute {"amount"}, or decide the dispute with {"outcome"}: won or lost."""
        posted = await request.json()
        payment = self.ledger.payments.get(posted.get("out_trade_no", ""))
        if payment is None or payment.paid_at is None:
            return web.json_response({"error": "there is no such paid payment"}, status=409)
        return web.json_response(
            {"dispute_no": self.open_dispute(payment, posted["amount"], outcome=posted.get("outcome"))}
        )

    def open_dispute(self, payment: Payment, amount: int, *, outcome: str | None = None) -> str:
        """Open a dispute, withdraw the money and notify; with an outcome, decide it.

        If the merchant wins, the money comes back.
        """
        number, now = f"du_{payment.trade_no.removeprefix('ch_')}", datetime.now(UTC)
        about: dict[str, Any] = {"amount": amount, "currency": payment.currency, "at": now}
        found = protocol.dispute(number, payment.trade_no, **about, status=outcome or "needs_response")
        self.disputes[number] = found
        if outcome is None:
            self.ledger.refund(Refund(number, number, payment, amount, {}, now, now))
            self._notify("charge.dispute.created", lambda: found)
            self._notify("charge.dispute.funds_withdrawn", lambda: found)
            return number
        self._notify("charge.dispute.closed", lambda: found)
        if outcome == "won":
            self.ledger.take_back(payment)
            self._notify("charge.dispute.funds_reinstated", lambda: found)
        return number

    def _show_dispute(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        found = self.disputes.get(request.match_info["id"])
        if found is None:
            raise StripeRefusalError(*MISSING)
        return 200, found

    def _take_evidence(self, request: web.Request, form: Parameters, now: datetime) -> StripeAnswer:
        """Pass evidence on to the bank, once for a dispute."""
        _, found = self._show_dispute(request, form, now)
        if found["status"] != "needs_response" or form.get("submit") != "true":
            raise StripeRefusalError(None)
        found["evidence"] |= {name[9:-1]: text for name, text in form.items() if name.startswith("evidence[")}
        found["status"], found["evidence_details"]["has_evidence"] = "under_review", True
        self._notify("charge.dispute.updated", lambda: found)
        return 200, found

    async def _page(self, request: web.Request) -> web.Response:
        try:
            return self.page(self.payment_for_buyer(str(request.rel_url), {}, datetime.now(UTC)))
        except CannotPayError as error:
            return web.Response(status=404, text=str(error))

    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by the link of its session."""
        payment = self.ledger.trades.get(urlsplit(url).path.rpartition("/")[2])
        if payment is None:
            raise CannotPayError("Stripe knows no such session")
        return payment


def _refund(refund: Refund, done: bool) -> dict[str, Any]:
    return protocol.refund(
        refund.refund_no,
        refund.payment.trade_no,
        amount=refund.amount,
        currency=refund.payment.currency,
        at=refund.at,
        status="succeeded" if done else "pending",
        numbers=refund.request,
    )


def _is_dispute(refund: Refund) -> bool:
    return refund.refund_no.startswith("du_")
