"""A notification of WeChat Pay is believed only if it is signed, encrypted, for us and recent (S0-08, S0-09, S1-16)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.gateways.wechat_protocol import moment
from tests.providers import keys
from tests.providers import wechat_builders as builders
from tests.providers.wechat_builders import AT, OTHER_PLATFORM, OTHER_SERIAL, PLATFORM, PUBLIC_KEY_ID, SERIAL
from workers.domain.codes import Code
from workers.providers.port import (
    IrrelevantNotification,
    Notification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedPayment,
    UnknownCertificate,
)
from workers.providers.wechat import RETRY_SCHEDULE_SECONDS

WECHAT = builders.provider()
PAID = PaymentReport(builders.ATTEMPT.out_trade_no, builders.TRADE_NO, ReportedPayment.CAPTURED, 8888, "CNY", AT)
GENUINE = builders.notification(builders.transaction())


def code(result: object) -> str:
    """The code with which a notification was rejected."""
    assert isinstance(result, RejectedNotification), result
    return result.code


def test_wechat_pay_retries_for_24_hours_and_4_minutes_as_documented() -> None:
    assert len(RETRY_SCHEDULE_SECONDS) == 15
    assert sum(RETRY_SCHEDULE_SECONDS) == 24 * 3600 + 4 * 60


def test_a_payment_is_reported_with_its_numbers_amount_and_time() -> None:
    assert WECHAT.verify(GENUINE) == PAID


def test_a_payment_in_the_mobile_app_is_believed_too() -> None:
    assert WECHAT.verify(builders.notification(builders.transaction(appid=builders.APP_APPID))) == PAID


def test_a_partly_refunded_payment_is_a_captured_payment() -> None:
    assert WECHAT.verify(builders.notification(builders.transaction(state="REFUND"))) == PAID


@pytest.mark.parametrize("after", [0, *RETRY_SCHEDULE_SECONDS])
def test_each_copy_is_signed_and_encrypted_again_and_is_the_same_report(after: int) -> None:
    copy = builders.notification(builders.transaction(), at=AT + timedelta(seconds=after), nonce=f"nonce{after:07d}")
    assert WECHAT.verify(copy) == PAID


REFUNDS = [("SUCCESS", "succeeded", None), ("ABNORMAL", "failed", "ABNORMAL"), ("CLOSED", "failed", "CLOSED")]


@pytest.mark.parametrize(("state", "status", "reason"), REFUNDS)
def test_the_status_of_a_refund_is_reported(state: str, status: Any, reason: str | None) -> None:
    notification = builders.notification(builders.refund(state=state), f"REFUND.{state}")
    number, capture = builders.REFUND_ORDER.refund_no, builders.TRADE_NO
    assert WECHAT.verify(notification) == RefundReport(number, status, 888, "CNY", AT, reason, trade_no=capture)


def test_a_notification_of_another_kind_is_irrelevant_and_not_decrypted() -> None:
    body = json.dumps({"event_type": "PAYSCORE.USER_OPEN_SERVICE", "resource": "sealed"}).encode()
    assert WECHAT.verify(builders.signed_notification(body)) == IrrelevantNotification("PAYSCORE.USER_OPEN_SERVICE")


@given(st.integers(0, len(GENUINE.body) - 1), st.integers(1, 255))
def test_a_body_with_any_byte_changed_is_rejected(index: int, change: int) -> None:
    body = bytearray(GENUINE.body)
    body[index] ^= change
    assert code(WECHAT.verify(replace(GENUINE, body=bytes(body)))) == "PAY_SIGNATURE_INVALID"


SIGNED_HEADERS = ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"]


@given(st.sampled_from(SIGNED_HEADERS), st.data())
def test_a_signature_header_with_any_character_changed_is_rejected(name: str, data: st.DataObject) -> None:
    value = GENUINE.headers[name]
    index = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c.upper() != value[index].upper()))
    result = WECHAT.verify(
        replace(GENUINE, headers={**GENUINE.headers, name: value[:index] + other + value[index + 1 :]})
    )
    assert isinstance(result, RejectedNotification) or (
        name == "wechatpay-serial" and isinstance(result, UnknownCertificate)
    )


@pytest.mark.parametrize("name", SIGNED_HEADERS)
@pytest.mark.parametrize("value", ["", " ", "a\nb", "x" * 5000, None, "\ud800"])
def test_a_missing_or_malformed_signature_header_is_rejected(name: str, value: str | None) -> None:
    headers = {key: text for key, text in GENUINE.headers.items() if key != name}
    notification = replace(GENUINE, headers=headers if value is None else {**headers, name: value})
    assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID"


def test_a_signature_in_another_base64_spelling_is_rejected() -> None:
    signature = GENUINE.headers["wechatpay-signature"]
    assert signature.endswith("==")  # so four bits of the last character are not part of it
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(signature[-3]) ^ 1]
    for spelled in (f"{signature[:-3]}{other}==", f"{signature}\n", f" {signature}", signature.rstrip("=")):
        notification = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature": spelled})
        assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID", spelled[-4:]


def test_a_probe_of_wechat_pay_with_a_false_signature_is_rejected() -> None:
    probe = "WECHATPAY/SIGNTEST/" + GENUINE.headers["wechatpay-signature"]
    notification = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature": probe})
    assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID"


def test_a_signature_with_another_algorithm_is_rejected() -> None:
    notification = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"})
    assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID"


def test_a_body_that_was_parsed_and_serialized_again_is_rejected() -> None:
    notification = replace(GENUINE, body=json.dumps(json.loads(GENUINE.body), ensure_ascii=False).encode())
    assert json.loads(notification.body) == json.loads(GENUINE.body)
    assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID"


@given(st.dictionaries(st.sampled_from([*SIGNED_HEADERS, "content-encoding"]), st.text()), st.binary())
def test_arbitrary_headers_and_bytes_are_rejected_without_an_exception(headers: dict[str, str], body: bytes) -> None:
    assert isinstance(WECHAT.verify(Notification(headers, body, AT)), RejectedNotification)


def test_a_certificate_that_is_not_known_yet_is_reported_by_its_serial() -> None:
    notification = builders.notification(builders.transaction(), platform=OTHER_PLATFORM)
    assert WECHAT.verify(notification) == UnknownCertificate(OTHER_SERIAL)
    wider = WECHAT.with_certificates({OTHER_SERIAL: builders.certificate("wechat, next", OTHER_SERIAL)})
    assert wider.verify(notification) == PAID
    assert wider.verify(GENUINE) == PAID
    assert WECHAT.verify(notification) == UnknownCertificate(OTHER_SERIAL)


def test_a_certificate_is_known_by_the_serial_in_it_and_not_by_its_name_in_the_settings() -> None:
    pem = builders.certificate("wechat, next", OTHER_SERIAL)
    wider = builders.provider(platform_keys={}).with_certificates({SERIAL: pem})
    assert wider.verify(GENUINE) == UnknownCertificate(SERIAL)
    assert wider.verify(builders.notification(builders.transaction(), platform=OTHER_PLATFORM)) == PAID


def test_a_serial_is_compared_as_a_number() -> None:
    small = replace(PLATFORM, serial="0B")
    wider = WECHAT.with_certificates({"b": builders.certificate(serial="0B")})
    assert wider.verify(builders.notification(builders.transaction(), platform=small)) == PAID


def test_a_signature_by_wechat_pays_public_key_is_believed() -> None:
    named = replace(OTHER_PLATFORM, serial=PUBLIC_KEY_ID)
    both = builders.provider(
        platform_keys={SERIAL: builders.certificate(), PUBLIC_KEY_ID: keys.public_pem("wechat, next")}
    )
    assert both.verify(GENUINE) == PAID
    assert both.verify(builders.notification(builders.transaction(), platform=named)) == PAID
    assert WECHAT.verify(builders.notification(builders.transaction(), platform=named)) == UnknownCertificate(
        PUBLIC_KEY_ID
    )


def test_a_signature_by_another_key_under_a_known_serial_is_rejected() -> None:
    notification = builders.notification(
        builders.transaction(), platform=replace(PLATFORM, key=keys.private("mallory"))
    )
    assert code(WECHAT.verify(notification)) == "PAY_SIGNATURE_INVALID"


@pytest.mark.parametrize("since", [AT - timedelta(days=31), AT + timedelta(days=1)])
def test_a_certificate_that_is_expired_or_not_yet_valid_is_rejected(since: datetime) -> None:
    ended = builders.provider(platform_keys={SERIAL: builders.certificate(since=since, days=30)})
    assert code(ended.verify(GENUINE)) == "PAY_SIGNATURE_INVALID"


def test_a_resource_encrypted_with_either_of_two_apiv3_keys_is_decrypted() -> None:
    both = builders.provider(apiv3_keys=(builders.OTHER_APIV3_KEY, builders.APIV3_KEY))
    later = replace(PLATFORM, apiv3_key=builders.OTHER_APIV3_KEY.encode())
    assert both.verify(GENUINE) == both.verify(builders.notification(builders.transaction(), platform=later)) == PAID
    assert code(WECHAT.verify(builders.notification(builders.transaction(), platform=later))) == "PAY_CALLBACK_INVALID"


SECOND = timedelta(seconds=1)
TIMES = [
    (timedelta(), True), (300 * SECOND, True), (-300 * SECOND, True), (301 * SECOND, False), (-301 * SECOND, False),
    (timedelta(seconds=300, microseconds=1), False), (timedelta(hours=24), False), (timedelta(days=-2000), False),
]  # fmt: skip


@pytest.mark.parametrize(("late", "believed"), TIMES)
def test_a_signature_is_valid_for_five_minutes_before_and_after_its_time(late: timedelta, believed: bool) -> None:
    result = WECHAT.verify(replace(GENUINE, received_at=AT + late))
    assert result == PAID if believed else code(result) == "PAY_CALLBACK_STALE"


def test_the_certificate_of_a_stale_notification_is_not_fetched() -> None:
    notification = builders.notification(builders.transaction(), platform=OTHER_PLATFORM)
    assert code(WECHAT.verify(replace(notification, received_at=AT + timedelta(minutes=6)))) == "PAY_CALLBACK_STALE"


@pytest.mark.parametrize("seconds", ["999999999999", "0", "000000000001"])
def test_a_time_in_the_distant_past_or_future_is_rejected(seconds: str) -> None:
    body = PLATFORM.notification("TRANSACTION.SUCCESS", builders.transaction(), AT, "EV-1", "fdasflkja484")
    notification = builders.signed_notification(body, datetime.fromtimestamp(0, UTC))
    assert code(WECHAT.verify(replace(notification, received_at=AT))) == "PAY_CALLBACK_STALE"
    assert isinstance(
        WECHAT.verify(replace(notification, headers={**notification.headers, "wechatpay-timestamp": seconds})),
        RejectedNotification,
    )


@pytest.mark.parametrize("other", [{"mchid": "1900000110"}, {"appid": "wx1111111111111111"}])
def test_a_notification_for_another_merchant_is_rejected(other: dict[str, str]) -> None:
    assert code(WECHAT.verify(builders.notification(builders.transaction(**other)))) == "PAY_MERCHANT_MISMATCH"


def test_a_refund_of_another_merchant_is_rejected() -> None:
    notification = builders.notification(builders.refund(mchid="1900000110"), "REFUND.SUCCESS")
    assert code(WECHAT.verify(notification)) == "PAY_MERCHANT_MISMATCH"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_a_compressed_or_too_large_body_is_rejected_unread(encoding: str) -> None:
    claimed = replace(GENUINE, headers={**GENUINE.headers, "content-encoding": encoding})
    assert WECHAT.verify(claimed) == RejectedNotification(Code.PAY_CALLBACK_INVALID, "the body is encoded")
    huge = builders.notification({**builders.transaction(), "attach": "x" * 50_000})
    assert WECHAT.verify(huge) == RejectedNotification(Code.PAY_CALLBACK_INVALID, "the body is larger than 65536 bytes")
    assert WECHAT.verify(replace(GENUINE, headers={**GENUINE.headers, "content-encoding": "identity"})) == PAID


FORMS = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"{}",
    b'"x"',
    b"\xff",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b" " * 65_536,
    b" " * 65_537,
]


@pytest.mark.parametrize("body", FORMS, ids=lambda body: f"{len(body)} bytes, {body[:4]!r}")
def test_a_signed_but_malformed_body_is_rejected(body: bytes) -> None:
    assert code(WECHAT.verify(builders.signed_notification(body))) == "PAY_CALLBACK_INVALID"


MARK = "SECRET-MARK"
NUMBERS: list[Any] = ["8888", 88.88, 0, -1, True, None, 10**15 + 1, 10**19, [1], {}]
WRONG: list[tuple[tuple[str, ...], Any]] = [
    *((("amount", "total"), number) for number in NUMBERS),
    (("amount",), MARK), (("amount", "currency"), "EURO"), (("amount", "currency"), 1), (("out_trade_no",), ""),
    (("out_trade_no",), f"{MARK}:"), (("out_trade_no",), "x" * 65), (("transaction_id",), None),
    (("transaction_id",), f"{MARK}\n"), (("trade_state",), MARK), (("trade_state",), "NOTPAY"),
    (("success_time",), MARK), (("success_time",), "2026-11-22"), (("success_time",), "2026-11-22T11:00:00"),
    (("success_time",), "2026-02-30T11:00:00Z"), (("mchid",), None), (("mchid",), [builders.MCHID]), (("appid",), None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "wrong"), WRONG, ids=str)
def test_a_signed_notification_with_a_malformed_field_is_rejected(path: tuple[str, ...], wrong: Any) -> None:
    resource = builders.transaction()
    place: Any = resource
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    result = WECHAT.verify(builders.notification(resource))
    assert code(result) == "PAY_CALLBACK_INVALID"
    assert MARK not in result.message  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["algorithm", "ciphertext", "nonce", "associated_data"])
@pytest.mark.parametrize("wrong", [None, "", MARK, 1, [], "x" * 13, "QUJD"])
def test_a_resource_that_cannot_be_decrypted_is_rejected(name: str, wrong: Any) -> None:
    body = json.loads(GENUINE.body)
    body["resource"][name] = wrong
    result = WECHAT.verify(builders.signed_notification(json.dumps(body).encode()))
    assert code(result) == "PAY_CALLBACK_INVALID"
    assert MARK not in result.message  # type: ignore[union-attr]


def test_a_refund_whose_state_contradicts_the_event_type_is_rejected() -> None:
    assert (
        code(WECHAT.verify(builders.notification(builders.refund(state="CLOSED"), "REFUND.SUCCESS")))
        == "PAY_CALLBACK_INVALID"
    )


def test_a_failed_refund_has_the_time_of_its_notification() -> None:
    later = AT + timedelta(days=3)
    body = PLATFORM.notification("REFUND.CLOSED", builders.refund(state="CLOSED"), later, "EV-1", "fdasflkja484")
    result = WECHAT.verify(builders.signed_notification(body, later))
    assert isinstance(result, RefundReport)
    assert result.occurred_at == later
    assert moment(later) == "2026-11-25T11:00:00+08:00"


def test_neither_reprs_nor_errors_show_a_key() -> None:
    shown = "".join(map(repr, (WECHAT, vars(WECHAT), builders.settings(), PLATFORM)))
    for secret in (
        builders.APIV3_KEY,
        "PRIVATE KEY",
        builders.settings().merchant_keys[0].private_key.get_secret_value(),
    ):
        assert secret not in shown
    with pytest.raises(ValueError, match="not 32 bytes") as error:
        builders.settings(apiv3_keys=(MARK,))
    assert MARK not in str(error.value)
    with pytest.raises(ValueError, match="no private key") as error:
        builders.settings(merchant_keys=({"serial": SERIAL, "private_key": f"-----BEGIN PRIVATE KEY-----\n{MARK}"},))
    assert MARK not in str(error.value)
