"""A provider in memory: it knows what buyers paid and got back, and its answers can be late, lost or unclear.

FakeProvider holds the trades; FakeAlipay puts it behind the provider's port; FakeCaller replaces HTTP. Notifications
are signed and verified as Alipay's are. Faults come by chance until `is_reliable` is set, at the end of a test.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from messages.payments import PaymentCallback, PaymentObserved
from tests.handlers.alipay_payments import MERCHANT, notified
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import (
    ClientAction,
    HttpRequest,
    HttpResponse,
    PaymentOrder,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    ReportedRefund,
    UnknownOutcome,
)

NOT_FOUND = ProviderRefusal("ACQ.TRADE_NOT_EXIST", "there is no such trade")
NO_ANSWER = UnknownOutcome("TimeoutError")


@dataclass
class Trade:
    """One attempt as the provider knows it. `declined`: the buyer's card was declined once."""

    number: str
    amount: int
    trade_no: str
    state: str = "open"
    charged: int = 0
    declined: bool = False


def observed(trade: Trade, kind: Any) -> PaymentObserved:
    """The payment.observed that a query of this trade leads to. A failure has a trade number of its own."""
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
    """The provider's trades and refunds. Each answer is true; `notify` takes its notifications."""

    rng: random.Random
    notify: Callable[[PaymentCallback | PaymentObserved], None]
    trades: dict[str, Trade] = field(default_factory=dict)
    refunds: dict[str, RefundReport] = field(default_factory=dict)
    refund_of: dict[str, str] = field(default_factory=dict)
    is_reliable: bool = False

    def chance(self, probability: float) -> bool:
        """True with this probability, and never once the provider is reliable."""
        return self.rng.random() < probability and not self.is_reliable

    def open(self, number: str, amount: int) -> Trade:
        known = self.trades.get(number)
        return known or self.trades.setdefault(number, Trade(number, amount, f"T{len(self.trades)}"))

    def pay(self, number: str, amount: int) -> None:
        """The buyer pays, perhaps after a card was declined, perhaps another amount.

        The shop gets no notification, one or several. It does not poll an attempt that failed, so it always gets one
        of a payment after that.
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

    def answer(self, trade: Trade, state: Any, at: datetime, suffix: str = "") -> PaymentReport:
        return PaymentReport(trade.number, trade.trade_no + suffix, state, trade.charged or trade.amount, "CNY", at)

    def query(self, number: str, at: datetime) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        trade = self.trades.get(number)
        if trade is None or self.chance(0.1):
            return NO_ANSWER if trade else NOT_FOUND
        if trade.state == "open" and trade.declined:
            return self.answer(trade, "failed", at, "-declined")
        if trade.state == "open" and self.is_reliable:
            trade.state = "closed"
        return self.answer(trade, {"paid": "captured", "open": "pending"}.get(trade.state, trade.state), at)

    def close(self, number: str, at: datetime) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        """Close an attempt; with probability 0.3 the buyer pays just before."""
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

    def refund(self, refund: RefundOrder, at: datetime) -> RefundReport | ProviderRefusal | UnknownOutcome:
        """Refund once under this number, however often it is requested; the first request may be refused."""
        if refund.refund_no not in self.refunds and self.chance(0.2):
            return ProviderRefusal("ACQ.SELLER_BALANCE_NOT_ENOUGH", "the balance is too low")
        status: Any = "processing" if self.chance(0.3) else "succeeded"
        if not self.chance(0.1):
            done = RefundReport(refund.refund_no, status, refund.amount, refund.currency, at)
            self.refunds.setdefault(refund.refund_no, done)
            self.refund_of[refund.refund_no] = refund.trade_no
        return NO_ANSWER if self.chance(0.2) or refund.refund_no not in self.refunds else self.refunds[refund.refund_no]

    def query_refund(self, refund_no: str, at: datetime) -> RefundReport | ProviderRefusal | UnknownOutcome:
        known = self.refunds.get(refund_no)
        if known is None or self.chance(0.2):
            return NO_ANSWER if known else NOT_FOUND
        self.refunds[refund_no] = RefundReport(refund_no, ReportedRefund.SUCCEEDED, known.amount, known.currency, at)
        return self.refunds[refund_no]


class FakeAlipay(Alipay):
    """Alipay that gets its answers from a FakeProvider."""

    def __init__(self, fake_provider: FakeProvider) -> None:
        super().__init__(AlipaySettings.model_validate(MERCHANT))
        self.fake_provider = fake_provider

    def start(self, attempt: PaymentOrder, at: datetime) -> ClientAction | HttpRequest | ProviderRefusal:
        return CALL if attempt.scene == "qr" else ClientAction("redirect", "https://alipay.example/")

    def read_start(
        self, attempt: PaymentOrder, response: HttpResponse, at: datetime
    ) -> ClientAction | ProviderRefusal | UnknownOutcome:
        if self.fake_provider.chance(0.3):
            return NO_ANSWER
        self.fake_provider.open(attempt.out_trade_no, attempt.amount)
        return ClientAction("qr", "https://alipay.example/qr")

    def query(self, attempt: PaymentOrder, at: datetime) -> HttpRequest:
        return CALL

    def read_payment(
        self, attempt: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        return self.fake_provider.query(attempt.out_trade_no, at)

    def close(self, attempt: PaymentOrder, at: datetime) -> HttpRequest:
        return CALL

    def read_close(
        self, attempt: PaymentOrder, response: HttpResponse, at: datetime
    ) -> PaymentReport | ProviderRefusal | UnknownOutcome:
        return self.fake_provider.close(attempt.out_trade_no, at)

    def refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        return CALL

    def read_refund(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        return self.fake_provider.refund(refund, at)

    def query_refund(self, refund: RefundOrder, at: datetime) -> HttpRequest:
        return CALL

    def read_refund_query(
        self, refund: RefundOrder, response: HttpResponse, at: datetime
    ) -> RefundReport | ProviderRefusal | UnknownOutcome:
        return self.fake_provider.query_refund(refund.refund_no, at)


class FakeCaller:
    """Builds requests and reads answers without HTTP."""

    async def call(self, build: Callable[[datetime], Any], read: Callable[[HttpResponse, datetime], Any]) -> Any:
        now = datetime.now(UTC)
        return read(NOTHING, now) if build(now) else None


CALL = HttpRequest("POST", "fake:", {})
NOTHING = HttpResponse(200, {}, b"")
