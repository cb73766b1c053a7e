"""Stripe's authorisations: a payment intent that is captured later, as a whole or in part, or cancelled (S2-09)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.gateways import stripe_protocol as protocol
from tests.providers import stripe_builders as builders
from tests.providers.stripe_builders import AT, ATTEMPT, AUTHORIZED, CHARGE, INTENT, answer, form, intent, refused
from workers.providers.abilities import AuthorizingProvider
from workers.providers.port import PaymentReport, ProviderRefusal, ReportedPayment, UnknownOutcome

PROVIDER = builders.provider()
S = ReportedPayment
PATH = f"/v1/payment_intents/{INTENT}"


def test_a_payment_to_authorise_is_captured_by_hand() -> None:
    assert isinstance(PROVIDER, AuthorizingProvider)
    request = PROVIDER.start(replace(ATTEMPT, authorize=True), AT)
    assert form(request)["payment_intent_data[capture_method]"] == "manual"


def test_an_authorisation_has_the_end_that_its_charge_names() -> None:
    held = protocol.charge(CHARGE, at=AT, captured=False)
    reserved = builders.session(status="complete", intent=intent("requires_capture", latest_charge=held))
    report = PROVIDER.read_payment(ATTEMPT, answer(reserved), AT)
    assert isinstance(report, PaymentReport)
    assert (report.status, report.trade_no, report.amount) == (S.AUTHORIZED, INTENT, 8888)
    assert report.expire_at == AT + timedelta(days=7)


def test_a_part_is_captured_under_our_number_and_the_charge_is_its_number() -> None:
    request = PROVIDER.capture_authorization(AUTHORIZED, AT)
    assert (request.method, urlsplit(request.url).path) == ("POST", f"{PATH}/capture")
    assert form(request) == {
        "amount_to_capture": "800",
        "metadata[capture_no]": AUTHORIZED.capture_no,
        "expand[]": "latest_charge",
    }
    numbers = {"out_trade_no": ATTEMPT.out_trade_no, "capture_no": AUTHORIZED.capture_no}
    taken = intent(amount_received=800, metadata=numbers, latest_charge=protocol.charge(CHARGE, at=AT, captured=True))
    report = PROVIDER.read_captured(AUTHORIZED, answer(taken), AT)
    assert isinstance(report, PaymentReport)
    assert (report.status, report.trade_no, report.amount) == (S.CAPTURED, CHARGE, 800)
    assert report.capture_no == AUTHORIZED.capture_no


def test_an_authorisation_is_voided_by_cancelling_it() -> None:
    request = PROVIDER.void_authorization(AUTHORIZED, AT)
    assert (request.method, urlsplit(request.url).path) == ("POST", f"{PATH}/cancel")
    report = PROVIDER.read_voided(AUTHORIZED, answer(intent("canceled", cancellation_reason="abandoned")), AT)
    assert isinstance(report, PaymentReport)
    assert (report.status, report.reason) == (S.CLOSED, "abandoned")


def test_stripe_renews_nothing_but_tells_what_became_of_the_authorisation() -> None:
    assert PROVIDER.honored_for == timedelta(days=7)
    request = PROVIDER.renew_authorization(AUTHORIZED, AT)
    assert (request.method, urlsplit(request.url).path) == ("GET", PATH)
    assert isinstance(PROVIDER.read_renewed(AUTHORIZED, answer(intent("requires_capture")), AT), ProviderRefusal)
    for status, state in (("succeeded", S.CAPTURED), ("canceled", S.CLOSED)):
        report = PROVIDER.read_renewed(AUTHORIZED, answer(intent(status)), AT)
        assert isinstance(report, PaymentReport)
        assert report.status is state


def test_no_step_has_an_idempotency_key_because_stripe_would_repeat_a_failure_for_a_day() -> None:
    """Each of them can happen once only: a second one is refused because of the state."""
    for request in (PROVIDER.capture_authorization(AUTHORIZED, AT), PROVIDER.void_authorization(AUTHORIZED, AT)):
        assert "idempotency-key" not in request.headers


READERS = [PROVIDER.read_captured, PROVIDER.read_voided, PROVIDER.read_renewed]
UNKNOWN = [
    refused("invalid_request_error", "payment_intent_unexpected_state"), refused("api_error", None, 500),
    answer(intent(id="pi_2")), answer(intent(metadata={"out_trade_no": "P2"})), answer(intent(metadata={})),
    answer(intent(livemode=True)), answer(intent(latest_charge=None)), answer({}),
]  # fmt: skip


@pytest.mark.parametrize("response", UNKNOWN, ids=range(len(UNKNOWN)))
@pytest.mark.parametrize("read", READERS, ids=["captured", "voided", "renewed"])
def test_an_answer_about_something_else_or_a_step_done_before_proves_nothing(read: Any, response: Any) -> None:
    assert isinstance(read(AUTHORIZED, response, AT), UnknownOutcome)


def test_a_declined_capture_takes_no_money() -> None:
    declined = PROVIDER.read_captured(AUTHORIZED, refused("card_error", "card_declined", 402), AT)
    assert isinstance(declined, ProviderRefusal)
    assert declined.code == "card_declined"
