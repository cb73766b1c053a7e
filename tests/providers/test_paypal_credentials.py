"""The adapter downloads PayPal's certificates and requests access tokens (S0-07)."""

from datetime import timedelta

import pytest

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.authorities import pem
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import AT, NEXT_URL, answer
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome

PROVIDER = builders.provider()
API = "https://api-m.paypal.com"


def test_a_certificate_is_fetched_from_its_address_and_verified_before_it_is_trusted() -> None:
    request = PROVIDER.certificates(AT, NEXT_URL)
    assert request == HttpRequest("GET", NEXT_URL, {})
    pem_ = builders.certificate("paypal's next")
    assert PROVIDER.read_certificates(answer(pem_.encode()), AT, NEXT_URL) == {NEXT_URL: pem_}
    unexpected = (
        answer(pem_.encode(), 404),
        answer(b"no"),
        answer(b"\xff"),
        answer(pem_.encode(), content_encoding="gzip"),
        answer(builders.certificate(issued_by="forged").encode()),
        answer(pem(builders.authority().issuer).encode()),
        answer(pem_.encode() + b" " * 65_536),
        answer(pem_[:-100].encode()),
    )
    for response in unexpected:
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
    assert protocol.client(request.headers["authorization"]) == ("shop", "hush-hush")


TOKENS: list[tuple[HttpResponse, object]] = [
    (answer({"access_token": "A21AA-x_.y", "token_type": "Bearer", "expires_in": 32_400}), ("A21AA-x_.y", 32_400)),
    (answer(protocol.error("invalid_client"), 401), UnknownOutcome),
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
def test_a_token_is_accepted_only_if_it_is_printable_and_its_lifetime_is_positive(
    response: HttpResponse, expected: object
) -> None:
    result = PROVIDER.read_token(response)
    assert isinstance(result, expected) if isinstance(expected, type) else result == expected
