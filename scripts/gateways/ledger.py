"""The ledger of one gateway: payments requested, captured and refunded, in minor units."""

import itertools
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

PAYMENTS_MAX = 200_000  # they take some hundred MiB; further payments are refused
State = Literal["announced", "open", "approved", "reserved", "paid", "closed"]
PAYABLE = ("announced", "open", "approved")


class FullError(Exception):
    """The ledger is full. It never forgets an entry, so it takes no more."""


class CannotPayError(Exception):
    """The buyer cannot pay: the payment is unknown, paid, closed or expired. The message says which."""


@dataclass(eq=False)
class Refund:
    """A refund. It counts as done from `done_at` on."""

    number: str
    refund_no: str
    payment: "Payment" = field(repr=False)
    amount: int
    request: Mapping[str, Any]
    at: datetime
    done_at: datetime

    def done(self, now: datetime) -> bool:
        """Tell whether the buyer has the money."""
        return now >= self.done_at


@dataclass(eq=False)
class Payment:
    """A payment that a merchant requested under `number`; `trade_no` is the provider's number.

    `request` is the request as the provider defines it. `captured` is the amount that the buyer was charged. In state
    announced the provider offers it by a code that nobody has scanned; in state approved the buyer has agreed and the
    merchant may capture; in state reserved the money is authorised. `reference` is the provider's number of the order
    before it is paid, if that differs from `trade_no`.
    """

    number: str
    trade_no: str
    amount: int
    currency: str
    notify_url: str
    request: Mapping[str, Any]
    opened_at: datetime
    expire_at: datetime | None = None
    state: State = "open"
    captured: int = 0
    paid_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)
    reference: str = ""

    @property
    def refunding(self) -> int:
        """The amount that went back or is on its way back."""
        return sum(refund.amount for refund in self.refunds)

    def expired(self, now: datetime) -> bool:
        """Tell whether the payment has expired."""
        return self.state in PAYABLE and self.expire_at is not None and now >= self.expire_at

    def pay(self, amount: int, now: datetime) -> None:
        """Charge the buyer. Raises CannotPayError."""
        if self.state not in PAYABLE or self.expired(now):
            raise CannotPayError(f"{self.number} is {'expired' if self.expired(now) else self.state}")
        self.state, self.captured, self.paid_at = "paid", amount, now


class Ledger:
    """Payments and refunds by the merchant's number; payments also by the provider's number."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.payments: dict[str, Payment] = {}
        self.trades: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self._run = f"{secrets.randbelow(10**6):06d}"
        self._count = itertools.count(1)

    def new_number(self, now: datetime, length: int = 28) -> str:
        """Make a number of digits that no other run makes."""
        head, tail = now.strftime("%Y%m%d"), f"{next(self._count):07d}"
        return head + self._run.ljust(length - len(head) - len(tail), "0") + tail

    def open(self, payment: Payment) -> Payment:
        """Add a payment. Raises FullError."""
        if len(self.payments) >= PAYMENTS_MAX:
            raise FullError
        self.payments[payment.number] = self.trades[payment.trade_no] = payment
        return payment

    def rename(self, payment: Payment, trade_no: str) -> None:
        """Give the payment another provider number; it is still found by the first one."""
        payment.trade_no = trade_no
        self.trades[trade_no] = payment

    def refund(self, refund: Refund) -> Refund:
        """Add a refund."""
        assert refund.payment.refunding + refund.amount <= refund.payment.captured, "more than was taken"
        self.refunds[refund.number] = refund
        refund.payment.refunds.append(refund)
        return refund

    def take_back(self, payment: Payment) -> None:
        """Forget the refunds that the provider made by itself: their money is the merchant's again."""
        for refund in [one for one in payment.refunds if one.number == one.refund_no]:
            payment.refunds.remove(refund)
            del self.refunds[refund.number]

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return every movement of money, and the sums by currency."""
        paid = [payment for payment in self.payments.values() if payment.paid_at is not None]
        captured, refunded = Counter[str](), Counter[str]()
        for payment in paid:
            captured[payment.currency] += payment.captured
        for refund in self.refunds.values():
            refunded[refund.payment.currency] += refund.amount if refund.done(now) else 0
        return {
            "provider": self.provider,
            "captured": captured,
            "refunded": refunded,
            "unpaid": len(self.payments) - len(paid),
            "captures": [_capture(payment) for payment in paid],
            "refunds": [_refund(refund, now) for refund in self.refunds.values()],
        }


def _capture(payment: Payment) -> dict[str, Any]:
    assert payment.paid_at is not None
    return {
        "out_trade_no": payment.number,
        "trade_no": payment.trade_no,
        "requested": payment.amount,
        "amount": payment.captured,
        "currency": payment.currency,
        "at": payment.paid_at.isoformat(),
    }


def _refund(refund: Refund, now: datetime) -> dict[str, Any]:
    return {
        "refund_no": refund.number,
        "trade_no": refund.payment.trade_no,
        "amount": refund.amount,
        "currency": refund.payment.currency,
        "state": "succeeded" if refund.done(now) else "processing",
        "at": refund.done_at.isoformat(),
    }
