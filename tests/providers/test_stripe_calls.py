"""Requests to Stripe and its answers: sessions, refunds, currencies and errors (S2-09)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.providers import stripe_builders as builders
from tests.providers.stripe_builders import (
    AT,
    ATTEMPT,
    CHARGE,
    DISPUTE,
    INTENT,
    KEY,
    NUMBERS,
    REFUND_ID,
    REFUND_ORDER,
    SESSION,
    answer,
    dispute,
    form,
    intent,
    refund,
    refused,
    session,
)
from workers.domain.money import exponent
from workers.providers.port import (
    ClientAction,
    DisputeReport,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    ProviderRefusal,
    RefundReport,
    ReportedPayment,
    UnknownOutcome,
)

PROVIDER = builders.provider()
NEW = replace(ATTEMPT, reference=None)
ABSENT = refused("invalid_request_error", "resource_missing", 404)
LIST = {"object": "list", "has_more": False}


def started(**changes: Any) -> dict[str, str]:
    return form(PROVIDER.start(replace(NEW, **changes), AT))


def test_a_session_is_created_under_our_number() -> None:
    request = PROVIDER.start(NEW, AT)
    assert isinstance(request, HttpRequest)
    assert (request.method, request.url) == ("POST", "https://api.stripe.com/v1/checkout/sessions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == ATTEMPT.out_trade_no
    assert request.headers["stripe-version"] == "2024-10-28.acacia"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert KEY not in repr(request) + repr(PROVIDER) + repr(builders.settings())
    assert form(request) == {
        "mode": "payment",
        "payment_method_types[0]": "card",
        "client_reference_id": ATTEMPT.out_trade_no,
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "8888",
        "line_items[0][price_data][product_data][name]": "Größe & 茶",
        "payment_intent_data[capture_method]": "automatic",
        "payment_intent_data[metadata][out_trade_no]": ATTEMPT.out_trade_no,
        "success_url": "https://shop.example/back",
        "cancel_url": "https://shop.example/cart",
        "expires_at": str(int(ATTEMPT.expire_at.timestamp())),
    }


def test_a_repeated_request_is_the_same_so_that_stripe_answers_with_the_same_session() -> None:
    later = AT + timedelta(hours=1)
    assert PROVIDER.start(NEW, AT) == PROVIDER.start(NEW, later) == PROVIDER.query(NEW, later)
    assert PROVIDER.start(NEW, AT) == PROVIDER.close(NEW, later)


@pytest.mark.parametrize(
    ("window", "opened"),
    [
        (timedelta(minutes=5), timedelta(minutes=40)),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=3), timedelta(hours=23, minutes=55)),
    ],
)
def test_a_session_is_open_as_long_as_the_attempt_within_stripes_limits(window: timedelta, opened: timedelta) -> None:
    assert int(started(expire_at=AT + window)["expires_at"]) == int((AT + opened).timestamp())


AMOUNTS = [("EUR", 1234, "1234"), ("JPY", 1234, "1234"), ("ISK", 1234, "123400"), ("UGX", 5, "500"),
           ("KWD", 1230, "1230"), ("HUF", 123400, "123400"), ("CLP", 7, "7")]  # fmt: skip


@pytest.mark.parametrize(("currency", "amount", "written"), AMOUNTS)
def test_amounts_are_written_and_read_as_stripe_counts_each_currency(currency: str, amount: int, written: str) -> None:
    assert started(currency=currency, amount=amount)["line_items[0][price_data][unit_amount]"] == written
    back = form(PROVIDER.refund(replace(REFUND_ORDER, currency=currency, amount=amount), AT))
    assert back["amount"] == written
    paid = intent(currency=currency.lower(), amount_received=int(written))
    report = PROVIDER.verify(builders.succeeded(paid))
    assert isinstance(report, PaymentReport)
    assert (report.amount, report.currency) == (amount, currency)


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 1234), ("MGA", 100), ("BTC", 1), ("EUR", 0), ("EUR", -1)])
def test_what_stripe_cannot_collect_is_refused(currency: str, amount: int) -> None:
    assert isinstance(PROVIDER.start(replace(NEW, currency=currency, amount=amount), AT), ProviderRefusal)


def test_a_fraction_of_a_krona_is_never_rounded() -> None:
    found = PROVIDER.read_payment(ATTEMPT, answer(session(currency="isk", amount_total=12345)), AT)
    assert isinstance(found, UnknownOutcome)


def test_every_currency_has_as_many_decimals_here_as_at_stripe() -> None:
    zero = "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
    three = ["BHD", "JOD", "KWD", "OMR", "TND"]
    for currency in PROVIDER.currencies:
        digits = 0 if currency in [*zero, "ISK", "UGX"] else 3 if currency in three else 2
        assert exponent(currency) == digits, currency


def test_the_buyer_follows_the_address_of_the_session() -> None:
    found = PROVIDER.read_start(NEW, answer(session()), AT)
    assert isinstance(found, ClientAction)
    assert (found.kind, found.reference) == ("redirect", SESSION)
    assert found.url == session()["url"]
    for elsewhere in ("https://checkout.stripe.com.evil.example/c/pay/x", "javascript:alert(1)", None):
        assert isinstance(PROVIDER.read_start(NEW, answer(session(url=elsewhere)), AT), UnknownOutcome)


S = ReportedPayment
STATES: list[tuple[dict[str, Any], tuple[str, S, int]]] = [
    (session(), ("", S.PENDING, 8888)),
    (session(status="expired"), ("", S.CLOSED, 8888)),
    (session(status="complete", intent=intent()), (CHARGE, S.CAPTURED, 8888)),
    (session(status="complete", intent=intent("requires_capture")), (INTENT, S.AUTHORIZED, 8888)),
    (session(status="complete", intent=intent("processing")), (INTENT, S.PENDING, 8888)),
    (session(status="complete", intent=intent("canceled")), (INTENT, S.CLOSED, 8888)),
    (session(intent=intent("requires_payment_method")), (INTENT, S.PENDING, 8888)),
    (session(status="expired", intent=intent("requires_payment_method")), ("", S.CLOSED, 8888)),
    (session(status="expired", intent=intent()), (CHARGE, S.CAPTURED, 8888)),
]


@pytest.mark.parametrize(("found", "expected"), STATES)
def test_a_payment_is_read_from_its_session_and_its_payment_intent(
    found: dict[str, Any], expected: tuple[str, S, int]
) -> None:
    request = PROVIDER.query(ATTEMPT, AT)
    query = parse_qs(urlsplit(request.url).query)
    assert (urlsplit(request.url).path, query) == (
        f"/v1/checkout/sessions/{SESSION}",
        {"expand[]": ["payment_intent.latest_charge"]},
    )
    report = PROVIDER.read_payment(ATTEMPT, answer(found), AT)
    assert isinstance(report, PaymentReport)
    assert (report.trade_no, report.status, report.amount) == expected


OTHERS = [session(client_reference_id="P2"), session(id="cs_test_2"), session(livemode=True), session(status="lost"),
          session(status="complete"), session(status="complete", intent=INTENT),
          session(status="complete", intent=intent(metadata={"out_trade_no": "P2"})),
          session(status="complete", intent=intent(livemode=True))]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_an_answer_about_something_else_proves_nothing(other: dict[str, Any]) -> None:
    assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(other), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_close(ATTEMPT, answer(other), AT), UnknownOutcome)


def test_a_session_that_stripe_does_not_know_is_not_found_and_any_other_refusal_proves_nothing() -> None:
    assert isinstance(PROVIDER.read_payment(ATTEMPT, ABSENT, AT), ProviderRefusal)
    refusal = refused("invalid_request_error", "parameter_invalid_integer")
    assert isinstance(PROVIDER.read_payment(ATTEMPT, refusal, AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_payment(NEW, refusal, AT), ProviderRefusal)  # it was not created, nor is it now


def test_an_open_session_is_closed_by_letting_it_expire() -> None:
    request = PROVIDER.close(ATTEMPT, AT)
    assert (request.method, urlsplit(request.url).path) == ("POST", f"/v1/checkout/sessions/{SESSION}/expire")
    assert "idempotency-key" not in request.headers
    closed = PROVIDER.read_close(ATTEMPT, answer(session(status="expired")), AT)
    assert isinstance(closed, PaymentReport)
    assert closed.status is S.CLOSED
    not_open = PROVIDER.read_close(ATTEMPT, refused("invalid_request_error"), AT)
    assert isinstance(not_open, PaymentReport)
    assert (not_open.status, not_open.reason) == (S.PENDING, "not_open")
    assert isinstance(PROVIDER.read_close(ATTEMPT, ABSENT, AT), ProviderRefusal)
    assert isinstance(PROVIDER.read_close(ATTEMPT, answer({}, 500), AT), UnknownOutcome)


def test_a_session_whose_address_nobody_was_given_counts_as_closed() -> None:
    closed = PROVIDER.read_close(NEW, answer(session()), AT)
    assert isinstance(closed, PaymentReport)
    assert (closed.status, closed.reason) == (S.CLOSED, "not_opened")
    assert isinstance(PROVIDER.read_close(NEW, refused("invalid_request_error"), AT), ProviderRefusal)


def test_a_refund_is_requested_and_read_under_our_number() -> None:
    request = PROVIDER.refund(REFUND_ORDER, AT)
    assert request.headers["idempotency-key"] == REFUND_ORDER.refund_no
    names = {f"metadata[{name}]": value for name, value in NUMBERS.items()}
    assert form(request) == {"charge": CHARGE, "amount": "88", **names}
    report = PROVIDER.read_refund(REFUND_ORDER, answer(refund()), AT)
    assert isinstance(report, RefundReport)
    assert (report.refund_no, report.status, report.amount) == (REFUND_ORDER.refund_no, "succeeded", 88)
    assert isinstance(PROVIDER.read_refund(REFUND_ORDER, answer(refund(metadata={})), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_refund(REFUND_ORDER, answer({}), AT), UnknownOutcome)


def test_a_repeated_answer_about_a_refund_proves_nothing_because_it_may_have_failed_since() -> None:
    """A refund that failed is requested again under its number: Stripe repeats that it had succeeded."""
    repeated = answer(refund(), idempotent_replayed="true")
    assert isinstance(PROVIDER.read_refund(REFUND_ORDER, repeated, AT), UnknownOutcome)
    declined = replace(refused("invalid_request_error", "amount_too_large"), headers={"idempotent-replayed": "true"})
    assert isinstance(PROVIDER.read_refund(REFUND_ORDER, declined, AT), ProviderRefusal)
    again = PROVIDER.read_start(NEW, answer(session(), idempotent_replayed="true"), AT)
    assert isinstance(again, ClientAction)


def test_a_refund_is_found_among_those_of_its_charge() -> None:
    assert urlsplit(PROVIDER.query_refund(REFUND_ORDER, AT).url).query == f"charge={CHARGE}&limit=100"
    others = [refund(id="re_1", metadata={}), refund(id="re_2", metadata={"refund_no": "R2"})]

    def read(content: object, status: int = 200) -> object:
        return PROVIDER.read_refund_query(REFUND_ORDER, answer(content, status), AT)

    found = read({**LIST, "data": [*others, refund(status="pending")]})
    assert isinstance(found, RefundReport)
    assert (found.refund_no, found.status) == (REFUND_ORDER.refund_no, "processing")
    assert isinstance(read({**LIST, "data": others}), ProviderRefusal)
    unknown = [read({**LIST, "data": others, "has_more": True}), read({"data": []}), read({**LIST, "data": [1]})]
    unknown += [read({**LIST, "data": [refund(created=10**15)]})]
    unknown += [PROVIDER.read_refund_query(REFUND_ORDER, ABSENT, AT), read({}, 500)]
    assert all(isinstance(one, UnknownOutcome) for one in unknown), unknown


FOREIGN = ForeignRefund(REFUND_ID, CHARGE, REFUND_ID)
REVERSAL = ForeignRefund(DISPUTE, CHARGE, DISPUTE, reversal=True)


def test_a_refund_that_is_not_ours_is_queried_by_stripes_number_and_a_reversal_by_its_dispute() -> None:
    assert PROVIDER.query_foreign_refund(FOREIGN, AT).url.endswith(f"/v1/refunds/{REFUND_ID}")
    assert PROVIDER.query_foreign_refund(REVERSAL, AT).url.endswith(f"/v1/disputes/{DISPUTE}")
    for known, content in ((FOREIGN, refund(metadata={})), (REVERSAL, dispute())):
        report = PROVIDER.read_foreign_refund(known, answer(content), AT)
        assert isinstance(report, RefundReport)
        assert (report.refund_no, report.trade_no, report.reversal) == (known.refund_no, CHARGE, known.reversal)
        other = replace(known, trade_no="ch_2")
        assert isinstance(PROVIDER.read_foreign_refund(other, answer(content), AT), UnknownOutcome)
        assert isinstance(PROVIDER.read_foreign_refund(known, ABSENT, AT), ProviderRefusal)
    inquiry = answer(dispute("warning_needs_response"))
    assert isinstance(PROVIDER.read_foreign_refund(REVERSAL, inquiry, AT), UnknownOutcome)


def test_a_dispute_is_queried_and_its_decision_happened_by_the_time_of_the_answer() -> None:
    assert PROVIDER.query_dispute(DISPUTE, AT).url.endswith(f"/v1/disputes/{DISPUTE}")
    later = AT + timedelta(days=60)
    for status, when in (("under_review", AT), ("won", later), ("lost", later)):
        report = PROVIDER.read_dispute(DISPUTE, answer(dispute(status)), later)
        assert isinstance(report, DisputeReport)
        assert report.occurred_at == when
    assert isinstance(PROVIDER.read_dispute("du_2", answer(dispute()), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_dispute(DISPUTE, ABSENT, AT), ProviderRefusal)


REFUSALS: list[tuple[HttpResponse, str]] = [
    (refused("card_error", "card_declined", 402, decline_code="insufficient_funds"), "insufficient_funds"),
    (refused("card_error", "expired_card", 402), "expired_card"),
    (refused("invalid_request_error", "amount_too_large"), "amount_too_large"),
    (refused("invalid_request_error"), "invalid_request_error"),
    (ABSENT, "resource_missing"),
]
UNKNOWN = [
    refused("api_error", None, 500), refused("api_error", None, 400), refused("idempotency_error", None, 400),
    refused("invalid_request_error", "idempotency_key_in_use", 409),
    refused("invalid_request_error", "rate_limit", 429), refused("invalid_request_error", None, 429),
    refused("invalid_request_error", None, 409), refused("card_error", "card_declined", 500),
    refused("invalid_request_error", "lock_timeout", 429), refused("invalid_request_error", None, 401),
    refused("invalid_request_error", None, 403), refused("invalid_request_error", "charge_already_refunded"),
    refused("invalid_request_error", "payment_intent_unexpected_state"), answer({}, 400), answer(b"busy", 400),
    answer(b"", 502), answer({"error": {"type": "card_error", "code": "A B"}}, 503), answer({}, 302),
    answer(b"{}", 200, content_encoding="gzip"),
]  # fmt: skip


@pytest.mark.parametrize(("response", "code"), REFUSALS, ids=[code for _, code in REFUSALS])
def test_an_error_that_refuses_for_good_is_a_refusal_with_stripes_code(response: HttpResponse, code: str) -> None:
    for found in (PROVIDER.read_start(NEW, response, AT), PROVIDER.read_refund(REFUND_ORDER, response, AT)):
        assert isinstance(found, ProviderRefusal)
        assert found.code == code


@pytest.mark.parametrize("response", UNKNOWN, ids=range(len(UNKNOWN)))
def test_an_error_after_which_the_request_may_have_been_done_is_an_unknown_outcome(response: HttpResponse) -> None:
    assert isinstance(PROVIDER.read_start(NEW, response, AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_payment(ATTEMPT, response, AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_refund(REFUND_ORDER, response, AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, response, AT), UnknownOutcome)
