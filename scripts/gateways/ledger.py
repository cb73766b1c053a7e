"""The books of one gateway: what was asked of it, what it took, what it gave back. Minor units."""

import itertools
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

PAYMENTS_MAX = 200_000  # some hundred MiB; what comes after is told to come another day
State = Literal["announced", "open", "approved", "paid", "closed"]
PAYABLE = ("announced", "open", "approved")


class FullError(Exception):
    """The books are full: what is in them is never forgotten, so nothing more is taken."""


class CannotPayError(Exception):
    """The buyer cannot pay this: unknown, paid, closed or too late. Says which."""


@dataclass(eq=False)
class Refund:
    """Money that goes back. It is done from `done_at` on, whenever one looks."""

    number: str
    refund_no: str
    payment: "Payment" = field(repr=False)
    amount: int
    asked: Mapping[str, Any]
    at: datetime
    done_at: datetime

    def done(self, now: datetime) -> bool:
        """Whether the buyer has it."""
        return now >= self.done_at


@dataclass(eq=False)
class Payment:
    """A payment that a merchant requests under `number`. `asked` holds the provider's words, `trade_no` its number.

    `captured` is what the buyer was charged. Announced: the provider knows it by a code that nobody scanned yet.
    Approved: the buyer agreed, the merchant may take it. `reference` is the provider's number of what was not paid yet,
    where that is another one than the payment's.
    """

    number: str
    trade_no: str
    amount: int
    currency: str
    notify_url: str
    asked: Mapping[str, Any]
    opened_at: datetime
    expire_at: datetime | None = None
    state: State = "open"
    captured: int = 0
    paid_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)
    reference: str = ""

    @property
    def refunding(self) -> int:
        """What went back or is on its way."""
        return sum(refund.amount for refund in self.refunds)

    def expired(self, now: datetime) -> bool:
        """Whether nobody can pay it any more, because of the time."""
        return self.state in PAYABLE and self.expire_at is not None and now >= self.expire_at

    def pay(self, amount: int, now: datetime) -> None:
        """Charge the buyer. Raises CannotPayError."""
        if self.state not in PAYABLE or self.expired(now):
            raise CannotPayError(f"{self.number} is {'expired' if self.expired(now) else self.state}")
        self.state, self.captured, self.paid_at = "paid", amount, now


class Ledger:
    """Payments by the merchant's number and refunds by theirs; both also by the provider's."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.payments: dict[str, Payment] = {}
        self.trades: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self._run = f"{secrets.randbelow(10**6):06d}"
        self._count = itertools.count(1)

    def new_number(self, now: datetime, length: int = 28) -> str:
        """A number of the provider's: digits, unlike any of another run."""
        head, tail = now.strftime("%Y%m%d"), f"{next(self._count):07d}"
        return head + self._run.ljust(length - len(head) - len(tail), "0") + tail

    def open(self, payment: Payment) -> Payment:
        """Write a payment down. Raises FullError."""
        if len(self.payments) >= PAYMENTS_MAX:
            raise FullError
        self.payments[payment.number] = self.trades[payment.trade_no] = payment
        return payment

    def rename(self, payment: Payment, trade_no: str) -> None:
        """It has a number of its own from now on; its first one leads to it still."""
        payment.trade_no = trade_no
        self.trades[trade_no] = payment

    def refund(self, refund: Refund) -> Refund:
        """Write a refund down."""
        assert refund.payment.refunding + refund.amount <= refund.payment.captured, "more than was taken"
        self.refunds[refund.number] = refund
        refund.payment.refunds.append(refund)
        return refund

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Every movement of money, and the sums by currency."""
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
        "asked": payment.amount,
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
