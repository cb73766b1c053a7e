"""Which notifications of PayPal are believed, and what the adapter reads in them (S0-08, S0-09, S1-16)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.authorities import pem
from tests.providers import keys
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import (
    AT,
    ATTEMPT,
    CAPTURE,
    NEXT_URL,
    ORDER,
    URL,
    capture,
    certificate,
    refund,
)
from workers.providers.paypal import RETRY_SCHEDULE_SECONDS, PayPal
from workers.providers.port import (
    ApprovalReport,
    IrrelevantNotification,
    Notification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedPayment,
    UnknownCertificate,
)

PROVIDER = builders.provider()
WINDOW = timedelta(days=4)
COMPLETED = builders.completed()
PAID = PaymentReport(
    ATTEMPT.out_trade_no,
    CAPTURE,
    ReportedPayment.CAPTURED,
    8888,
    "EUR",
    AT + timedelta(seconds=40),
    capture_no=ATTEMPT.out_trade_no,
)


def code_of(notification: Notification, provider: PayPal = PROVIDER) -> str:
    result = provider.verify(notification)
    assert isinstance(result, RejectedNotification), result
    return result.code


def test_a_capture_is_reported_with_its_numbers_amount_and_time() -> None:
    assert PROVIDER.verify(COMPLETED) == PAID


def test_an_approval_names_the_order_that_we_must_capture() -> None:
    result = PROVIDER.verify(builders.notification("CHECKOUT.ORDER.APPROVED", builders.order("APPROVED")))
    assert result == ApprovalReport(ATTEMPT.out_trade_no, ORDER)


def test_all_25_copies_within_three_days_are_the_same_report() -> None:
    assert (len(RETRY_SCHEDULE_SECONDS), sum(RETRY_SCHEDULE_SECONDS)) == (25, 3 * 86_400)
    for copy in range(26):
        late = AT + timedelta(seconds=sum(RETRY_SCHEDULE_SECONDS[:copy]))
        assert PROVIDER.verify(replace(COMPLETED, received_at=late)) == PAID


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        ("COMPLETED", "COMPLETED", "captured"),
        ("COMPLETED", "PARTIALLY_REFUNDED", "captured"),
        ("COMPLETED", "REFUNDED", "captured"),
        ("PENDING", "PENDING", "pending"),
        ("DENIED", "DENIED", "failed"),
        ("DECLINED", "DECLINED", "failed"),
        ("DENIED", "FAILED", "failed"),
    ],
)
def test_the_status_of_a_capture_is_reported_with_its_reason(event: str, status: str, expected: str) -> None:
    details = {"reason": "PENDING_REVIEW"}
    result = PROVIDER.verify(
        builders.notification(f"PAYMENT.CAPTURE.{event}", capture(status=status, status_details=details))
    )
    assert isinstance(result, PaymentReport)
    assert (result.status, result.reason) == (expected, "PENDING_REVIEW")


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        ("PAYMENT.CAPTURE.REFUNDED", "COMPLETED", "succeeded"),
        ("PAYMENT.REFUND.PENDING", "PENDING", "processing"),
        ("PAYMENT.REFUND.FAILED", "FAILED", "failed"),
        ("PAYMENT.REFUND.FAILED", "CANCELLED", "failed"),
    ],
)
def test_the_status_of_a_refund_is_reported(event: str, status: str, expected: str) -> None:
    result = PROVIDER.verify(builders.notification(event, refund(status=status)))
    assert isinstance(result, RefundReport)
    number, at = builders.REFUND_ORDER.refund_no, AT + timedelta(hours=1)
    assert result == RefundReport(
        number, result.status, 88, "EUR", at, trade_no=builders.CAPTURE, provider_no=builders.REFUND_ID
    )
    assert result.status == expected


def test_a_refund_that_was_made_at_paypal_is_known_by_paypals_number_and_its_capture() -> None:
    theirs = builders.REFUND_ID
    for invoice_id, number in ((None, theirs), (builders.ATTEMPT.out_trade_no, builders.ATTEMPT.out_trade_no)):
        result = PROVIDER.verify(builders.notification("PAYMENT.CAPTURE.REFUNDED", refund(invoice_id=invoice_id)))
        assert isinstance(result, RefundReport)
        assert (result.refund_no, result.provider_no, result.trade_no) == (number, theirs, builders.CAPTURE)
        assert not result.reversal


def test_a_reversal_is_a_refund_that_the_merchant_did_not_make() -> None:
    result = PROVIDER.verify(builders.notification("PAYMENT.CAPTURE.REVERSED", refund(invoice_id=None)))
    assert isinstance(result, RefundReport)
    assert (result.provider_no, result.trade_no, result.reversal) == (builders.REFUND_ID, builders.CAPTURE, True)


@pytest.mark.parametrize(
    "links", [[], [{"rel": "self", "href": "https://api.paypal.com/v2/payments/captures/1"}], None]
)
def test_a_refund_without_a_link_to_its_capture_does_not_name_one(links: object) -> None:
    result = PROVIDER.verify(builders.notification("PAYMENT.CAPTURE.REFUNDED", refund(links=links)))
    assert isinstance(result, RefundReport)
    assert result.trade_no is None


@pytest.mark.parametrize(
    "event",
    ["CHECKOUT.ORDER.COMPLETED", "RISK.DISPUTE.CREATED", "PAYMENT.SALE.COMPLETED"],
)
def test_other_events_are_irrelevant(event: str) -> None:
    assert PROVIDER.verify(builders.notification(event, {"id": "1"})) == IrrelevantNotification(event)


def test_an_order_that_is_already_captured_is_irrelevant() -> None:
    result = PROVIDER.verify(builders.notification("CHECKOUT.ORDER.APPROVED", builders.order("COMPLETED")))
    assert result == IrrelevantNotification("CHECKOUT.ORDER.APPROVED")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(COMPLETED.body) - 1), st.integers(0, 7))
def test_a_body_with_any_bit_flipped_is_rejected(place: int, bit: int) -> None:
    flipped = bytearray(COMPLETED.body)
    flipped[place] ^= 1 << bit
    assert code_of(replace(COMPLETED, body=bytes(flipped))) == "PAY_SIGNATURE_INVALID"


SIGNED_HEADERS = [name for name in COMPLETED.headers if name.startswith("paypal-transmission-")]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SIGNED_HEADERS), st.integers(0, 1000), st.integers(0, 6))
def test_a_header_with_any_bit_flipped_is_rejected(name: str, place: int, bit: int) -> None:
    value = COMPLETED.headers[name]
    at = place % len(value)
    flipped = value[:at] + chr(ord(value[at]) ^ 1 << bit) + value[at + 1 :]
    assert code_of(replace(COMPLETED, headers={**COMPLETED.headers, name: flipped})).startswith("PAY_")


@pytest.mark.parametrize("name", [*SIGNED_HEADERS, "paypal-cert-url", "paypal-auth-algo"])
def test_a_notification_with_a_missing_or_empty_header_is_rejected(name: str) -> None:
    without = {key: value for key, value in COMPLETED.headers.items() if key != name}
    for headers in (without, {**without, name: ""}):
        assert code_of(replace(COMPLETED, headers=headers)) == "PAY_SIGNATURE_INVALID"


def test_the_same_json_serialized_differently_is_rejected() -> None:
    for body in (json.dumps(json.loads(COMPLETED.body)).encode(), orjson.dumps(orjson.loads(COMPLETED.body)) + b"\n"):
        assert code_of(replace(COMPLETED, body=body)) == "PAY_SIGNATURE_INVALID"


def test_a_bar_in_the_time_does_not_shift_the_signed_fields() -> None:
    moved = {
        "paypal-transmission-id": f"{builders.TRANSMISSION}|x",
        "paypal-transmission-time": "2026-11-22T02:59:30Z|",
    }
    for name, value in moved.items():
        assert code_of(replace(COMPLETED, headers={**COMPLETED.headers, name: value})) == "PAY_SIGNATURE_INVALID"


def test_a_notification_for_another_webhook_is_rejected() -> None:
    assert code_of(builders.completed(webhook_id="1JE4291016473214D")) == "PAY_SIGNATURE_INVALID"


def test_while_a_webhook_is_replaced_notifications_of_both_are_believed() -> None:
    both = builders.provider(webhook_ids=["1JE4291016473214D", builders.WEBHOOK])
    for webhook in (builders.WEBHOOK, "1JE4291016473214D"):
        assert both.verify(builders.completed(webhook_id=webhook)) == PAID


def test_while_the_issuer_is_replaced_certificates_of_both_are_believed() -> None:
    pinned = [builders.authority(), builders.authority("DigiCert 2")]
    both = builders.provider(
        root_certificates=[pem(one.root) for one in pinned],
        intermediate_certificates=[pem(one.issuer) for one in pinned],
        certificates={URL: certificate(), NEXT_URL: certificate("paypal's next", issued_by="DigiCert 2")},
    )
    new = builders.completed(key="paypal's next", url=NEXT_URL)
    assert [both.verify(one) for one in (COMPLETED, new)] == [PAID, PAID]
    assert [code_of(builders.completed(url=NEXT_URL), both)] == ["PAY_SIGNATURE_INVALID"]


@pytest.mark.parametrize("payment", ["capture", "order"])
def test_a_notification_about_another_merchants_payment_is_rejected(payment: str) -> None:
    payee = {"merchant_id": "3SQBR4YEWZ4BB"}
    approved = builders.order("APPROVED")
    approved["purchase_units"][0]["payee"] = payee
    notification = (
        builders.notification("CHECKOUT.ORDER.APPROVED", approved)
        if payment == "order"
        else builders.completed(capture(payee=payee))
    )
    assert code_of(notification) == "PAY_MERCHANT_MISMATCH"


@pytest.mark.parametrize("offset", [timedelta(minutes=-5), WINDOW])
def test_a_notification_is_believed_until_the_last_microsecond_of_its_time_window(offset: timedelta) -> None:
    beyond = timedelta(microseconds=1 if offset > timedelta() else -1)
    assert PROVIDER.verify(replace(COMPLETED, received_at=AT + offset)) == PAID
    assert code_of(replace(COMPLETED, received_at=AT + offset + beyond)) == "PAY_CALLBACK_STALE"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_the_calendar_is_stale(time: str) -> None:
    headers = {**COMPLETED.headers, "paypal-transmission-time": time}
    assert code_of(replace(COMPLETED, headers=headers)) == "PAY_CALLBACK_STALE"


def test_a_certificate_that_is_not_known_yet_is_reported_by_its_address() -> None:
    notification = builders.completed(key="paypal's next", url=NEXT_URL)
    assert PROVIDER.verify(notification) == UnknownCertificate(NEXT_URL)
    updated = PROVIDER.with_certificates({NEXT_URL: certificate("paypal's next")})
    assert [updated.verify(one) for one in (notification, COMPLETED)] == [PAID, PAID]
    assert PROVIDER.verify(notification) == UnknownCertificate(NEXT_URL)


CERTS = "/v1/notifications/certs"
ELSEWHERE = [
    f"https://api.paypal.com.evil.example{CERTS}/CERT-1",
    f"http://api.paypal.com{CERTS}/CERT-1",
    f"https://api.paypal.com@evil.example{CERTS}/CERT-1",
    "https://evil.example/https://api.paypal.com/",
    f"https://api.paypal.com:8443{CERTS}/CERT-1",
    f"https://apixpaypal.com{CERTS}/CERT-1",
    f"https://api.paypal.com{CERTS}/../../oauth2/token",
    f"https://api.paypal.com{CERTS}/",
    f"https://api.paypal.com{CERTS}/CERT-1?x=1",
    f"https://api.paypal.com{CERTS}/CERT-1\n",
    f"https://www.paypal.com{CERTS}/CERT-1",
    "file:///etc/passwd",
    "https://api.paypal.com/redirect",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_certificate_from_another_address_is_neither_fetched_nor_accepted(url: str) -> None:
    assert code_of(builders.completed(url=url)) == "PAY_SIGNATURE_INVALID"
    assert PROVIDER.certificates(AT, url) is None
    careless = PROVIDER.with_certificates({url: certificate()})
    assert code_of(builders.completed(url=url), careless) == "PAY_SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "url",
    ["https://api.paypal.com/v1/notifications/certs/CERT-1", "https://api-m.paypal.com/v1/notifications/certs/CERT-1"],
)
def test_a_certificate_may_be_at_either_of_paypals_addresses(url: str) -> None:
    assert PROVIDER.verify(builders.completed(url=url)) == UnknownCertificate(url)


INVALID_CERTIFICATES: dict[str, Callable[[], str]] = {
    "issued by another authority": lambda: certificate(issued_by="forged"),
    "issued for another name": lambda: certificate(name="www.paypal.com"),
    "issued for a name around it": lambda: certificate(name=f"{protocol.HOLDER}.evil.example"),
    "without a name in it": lambda: pem(
        builders.authority().certificate(
            keys.private("paypal").public_key(), protocol.HOLDER, since=AT - timedelta(days=1)
        )
    ),
    "issued by itself": lambda: keys.certificate_pem("paypal", 1),
    "expired": lambda: certificate(since=AT - timedelta(days=100), days=99),
    "not valid yet": lambda: certificate(since=AT + timedelta(days=1)),
    "no certificate": lambda: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("what", INVALID_CERTIFICATES)
def test_a_signature_with_an_invalid_certificate_is_rejected(what: str) -> None:
    configured = builders.provider(certificates={URL: INVALID_CERTIFICATES[what]()})
    assert code_of(COMPLETED, configured) == "PAY_SIGNATURE_INVALID"


def test_a_signature_by_another_key_than_the_certificates_is_rejected() -> None:
    assert code_of(builders.completed(key="forger")) == "PAY_SIGNATURE_INVALID"


def test_a_certificate_is_believed_only_while_it_is_valid_even_if_it_was_believed_before() -> None:
    short = builders.provider(certificates={URL: certificate(since=AT, days=1)})
    until = AT + timedelta(days=1)
    for received_at, believed in ((AT, True), (until, True), (until + timedelta(seconds=1), False), (AT, True)):
        assert (short.verify(replace(COMPLETED, received_at=received_at)) == PAID) is believed
    assert code_of(replace(COMPLETED, received_at=AT - timedelta(seconds=1)), short) == "PAY_SIGNATURE_INVALID"


def test_the_intermediate_certificate_may_come_with_the_certificate_or_from_the_settings() -> None:
    chain = certificate() + pem(builders.authority().issuer)
    bare = {"intermediate_certificates": [], "certificates": {URL: certificate()}}
    assert code_of(COMPLETED, builders.provider(**bare)) == "PAY_SIGNATURE_INVALID"
    assert builders.provider(**bare | {"certificates": {URL: chain}}).verify(COMPLETED) == PAID


@pytest.mark.parametrize("algorithm", ["SHA1withRSA", "none", "SHA256withRSA "])
def test_other_signature_algorithms_are_rejected(algorithm: str) -> None:
    headers = {**COMPLETED.headers, "paypal-auth-algo": algorithm}
    assert code_of(replace(COMPLETED, headers=headers)) == "PAY_SIGNATURE_INVALID"


MALFORMED = {
    "nothing": b"", "no JSON": b"<xml/>", "a list": b"[]", "a text": b'"PAYMENT.CAPTURE.COMPLETED"', "no event": b"{}",
    "no resource": b'{"event_type": "PAYMENT.CAPTURE.COMPLETED"}', "half": COMPLETED.body[:-1],
    "a resource that is none": b'{"event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": []}',
    "an event that is none": b'{"event_type": "DROP TABLE orders", "resource": {}}',
    "no UTF-8": b'{"event_type": "\xff"}', "depth": b'{"resource":' * 2000 + b"1" + b"}" * 2000,
    "NaN": b'{"event_type": NaN}', "a huge number": b'{"event_type": 1e999}',
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_a_signed_but_malformed_body_is_rejected(what: str) -> None:
    assert code_of(builders.signed_notification(MALFORMED[what])) == "PAY_CALLBACK_INVALID"


def test_a_too_large_or_compressed_body_is_rejected_unread() -> None:
    large = COMPLETED.body + b" " * 65_536
    assert code_of(builders.signed_notification(large)) == "PAY_CALLBACK_INVALID"
    assert code_of(builders.signed_notification(COMPLETED.body, content_encoding="gzip")) == "PAY_CALLBACK_INVALID"
    assert PROVIDER.verify(builders.signed_notification(COMPLETED.body, content_encoding="identity")) == PAID


AMOUNTS: list[tuple[str, str, int | None]] = [
    ("88.88", "EUR", 8888), ("0.01", "EUR", 1), ("88", "EUR", 8800), ("88.8", "EUR", 8880), ("500", "JPY", 500),
    ("88.888", "EUR", None), ("1e3", "EUR", None), (" 88", "EUR", None), ("88 ", "EUR", None), ("-88.88", "EUR", None),
    ("+88.88", "EUR", None), ("88,88", "EUR", None), (".88", "EUR", None), ("88.", "EUR", None), ("", "EUR", None),
    ("0.00", "EUR", None), ("500.0", "JPY", None), ("٨٨", "EUR", None), ("088.88", "EUR", None),
    ("1" * 16, "EUR", None),
    ("88.88\n", "EUR", None), ("NaN", "EUR", None), ("88.88", "EURO", None), ("88.88", "", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "currency", "minor"), AMOUNTS)
def test_amounts_are_exact_decimals(value: str, currency: str, minor: int | None) -> None:
    result = PROVIDER.verify(builders.completed(capture(amount={"value": value, "currency_code": currency})))
    assert (result.amount if isinstance(result, PaymentReport) else None) == minor
    assert isinstance(result, PaymentReport | RejectedNotification)


@pytest.mark.parametrize("value", [88.88, 8888, None, ["88.88"], True, {"value": "88.88"}])
def test_an_amount_that_is_a_json_number_is_rejected(value: object) -> None:
    wrong_capture = capture(amount={"value": value, "currency_code": "EUR"})
    assert code_of(builders.completed(wrong_capture)) == "PAY_CALLBACK_INVALID"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("PAYMENT.CAPTURE.COMPLETED", {"status": "DONE"}), ("PAYMENT.CAPTURE.COMPLETED", {"id": "../1"}),
    ("PAYMENT.CAPTURE.COMPLETED", {"id": 1}), ("PAYMENT.CAPTURE.COMPLETED", {"create_time": "2026-11-22"}),
    ("PAYMENT.CAPTURE.COMPLETED", {"create_time": "2026-11-22T25:59:30Z"}),
    ("PAYMENT.CAPTURE.COMPLETED", {"payee": []}),
    ("PAYMENT.CAPTURE.COMPLETED", {"custom_id": "Größe"}),
    ("PAYMENT.CAPTURE.COMPLETED", {"custom_id": None, "invoice_id": None}),
    ("PAYMENT.CAPTURE.REFUNDED", {"id": None}), ("PAYMENT.CAPTURE.REFUNDED", {"status": "DONE"}),
    ("CHECKOUT.ORDER.APPROVED", {"purchase_units": []}), ("CHECKOUT.ORDER.APPROVED", {"purchase_units": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "change"), WRONG)
def test_a_signed_notification_with_a_malformed_field_is_rejected(event: str, change: dict[str, Any]) -> None:
    resource = {"CHECKOUT": builders.order("APPROVED"), "PAYMENT.CAPTURE.C": capture(), "PAYMENT.CAPTURE.R": refund()}
    valid = next(value for start, value in resource.items() if event.startswith(start))
    result = PROVIDER.verify(builders.notification(event, valid | change))
    assert isinstance(result, RejectedNotification)
    assert result.code == "PAY_CALLBACK_INVALID"
    assert not any(str(value) in result.message for value in change.values() if isinstance(value, str))


def test_reprs_show_neither_secrets_nor_the_content_of_messages() -> None:
    token = PROVIDER.token()
    assert "aHVzaC" not in repr(token), "base64 of hush"
    for shown in (
        builders.settings(),
        PROVIDER,
        vars(PROVIDER),
        token,
        COMPLETED,
        builders.answer({"access_token": "hush"}),
    ):
        assert "hush" not in repr(shown) + str(shown)
        assert ATTEMPT.out_trade_no not in repr(shown)
