"""Every adapter rejects the same kinds of bad notifications (S0-08, S0-09).

tests/handlers/test_payment_attempts.py shows that a rejection changes no state, is counted, explained and stored.
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
from tests.providers import alipay_builders, keys, paypal_builders, stripe_builders, unionpay_builders, wechat_builders
from workers.providers.port import Notification, PaymentReport, Provider, RejectedNotification, UnknownCertificate

MARK = "SECRET-MARK"
UNSIGNED, INVALID, OTHER_MERCHANT = "PAY_SIGNATURE_INVALID", "PAY_CALLBACK_INVALID", "PAY_MERCHANT_MISMATCH"
UNIONPAYS_FORGER = unionpay_protocol.UnionPaySigner(keys.private("mallory"), unionpay_builders.signer().certificate)


@dataclass(frozen=True)
class Sample:
    """A payment notification of one provider: genuine, with other fields, with its signed text changed, and forged."""

    provider: Provider
    genuine: Notification
    other: Callable[[dict[str, Any]], Notification]
    text: Callable[[Callable[[str], str]], Notification]
    amount: tuple[str, bytes, bytes]
    """The name of the amount, its spelling in the body, and another one."""
    forged: Notification
    other_merchants: tuple[dict[str, Any], ...]


def wechat_text(change: Callable[[str], str]) -> Notification:
    """WeChat Pay encrypts the resource, so this changes the text before it is encrypted."""
    sealed = wechat_builders.PLATFORM.seal(
        change(json.dumps(wechat_builders.transaction())).encode(), "n" * 12, "transaction"
    )
    body = {**json.loads(wechat_builders.notification(wechat_builders.transaction()).body), "resource": sealed}
    return wechat_builders.signed_notification(json.dumps(body).encode())


def form(build: Callable[[Mapping[str, str]], Notification], fields: Mapping[str, str]) -> Callable[..., Notification]:
    """A form's text is its body. It is not signed again: a doubled field is rejected before verification."""
    genuine = build(fields)
    return lambda change: replace(genuine, body=change(genuine.body.decode()).encode())


CAPTURED = paypal_builders.completed()
SUCCEEDED = stripe_builders.succeeded()
SAMPLES: dict[str, Sample] = {
    "alipay": Sample(
        alipay_builders.provider(), alipay_builders.notification(alipay_builders.trade()),
        lambda more: alipay_builders.notification(alipay_builders.trade() | more),
        form(alipay_builders.notification, alipay_builders.trade()),
        ("total_amount", b"&total_amount=88.88", b"&total_amount=00.01"),
        alipay_builders.notification(alipay_builders.trade(), key="mallory"),
        ({"app_id": "2021000122671235"}, {"seller_id": "2088621956155679"}),
    ),
    "wechat": Sample(
        wechat_builders.provider(), wechat_builders.notification(wechat_builders.transaction()),
        lambda more: wechat_builders.notification(wechat_builders.transaction() | more), wechat_text,
        ("amount", b'"ciphertext":"', b'"ciphertext":"A'),
        wechat_builders.notification(
            wechat_builders.transaction(), platform=replace(wechat_builders.PLATFORM, key=keys.private("mallory"))
        ),
        ({"mchid": "1900000110"}, {"appid": "wx1111111111111111"}),
    ),
    "unionpay": Sample(
        unionpay_builders.provider(), unionpay_builders.notification(unionpay_builders.payment()),
        lambda more: unionpay_builders.notification(unionpay_builders.payment() | more),
        form(unionpay_builders.notification, unionpay_builders.payment()), ("txnAmt", b"txnAmt=8888", b"txnAmt=0001"),
        unionpay_builders.notification(unionpay_builders.payment(), UNIONPAYS_FORGER), ({"merId": "777290058167152"},),
    ),
    "paypal": Sample(
        paypal_builders.provider(), CAPTURED,
        lambda more: paypal_builders.completed(paypal_builders.capture() | more),
        lambda change: paypal_builders.signed_notification(change(CAPTURED.body.decode()).encode()),
        ("amount", b'"value":"88.88"', b'"value":"00.01"'),
        paypal_builders.completed(key="mallory"),
        ({"payee": {"merchant_id": "3SQBR4YEWZ4BB"}},),
    ),
    "stripe": Sample(
        stripe_builders.provider(), SUCCEEDED,
        lambda more: stripe_builders.succeeded(stripe_builders.intent(**more)),
        lambda change: stripe_builders.signed_notification(change(SUCCEEDED.body.decode()).encode()),
        ("amount_received", b'"amount_received":8888', b'"amount_received":1'),
        stripe_builders.succeeded(secrets=("whsec_mallory",)), ({"livemode": True},),
    ),
}  # fmt: skip
SIGNS_THE_TIME = frozenset({"wechat", "paypal", "stripe"})
"""Their signature is in headers, over the body and the time."""
each_provider = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def assert_rejected(sample: Sample, notifications: Iterable[Notification], *codes: str) -> None:
    """The provider rejects each notification with one of these codes, in a message without any of its content."""
    for notification in notifications:
        result = sample.provider.verify(notification)
        assert isinstance(result, RejectedNotification), result
        assert result.code in codes, result
        assert MARK not in result.message


