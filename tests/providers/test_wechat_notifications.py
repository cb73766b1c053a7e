"""What WeChat Pay notifies is believed only as it was signed, sealed, for us and now (S0-08, S0-09, S1-16)."""

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


def code(said: object) -> str:
    """The code of a refusal."""
    assert isinstance(said, RejectedNotification), said
    return said.code


def test_it_retries_for_24_hours_and_4_minutes_as_documented() -> None:
    assert len(RETRY_SCHEDULE_SECONDS) == 15
    assert sum(RETRY_SCHEDULE_SECONDS) == 24 * 3600 + 4 * 60


def test_a_payment_is_what_it_says() -> None:
    assert WECHAT.verify(GENUINE) == PAID


def test_a_payment_in_the_mobile_app_is_ours_too() -> None:
    assert WECHAT.verify(builders.notification(builders.transaction(appid=builders.APP_APPID))) == PAID


def test_a_payment_of_which_some_was_given_back_was_a_payment() -> None:
    assert WECHAT.verify(builders.notification(builders.transaction(state="REFUND"))) == PAID


@pytest.mark.parametrize("after", [0, *RETRY_SCHEDULE_SECONDS])
def test_each_copy_is_signed_and_sealed_anew_and_says_the_same(after: int) -> None:
    copy = builders.notification(builders.transaction(), at=AT + timedelta(seconds=after), nonce=f"nonce{after:07d}")
    assert WECHAT.verify(copy) == PAID


REFUNDS = [("SUCCESS", "succeeded", None), ("ABNORMAL", "failed", "ABNORMAL"), ("CLOSED", "failed", "CLOSED")]


@pytest.mark.parametrize(("state", "status", "reason"), REFUNDS)
def test_a_refund_is_what_it_says(state: str, status: Any, reason: str | None) -> None:
    told = builders.notification(builders.refund(state=state), f"REFUND.{state}")
    assert WECHAT.verify(told) == RefundReport(builders.REFUND_ORDER.refund_no, status, 888, "CNY", AT, reason)


def test_what_does_not_concern_us_is_not_even_opened() -> None:
    body = json.dumps({"event_type": "PAYSCORE.USER_OPEN_SERVICE", "resource": "sealed"}).encode()
    assert WECHAT.verify(builders.signed_notification(body)) == IrrelevantNotification("PAYSCORE.USER_OPEN_SERVICE")


@given(st.integers(0, len(GENUINE.body) - 1), st.integers(1, 255))
def test_no_byte_of_the_body_can_be_another(index: int, change: int) -> None:
    body = bytearray(GENUINE.body)
    body[index] ^= change
    assert code(WECHAT.verify(replace(GENUINE, body=bytes(body)))) == "PAY_SIGNATURE_INVALID"


SIGNED_HEADERS = ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"]


@given(st.sampled_from(SIGNED_HEADERS), st.data())
def test_no_character_of_the_signature_can_be_another(name: str, data: st.DataObject) -> None:
    value = GENUINE.headers[name]
    index = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c.upper() != value[index].upper()))
    said = WECHAT.verify(
        replace(GENUINE, headers={**GENUINE.headers, name: value[:index] + other + value[index + 1 :]})
    )
    assert isinstance(said, RejectedNotification) or (
        name == "wechatpay-serial" and isinstance(said, UnknownCertificate)
    )


@pytest.mark.parametrize("name", SIGNED_HEADERS)
@pytest.mark.parametrize("value", ["", " ", "a\nb", "x" * 5000, None, "\ud800"])
def test_headers_are_there_and_of_their_form(name: str, value: str | None) -> None:
    headers = {key: text for key, text in GENUINE.headers.items() if key != name}
    told = replace(GENUINE, headers=headers if value is None else {**headers, name: value})
    assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID"


def test_a_signature_has_one_spelling() -> None:
    signature = GENUINE.headers["wechatpay-signature"]
    assert signature.endswith("==")  # so four bits of the last character are not part of it
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(signature[-3]) ^ 1]
    for spelled in (f"{signature[:-3]}{other}==", f"{signature}\n", f" {signature}", signature.rstrip("=")):
        told = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature": spelled})
        assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID", spelled[-4:]


def test_wechats_own_probes_with_a_false_signature_fail_as_they_must() -> None:
    probe = "WECHATPAY/SIGNTEST/" + GENUINE.headers["wechatpay-signature"]
    told = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature": probe})
    assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID"


def test_another_algorithm_is_not_believed() -> None:
    told = replace(GENUINE, headers={**GENUINE.headers, "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"})
    assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID"


def test_a_body_that_was_parsed_and_written_again_is_another_body() -> None:
    told = replace(GENUINE, body=json.dumps(json.loads(GENUINE.body), ensure_ascii=False).encode())
    assert json.loads(told.body) == json.loads(GENUINE.body)
    assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID"


@given(st.dictionaries(st.sampled_from([*SIGNED_HEADERS, "content-encoding"]), st.text()), st.binary())
def test_whatever_comes_is_answered(headers: dict[str, str], body: bytes) -> None:
    assert isinstance(WECHAT.verify(Notification(headers, body, AT)), RejectedNotification)


def test_a_certificate_that_is_not_known_yet_may_be_sound() -> None:
    told = builders.notification(builders.transaction(), platform=OTHER_PLATFORM)
    assert WECHAT.verify(told) == UnknownCertificate(OTHER_SERIAL)
    wider = WECHAT.with_certificates({OTHER_SERIAL: builders.certificate("wechat, next", OTHER_SERIAL)})
    assert wider.verify(told) == PAID
    assert wider.verify(GENUINE) == PAID
    assert WECHAT.verify(told) == UnknownCertificate(OTHER_SERIAL)


