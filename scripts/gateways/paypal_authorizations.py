"""PayPal's authorisations, from PayPal's side: money that is reserved, then captured once, voided or renewed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.ledger import Payment

VALID_FOR = timedelta(days=29)


@dataclass(eq=False)
class Reservation:
    """One authorisation of a payment. `declined` has PayPal's number, the merchant's, and the time of each."""

    number: str
    payment: Payment = field(repr=False)
    amount: int
    at: datetime
    status: str = "CREATED"
    invoice: str = ""
    declined: list[tuple[str, str, datetime]] = field(default_factory=list)

    @property
    def until(self) -> datetime:
        """When the authorisation expires."""
        return self.at + VALID_FOR


class Refused(Exception):  # noqa: N818 (it is an answer, and no fault)
    """The authorisation or the dispute does not allow the step. `issue` is PayPal's word for it."""

    def __init__(self, issue: str) -> None:
        super().__init__(issue)
        self.issue = issue


class Reservations:
    """All authorisations of one gateway, by PayPal's number, and the answers to requests that may be repeated."""

    def __init__(self, new_number: Callable[[datetime], str]) -> None:
        self._new_number = new_number
        self.by_number: dict[str, Reservation] = {}
        self._of: dict[str, list[Reservation]] = {}
        self._done: dict[str, Any] = {}

    def of(self, payment: Payment) -> list[Reservation]:
        """Return the authorisations of a payment, the newest last."""
        return self._of.get(payment.number, [])

    def once(self, request_id: str, do: Callable[[], Any]) -> Any:
        """Do what a request wants, or return what it got the first time."""
        if request_id not in self._done:
            self._done[request_id] = do()
        return self._done[request_id]

    def open(self, payment: Payment, amount: int, now: datetime) -> Reservation:
        """Reserve an approved payment's money."""
        payment.state = "reserved"
        new = Reservation(self._new_number(now), payment, amount, now)
        self.by_number[new.number] = new
        self._of.setdefault(payment.number, []).append(new)
        return new

    def capture(self, one: Reservation, amount: int, now: datetime, *, invoice: str, declined: bool) -> str:
        """Take some of the money, or decline. Returns the number of the capture. Raises Refused."""
        self._usable(one)
        if not 0 < amount <= one.amount:
            raise Refused("MAX_CAPTURE_AMOUNT_EXCEEDED")
        number = self._new_number(now)
        if declined:
            one.declined.append((number, invoice, now))
        else:
            one.status, one.invoice = "CAPTURED", invoice
            one.payment.state, one.payment.captured, one.payment.paid_at = "paid", amount, now
        return number

    def void(self, one: Reservation) -> None:
        """Let go of the money. Raises Refused."""
        self._usable(one)
        one.status, one.payment.state = "VOIDED", "closed"

    def renew(self, one: Reservation, now: datetime) -> Reservation:
        """Replace an authorisation by one that is promised from now on. Raises Refused."""
        self._usable(one)
        one.status = "VOIDED"
        return self.open(one.payment, one.amount, now)

    @staticmethod
    def _usable(one: Reservation) -> None:
        if one.status != "CREATED":
            raise Refused("AUTHORIZATION_ALREADY_CAPTURED" if one.status == "CAPTURED" else "AUTHORIZATION_VOIDED")


def as_json(one: Reservation) -> dict[str, Any]:
    """Return an authorisation as PayPal shows it."""
    unit = one.payment.request["purchase_units"][0]
    return {
        "id": one.number,
        "status": one.status,
        "amount": protocol.money(one.amount, one.payment.currency),
        "custom_id": unit["custom_id"],
        "invoice_id": unit["invoice_id"],
        "payee": unit["payee"],
        "expiration_time": protocol.moment(one.until),
        "create_time": protocol.moment(one.at),
        "update_time": protocol.moment(one.at),
    }


def declined_captures(found: Iterable[Reservation]) -> list[Mapping[str, Any]]:
    """Return the captures of these authorisations that were declined."""
    return [declined_capture(one, *declined) for one in found for declined in one.declined]


def declined_capture(one: Reservation, number: str, invoice: str, at: datetime) -> dict[str, Any]:
    """Return a capture that was declined."""
    payment = one.payment
    amount = protocol.money(one.amount, payment.currency)
    reason = "DECLINED_BY_RISK_FRAUD_FILTERS"
    about: dict[str, Any] = {"at": at, "amount": amount, "status": "DECLINED", "reason": reason}
    return protocol.capture(number, payment.reference, payment.request, **about) | {"invoice_id": invoice}
