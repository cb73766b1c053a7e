"""A bank that payments are raced against: what buyers paid and got back, answers that are late, lost or unclear.

It stands behind the provider's port: notifications are signed and verified as Alipay's are, calls go nowhere.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from messages.payments import PaymentCallback, PaymentObserved
from tests.handlers.alipay_payments import MERCHANT, notified
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import Attempt, Paid, Ready, RefundAsk, Refunded, Refused, Request, Response, Unknown

NOT_FOUND = Refused("ACQ.TRADE_NOT_EXIST", "there is no such trade")
NO_ANSWER = Unknown("TimeoutError")


@dataclass
class Trade:
    """One attempt as the bank knows it. `declined`: a try of the buyer that brought nothing."""

    number: str
    amount: int
    trade_no: str
    state: str = "open"
    charged: int = 0
    declined: bool = False


def observed(trade: Trade, kind: Any) -> PaymentObserved:
    """As if the bank had been asked. What failed had a number of its own."""
    return PaymentObserved(
        attempt_id=int(trade.number[1:]),
        trade_no=trade.trade_no + ("" if kind == "captured" else "-declined"),
        kind=kind,
        amount=trade.amount,
        currency="CNY",
        occurred_at=datetime.now(UTC),
    )


@dataclass
class FakeProvider:
    """Answers with what is true, when it answers; `tell` is where its notifications go."""

    rng: random.Random
    notify: Callable[[PaymentCallback | PaymentObserved], None]
    trades: dict[str, Trade] = field(default_factory=dict)
    refunds: dict[str, Refunded] = field(default_factory=dict)
    refund_of: dict[str, str] = field(default_factory=dict)
    is_reliable: bool = False

    def chance(self, probability: float) -> bool:
        """Never at the end of the day, when everybody gets an answer."""
        return self.rng.random() < probability and not self.is_reliable

    def open(self, number: str, amount: int) -> Trade:
        known = self.trades.get(number)
        return known or self.trades.setdefault(number, Trade(number, amount, f"T{len(self.trades)}"))

    def pay(self, number: str, amount: int) -> None:
        """The buyer pays, perhaps after a card was declined, perhaps another amount.

        The shop is told so often, or must ask; about a failed attempt it does not ask.
        """
        trade = self.open(number, amount)
        if self.chance(0.2):
            trade.declined = True
            self.notify(observed(trade, "failed"))
        if trade.state != "open" or (trade.declined and self.chance(0.5)):
            return
        trade.state, trade.charged = "paid", amount + (self.rng.choice([-1, 1]) if self.chance(0.08) else 0)
        for _ in range(self.rng.choice([1 if trade.declined else 0, 1, 1, 2, 3])):
            self.notify(notified({"amount": trade.charged, "out_trade_no": number}, trade.trade_no))

    def answer(self, trade: Trade, state: Any, at: datetime, suffix: str = "") -> Paid:
        return Paid(trade.number, trade.trade_no + suffix, state, trade.charged or trade.amount, "CNY", at)

    def query(self, number: str, at: datetime) -> Paid | Refused | Unknown:
        trade = self.trades.get(number)
        if trade is None or self.chance(0.1):
            return NO_ANSWER if trade else NOT_FOUND
        if trade.state == "open" and trade.declined:
            return self.answer(trade, "failed", at, "-declined")
        if trade.state == "open" and self.is_reliable:
            trade.state = "closed"
        return self.answer(trade, {"paid": "captured", "open": "pending"}.get(trade.state, trade.state), at)

    def close(self, number: str, at: datetime) -> Paid | Refused | Unknown:
        """Many a buyer pays at the last moment."""
        trade = self.trades.get(number)
        if trade is None:
            return NOT_FOUND
        if trade.state == "open" and self.chance(0.3):
            self.pay(number, trade.amount)
        if trade.state == "open":
            trade.state = "closed"
        if self.chance(0.1):
            return NO_ANSWER
        return self.answer(trade, "pending" if trade.state == "paid" else "closed", at)

    def refund(self, ask: RefundAsk, at: datetime) -> Refunded | Refused | Unknown:
        """Once, under its number, however often it is asked for; not always at the first time."""
        if ask.refund_no not in self.refunds and self.chance(0.2):
            return Refused("ACQ.SELLER_BALANCE_NOT_ENOUGH", "the till is empty")
        status: Any = "processing" if self.chance(0.3) else "succeeded"
        if not self.chance(0.1):
            done = Refunded(ask.refund_no, status, ask.amount, ask.currency, at)
            self.refunds.setdefault(ask.refund_no, done)
            self.refund_of[ask.refund_no] = ask.trade_no
        return NO_ANSWER if self.chance(0.2) or ask.refund_no not in self.refunds else self.refunds[ask.refund_no]

    def query_refund(self, refund_no: str, at: datetime) -> Refunded | Refused | Unknown:
        known = self.refunds.get(refund_no)
        if known is None or self.chance(0.2):
            return NO_ANSWER if known else NOT_FOUND
        self.refunds[refund_no] = Refunded(refund_no, "succeeded", known.amount, known.currency, at)
        return self.refunds[refund_no]


class FakeAlipay(Alipay):
    """Alipay as the shop knows it, with the bank in the place of its answers."""

    def __init__(self, fake_provider: FakeProvider) -> None:
        super().__init__(AlipaySettings.model_validate(MERCHANT))
        self.fake_provider = fake_provider

    def start(self, attempt: Attempt, at: datetime) -> Ready | Request | Refused:
        return CALL if attempt.scene == "qr" else Ready("redirect", "https://alipay.example/")

    def started(self, attempt: Attempt, response: Response, at: datetime) -> Ready | Refused | Unknown:
        if self.fake_provider.chance(0.3):
            return NO_ANSWER
        self.fake_provider.open(attempt.out_trade_no, attempt.amount)
        return Ready("qr", "https://alipay.example/qr")

    def query(self, attempt: Attempt, at: datetime) -> Request:
        return CALL

    def paid(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        return self.fake_provider.query(attempt.out_trade_no, at)

    def close(self, attempt: Attempt, at: datetime) -> Request:
        return CALL

    def closed(self, attempt: Attempt, response: Response, at: datetime) -> Paid | Refused | Unknown:
        return self.fake_provider.close(attempt.out_trade_no, at)

    def refund(self, ask: RefundAsk, at: datetime) -> Request:
        return CALL

    def refunded(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        return self.fake_provider.refund(ask, at)

    def query_refund(self, ask: RefundAsk, at: datetime) -> Request:
        return CALL

    def refund_found(self, ask: RefundAsk, response: Response, at: datetime) -> Refunded | Refused | Unknown:
        return self.fake_provider.query_refund(ask.refund_no, at)


class FakeCaller:
    """The line to the bank, in the place of HTTP."""

    async def ask(self, build: Callable[[datetime], Any], read: Callable[[Response, datetime], Any]) -> Any:
        now = datetime.now(UTC)
        return read(NOTHING, now) if build(now) else None


CALL = Request("POST", "bank:", {})
NOTHING = Response(200, {}, b"")