@each_provider
def test_a_genuine_notification_is_accepted(sample: Sample) -> None:
    result = sample.provider.verify(sample.genuine)
    assert isinstance(result, PaymentReport)
    assert (result.status, result.amount) == ("captured", 8888)
    assert sample.provider.verify(sample.text(lambda text: text)) == result


@each_provider
def test_a_signature_by_another_key_is_rejected(sample: Sample) -> None:
    assert_rejected(sample, [sample.forged], UNSIGNED)


@each_provider
def test_an_altered_amount_is_rejected(sample: Sample) -> None:
    _, was, becomes = sample.amount
    assert sample.genuine.body.count(was) == 1
    assert_rejected(sample, [replace(sample.genuine, body=sample.genuine.body.replace(was, becomes))], UNSIGNED)


@each_provider
def test_a_notification_for_another_merchant_is_rejected(sample: Sample) -> None:
    assert_rejected(sample, [sample.other(fields) for fields in sample.other_merchants], OTHER_MERCHANT)


def test_a_notification_for_another_webhook_of_the_same_merchant_is_rejected() -> None:
    other = paypal_builders.completed(webhook_id="1JE4291016473214D")
    assert_rejected(SAMPLES["paypal"], [other], UNSIGNED)


def test_an_unknown_certificate_is_reported_where_it_can_be_downloaded_and_rejected_elsewhere() -> None:
    notification = wechat_builders.notification(wechat_builders.transaction(), platform=wechat_builders.OTHER_PLATFORM)
    assert SAMPLES["wechat"].provider.verify(notification) == UnknownCertificate(wechat_builders.OTHER_SERIAL)
    notification = paypal_builders.completed(url=paypal_builders.NEXT_URL)
    assert SAMPLES["paypal"].provider.verify(notification) == UnknownCertificate(paypal_builders.NEXT_URL)
    notification = unionpay_builders.notification(
        unionpay_builders.payment(), unionpay_builders.signer(issued_by="forged")
    )
    assert_rejected(SAMPLES["unionpay"], [notification], UNSIGNED)


@each_provider
def test_a_replayed_notification_is_the_same_report_and_so_changes_nothing(sample: Sample) -> None:
    """We store no nonces. A replay is harmless: a payment event is identified by provider, trade number and kind, and a
    copy has the same three. A time window, where a provider has one, only limits how long copies are accepted.
    """
    first, again = (sample.provider.verify(sample.genuine) for _ in range(2))
    assert first == again
    assert isinstance(first, PaymentReport)
    assert first.trade_no
    later = replace(sample.genuine, received_at=sample.genuine.received_at + timedelta(days=5))
    if sample.provider.name in SIGNS_THE_TIME:
        assert_rejected(sample, [later], "PAY_CALLBACK_STALE")
    else:
        assert sample.provider.verify(later) == first


@each_provider
def test_signature_headers_of_another_notification_are_rejected(sample: Sample) -> None:
    other = sample.other({"out_trade_no": "P2", "orderId": "P20000000", "custom_id": "P2", "id": "P2"})
    borrowed = {name: value for name, value in sample.genuine.headers.items() if name != "content-type"}
    if sample.provider.name in SIGNS_THE_TIME:  # the others sign within the form
        assert_rejected(sample, [replace(other, headers={**other.headers, **borrowed})], UNSIGNED)


