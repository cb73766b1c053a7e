"""The common part of all gateways: an HTTP server on loopback, the buyer's side, ledger, notifications and habits.

POST /buyer/pay   pays: with {"out_trade_no"}, or with what payment.started gave the buyer's client ("kind", "url",
                  "fields"), as if the buyer followed the link, scanned the code, posted the form or opened the app
POST /merchant/refund  refunds {"out_trade_no", "amount"} without the merchant's system, as a person does at the
                  provider's own page; with "reversal" it is PayPal or Stripe that takes the money back
GET  /ledger      every movement of money, and how often each habit happened
"""

import asyncio
import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeAlias

from aiohttp import web

from scripts.gateways.habits import Dice, Habits
from scripts.gateways.ledger import PAYABLE, CannotPayError, FullError, Ledger, Payment, Refund
from scripts.gateways.notifier import Copy, Notifier, Write
from scripts.gateways.server import MisbehavingServer

FileWriter: TypeAlias = Callable[[str, str], str]
"""Writes a file (name, content) beside the configuration; returns the value that refers to it."""


class Gateway(MisbehavingServer, ABC):
    """One provider. Notifications go to `notify_url`, or to the URL that the payment's request names."""

    name: ClassVar[str]
    schedule_seconds: ClassVar[Sequence[int]]
    """The seconds that the provider waits before each further copy of a notification without acknowledgement."""

    def __init__(
        self,
        notify_url: str,
        habits: Habits | None = None,
        *,
        time_factor: float = 1.0,
        rotate_after: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(Dice(habits or Habits(), seed))
        self.notify_url, self.rotate_after = notify_url, rotate_after
        self.ledger = Ledger(self.name)
        self.notifier = Notifier(self.acknowledged, [seconds * time_factor for seconds in self.schedule_seconds])
        self._notifying: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ the methods of each provider

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes of the provider's interfaces."""

    @abstractmethod
    def configuration(self, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side, with keys made for this gateway alone."""

    @abstractmethod
    def acknowledged(self, status: int, body: bytes) -> bool:
        """Tell whether the merchant's response to a notification is the acknowledgement that the provider wants."""

    @abstractmethod
    def payment_for_buyer(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """Find the payment by what a buyer's client was given. Raises CannotPayError."""

    @abstractmethod
    def paid(self, payment: Payment) -> Write:
        """Return the writer of the notification that a payment was paid."""

    @abstractmethod
    def refund_by_itself(self, payment: Payment, amount: int, now: datetime, *, reversal: bool) -> Refund:
        """Refund some of a paid payment under a number of the provider's own, and notify."""

    @abstractmethod
    def reserialised(self, copy: Copy) -> Copy:
        """Return the same content in other bytes, as a proxy on the way might write it."""

    @abstractmethod
    def forged(self, copy: Copy) -> Copy:
        """Return the same content with a wrong signature."""

    # ------------------------------------------------------------ start and stop

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port if none is given."""
        ours = [web.post("/buyer/pay", self._pay), web.post("/merchant/refund", self._refund_at_page)]
        await self.listen([*ours, web.get("/ledger", self._ledger), *self.routes()], port)
        self._notifying = asyncio.create_task(self.notifier.run())

    async def close(self) -> None:
        """Stop notifying, answer the requests under way, stop listening."""
        if self._notifying is not None:
            self._notifying.cancel()
            await asyncio.gather(self._notifying, return_exceptions=True)
        await super().close()

    # ------------------------------------------------------------ the buyer

    async def _pay(self, request: web.Request) -> web.Response:
        """Handle a payment by the buyer: JSON from a program, a form from the button of a page."""
        json_ = request.content_type == "application/json"
        try:
            posted: Mapping[str, Any] = await request.json() if json_ else dict(await request.post())
            payment = self._payment_of(posted, datetime.now(UTC))
            self.pay(payment, datetime.now(UTC))
        except CannotPayError as error:
            return web.json_response({"error": str(error)}, status=409)
        except FullError:
            return web.json_response({"error": "the ledger is full"}, status=503)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return web.json_response({"error": f"not understood: {type(error).__name__}"}, status=400)
        return web.json_response(
            {"out_trade_no": payment.number, "trade_no": payment.trade_no, "charged": payment.captured}
        )

    async def _refund_at_page(self, request: web.Request) -> web.Response:
        """Handle a refund that a person makes at the provider's own page."""
        now = datetime.now(UTC)
        try:
            posted: Mapping[str, Any] = await request.json()
            payment, amount = self.ledger.payments.get(posted["out_trade_no"]), posted["amount"]
            left = 0 if payment is None or payment.paid_at is None else payment.captured - payment.refunding
            if payment is None or type(amount) is not int or not 0 < amount <= left:
                return web.json_response({"error": f"{left} can go back"}, status=409)
            refund = self.refund_by_itself(payment, amount, now, reversal=bool(posted.get("reversal")))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return web.json_response({"error": f"not understood: {type(error).__name__}"}, status=400)
        return web.json_response({"refund_no": refund.number, "trade_no": payment.trade_no, "refunded": refund.amount})

    def _payment_of(self, posted: Mapping[str, Any], now: datetime) -> Payment:
        url, fields = posted.get("url") or "", posted.get("fields") or {}
        if url or fields:
            return self.payment_for_buyer(url, fields, now)
        payment = self.ledger.payments.get(posted.get("out_trade_no", ""))
        if payment is None:
            raise CannotPayError("the provider knows no such payment")
        return payment

    def pay(self, payment: Payment, now: datetime) -> None:
        """Charge the buyer and notify. Raises CannotPayError."""
        payment.pay(self.dice.charged(payment.amount), now)
        self.notify(payment.notify_url, self.paid(payment))

    def maybe_pay_before_close(self, payment: Payment, now: datetime) -> None:
        """Sometimes let the buyer pay while the merchant closes the payment."""
        if payment.state in PAYABLE and not payment.expired(now) and self.dice("paid_at_close"):
            self.pay(payment, now)

    def page(self, payment: Payment) -> web.Response:
        """Return the page for a buyer's browser; its button pays."""
        number, action = html.escape(payment.number), f"{self.origin}/buyer/pay"
        text = (
            f'<!doctype html><title>{self.name}</title><form method="post" action="{action}">'
            f'<input type="hidden" name="out_trade_no" value="{number}">'
            f"<button>Pay {payment.amount} {payment.currency} (minor units)</button></form>"
        )
        return web.Response(text=text, content_type="text/html")

    # ------------------------------------------------------------ notifications

    def notify(self, url: str, write: Write, *, after: float = 0.0) -> None:
        """Send a notification, with the habits."""
        dice = self.dice
        if dice("unsent"):
            return
        after += dice.habits.late_seconds if dice("late") else 0.0
        if dice("reserialised"):
            self._notify_after_tampering(url, write, self.reserialised, after)
        elif dice("forged"):
            self._notify_after_tampering(url, write, self.forged, after)
        else:
            self.notifier.send(url, write, after=after)
        if dice("doubled"):
            self.notifier.send(url, write, after=after + dice.soon(), once=True)

    def _notify_after_tampering(self, url: str, write: Write, tamper: Callable[[Copy], Copy], after: float) -> None:
        """Send a tampered copy once, then the genuine notification when the schedule's first wait is over."""
        self.notifier.send(url, lambda at: tamper(write(at)), after=after, once=True)
        self.notifier.send_next_copy(url, write, after=after)

    def refund_done_at(self, now: datetime) -> datetime:
        """Return when a refund is done: at once, or after a while."""
        wait = self.dice.habits.refund_seconds if self.dice("refund_processing") else 0.0
        return now + timedelta(seconds=wait)

    async def _ledger(self, request: web.Request) -> web.Response:
        notifications = {**self.notifier.did, "waiting": self.notifier.waiting}
        return web.json_response(
            {**self.ledger.as_json(datetime.now(UTC)), "habits": self.dice.did, "notifications": notifications}
        )
