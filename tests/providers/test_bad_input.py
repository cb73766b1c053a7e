"""What no provider believes, whichever it is: each row of "bad input" against all four (S0-08, S0-09).

tests/handlers/test_payment_attempts.py tests that a refusal changes no state, is counted, explained and kept.
"""

import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from scripts.gateways import unionpay_protocol
from tests.providers import alipay_builders, keys, paypal_builders, unionpay_builders, wechat_builders
from workers.providers.port import Notification, PaymentReport, Provider, RejectedNotification, UnknownCertificate

MARK = "SECRET-MARK"
UNSIGNED, INVALID, STRANGER = "PAY_SIGNATURE_INVALID", "PAY_CALLBACK_INVALID", "PAY_MERCHANT_MISMATCH"
UNIONPAYS_FORGER = unionpay_protocol.UnionPaySigner(keys.private("mallory"), unionpay_builders.signer().certificate)


@dataclass(frozen=True)
class Told:
    """How a provider tells of the same payment: as it is, with other fields, with its very text changed and signed."""

    provider: Provider
    genuine: Notification
    other: Callable[[dict[str, Any]], Notification]
    text: Callable[[Callable[[str], str]], Notification]
    amount: tuple[str, bytes, bytes]
    """The name of the amount, its spelling in the body, and another one."""
    forged: Notification
    strangers: tuple[dict[str, Any], ...]


def wechat_text(change: Callable[[str], str]) -> Notification:
    """The resource is sealed, so it is its text that is changed before."""
    sealed = wechat_builders.PLATFORM.seal(
        change(json.dumps(wechat_builders.transaction())).encode(), "n" * 12, "transaction"
    )
    body = {**json.loads(wechat_builders.notification(wechat_builders.transaction()).body), "resource": sealed}
    return wechat_builders.signed_notification(json.dumps(body).encode())


def form(told: Callable[[Mapping[str, str]], Notification], fields: Mapping[str, str]) -> Callable[..., Notification]:
    """Of a form the text is that of its body: a field that stands twice needs no signature to be seen."""
    genuine = told(fields)
    return lambda change: replace(genuine, body=change(genuine.body.decode()).encode())


