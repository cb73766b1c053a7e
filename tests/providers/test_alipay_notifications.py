"""A notification of Alipay is believed if it is signed and for us, whatever its time (S0-08, S0-09, S1-16)."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.gateways import alipay_protocol as protocol
from tests.providers import alipay_builders as builders
from tests.providers import keys
from tests.providers.alipay_builders import AT
from workers.domain.codes import Code
from workers.providers.abilities import with_certificates
from workers.providers.alipay import RETRY_SCHEDULE_SECONDS
from workers.providers.port import (
    IrrelevantNotification,
    Notification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedPayment,
    ReportedRefund,
)

ALIPAY = builders.provider()
PAID = PaymentReport(builders.ATTEMPT.out_trade_no, builders.TRADE_NO, ReportedPayment.CAPTURED, 8888, "CNY", AT)
FIELDS = builders.trade()
GENUINE = builders.notification(FIELDS)
SENT = dict(parse_qsl(GENUINE.body.decode(), keep_blank_values=True))


def code(result: object) -> str:
    """The code with which a notification was rejected."""
    assert isinstance(result, RejectedNotification), result
    return result.code


def test_alipay_retries_within_25_hours_as_documented() -> None:
    minutes = [seconds / 60 for seconds in RETRY_SCHEDULE_SECONDS]
    assert minutes == [4, 10, 10, 60, 2 * 60, 6 * 60, 15 * 60]
    assert sum(RETRY_SCHEDULE_SECONDS) < 25 * 3600


STATES = [
    ("TRADE_SUCCESS", "captured"), ("TRADE_FINISHED", "captured"), ("WAIT_BUYER_PAY", "pending"),
    ("TRADE_CLOSED", "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "status"), STATES)
def test_the_state_of_a_trade_is_the_status_of_the_payment(state: str, status: Any) -> None:
    assert ALIPAY.verify(builders.notification(builders.trade(status=state))) == replace(PAID, status=status)


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=25), timedelta(days=400), timedelta(days=-400)])
def test_the_time_of_a_notification_is_not_checked_because_copies_keep_it(late: timedelta) -> None:
    assert ALIPAY.verify(replace(GENUINE, received_at=AT + late)) == PAID


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "gbk", "GBK"])
def test_fields_are_verified_in_their_own_charset(charset: str) -> None:
    notification = builders.notification(builders.trade(subject="订单 & 100%"), charset=charset)
    assert ALIPAY.verify(notification) == PAID


def test_a_refund_is_reported_as_processing_because_its_notification_has_only_the_sum_of_refunds() -> None:
    later = AT + timedelta(hours=2, milliseconds=320)
    first = protocol.refund_notification(FIELDS, out_request_no="R1", refunded_so_far=888, at=later)
    assert first["trade_status"] == "TRADE_SUCCESS"
    assert ALIPAY.verify(builders.notification(first)) == RefundReport(
        "R1", ReportedRefund.PROCESSING, 888, "CNY", later, trade_no=builders.TRADE_NO
    )
    last = protocol.refund_notification(FIELDS, out_request_no="R2", refunded_so_far=8888, at=later)
    assert last["trade_status"] == "TRADE_CLOSED"
    assert ALIPAY.verify(builders.notification(last)) == RefundReport(
        "R2", ReportedRefund.PROCESSING, 8888, "CNY", later, trade_no=builders.TRADE_NO
    )


def test_a_trade_that_closed_unpaid_is_not_a_refund() -> None:
    result = ALIPAY.verify(builders.notification(builders.trade(status="TRADE_CLOSED")))
    assert isinstance(result, PaymentReport)
    assert result.status == "closed"


@pytest.mark.parametrize("nothing", ["", "0", "0.00"])
def test_a_notification_with_a_refund_of_zero_is_a_payment(nothing: str) -> None:
    assert ALIPAY.verify(builders.notification({**FIELDS, "refund_fee": nothing, "gmt_refund": ""})) == PAID


def test_a_refund_without_our_refund_number_is_reported_under_the_payments_number() -> None:
    fields = {**FIELDS, "refund_fee": "1.00", "gmt_refund": "2026-11-22 13:00:00"}
    assert ALIPAY.verify(builders.notification(fields)) == RefundReport(
        builders.ATTEMPT.out_trade_no,
        ReportedRefund.PROCESSING,
        100,
        "CNY",
        AT + timedelta(hours=2),
        trade_no=builders.TRADE_NO,
    )


def test_a_notification_that_is_not_about_a_trade_is_irrelevant() -> None:
    fields = {"notify_type": "servicemarket_order_notify", "app_id": builders.APP_ID, "seller_id": builders.SELLER_ID}
    assert ALIPAY.verify(builders.notification(fields)) == IrrelevantNotification("servicemarket_order_notify")


def posted(fields: Mapping[str, str]) -> Notification:
    return replace(GENUINE, body=urlencode(fields).encode())


@pytest.mark.parametrize("name", SENT)
def test_a_notification_with_any_field_altered_is_rejected(name: str) -> None:
    for other in (
        SENT[name] + "1",
        SENT[name][:-1] if SENT[name] else "x",
        SENT[name] + " ",
        SENT[name].swapcase() + "\n",
    ):
        assert isinstance(ALIPAY.verify(posted({**SENT, name: other})), RejectedNotification), (name, other)


@pytest.mark.parametrize("name", SENT)
def test_a_notification_without_one_of_its_fields_is_rejected(name: str) -> None:
    assert (
        code(ALIPAY.verify(posted({key: value for key, value in SENT.items() if key != name})))
        == "PAY_SIGNATURE_INVALID"
    )


@pytest.mark.parametrize("more", [{"x": "1"}, {"x": ""}, {"": "x"}, {"sign_type ": "RSA2"}])
def test_a_notification_with_an_added_field_is_rejected(more: dict[str, str]) -> None:
    assert isinstance(ALIPAY.verify(posted({**SENT, **more})), RejectedNotification)


@given(st.integers(0, len(GENUINE.body) - 1), st.integers(1, 255))
def test_a_changed_byte_is_rejected_unless_it_only_escapes_the_same_text_differently(index: int, change: int) -> None:
    body = bytearray(GENUINE.body)
    body[index] ^= change
    result = ALIPAY.verify(replace(GENUINE, body=bytes(body)))
    assert isinstance(result, RejectedNotification) or (result == PAID and chr(body[index]) in "abcdefABCDEF+ ")


def test_the_order_and_the_escaping_of_the_fields_do_not_matter() -> None:
    backwards = "&".join(f"{name}={quote(value, safe='')}" for name, value in reversed(SENT.items()))
    assert ALIPAY.verify(replace(GENUINE, body=backwards.encode())) == PAID


def test_a_notification_with_a_field_twice_is_rejected() -> None:
    for pair in (b"total_amount=88.88", b"total_amount=0.01", b"sign=x", b"x%3D=1&x%3D=2"):
        result = ALIPAY.verify(replace(GENUINE, body=GENUINE.body + b"&" + pair))
        assert result == RejectedNotification(Code.PAY_CALLBACK_INVALID, "a field of the form stands twice")


def test_a_signature_by_another_key_is_rejected() -> None:
    assert code(ALIPAY.verify(builders.notification(FIELDS, key="mallory"))) == "PAY_SIGNATURE_INVALID"


def test_a_signature_by_either_of_two_alipay_keys_is_believed() -> None:
    both = builders.provider(alipay_public_keys=(keys.public_pem("alipay, next"), keys.public_pem("alipay")))
    assert both.verify(GENUINE) == both.verify(builders.notification(FIELDS, key="alipay, next")) == PAID
    assert with_certificates(both, {"x": keys.public_pem("mallory")}) is both


@pytest.mark.parametrize("weaker", ["RSA", "rsa2", "MD5", ""])
def test_a_signature_of_another_type_than_rsa2_is_rejected(weaker: str) -> None:
    assert code(ALIPAY.verify(posted({**SENT, "sign_type": weaker}))) == "PAY_SIGNATURE_INVALID"


OTHERS = [("app_id", "2021000122671235"), ("seller_id", "2088621956155679")]


@pytest.mark.parametrize(("name", "other"), OTHERS)
def test_a_notification_for_another_merchant_is_rejected(name: str, other: str) -> None:
    assert code(ALIPAY.verify(builders.notification({**FIELDS, name: other}))) == "PAY_MERCHANT_MISMATCH"


def test_a_compressed_or_too_large_body_is_rejected_unread() -> None:
    notification = replace(GENUINE, headers={"content-encoding": "gzip"}, body=gzip.compress(GENUINE.body))
    assert ALIPAY.verify(notification) == RejectedNotification(Code.PAY_CALLBACK_INVALID, "the body is encoded")
    huge = builders.notification({**FIELDS, "body": "x" * 65_536})
    assert ALIPAY.verify(huge) == RejectedNotification(Code.PAY_CALLBACK_INVALID, "the body is larger than 65536 bytes")


FORMS = [
    b"",
    b"&",
    b"=",
    b"x",
    b"a=1&",
    b"\xff=\xff",
    b"%=%",
    b"a=%zz",
    b"&".join(b"a%d=" % n for n in range(101)),
    b"&" * 60_000,
]


@pytest.mark.parametrize("body", FORMS, ids=lambda body: f"{len(body)} bytes, {body[:4]!r}")
def test_a_body_that_is_not_a_form_is_rejected(body: bytes) -> None:
    assert isinstance(ALIPAY.verify(Notification({}, body, AT)), RejectedNotification)


@given(st.dictionaries(st.sampled_from(["content-encoding", "content-type"]), st.text()), st.binary())
def test_arbitrary_headers_and_bytes_are_rejected_without_an_exception(headers: dict[str, str], body: bytes) -> None:
    assert isinstance(ALIPAY.verify(Notification(headers, body, AT)), RejectedNotification)


MARK = "SECRET-MARK"
WRONG = [
    *(("total_amount", wrong) for wrong in ("88.888", "1e3", " 88", "-1.00", "0", "0.00", "", "８８", "88,88", "+1")),
    ("out_trade_no", ""), ("out_trade_no", f"{MARK} "), ("trade_no", f"{MARK}:"), ("trade_no", "1" * 65),
    ("trade_status", MARK), ("trade_status", ""), ("gmt_payment", MARK), ("gmt_payment", "2026-13-22 11:00:00"),
    ("gmt_payment", "2026-11-22T11:00:00"), ("refund_fee", MARK), ("gmt_refund", MARK), ("notify_type", ""),
    ("notify_type", "x" * 65),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_a_signed_notification_with_a_malformed_field_is_rejected(name: str, wrong: str) -> None:
    result = ALIPAY.verify(builders.notification({**FIELDS, name: wrong}))
    assert code(result) == "PAY_CALLBACK_INVALID"
    assert MARK not in result.message  # type: ignore[union-attr]


@pytest.mark.parametrize("charset", ["latin-1", "ascii"])
def test_a_charset_that_alipay_does_not_use_is_rejected(charset: str) -> None:
    assert (
        code(ALIPAY.verify(builders.notification(builders.trade(subject="x"), charset=charset)))
        == "PAY_CALLBACK_INVALID"
    )


def test_neither_reprs_nor_errors_show_a_key() -> None:
    shown = "".join(map(repr, (ALIPAY, vars(ALIPAY), builders.settings())))
    assert "BEGIN PRIVATE KEY" not in shown
    with pytest.raises(ValueError, match="no private key") as error:
        builders.settings(app_private_keys=(MARK,))
    assert MARK not in str(error.value)


PUBLISHED = Path(__file__).parent / "published"


def test_the_published_notification_is_believed_and_an_altered_one_is_not() -> None:
    key = (PUBLISHED / "alipay_notification_key.pem").read_text()
    alipay = builders.provider(app_id="2019073166072302", seller_id="2088531891668739", alipay_public_keys=(key,))
    genuine = Notification({}, (PUBLISHED / "alipay_notification.txt").read_bytes(), datetime(2026, 11, 22, tzinfo=UTC))
    assert alipay.verify(genuine) == PaymentReport(
        "20190815153750722-564-55",
        "2019081522001468450509133591",
        ReportedPayment.CAPTURED,
        10,
        "CNY",
        datetime(2019, 8, 15, 7, 37, 58, tzinfo=UTC),
    )
    other = replace(genuine, body=genuine.body.replace(b"total_amount=0.10", b"total_amount=0.01"))
    assert code(alipay.verify(other)) == "PAY_SIGNATURE_INVALID"