def test_a_certificate_goes_by_its_own_serial_whatever_it_was_called() -> None:
    pem = builders.certificate("wechat, next", OTHER_SERIAL)
    wider = builders.provider(platform_keys={}).with_certificates({SERIAL: pem})
    assert wider.verify(GENUINE) == UnknownCertificate(SERIAL)
    assert wider.verify(builders.notification(builders.transaction(), platform=OTHER_PLATFORM)) == PAID


def test_a_serial_is_a_number_however_it_is_written() -> None:
    small = replace(PLATFORM, serial="0B")
    wider = WECHAT.with_certificates({"b": builders.certificate(serial="0B")})
    assert wider.verify(builders.notification(builders.transaction(), platform=small)) == PAID


def test_wechats_public_key_is_believed_by_its_name() -> None:
    named = replace(OTHER_PLATFORM, serial=PUBLIC_KEY_ID)
    both = builders.provider(
        platform_keys={SERIAL: builders.certificate(), PUBLIC_KEY_ID: keys.public_pem("wechat, next")}
    )
    assert both.verify(GENUINE) == PAID
    assert both.verify(builders.notification(builders.transaction(), platform=named)) == PAID
    assert WECHAT.verify(builders.notification(builders.transaction(), platform=named)) == UnknownCertificate(
        PUBLIC_KEY_ID
    )


def test_another_key_under_a_serial_that_we_know_is_not_believed() -> None:
    told = builders.notification(builders.transaction(), platform=replace(PLATFORM, key=keys.private("mallory")))
    assert code(WECHAT.verify(told)) == "PAY_SIGNATURE_INVALID"


@pytest.mark.parametrize("since", [AT - timedelta(days=31), AT + timedelta(days=1)])
def test_a_certificate_that_has_ended_or_not_begun_is_not_believed(since: datetime) -> None:
    ended = builders.provider(platform_keys={SERIAL: builders.certificate(since=since, days=30)})
    assert code(ended.verify(GENUINE)) == "PAY_SIGNATURE_INVALID"


def test_either_of_two_apiv3_keys_opens_what_it_sealed() -> None:
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
def test_a_signature_is_good_for_five_minutes_around_its_time(late: timedelta, believed: bool) -> None:
    said = WECHAT.verify(replace(GENUINE, received_at=AT + late))
    assert said == PAID if believed else code(said) == "PAY_CALLBACK_STALE"


def test_the_certificate_of_a_stale_notification_is_not_fetched() -> None:
    told = builders.notification(builders.transaction(), platform=OTHER_PLATFORM)
    assert code(WECHAT.verify(replace(told, received_at=AT + timedelta(minutes=6)))) == "PAY_CALLBACK_STALE"


@pytest.mark.parametrize("seconds", ["999999999999", "0", "000000000001"])
def test_a_time_far_away_is_stale(seconds: str) -> None:
    body = PLATFORM.notification("TRANSACTION.SUCCESS", builders.transaction(), AT, "EV-1", "fdasflkja484")
    told = builders.signed_notification(body, datetime.fromtimestamp(0, UTC))
    assert code(WECHAT.verify(replace(told, received_at=AT))) == "PAY_CALLBACK_STALE"
    assert isinstance(
        WECHAT.verify(replace(told, headers={**told.headers, "wechatpay-timestamp": seconds})), RejectedNotification
    )


@pytest.mark.parametrize("other", [{"mchid": "1900000110"}, {"appid": "wx1111111111111111"}])
def test_the_notification_of_another_merchant_is_not_ours(other: dict[str, str]) -> None:
    assert code(WECHAT.verify(builders.notification(builders.transaction(**other)))) == "PAY_MERCHANT_MISMATCH"


def test_the_refund_of_another_merchant_is_not_ours() -> None:
    told = builders.notification(builders.refund(mchid="1900000110"), "REFUND.SUCCESS")
    assert code(WECHAT.verify(told)) == "PAY_MERCHANT_MISMATCH"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_a_compressed_or_huge_body_is_not_looked_at(encoding: str) -> None:
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
def test_what_is_signed_but_malformed_is_refused(body: bytes) -> None:
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
def test_each_field_is_of_its_form_or_nothing_is_believed(path: tuple[str, ...], wrong: Any) -> None:
    resource = builders.transaction()
    place: Any = resource
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    said = WECHAT.verify(builders.notification(resource))
    assert code(said) == "PAY_CALLBACK_INVALID"
    assert MARK not in said.message  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["algorithm", "ciphertext", "nonce", "associated_data"])
@pytest.mark.parametrize("wrong", [None, "", MARK, 1, [], "x" * 13, "QUJD"])
def test_a_seal_that_does_not_open_is_refused(name: str, wrong: Any) -> None:
    body = json.loads(GENUINE.body)
    body["resource"][name] = wrong
    said = WECHAT.verify(builders.signed_notification(json.dumps(body).encode()))
    assert code(said) == "PAY_CALLBACK_INVALID"
    assert MARK not in said.message  # type: ignore[union-attr]


def test_a_refund_says_the_state_that_it_was_announced_with() -> None:
    assert (
        code(WECHAT.verify(builders.notification(builders.refund(state="CLOSED"), "REFUND.SUCCESS")))
        == "PAY_CALLBACK_INVALID"
    )


def test_a_refund_that_did_not_succeed_has_the_time_of_its_notification() -> None:
    later = AT + timedelta(days=3)
    body = PLATFORM.notification("REFUND.CLOSED", builders.refund(state="CLOSED"), later, "EV-1", "fdasflkja484")
    said = WECHAT.verify(builders.signed_notification(body, later))
    assert isinstance(said, RefundReport)
    assert said.occurred_at == later
    assert moment(later) == "2026-11-25T11:00:00+08:00"


def test_nothing_shows_a_key() -> None:
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