@each_provider
def test_verification_opens_no_connection(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the verification opened a connection")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    elsewhere = [
        replace(sample.genuine, headers={**sample.genuine.headers, "paypal-cert-url": paypal_builders.NEXT_URL})
    ]
    for notification in (sample.genuine, sample.forged, *elsewhere):
        sample.provider.verify(notification)
    fresh = type(sample.provider)(sample.provider._settings)  # type: ignore[attr-defined, call-arg]
    assert isinstance(fresh.verify(sample.genuine), PaymentReport)


COMPRESSED_BODIES = {
    "gzip": gzip.compress(bytes(40_000_000)), "deflate": zlib.compress(bytes(40_000_000)), "br": b"\x81" * 100,
    "zstd": b"\x28\xb5\x2f\xfd", "identity, gzip": b"x", "GZIP": b"x",
}  # fmt: skip


@each_provider
def test_a_compressed_body_is_rejected_without_decompression(sample: Sample) -> None:
    claimed = [
        replace(sample.genuine, headers={**sample.genuine.headers, "content-encoding": name}, body=body)
        for name, body in COMPRESSED_BODIES.items()
    ]
    hidden = [replace(sample.genuine, body=body) for body in COMPRESSED_BODIES.values()]
    sample.provider.verify(sample.genuine)
    tracemalloc.start()
    try:
        assert_rejected(sample, claimed, INVALID)
        assert_rejected(sample, hidden, INVALID, UNSIGNED)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


MALFORMED = [
    b"", b"\x00", b"<xml><appid>1</appid></xml>", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 5000, b"[" * 65_000, b"&" * 60_000, b"=&=", b"a=1&" * 101,
    b"x" * 65_537,
]  # fmt: skip


@each_provider
def test_malformed_xml_json_and_forms_are_rejected(sample: Sample) -> None:
    assert_rejected(sample, [replace(sample.genuine, body=body) for body in MALFORMED], INVALID, UNSIGNED)


SIGNED = [body for body in MALFORMED if len(body) < 60_000]


@pytest.mark.parametrize(
    ("name", "signed"),
    [
        ("wechat", wechat_builders.signed_notification),
        ("paypal", paypal_builders.signed_notification),
        ("stripe", stripe_builders.signed_notification),
    ],
)
def test_malformed_json_is_rejected_even_when_it_is_signed(name: str, signed: Callable[[bytes], Notification]) -> None:
    assert_rejected(SAMPLES[name], map(signed, SIGNED), INVALID)


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
    "stripe": [
        lambda text: text.replace('"amount_received":8888', '"amount_received":8888,"amount_received":8888'),
        lambda text: text[:-1] + ',"type":"payment_intent.succeeded"}',
    ],
}


@each_provider
def test_a_doubled_member_is_rejected_even_when_it_is_signed(sample: Sample) -> None:
    doubled = [sample.text(change) for change in DOUBLES[sample.provider.name]]
    assert_rejected(sample, doubled, INVALID)


def with_amount(sample: Sample, amount: Any) -> Notification:
    """The notification with its amount written like this."""
    name = sample.amount[0]
    money = {"value": amount, "currency_code": "EUR"}
    nested = {"wechat": {"total": amount, "currency": "CNY"}, "paypal": money, "stripe": amount}
    return sample.other({name: nested.get(sample.provider.name, str(amount))})


HUGE = ["1e400", "9" * 20, "9" * 5000, "1" + "0" * 16, "1e3", "NaN", "Infinity", "-1", "0x10", "8888.0000000001", MARK]


@each_provider
def test_an_amount_that_is_huge_or_not_a_number_is_rejected(sample: Sample) -> None:
    numbers: list[Any] = [10**16, 10**19, 1.5, -1] if sample.provider.name in SIGNS_THE_TIME else []
    assert_rejected(sample, [with_amount(sample, amount) for amount in [*HUGE, *numbers]], INVALID)


LONG_NUMBER = "1" * 4301


def test_a_json_number_of_thousands_of_digits_is_rejected() -> None:
    assert_rejected(
        SAMPLES["paypal"], [SAMPLES["paypal"].text(lambda text: text.replace('"88.88"', LONG_NUMBER))], INVALID
    )
    assert_rejected(
        SAMPLES["wechat"], [SAMPLES["wechat"].text(lambda text: text.replace(": 8888", f": {LONG_NUMBER}"))], INVALID
    )
    assert_rejected(
        SAMPLES["stripe"], [SAMPLES["stripe"].text(lambda text: text.replace(":8888", f":{LONG_NUMBER}"))], INVALID
    )
