"""Our requests to PayPal, and how the adapter reads its answers (S0-07, S0-10, R-14)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scripts.gateways import paypal_protocol as protocol
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import (
    AT,
    ATTEMPT,
    CAPTURE,
    ORDER,
    REFUND_ORDER,
    SITE,
    answer,
    capture,
    order,
    refund,
)
from workers.domain.money import render
from workers.providers.abilities import CapturingProvider, CertificateSource, ClosingProvider, TokenSource
from workers.providers.paypal import PayPal
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundReport,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)

PROVIDER = builders.provider()
API = "https://api-m.paypal.com"
CAPTURED = PaymentReport(
    ATTEMPT.out_trade_no,
    CAPTURE,
    ReportedPayment.CAPTURED,
    8888,
    "EUR",
    AT + timedelta(seconds=40),
    capture_no=ATTEMPT.out_trade_no,
)


def request_body(request: object, method: str = "POST") -> Any:
    """The JSON body of a request, after a check that the request needs a token."""
    assert isinstance(request, HttpRequest)
    assert (request.method, request.bearer) == (method, True)
    assert "authorization" not in request.headers
    return json.loads(request.body) if request.body else None


def test_a_payment_begins_with_an_order() -> None:
    request = PROVIDER.start(ATTEMPT, AT)
    body = request_body(request)
    assert isinstance(request, HttpRequest)
    assert request.url == f"{API}/v2/checkout/orders"
    assert request.headers["paypal-request-id"] == ATTEMPT.out_trade_no
    assert request.headers["prefer"] == "return=representation"
    (unit,) = body["purchase_units"]
    assert unit == {
        "custom_id": ATTEMPT.out_trade_no,
        "invoice_id": ATTEMPT.out_trade_no,
        "description": ATTEMPT.subject,
        "amount": {"currency_code": "EUR", "value": "88.88"},
        "payee": {"merchant_id": builders.MERCHANT},
    }
    place = body["payment_source"]["paypal"]["experience_context"]
    assert body["intent"] == "CAPTURE"
    assert (place["return_url"], place["cancel_url"]) == ("https://shop.example/back", "https://shop.example/cart")


@pytest.mark.parametrize(("amount", "currency"), [(1, "EUR"), (8800, "USD"), (500, "JPY"), (10**14, "GBP")])
def test_amounts_are_written_as_paypal_writes_them(amount: int, currency: str) -> None:
    (unit,) = request_body(PROVIDER.start(replace(ATTEMPT, amount=amount, currency=currency), AT))["purchase_units"]
    assert unit["amount"] == protocol.money(amount, currency)
    assert unit["amount"]["value"] == render(amount, currency)


@pytest.mark.parametrize("more", [{"scene": "app"}, {"currency": "CNY"}, {"currency": "HUF"}, {"amount": 0}])
def test_a_payment_that_paypal_cannot_take_is_refused_without_a_request(more: dict[str, Any]) -> None:
    refused = PROVIDER.start(replace(ATTEMPT, **more), AT)
    assert isinstance(refused, ProviderRefusal)
    assert refused.code == "PAY_PARAM_INVALID"


def test_a_long_subject_is_cut() -> None:
    (unit,) = request_body(PROVIDER.start(replace(ATTEMPT, subject="茶" * 200), AT))["purchase_units"]
    assert unit["description"] == "茶" * 127


@pytest.mark.parametrize("rel", ["payer-action", "approve"])
def test_the_buyer_is_sent_to_paypal(rel: str) -> None:
    made = order("PAYER_ACTION_REQUIRED")
    made["links"][1]["rel"] = rel
    ready = PROVIDER.read_start(ATTEMPT, answer(made, 201), AT)
    assert ready == ClientAction("redirect", f"{SITE}/checkoutnow?token={ORDER}", reference=ORDER)


@pytest.mark.parametrize(
    "href",
    [
        "https://www.paypal.com.evil.example/x",
        "http://www.paypal.com/x",
        "javascript:alert(1)//https://www.paypal.com/",
        "https://www.paypal.com/x y",
        "https://www.paypal.com/\n",
        "",
        None,
    ],
)
def test_a_link_that_is_not_paypals_is_an_unknown_outcome(href: str | None) -> None:
    made = order("PAYER_ACTION_REQUIRED")
    made["links"][1]["href"] = href
    assert isinstance(PROVIDER.read_start(ATTEMPT, answer(made, 201), AT), UnknownOutcome)


def test_an_attempt_without_an_order_is_queried_with_the_same_request_that_opened_it() -> None:
    lost = replace(ATTEMPT, reference=None)
    assert PROVIDER.query(lost, AT + timedelta(minutes=1)) == PROVIDER.start(lost, AT)
    pending = PROVIDER.read_payment(lost, answer(order("PAYER_ACTION_REQUIRED"), 200), AT)
    assert pending == PaymentReport(ATTEMPT.out_trade_no, "", ReportedPayment.PENDING, 8888, "EUR", AT)


def test_a_known_order_is_queried_by_its_number() -> None:
    request = PROVIDER.query(ATTEMPT, AT)
    assert request_body(request, "GET") is None
    assert request.url == f"{API}/v2/checkout/orders/{ORDER}"


def test_a_number_is_escaped_in_an_address() -> None:
    unexpected = replace(ATTEMPT, reference="../../v1/x?y#z")
    assert PROVIDER.query(unexpected, AT).url == f"{API}/v2/checkout/orders/..%2F..%2Fv1%2Fx%3Fy%23z"


def test_an_approved_order_is_captured() -> None:
    request = PROVIDER.capture(ATTEMPT, AT)
    request_body(request)
    assert request.url == f"{API}/v2/checkout/orders/{ORDER}/capture"
    assert request.headers["paypal-request-id"] == f"{ATTEMPT.out_trade_no}-capture"
    assert PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[capture()]), 201), AT) == CAPTURED


def test_an_attempt_without_an_order_cannot_be_captured() -> None:
    with pytest.raises(AssertionError):
        PROVIDER.capture(replace(ATTEMPT, reference=None), AT)


def test_a_capture_without_our_number_is_matched_by_its_order() -> None:
    bare = {name: value for name, value in capture().items() if name not in ("custom_id", "invoice_id")}
    found = PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[bare]), 201), AT)
    assert found == replace(CAPTURED, capture_no=None)


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        (["DECLINED", "COMPLETED"], "captured"),
        (["COMPLETED", "DECLINED"], "captured"),
        (["PENDING"], "pending"),
        (["DECLINED", "PENDING"], "pending"),
        (["DECLINED"], "failed"),
    ],
)
def test_the_most_successful_of_several_captures_counts(statuses: list[str], best: str) -> None:
    captures = [capture(status=status) for status in statuses]
    paid = PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=captures)), AT)
    assert isinstance(paid, PaymentReport)
    assert paid.status == best


EARLY = ATTEMPT.expire_at - timedelta(microseconds=1)
ORDER_STATES: list[tuple[str, datetime, str]] = [
    ("CREATED", EARLY, "pending"), ("SAVED", EARLY, "pending"), ("PAYER_ACTION_REQUIRED", EARLY, "pending"),
    ("CREATED", ATTEMPT.expire_at, "closed"), ("PAYER_ACTION_REQUIRED", ATTEMPT.expire_at, "closed"),
    ("VOIDED", EARLY, "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "at", "expected"), ORDER_STATES)
def test_an_open_order_is_pending_until_its_attempt_expires(status: str, at: datetime, expected: str) -> None:
    paid = PROVIDER.read_payment(ATTEMPT, answer(order(status)), at)
    assert isinstance(paid, PaymentReport)
    assert (paid.status, paid.trade_no, paid.amount) == (expected, "", 8888)


def test_an_approved_order_is_reported_as_approved_even_after_the_attempt_expired() -> None:
    late = ATTEMPT.expire_at + timedelta(days=1)
    assert PROVIDER.read_payment(ATTEMPT, answer(order("APPROVED")), late) == ApprovalReport(
        ATTEMPT.out_trade_no, ORDER
    )


def changed(made: dict[str, Any], **unit: Any) -> dict[str, Any]:
    """An order with another purchase unit."""
    return {**made, "purchase_units": [{**made["purchase_units"][0], **unit}]}


PAID_ORDER = order("COMPLETED", captures=[capture()])
WRONG_ANSWERS: dict[str, object] = {
    "another order": {**PAID_ORDER, "id": "5O190127TN364715U"},
    "another attempt": changed(PAID_ORDER, custom_id="P17325846012345679"),
    "another merchant": changed(PAID_ORDER, payee={"merchant_id": "3SQBR4YEWZ4BB"}),
    "another merchant's capture": order("COMPLETED", captures=[capture(payee={"merchant_id": "3SQBR4YEWZ4BB"})]),
    "two units": {**PAID_ORDER, "purchase_units": PAID_ORDER["purchase_units"] * 2},
    "no unit": {**PAID_ORDER, "purchase_units": []},
    "no capture": order("COMPLETED"),
    "an empty list of captures": changed(PAID_ORDER, payments={"captures": []}),
    "an unknown state": {**PAID_ORDER, "status": "TELEPORTED"},
    "a capture in an unknown state": order("COMPLETED", captures=[capture(status="TELEPORTED")]),
    "a capture without an amount": order("COMPLETED", captures=[capture(amount=None)]),
    "an amount with an exponent": order(
        "COMPLETED", captures=[capture(amount={"value": "1e3", "currency_code": "EUR"})]
    ),
    "no JSON": b"<html>",
    "a list": [],
    "nothing": b"",
}


@pytest.mark.parametrize("what", WRONG_ANSWERS)
def test_an_answer_that_does_not_match_the_attempt_is_an_unknown_outcome(what: str) -> None:
    assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(WRONG_ANSWERS[what]), AT), UnknownOutcome)


def test_the_reported_amount_is_the_captured_one_and_not_the_requested_one() -> None:
    unexpected = capture(amount={"value": "0.01", "currency_code": "USD"})
    paid = PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[unexpected])), AT)
    assert isinstance(paid, PaymentReport)
    assert (paid.amount, paid.currency) == (1, "USD")


Reader = Callable[[PayPal, HttpResponse], object]
READERS: dict[str, Reader] = {
    "started": lambda provider, response: provider.read_start(ATTEMPT, response, AT),
    "paid": lambda provider, response: provider.read_payment(ATTEMPT, response, AT),
    "refunded": lambda provider, response: provider.read_refund(REFUND_ORDER, response, AT),
    "refund_found": lambda provider, response: provider.read_refund_query(
        replace(REFUND_ORDER, reference=None), response, AT
    ),
}
REFUSALS: list[tuple[int, str, str]] = [
    (422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED"), (422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED"),
    (404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), (422, "UNPROCESSABLE_ENTITY", "REFUND_TIME_LIMIT_EXCEEDED"),
]  # fmt: skip
FORBIDDEN = [(403, "NOT_AUTHORIZED", "PERMISSION_DENIED"), (400, "INVALID_REQUEST", "INVALID_PARAMETER_VALUE")]
AMBIGUOUS: list[tuple[int, str, str]] = [
    (422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED"), (422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED"),
    (422, "UNPROCESSABLE_ENTITY", "DUPLICATE_INVOICE_ID"), (422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED"),
    (401, "AUTHENTICATION_FAILURE", "INVALID_TOKEN"), (409, "RESOURCE_CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS"),
    (429, "RATE_LIMIT_REACHED", "RATE_LIMIT_REACHED"), (500, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR"),
    (503, "SERVICE_UNAVAILABLE", "X"), (302, "X", "X"), (204, "X", "X"), (400, "INVALID_REQUEST", "not a code"),
]  # fmt: skip


@pytest.mark.parametrize("read", ["started", "refunded", "refund_found"])
@pytest.mark.parametrize(("status", "name", "issue"), REFUSALS)
def test_a_refusal_has_the_reason_that_paypal_gives(read: str, status: int, name: str, issue: str) -> None:
    refused = READERS[read](PROVIDER, answer(protocol.error(name, issue, "x" * 300), status))
    assert refused == ProviderRefusal(issue, "x" * 200)


@pytest.mark.parametrize(("status", "name", "issue"), FORBIDDEN)
def test_a_forbidden_query_proves_nothing_about_earlier_requests(status: int, name: str, issue: str) -> None:
    result = {read: READERS[read](PROVIDER, answer(protocol.error(name, issue), status)) for read in READERS}
    refused = ProviderRefusal(issue, "No.")
    assert result == {
        "started": refused,
        "refunded": refused,
        "paid": UnknownOutcome(issue),
        "refund_found": UnknownOutcome(issue),
    }


def test_a_declined_capture_is_a_failed_payment() -> None:
    result = PROVIDER.read_payment(
        ATTEMPT, answer(protocol.error("UNPROCESSABLE_ENTITY", "TRANSACTION_REFUSED"), 422), AT
    )
    assert result == PaymentReport(
        ATTEMPT.out_trade_no, ORDER, ReportedPayment.FAILED, 8888, "EUR", AT, "TRANSACTION_REFUSED"
    )


@pytest.mark.parametrize("issue", ["INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED"])
def test_a_payment_stays_pending_while_paypal_wants_another_card_from_the_buyer(issue: str) -> None:
    result = PROVIDER.read_payment(ATTEMPT, answer(protocol.error("UNPROCESSABLE_ENTITY", issue), 422), AT)
    assert result == PaymentReport(ATTEMPT.out_trade_no, "", ReportedPayment.PENDING, 8888, "EUR", AT, issue)


def test_an_order_that_does_not_exist_is_refused_as_not_found() -> None:
    for error in (protocol.error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), protocol.error("RESOURCE_NOT_FOUND")):
        assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(error, 404), AT), ProviderRefusal)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("status", "name", "issue"), AMBIGUOUS)
def test_a_request_that_may_have_succeeded_has_an_unknown_outcome(
    read: str, status: int, name: str, issue: str
) -> None:
    assert isinstance(READERS[read](PROVIDER, answer(protocol.error(name, issue), status)), UnknownOutcome)


def test_a_refusal_without_details_has_the_name_of_the_error_as_its_code() -> None:
    refused = PROVIDER.read_refund(REFUND_ORDER, answer(protocol.error("NOT_AUTHORIZED"), 403), AT)
    assert refused == ProviderRefusal("NOT_AUTHORIZED", "It failed.")
    for unexpected in (
        b"no",
        b"[]",
        b"{}",
        b'{"name": 1}',
        b'{"name": "A", "details": [1]}',
        b'{"name": "A", "details": 1}',
    ):
        assert isinstance(PROVIDER.read_refund(REFUND_ORDER, answer(unexpected, 422), AT), UnknownOutcome)


@pytest.mark.parametrize("read", READERS)
def test_an_answer_that_is_compressed_or_too_large_is_not_read(read: str) -> None:
    valid = order("PAYER_ACTION_REQUIRED") if read in ("started", "paid") else refund()
    assert not isinstance(READERS[read](PROVIDER, answer(valid, 201)), UnknownOutcome)
    assert isinstance(READERS[read](PROVIDER, answer(valid, 201, content_encoding="gzip")), UnknownOutcome)
    assert isinstance(READERS[read](PROVIDER, answer(json.dumps(valid).encode() + b" " * 65_536, 201)), UnknownOutcome)


def test_a_refund_carries_its_number_so_that_a_second_request_is_the_same_refund() -> None:
    first = PROVIDER.refund(REFUND_ORDER, AT)
    assert first == PROVIDER.refund(REFUND_ORDER, AT + timedelta(days=3))
    body = request_body(first)
    assert first.url == f"{API}/v2/payments/captures/{CAPTURE}/refund"
    assert first.headers["paypal-request-id"] == body["invoice_id"] == body["custom_id"] == REFUND_ORDER.refund_no
    assert body["amount"] == {"currency_code": "EUR", "value": "0.88"}


RETURNED = RefundReport(REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 88, "EUR", AT + timedelta(hours=1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("COMPLETED", "succeeded"), ("PENDING", "processing"), ("FAILED", "failed"), ("CANCELLED", "failed")],
)
def test_the_answer_to_a_refund_reports_its_state(status: str, expected: str) -> None:
    result = PROVIDER.read_refund(REFUND_ORDER, answer(refund(status=status), 201), AT)
    assert result == replace(RETURNED, status=expected)  # type: ignore[arg-type]


def test_a_refund_in_an_answer_without_our_number_is_the_requested_one() -> None:
    assert PROVIDER.read_refund(REFUND_ORDER, answer(refund(invoice_id=None), 201), AT) == RETURNED
    assert isinstance(
        PROVIDER.read_refund(REFUND_ORDER, answer(refund(invoice_id="R1732584601234567"), 201), AT), UnknownOutcome
    )
    assert isinstance(
        PROVIDER.read_refund(REFUND_ORDER, answer({"id": "1", "status": "COMPLETED", "links": []}, 201), AT),
        UnknownOutcome,
    )


def test_a_refund_is_found_in_its_order() -> None:
    request = PROVIDER.query_refund(REFUND_ORDER, AT)
    assert request_body(request, "GET") is None
    assert request.url == f"{API}/v2/checkout/orders/{ORDER}"
    others = [refund(invoice_id="R17325846012345670"), refund(invoice_id=None), refund(invoice_id="A shop's: 1.5")]
    for refunds, expected in (
        ([*others, refund()], RETURNED),
        (others, ProviderRefusal("REFUND_NOT_FOUND", "PayPal knows no such refund")),
        ([], ProviderRefusal("REFUND_NOT_FOUND", "PayPal knows no such refund")),
    ):
        made = order("COMPLETED", captures=[capture()], refunds=refunds)
        assert PROVIDER.read_refund_query(REFUND_ORDER, answer(made), AT) == expected


@pytest.mark.parametrize("what", ["another order", "another merchant", "two units", "no unit", "no JSON", "nothing"])
def test_an_unexpected_answer_does_not_prove_that_a_refund_is_missing(what: str) -> None:
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, answer(WRONG_ANSWERS[what]), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, answer(order("APPROVED")), AT), UnknownOutcome)
    assert isinstance(
        PROVIDER.read_refund_query(REFUND_ORDER, answer(protocol.error("RESOURCE_NOT_FOUND"), 404), AT), UnknownOutcome
    )


def test_a_refund_without_an_order_is_queried_by_the_same_request_for_30_days() -> None:
    without_order = replace(REFUND_ORDER, reference=None)
    last = REFUND_ORDER.requested_at + timedelta(days=30) - timedelta(microseconds=1)
    assert PROVIDER.query_refund(without_order, last) == PROVIDER.refund(without_order, AT)
    assert PROVIDER.read_refund_query(without_order, answer(refund(), 200), last) == RETURNED
    later = PROVIDER.query_refund(without_order, last + timedelta(microseconds=1))
    assert (later.method, later.url) == ("GET", f"{API}/v2/payments/captures/{CAPTURE}")
    assert isinstance(PROVIDER.read_refund_query(without_order, answer(capture()), last), UnknownOutcome)


def test_paypal_captures_payments_but_closes_none() -> None:
    port: Provider = PROVIDER
    assert not isinstance(port, ClosingProvider)
    assert isinstance(port, CapturingProvider)
    assert isinstance(port, CertificateSource)
    assert isinstance(port, TokenSource)