CAPTURED = paypal_builders.notification("PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture())
TOLD: dict[str, Told] = {
    "alipay": Told(
        alipay_builders.provider(), alipay_builders.notification(alipay_builders.trade()),
        lambda more: alipay_builders.notification(alipay_builders.trade() | more),
        form(alipay_builders.notification, alipay_builders.trade()),
        ("total_amount", b"&total_amount=88.88", b"&total_amount=00.01"),
        alipay_builders.notification(alipay_builders.trade(), key="mallory"),
        ({"app_id": "2021000122671235"}, {"seller_id": "2088621956155679"}),
    ),
    "wechat": Told(
        wechat_builders.provider(), wechat_builders.notification(wechat_builders.transaction()),
        lambda more: wechat_builders.notification(wechat_builders.transaction() | more), wechat_text,
        ("amount", b'"ciphertext":"', b'"ciphertext":"A'),
        wechat_builders.notification(
            wechat_builders.transaction(), platform=replace(wechat_builders.PLATFORM, key=keys.private("mallory"))
        ),
        ({"mchid": "1900000110"}, {"appid": "wx1111111111111111"}),
    ),
    "unionpay": Told(
        unionpay_builders.provider(), unionpay_builders.notification(unionpay_builders.payment()),
        lambda more: unionpay_builders.notification(unionpay_builders.payment() | more),
        form(unionpay_builders.notification, unionpay_builders.payment()), ("txnAmt", b"txnAmt=8888", b"txnAmt=0001"),
        unionpay_builders.notification(unionpay_builders.payment(), UNIONPAYS_FORGER), ({"merId": "777290058167152"},),
    ),
    "paypal": Told(
        paypal_builders.provider(), CAPTURED,
        lambda more: paypal_builders.notification("PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture() | more),
        lambda change: paypal_builders.signed_notification(change(CAPTURED.body.decode()).encode()),
        ("amount", b'"value":"88.88"', b'"value":"00.01"'),
        paypal_builders.notification("PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture(), key="mallory"),
        ({"payee": {"merchant_id": "3SQBR4YEWZ4BB"}},),
    ),
}  # fmt: skip
each = pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)


def refused(told: Told, notifications: Iterable[Notification], *codes: str) -> None:
    """Each of them, with one of these codes, and nothing of what was sent in what is said about it."""
    for notification in notifications:
        said = told.provider.verify(notification)
        assert isinstance(said, RejectedNotification), said
        assert said.code in codes, said
        assert MARK not in said.message


@each
def test_a_genuine_notification_is_accepted(told: Told) -> None:
    said = told.provider.verify(told.genuine)
    assert isinstance(said, PaymentReport)
    assert (said.status, said.amount) == ("captured", 8888)
    assert told.provider.verify(told.text(lambda text: text)) == said


@each
def test_a_wrong_signature(told: Told) -> None:
    refused(told, [told.forged], UNSIGNED)


@each
def test_a_tampered_amount(told: Told) -> None:
    _, was, becomes = told.amount
    assert told.genuine.body.count(was) == 1
    refused(told, [replace(told.genuine, body=told.genuine.body.replace(was, becomes))], UNSIGNED)


@each
def test_another_merchants_notification(told: Told) -> None:
    refused(told, [told.other(stranger) for stranger in told.strangers], STRANGER)


def test_another_apps_webhook_of_the_same_merchant() -> None:
    other = paypal_builders.notification(
        "PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture(), webhook_id="1JE4291016473214D"
    )
    refused(TOLD["paypal"], [other], UNSIGNED)


def test_an_unknown_serial_may_be_sound_where_its_certificate_can_be_had() -> None:
    fetched = wechat_builders.notification(wechat_builders.transaction(), platform=wechat_builders.OTHER_PLATFORM)
    assert TOLD["wechat"].provider.verify(fetched) == UnknownCertificate(wechat_builders.OTHER_SERIAL)
    fetched = paypal_builders.notification(
        "PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture(), url=paypal_builders.NEXT_URL
    )
    assert TOLD["paypal"].provider.verify(fetched) == UnknownCertificate(paypal_builders.NEXT_URL)
    brought = unionpay_builders.notification(unionpay_builders.payment(), unionpay_builders.signer(issued_by="forged"))
    refused(TOLD["unionpay"], [brought], UNSIGNED)


@each
def test_a_notification_that_is_played_again_is_the_same_fact_so_it_changes_nothing(told: Told) -> None:
    """No nonce is remembered: what protects is that a fact goes by provider, trade number and kind, and a copy has the
    same. The time window, where there is one, only bounds how long copies are listened to.
    """
    first, again = (told.provider.verify(told.genuine) for _ in range(2))
    assert first == again
    assert isinstance(first, PaymentReport)
    assert first.trade_no
    later = replace(told.genuine, received_at=told.genuine.received_at + timedelta(days=5))
    if told.provider.name in ("wechat", "paypal"):
        refused(told, [later], "PAY_CALLBACK_STALE")
    else:
        assert told.provider.verify(later) == first


@each
def test_a_nonce_that_is_used_again_for_something_else(told: Told) -> None:
    other = told.other({"out_trade_no": "P2", "orderId": "P20000000", "custom_id": "P2"})
    borrowed = {name: value for name, value in told.genuine.headers.items() if name != "content-type"}
    if told.provider.name in ("wechat", "paypal"):  # the others sign within the form
        refused(told, [replace(other, headers={**other.headers, **borrowed})], UNSIGNED)


@each
def test_nothing_is_fetched_to_verify(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("verifying talked to somebody")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    elsewhere = [replace(told.genuine, headers={**told.genuine.headers, "paypal-cert-url": paypal_builders.NEXT_URL})]
    for notification in (told.genuine, told.forged, *elsewhere):
        told.provider.verify(notification)
    fresh = type(told.provider)(told.provider._settings)  # type: ignore[attr-defined, call-arg]
    assert isinstance(fresh.verify(told.genuine), PaymentReport)


BOMBS = {
    "gzip": gzip.compress(bytes(40_000_000)), "deflate": zlib.compress(bytes(40_000_000)), "br": b"\x81" * 100,
    "zstd": b"\x28\xb5\x2f\xfd", "identity, gzip": b"x", "GZIP": b"x",
}  # fmt: skip


@each
def test_a_bomb_is_not_unpacked(told: Told) -> None:
    claimed = [
        replace(told.genuine, headers={**told.genuine.headers, "content-encoding": name}, body=body)
        for name, body in BOMBS.items()
    ]
    hidden = [replace(told.genuine, body=body) for body in BOMBS.values()]
    told.provider.verify(told.genuine)
    tracemalloc.start()
    try:
        refused(told, claimed, INVALID)
        refused(told, hidden, INVALID, UNSIGNED)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


MALFORMED = [
    b"", b"\x00", b"<xml><appid>1</appid></xml>", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 5000, b"[" * 65_000, b"&" * 60_000, b"=&=", b"a=1&" * 101,
    b"x" * 65_537,
]  # fmt: skip


@each
def test_malformed_xml_json_or_forms(told: Told) -> None:
    refused(told, [replace(told.genuine, body=body) for body in MALFORMED], INVALID, UNSIGNED)


SIGNED = [body for body in MALFORMED if len(body) < 60_000]


@pytest.mark.parametrize(
    ("name", "signed"),
    [("wechat", wechat_builders.signed_notification), ("paypal", paypal_builders.signed_notification)],
)
def test_malformed_json_even_when_it_is_signed(name: str, signed: Callable[[bytes], Notification]) -> None:
    refused(TOLD[name], map(signed, SIGNED), INVALID)


DOUBLES: dict[str, list[Callable[[str], str]]] = {
    "alipay": [lambda text: text + "&total_amount=88.88", lambda text: "total%5Famount=0.01&" + text],
    "wechat": [
        lambda text: text.replace('"total": 8888', '"total": 8888, "total": 8888'),
        lambda text: text[:-1] + ', "out_trade_no": "P2"}',
    ],
    "unionpay": [lambda text: text + "&txnAmt=8888", lambda text: "txn%41mt=1&" + text],
    "paypal": [
        lambda text: text.replace('"value":"88.88"', '"value":"88.88","value":"88.88"'),
        lambda text: text[:-1] + ',"event_type":"PAYMENT.CAPTURE.COMPLETED"}',
    ],
}


@each
def test_doubled_members_even_when_they_are_signed(told: Told) -> None:
    doubled = [told.text(change) for change in DOUBLES[told.provider.name]]
    refused(told, doubled, INVALID)


def spelled(told: Told, amount: Any) -> Notification:
    """The notification with its amount written so."""
    name = told.amount[0]
    nested = {"wechat": {"total": amount, "currency": "CNY"}, "paypal": {"value": amount, "currency_code": "EUR"}}
    return told.other({name: nested.get(told.provider.name, str(amount))})


HUGE = ["1e400", "9" * 20, "9" * 5000, "1" + "0" * 16, "1e3", "NaN", "Infinity", "-1", "0x10", "8888.0000000001", MARK]


@each
def test_huge_numbers_and_what_is_none(told: Told) -> None:
    numbers: list[Any] = [10**16, 10**19, 1.5, -1] if told.provider.name in ("wechat", "paypal") else []
    refused(told, [spelled(told, amount) for amount in [*HUGE, *numbers]], INVALID)


LONG_NUMBER = "1" * 4301


def test_a_number_of_thousands_of_digits_in_json() -> None:
    refused(TOLD["paypal"], [TOLD["paypal"].text(lambda text: text.replace('"88.88"', LONG_NUMBER))], INVALID)
    refused(TOLD["wechat"], [TOLD["wechat"].text(lambda text: text.replace(": 8888", f": {LONG_NUMBER}"))], INVALID)
