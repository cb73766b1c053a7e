"""What we ask of PayPal, and what its answers mean (S0-07, S0-10, R-14)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scripts.gateways import paypal_protocol as theirs
from scripts.gateways.authorities import pem
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import (
    AT,
    ATTEMPT,
    CAPTURE,
    NEXT_URL,
    ORDER,
    REFUND_ORDER,
    SITE,
    answer,
    capture,
    order,
    refund,
)
from workers.domain.money import render
from workers.providers.paypal import PayPal
from workers.providers.port import (
    ApprovalReport,
    CapturingProvider,
    CertificateSource,
    ClientAction,
    ClosingProvider,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundReport,
    ReportedPayment,
    ReportedRefund,
    TokenSource,
    UnknownOutcome,
)

PROVIDER = builders.provider()
API = "https://api-m.paypal.com"
CAPTURED = PaymentReport(
    ATTEMPT.out_trade_no, CAPTURE, ReportedPayment.CAPTURED, 8888, "EUR", AT + timedelta(seconds=40)
)


def asked(request: object, method: str = "POST") -> Any:
    """What PayPal reads in a call, which needs a token."""
    assert isinstance(request, HttpRequest)
    assert (request.method, request.bearer) == (method, True)
    assert "authorization" not in request.headers
    return json.loads(request.body) if request.body else None


def test_a_payment_begins_with_an_order() -> None:
    request = PROVIDER.start(ATTEMPT, AT)
    body = asked(request)
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
    (unit,) = asked(PROVIDER.start(replace(ATTEMPT, amount=amount, currency=currency), AT))["purchase_units"]
    assert unit["amount"] == theirs.money(amount, currency)
    assert unit["amount"]["value"] == render(amount, currency)


@pytest.mark.parametrize("more", [{"scene": "app"}, {"currency": "CNY"}, {"currency": "HUF"}, {"amount": 0}])
def test_what_paypal_would_not_take_is_refused_at_once(more: dict[str, Any]) -> None:
    refused = PROVIDER.start(replace(ATTEMPT, **more), AT)
    assert isinstance(refused, ProviderRefusal)
    assert refused.code == "PAY_PARAM_INVALID"


def test_a_long_subject_is_cut() -> None:
    (unit,) = asked(PROVIDER.start(replace(ATTEMPT, subject="茶" * 200), AT))["purchase_units"]
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
def test_the_buyer_is_sent_nowhere_else(href: str | None) -> None:
    made = order("PAYER_ACTION_REQUIRED")
    made["links"][1]["href"] = href
    assert isinstance(PROVIDER.read_start(ATTEMPT, answer(made, 201), AT), UnknownOutcome)


def test_an_order_that_is_requested_again_is_the_same_request() -> None:
    lost = replace(ATTEMPT, reference=None)
    assert PROVIDER.query(lost, AT + timedelta(minutes=1)) == PROVIDER.start(lost, AT)
    pending = PROVIDER.read_payment(lost, answer(order("PAYER_ACTION_REQUIRED"), 200), AT)
    assert pending == PaymentReport(ATTEMPT.out_trade_no, "", ReportedPayment.PENDING, 8888, "EUR", AT)


def test_a_known_order_is_looked_up() -> None:
    request = PROVIDER.query(ATTEMPT, AT)
    assert asked(request, "GET") is None
    assert request.url == f"{API}/v2/checkout/orders/{ORDER}"


def test_numbers_stay_within_their_part_of_an_address() -> None:
    odd = replace(ATTEMPT, reference="../../v1/x?y#z")
    assert PROVIDER.query(odd, AT).url == f"{API}/v2/checkout/orders/..%2F..%2Fv1%2Fx%3Fy%23z"


def test_an_approved_order_is_captured() -> None:
    request = PROVIDER.capture(ATTEMPT, AT)
    asked(request)
    assert request.url == f"{API}/v2/checkout/orders/{ORDER}/capture"
    assert request.headers["paypal-request-id"] == f"{ATTEMPT.out_trade_no}-capture"
    assert PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[capture()]), 201), AT) == CAPTURED


def test_an_attempt_without_an_order_cannot_be_captured() -> None:
    with pytest.raises(AssertionError):
        PROVIDER.capture(replace(ATTEMPT, reference=None), AT)


def test_a_capture_in_an_order_goes_by_the_orders_number() -> None:
    bare = {name: value for name, value in capture().items() if name not in ("custom_id", "invoice_id")}
    assert PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[bare]), 201), AT) == CAPTURED


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
def test_of_several_captures_the_one_that_went_best_counts(statuses: list[str], best: str) -> None:
    captures = [capture(status=status) for status in statuses]
    paid = PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=captures)), AT)
    assert isinstance(paid, PaymentReport)
    assert paid.status == best


EARLY = ATTEMPT.expire_at - timedelta(microseconds=1)
STANDS: list[tuple[str, datetime, str]] = [
    ("CREATED", EARLY, "pending"), ("SAVED", EARLY, "pending"), ("PAYER_ACTION_REQUIRED", EARLY, "pending"),
    ("CREATED", ATTEMPT.expire_at, "closed"), ("PAYER_ACTION_REQUIRED", ATTEMPT.expire_at, "closed"),
    ("VOIDED", EARLY, "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "at", "expected"), STANDS)
def test_an_order_is_open_as_long_as_we_would_capture_it(status: str, at: datetime, expected: str) -> None:
    paid = PROVIDER.read_payment(ATTEMPT, answer(order(status)), at)
    assert isinstance(paid, PaymentReport)
    assert (paid.status, paid.trade_no, paid.amount) == (expected, "", 8888)


def test_an_approved_order_waits_for_us_however_late_it_is() -> None:
    late = ATTEMPT.expire_at + timedelta(days=1)
    assert PROVIDER.read_payment(ATTEMPT, answer(order("APPROVED")), late) == ApprovalReport(
        ATTEMPT.out_trade_no, ORDER
    )


def changed(made: dict[str, Any], **unit: Any) -> dict[str, Any]:
    """An order with another purchase unit."""
    return {**made, "purchase_units": [{**made["purchase_units"][0], **unit}]}


PAID_ORDER = order("COMPLETED", captures=[capture()])
ABOUT_SOMETHING_ELSE: dict[str, object] = {
    "another order": {**PAID_ORDER, "id": "5O190127TN364715U"},
    "another attempt": changed(PAID_ORDER, custom_id="P17325846012345679"),
    "another merchant": changed(PAID_ORDER, payee={"merchant_id": "3SQBR4YEWZ4BB"}),
    "another merchant's capture": order("COMPLETED", captures=[capture(payee={"merchant_id": "3SQBR4YEWZ4BB"})]),
    "two units": {**PAID_ORDER, "purchase_units": PAID_ORDER["purchase_units"] * 2},
    "no unit": {**PAID_ORDER, "purchase_units": []},
    "no capture": order("COMPLETED"),
    "an empty list of captures": changed(PAID_ORDER, payments={"captures": []}),
    "a state of tomorrow": {**PAID_ORDER, "status": "TELEPORTED"},
    "a capture in a state of tomorrow": order("COMPLETED", captures=[capture(status="TELEPORTED")]),
    "a capture without an amount": order("COMPLETED", captures=[capture(amount=None)]),
    "an amount with an exponent": order(
        "COMPLETED", captures=[capture(amount={"value": "1e3", "currency_code": "EUR"})]
    ),
    "no JSON": b"<html>",
    "a list": [],
    "nothing": b"",
}


@pytest.mark.parametrize("what", ABOUT_SOMETHING_ELSE)
def test_an_answer_about_something_else_proves_nothing(what: str) -> None:
    assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(ABOUT_SOMETHING_ELSE[what]), AT), UnknownOutcome)


def test_the_captured_amount_is_paypals_and_not_the_requested_one() -> None:
    odd = capture(amount={"value": "0.01", "currency_code": "USD"})
    paid = PROVIDER.read_payment(ATTEMPT, answer(order("COMPLETED", captures=[odd])), AT)
    assert isinstance(paid, PaymentReport)
    assert (paid.amount, paid.currency) == (1, "USD")


Read = Callable[[PayPal, HttpResponse], object]
READS: dict[str, Read] = {
    "started": lambda provider, response: provider.read_start(ATTEMPT, response, AT),
    "paid": lambda provider, response: provider.read_payment(ATTEMPT, response, AT),
    "refunded": lambda provider, response: provider.read_refund(REFUND_ORDER, response, AT),
    "refund_found": lambda provider, response: provider.read_refund_query(
        replace(REFUND_ORDER, reference=None), response, AT
    ),
}
NO: list[tuple[int, str, str]] = [
    (422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED"), (422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED"),
    (404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), (422, "UNPROCESSABLE_ENTITY", "REFUND_TIME_LIMIT_EXCEEDED"),
]  # fmt: skip
NOT_ALLOWED = [(403, "NOT_AUTHORIZED", "PERMISSION_DENIED"), (400, "INVALID_REQUEST", "INVALID_PARAMETER_VALUE")]
PERHAPS: list[tuple[int, str, str]] = [
    (422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED"), (422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED"),
    (422, "UNPROCESSABLE_ENTITY", "DUPLICATE_INVOICE_ID"), (422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED"),
    (401, "AUTHENTICATION_FAILURE", "INVALID_TOKEN"), (409, "RESOURCE_CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS"),
    (429, "RATE_LIMIT_REACHED", "RATE_LIMIT_REACHED"), (500, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR"),
    (503, "SERVICE_UNAVAILABLE", "X"), (302, "X", "X"), (204, "X", "X"), (400, "INVALID_REQUEST", "not a code"),
]  # fmt: skip


@pytest.mark.parametrize("read", ["started", "refunded", "refund_found"])
@pytest.mark.parametrize(("status", "name", "issue"), NO)
def test_a_refusal_has_its_reason(read: str, status: int, name: str, issue: str) -> None:
    refused = READS[read](PROVIDER, answer(theirs.error(name, issue, "x" * 300), status))
    assert refused == ProviderRefusal(issue, "x" * 200)


@pytest.mark.parametrize(("status", "name", "issue"), NOT_ALLOWED)
def test_a_forbidden_request_proves_nothing_about_earlier_ones(status: int, name: str, issue: str) -> None:
    said = {read: READS[read](PROVIDER, answer(theirs.error(name, issue), status)) for read in READS}
    refused = ProviderRefusal(issue, "No.")
    assert said == {
        "started": refused,
        "refunded": refused,
        "paid": UnknownOutcome(issue),
        "refund_found": UnknownOutcome(issue),
    }


def test_a_declined_capture_is_a_failed_payment() -> None:
    said = PROVIDER.read_payment(ATTEMPT, answer(theirs.error("UNPROCESSABLE_ENTITY", "TRANSACTION_REFUSED"), 422), AT)
    assert said == PaymentReport(
        ATTEMPT.out_trade_no, ORDER, ReportedPayment.FAILED, 8888, "EUR", AT, "TRANSACTION_REFUSED"
    )


@pytest.mark.parametrize("issue", ["INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED"])
def test_a_buyer_whom_paypal_asks_for_another_card_still_pays_the_attempt(issue: str) -> None:
    said = PROVIDER.read_payment(ATTEMPT, answer(theirs.error("UNPROCESSABLE_ENTITY", issue), 422), AT)
    assert said == PaymentReport(ATTEMPT.out_trade_no, "", ReportedPayment.PENDING, 8888, "EUR", AT, issue)


def test_an_order_that_does_not_exist_is_refused_as_not_found() -> None:
    for error in (theirs.error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), theirs.error("RESOURCE_NOT_FOUND")):
        assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(error, 404), AT), ProviderRefusal)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(("status", "name", "issue"), PERHAPS)
def test_a_request_that_may_have_succeeded_is_queried_again(read: str, status: int, name: str, issue: str) -> None:
    assert isinstance(READS[read](PROVIDER, answer(theirs.error(name, issue), status)), UnknownOutcome)


def test_a_no_without_details_goes_by_its_name() -> None:
    refused = PROVIDER.read_refund(REFUND_ORDER, answer(theirs.error("NOT_AUTHORIZED"), 403), AT)
    assert refused == ProviderRefusal("NOT_AUTHORIZED", "It failed.")
    for odd in (b"no", b"[]", b"{}", b'{"name": 1}', b'{"name": "A", "details": [1]}', b'{"name": "A", "details": 1}'):
        assert isinstance(PROVIDER.read_refund(REFUND_ORDER, answer(odd, 422), AT), UnknownOutcome)


@pytest.mark.parametrize("read", READS)
def test_an_answer_that_is_compressed_or_too_large_is_not_read(read: str) -> None:
    sound = order("PAYER_ACTION_REQUIRED") if read in ("started", "paid") else refund()
    assert not isinstance(READS[read](PROVIDER, answer(sound, 201)), UnknownOutcome)
    assert isinstance(READS[read](PROVIDER, answer(sound, 201, content_encoding="gzip")), UnknownOutcome)
    assert isinstance(READS[read](PROVIDER, answer(json.dumps(sound).encode() + b" " * 65_536, 201)), UnknownOutcome)


def test_a_refund_carries_its_number_so_that_asking_again_is_the_same() -> None:
    first = PROVIDER.refund(REFUND_ORDER, AT)
    assert first == PROVIDER.refund(REFUND_ORDER, AT + timedelta(days=3))
    body = asked(first)
    assert first.url == f"{API}/v2/payments/captures/{CAPTURE}/refund"
    assert first.headers["paypal-request-id"] == body["invoice_id"] == body["custom_id"] == REFUND_ORDER.refund_no
    assert body["amount"] == {"currency_code": "EUR", "value": "0.88"}


RETURNED = RefundReport(REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 88, "EUR", AT + timedelta(hours=1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("COMPLETED", "succeeded"), ("PENDING", "processing"), ("FAILED", "failed"), ("CANCELLED", "failed")],
)
def test_a_refund_is_often_done_at_once(status: str, expected: str) -> None:
    said = PROVIDER.read_refund(REFUND_ORDER, answer(refund(status=status), 201), AT)
    assert said == replace(RETURNED, status=expected)  # type: ignore[arg-type]


def test_a_refund_answer_without_our_number_is_the_requested_refund() -> None:
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
    assert asked(request, "GET") is None
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
def test_a_refund_is_not_missing_because_an_answer_was_odd(what: str) -> None:
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, answer(ABOUT_SOMETHING_ELSE[what]), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, answer(order("APPROVED")), AT), UnknownOutcome)
    assert isinstance(
        PROVIDER.read_refund_query(REFUND_ORDER, answer(theirs.error("RESOURCE_NOT_FOUND"), 404), AT), UnknownOutcome
    )


def test_without_the_order_a_refund_is_requested_again_while_paypal_remembers_it() -> None:
    ask = replace(REFUND_ORDER, reference=None)
    last = REFUND_ORDER.requested_at + timedelta(days=30) - timedelta(microseconds=1)
    assert PROVIDER.query_refund(ask, last) == PROVIDER.refund(ask, AT)
    assert PROVIDER.read_refund_query(ask, answer(refund(), 200), last) == RETURNED
    later = PROVIDER.query_refund(ask, last + timedelta(microseconds=1))
    assert (later.method, later.url) == ("GET", f"{API}/v2/payments/captures/{CAPTURE}")
    assert isinstance(PROVIDER.read_refund_query(ask, answer(capture()), last), UnknownOutcome)


def test_a_certificate_is_fetched_from_its_address_and_verified_before_it_is_trusted() -> None:
    request = PROVIDER.certificates(AT, NEXT_URL)
    assert request == HttpRequest("GET", NEXT_URL, {})
    pem_ = builders.certificate("paypal's next")
    assert PROVIDER.read_certificates(answer(pem_.encode()), AT, NEXT_URL) == {NEXT_URL: pem_}
    odd = (
        answer(pem_.encode(), 404),
        answer(b"no"),
        answer(b"\xff"),
        answer(pem_.encode(), content_encoding="gzip"),
        answer(builders.certificate(issued_by="forged").encode()),
        answer(pem(builders.authority().issuer).encode()),
        answer(pem_.encode() + b" " * 65_536),
        answer(pem_[:-100].encode()),
    )
    for response in odd:
        assert isinstance(PROVIDER.read_certificates(response, AT, NEXT_URL), UnknownOutcome)
    assert isinstance(
        PROVIDER.read_certificates(answer(pem_.encode()), AT + timedelta(days=90), NEXT_URL), UnknownOutcome
    )
    assert isinstance(PROVIDER.read_certificates(answer(pem_.encode()), AT, "https://evil.example/"), UnknownOutcome)
    assert isinstance(PROVIDER.read_certificates(answer(pem_.encode()), AT), UnknownOutcome)


def test_a_token_is_requested_with_the_first_secret() -> None:
    request = PROVIDER.token()
    assert (request.method, request.url, request.bearer) == ("POST", f"{API}/v1/oauth2/token", False)
    assert request.body == b"grant_type=client_credentials"
    assert theirs.client(request.headers["authorization"]) == ("shop", "hush-hush")


TOKENS: list[tuple[HttpResponse, object]] = [
    (answer({"access_token": "A21AA-x_.y", "token_type": "Bearer", "expires_in": 32_400}), ("A21AA-x_.y", 32_400)),
    (answer(theirs.error("invalid_client"), 401), UnknownOutcome),
    (answer({"error": "unsupported_grant_type"}, 400), UnknownOutcome),
    (answer({}, 503), UnknownOutcome), (answer({}, 429), UnknownOutcome), (answer(b"no"), UnknownOutcome),
    (answer({}), UnknownOutcome),
    (answer({"access_token": "a b", "expires_in": 1}), UnknownOutcome), (answer({"access_token": "a"}), UnknownOutcome),
    (answer({"access_token": "a\r\n", "expires_in": 1}), UnknownOutcome),
    (answer({"access_token": "a", "expires_in": "1"}), UnknownOutcome),
    (answer({"access_token": "a", "expires_in": 0}), UnknownOutcome),
    (answer({"access_token": "a", "expires_in": 1}, content_encoding="gzip"), UnknownOutcome),
]  # fmt: skip


@pytest.mark.parametrize(("response", "expected"), TOKENS)
def test_a_token_is_printable_and_lives_some_seconds(response: HttpResponse, expected: object) -> None:
    said = PROVIDER.read_token(response)
    assert isinstance(said, expected) if isinstance(expected, type) else said == expected


def test_paypal_has_nothing_to_close() -> None:
    port: Provider = PROVIDER
    assert not isinstance(port, ClosingProvider)
    assert isinstance(port, CapturingProvider)
    assert isinstance(port, CertificateSource)
    assert isinstance(port, TokenSource)
