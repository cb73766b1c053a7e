"""Stripe's payment intents and sessions, from Stripe's side: what a buyer paid or authorised, captured or cancelled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scripts.gateways import stripe_protocol as protocol
from scripts.gateways.ledger import Payment

NUMBERS = "payment_intent_data[metadata]"


class StripeRefusalError(Exception):
    """Stripe refuses a call. Has the status and body of the response."""

    def __init__(self, code: str | None, status: int = 400, type_: str = "invalid_request_error") -> None:
        super().__init__(code)
        self.response = status, protocol.error(type_, code)


@dataclass(eq=False)
class StripeIntent:
    """One payment intent, which exists as soon as its buyer has confirmed the payment."""

    number: str
    charge_no: str
    payment: Payment = field(repr=False)
    amount: int
    at: datetime
    status: str
    metadata: dict[str, str] = field(default_factory=dict)
    reason: str | None = None

    def capture(self, amount: int, now: datetime, numbers: Mapping[str, str]) -> None:
        """Take some of the money that is reserved, and let go of the rest. Raises StripeRefusalError."""
        self._reserved()
        if not 0 < amount <= self.amount:
            raise StripeRefusalError("amount_too_large")
        self.metadata |= numbers
        self.status, self.payment.state = "succeeded", "paid"
        self.payment.captured, self.payment.paid_at = amount, now

    def cancel(self, reason: str) -> None:
        """Let go of the money. Raises StripeRefusalError."""
        self._reserved()
        self.status, self.reason, self.payment.state = "canceled", reason, "closed"

    def _reserved(self) -> None:
        if self.status != "requires_capture":
            raise StripeRefusalError("payment_intent_unexpected_state")

    def as_json(self, *, expanded: bool = False) -> dict[str, Any]:
        """Return it as Stripe shows it: with its charge, or with the charge's number."""
        taken = self.status == "succeeded"
        charge = protocol.charge(self.charge_no, at=self.at, captured=taken) if expanded else self.charge_no
        return protocol.intent(
            self.number,
            status=self.status,
            amount=self.payment.amount,
            currency=self.payment.currency,
            at=self.at,
            amount_capturable=self.amount if self.status == "requires_capture" else 0,
            amount_received=self.payment.captured if taken else 0,
            capture_method=self.payment.request["payment_intent_data[capture_method]"],
            latest_charge=charge,
            metadata=self.metadata,
            cancellation_reason=self.reason,
        )


class StripeIntents:
    """All payment intents of one gateway, by Stripe's number and by the merchant's."""

    def __init__(self, new_number: Callable[[datetime], str]) -> None:
        self._new_number = new_number
        self.by_number: dict[str, StripeIntent] = {}
        self.of_payment: dict[str, StripeIntent] = {}

    def open(self, payment: Payment, amount: int, now: datetime, *, status: str) -> StripeIntent:
        """Confirm a payment: it is charged, or authorised to be captured later."""
        tail = self._new_number(now)
        new = StripeIntent(f"pi_{tail}", f"ch_{tail}", payment, amount, now, status)
        new.metadata |= protocol.metadata(payment.request, NUMBERS)
        self.by_number[new.number] = self.of_payment[payment.number] = new
        return new

    def session(self, payment: Payment, now: datetime, site: str, *, expanded: bool = False) -> dict[str, Any]:
        """Return the session of a payment as Stripe shows it."""
        found = self.of_payment.get(payment.number)
        status = "open"
        if found is not None:
            status = "complete"
        elif payment.state == "closed" or payment.expired(now):
            status = "expired"
        shown = None if found is None else found.as_json(expanded=True) if expanded else found.number
        return protocol.session(payment.reference, payment.request, site=site, status=status, intent=shown)
