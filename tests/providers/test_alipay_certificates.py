"""Alipay in 证书模式 (certificate mode): requests name certificates and are signed as before (S0-07, S0-10)."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509

from scripts.gateways import alipay_protocol as protocol
from tests.providers import alipay_builders as builders
from tests.providers import keys
from tests.providers.alipay_builders import AT, ATTEMPT
from workers.providers.alipay import serials
from workers.providers.port import ClientAction, HttpRequest, PaymentReport, UnknownOutcome

PUBLISHED = Path(__file__).parent / "published"
ROOTS, APP = ((PUBLISHED / f"alipay_test_{name}.pem").read_text() for name in ("roots", "app"))
OURS = keys.certificate_pem("ours", 0xAB12)
MODE: dict[str, Any] = {"app_certificates": (OURS,), "root_certificates": ROOTS}
SDK = import_module("alipay").DCAliPay


@pytest.mark.filterwarnings("ignore:X509.get_issuer is deprecated")
def test_serials_of_certificates_are_those_of_the_sdk() -> None:
    assert serials.of(x509.load_pem_x509_certificate(APP.encode())) == SDK.get_cert_sn(APP)
    assert serials.of_roots(ROOTS) == SDK.get_root_cert_sn(ROOTS)


def test_only_the_roots_signed_with_rsa_are_named_in_their_order() -> None:
    name = serials.of_roots(ROOTS)
    assert ROOTS.count("BEGIN") == 3
    assert "_" not in name
    assert serials.of_roots(APP + ROOTS + OURS).split("_") == [
        serials.of(x509.load_pem_x509_certificate(APP.encode())),
        name,
        serials.of(x509.load_pem_x509_certificate(OURS.encode())),
    ]


def test_every_request_and_link_names_our_certificate_and_the_roots_and_signs_both_names() -> None:
    alipay, plain = builders.provider(**MODE), builders.provider()
    page, query = alipay.start(ATTEMPT, AT), alipay.query(ATTEMPT, AT)
    assert isinstance(page, ClientAction)
    ours = serials.of(x509.load_pem_x509_certificate(OURS.encode()))
    for link, form in ((str(page.url), b""), (query.url, query.body)):
        request = protocol.check(
            link.partition("?")[2], form, app_id=builders.APP_ID, keys=[keys.private("ours").public_key()], now=AT
        )
        assert (request.fields["app_cert_sn"], request.fields["alipay_root_cert_sn"]) == (ours, serials.of_roots(ROOTS))
    without = plain.start(replace(ATTEMPT, scene="qr"), AT)
    assert isinstance(without, HttpRequest)
    assert not {"app_cert_sn", "alipay_root_cert_sn"} & set(parse_qs(without.url.partition("?")[2]))


def test_an_answer_that_names_alipays_certificate_is_verified_with_the_key_in_it() -> None:
    alipay = builders.provider(**MODE, alipay_public_keys=(keys.certificate_pem("alipay", 7),))
    response = builders.found()
    named = replace(response, body=response.body[:-1] + b',"alipay_cert_sn":"a5b59edf65dcda9ca26e071ab6f5a0a7"}')
    assert isinstance(alipay.read_payment(ATTEMPT, named, AT), PaymentReport)
    forged = builders.answer(builders.QUERY, protocol.ok(out_trade_no=ATTEMPT.out_trade_no), key="mallory")
    assert isinstance(alipay.read_payment(ATTEMPT, forged, AT), UnknownOutcome)
    assert isinstance(
        alipay.verify(builders.notification(builders.trade() | {"alipay_cert_sn": "a5b59edf"})), PaymentReport
    )


def test_while_our_key_is_replaced_requests_name_the_first_certificate() -> None:
    both = builders.provider(
        app_private_keys=(keys.private_pem("ours, next"), keys.private_pem("ours")),
        app_certificates=(keys.certificate_pem("ours, next", 9), OURS),
        root_certificates=ROOTS,
    )
    named = parse_qs(both.query(ATTEMPT, AT).url.partition("?")[2])["app_cert_sn"]
    following = x509.load_pem_x509_certificate(keys.certificate_pem("ours, next", 9).encode())
    assert named == [serials.of(following)]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"app_certificates": (OURS,)}, "needs app_certificates and root_certificates"),
    ({"root_certificates": ROOTS}, "needs app_certificates and root_certificates"),
    (MODE | {"app_certificates": (keys.certificate_pem("mallory", 1),)}, "not of our key"),
    (MODE | {"app_certificates": (OURS, OURS)}, "not as many as"),
    (MODE | {"app_certificates": ("no PEM",)}, "no public key or certificate"),
    (MODE | {"app_certificates": (keys.public_pem("ours"),)}, "no certificate"),
    (MODE | {"root_certificates": "no PEM"}, "no certificate that is signed with RSA"),
]


@pytest.mark.parametrize(("more", "message"), WRONG, ids=[message for _, message in WRONG])
def test_the_error_about_wrong_settings_names_what_is_wrong(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        builders.settings(**more)
    assert keys.private_pem("ours").splitlines()[1] not in str(error.value)
