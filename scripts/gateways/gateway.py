"""What all gateways have in common: an HTTP server on loopback, a buyer's side, books, notifications and habits.

POST /buyer/pay   {"out_trade_no"} of what the provider knows, or what the buyer's client was given ("kind", "url",
                  "fields"): follows the link, scans the code, posts the form or opens the app, and pays
GET  /ledger      every movement of money, and what happened of the habits
"""

import asyncio
import html
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeAlias

from aiohttp import web

from scripts.gateways.habits import Dice, Habits
from scripts.gateways.ledger import PAYABLE, CannotPayError, FullError, Ledger, Payment
from scripts.gateways.notifier import Copy, Notifier, Write

REQUEST_BYTES_MAX = 65_536
LAST_ANSWERS_SECONDS = 1.0
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Keep: TypeAlias = Callable[[str, str], str]
"""Writes a file (name, content) beside the configuration; what the configuration says of it."""


class Gateway(ABC):
    """One provider. `notify_url` is where a merchant hears of it; most providers are told with each payment."""

    name: ClassVar[str]
    schedule_seconds: ClassVar[Sequence[int]]
    """How long the provider waits before it sends a notification again that was not acknowledged."""

    def __init__(
        self,
        notify_url: str,
        habits: Habits | None = None,
        *,
        time_factor: float = 1.0,
        rotate_after: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.notify_url, self.rotate_after = notify_url, rotate_after
        self.origin = ""
        self.dice = Dice(habits or Habits(), seed)
        self.ledger = Ledger(self.name)
        self.notifier = Notifier(self.acknowledged, [seconds * time_factor for seconds in self.schedule_seconds])
        self._runner: web.AppRunner | None = None
        self._notifying: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what each provider says for itself

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """The provider's interfaces."""

    @abstractmethod
    def configuration(self, keep: Keep) -> Mapping[str, Any]:
        """What a merchant configures to use this gateway; its own keys are made here, for it alone."""

    @abstractmethod
    def acknowledged(self, status: int, body: bytes) -> bool:
        """Whether a merchant's answer to a notification is the one that the provider wants."""

    @abstractmethod
    def brought(self, url: str, fields: Mapping[str, str], now: datetime) -> Payment:
        """What a buyer comes with. Raises CannotPayError."""

    @abstractmethod
    def paid(self, payment: Payment) -> Write:
        """The notification of a payment."""

    @abstractmethod
    def reserialised(self, copy: Copy) -> Copy:
        """The same content in other bytes, as something on the way may write it."""

    @abstractmethod
    def forged(self, copy: Copy) -> Copy:
        """The same with a signature that does not fit."""

    # ------------------------------------------------------------ life

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port if none is given."""
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.add_routes([web.post("/buyer/pay", self._pay), web.get("/ledger", self._ledger), *self.routes()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_ANSWERS_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._notifying = asyncio.create_task(self.notifier.run())

    async def close(self) -> None:
        """Notify nobody any more, answer what is under way, stop listening."""
        if self._notifying is not None:
            self._notifying.cancel()
            await asyncio.gather(self._notifying, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def call(self, handler: Handler) -> Handler:
        """A merchant's call, with the habits: not done, done and not answered, or answered late."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if self.dice("error"):
                return web.Response(status=500, text="system error")
            try:
                response = await handler(request)
            except FullError:
                return web.Response(status=503, text="the books are full")
            if self.dice("lost"):
                assert request.transport is not None
                request.transport.abort()
            elif self.dice("slow"):
                await asyncio.sleep(self.dice.habits.slow_seconds)
            return response

        return answer

    # ------------------------------------------------------------ the buyer

    async def _pay(self, request: web.Request) -> web.Response:
        """From a program in JSON, from the button of a page in a form."""
        json_ = request.content_type == "application/json"
        try:
            brought: Mapping[str, Any] = await request.json() if json_ else dict(await request.post())
            payment = self._meant(brought, datetime.now(UTC))
            self.pay(payment, datetime.now(UTC))
        except CannotPayError as error:
            return web.json_response({"error": str(error)}, status=409)
        except FullError:
            return web.json_response({"error": "the books are full"}, status=503)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return web.json_response({"error": f"not understood: {type(error).__name__}"}, status=400)
        return web.json_response(
            {"out_trade_no": payment.number, "trade_no": payment.trade_no, "charged": payment.captured}
        )

    def _meant(self, brought: Mapping[str, Any], now: datetime) -> Payment:
        url, fields = brought.get("url") or "", brought.get("fields") or {}
        if url or fields:
            return self.brought(url, fields, now)
        payment = self.ledger.payments.get(brought.get("out_trade_no", ""))
        if payment is None:
            raise CannotPayError("the provider knows no such payment")
        return payment

    def pay(self, payment: Payment, now: datetime) -> None:
        """The buyer pays. Raises CannotPayError."""
        payment.pay(self.dice.charged(payment.amount), now)
        self.tell(payment.notify_url, self.paid(payment))

    def pays_at_the_last_moment(self, payment: Payment, now: datetime) -> None:
        """While the merchant closes it, perhaps."""
        if payment.state in PAYABLE and not payment.expired(now) and self.dice("paid_at_close"):
            self.pay(payment, now)

    def page(self, payment: Payment) -> web.Response:
        """Where a buyer's browser comes to; the button pays."""
        number, action = html.escape(payment.number), f"{self.origin}/buyer/pay"
        text = (
            f'<!doctype html><title>{self.name}</title><form method="post" action="{action}">'
            f'<input type="hidden" name="out_trade_no" value="{number}">'
            f"<button>Pay {payment.amount} {payment.currency} (minor units)</button></form>"
        )
        return web.Response(text=text, content_type="text/html")

    # ------------------------------------------------------------ what is told

    def tell(self, url: str, write: Write, *, after: float = 0.0) -> None:
        """Notify, with the habits."""
        dice, mangled = self.dice, None
        if dice("untold"):
            return
        after += dice.habits.late_seconds if dice("late") else 0.0
        if dice("reserialised"):
            mangled = self.reserialised
        elif dice("forged"):
            mangled = self.forged
        if mangled is None:
            self.notifier.tell(url, write, after=after)
        else:
            mangle = mangled
            self.notifier.tell(url, lambda at: mangle(write(at)), after=after, once=True)
            self.notifier.again(url, write, after=after)
        if dice("doubled"):
            self.notifier.tell(url, write, after=after + dice.soon(), once=True)

    def refund_done_at(self, now: datetime) -> datetime:
        """At once, or after a while."""
        wait = self.dice.habits.refund_seconds if self.dice("refund_processing") else 0.0
        return now + timedelta(seconds=wait)

    async def _ledger(self, request: web.Request) -> web.Response:
        told = {**self.notifier.did, "waiting": self.notifier.waiting}
        return web.json_response(
            {**self.ledger.as_json(datetime.now(UTC)), "habits": self.dice.did, "notifications": told}
        )
