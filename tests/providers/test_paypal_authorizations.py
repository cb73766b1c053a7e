"""PayPal's authorisations: the requests that we make of them, and what its answers mean."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from scripts.gateways import paypal_protocol as protocol
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import AT, answer
from workers.providers.abilities import AuthorizingProvider
from workers.providers.port import (
    AuthorizedPayment,
    HttpResponse,
    PaymentOrder,
    PaymentReport,
    ReportedPayment,
    UnknownOutcome,
)

PROVIDER = builders.provider()
PAYMENT = PaymentOrder(
    "P7", 1000, "EUR", "Order 7", "page", AT, AT + timedelta(minutes=30), reference="ORDER1", authorize=True
)
RESERVED = AuthorizedPayment("P7", "AUTH1", "ORDER1", 700, "EUR", "P7-taken-2")


def body_of_order() -> dict[str, Any]:
    """The order that `start` creates."""
    request: Any = PROVIDER.start(PAYMENT, AT)
    body: dict[str, Any] = orjson.loads(request.body)
    return body


def reservation(status: str = "CREATED", number: str = "AUTH1", minutes: int = 0) -> dict[str, Any]:
    unit = body_of_order()["purchase_units"][0]
    times = {"create_time": protocol.moment(AT + timedelta(minutes=minutes)), "expiration_time": protocol.moment(AT)}
    return {"id": number, "status": status, "amount": unit["amount"], "custom_id": "P7", **times}


def capture(status: str, number: str) -> dict[str, Any]:
    made = protocol.capture(number, "ORDER1", body_of_order(), at=AT, status=status)
    return made | {"invoice_id": f"P7-taken-{number[-1]}"}


def read(captures: list[Any], *reserved: Any) -> PaymentReport:
    made = protocol.order(
        "ORDER1", "COMPLETED", body_of_order(), site="https://p.example", captures=captures, authorizations=reserved
    )
    found = PROVIDER.read_payment(PAYMENT, answer(made), AT)
    assert isinstance(found, PaymentReport), found
    return found


def test_paypal_authorises_and_the_order_says_so() -> None:
    assert isinstance(PROVIDER, AuthorizingProvider)
    assert body_of_order()["intent"] == "AUTHORIZE"
    assert PROVIDER.capture(PAYMENT, AT).url.endswith("/v2/checkout/orders/ORDER1/authorize")


def test_a_capture_takes_so_much_once_and_lets_go_of_the_rest() -> None:
    request = PROVIDER.capture_authorization(RESERVED, AT)
    assert request.url.endswith("/v2/payments/authorizations/AUTH1/capture")
    assert request.headers["paypal-request-id"] == "P7-taken-2"
    amount = {"currency_code": "EUR", "value": "7.00"}
    assert orjson.loads(request.body) == {"amount": amount, "final_capture": True, "invoice_id": "P7-taken-2"}


CASES = [
    ([], [reservation()], ("authorized", "AUTH1")),
    ([], [reservation("VOIDED")], ("closed", "AUTH1")),
    ([], [reservation("CAPTURED")], ("pending", "AUTH1")),
    ([], [reservation("VOIDED"), reservation(number="AUTH2", minutes=1)], ("authorized", "AUTH2")),
    ([capture("COMPLETED", "C1")], [reservation("CAPTURED")], ("captured", "C1")),
    ([capture("PENDING", "C1")], [reservation("CAPTURED")], ("pending", "C1")),
    ([capture("DECLINED", "C1")], [reservation()], ("failed", "C1")),
    ([capture("DECLINED", "C1")], [reservation("VOIDED")], ("closed", "AUTH1")),
    ([capture("DECLINED", "C1"), capture("COMPLETED", "C2")], [reservation("CAPTURED")], ("captured", "C2")),
]


@pytest.mark.parametrize(("captures", "reserved", "expected"), CASES)
def test_an_order_says_what_became_of_its_authorisation(captures: Any, reserved: Any, expected: Any) -> None:
    report = read(captures, *reserved)
    assert (report.status, report.trade_no) == expected
    assert report.capture_no == (f"P7-taken-{expected[1][-1]}" if expected[1].startswith("C") else None)


def test_a_void_may_be_answered_without_a_body() -> None:
    report = PROVIDER.read_voided(RESERVED, HttpResponse(204, {}, b""), AT)
    assert isinstance(report, PaymentReport)
    assert (report.status, report.trade_no) == (ReportedPayment.CLOSED, "AUTH1")


@pytest.mark.parametrize("issue", ["AUTHORIZATION_ALREADY_CAPTURED", "AUTHORIZATION_VOIDED", "PREVIOUSLY_VOIDED"])
def test_what_may_have_been_done_before_is_unknown(issue: str) -> None:
    refused = answer(protocol.error("UNPROCESSABLE_ENTITY", issue), 422)
    for read_ in (PROVIDER.read_captured, PROVIDER.read_voided, PROVIDER.read_renewed):
        assert read_(RESERVED, refused, AT) == UnknownOutcome(issue)


WRONG: list[dict[str, Any]] = [{"status": "SAVED"}, {"id": "../1"}, {"amount": {}}, {"create_time": "yesterday"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_is_malformed_proves_nothing(wrong: dict[str, Any]) -> None:
    assert isinstance(PROVIDER.read_renewed(RESERVED, answer(reservation() | wrong), AT), UnknownOutcome)


def test_another_merchants_authorisation_proves_nothing() -> None:
    other = reservation() | {"payee": {"merchant_id": "OTHER"}}
    assert isinstance(PROVIDER.read_renewed(RESERVED, answer(other), AT), UnknownOutcome)
