"""Our requests to Alipay are signed as it expects; its answers are believed only when signed (S0-07, S0-10, S1-15)."""

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from scripts.gateways import alipay_protocol as protocol
from tests.providers import alipay_builders as builders
from tests.providers import keys
from tests.providers.alipay_builders import (
    AT,
    ATTEMPT,
    CLOSE,
    PRECREATE,
    QUERIED_AT,
    QUERY,
    REFUND,
    REFUND_ORDER,
    REFUND_QUERY,
)
from workers.providers import rsa
from workers.providers.abilities import CapturingProvider, CertificateSource, ClosingProvider, TokenSource
from workers.providers.alipay import Alipay, signing
from workers.providers.parsing import FieldError
from workers.providers.port import (
    ClientAction,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    ReportedPayment,
    UnknownOutcome,
)

ALIPAY = builders.provider()
APPS = [keys.private("ours").public_key()]
GATEWAY = "https://openapi.alipay.com/gateway.do"


def test_alipay_closes_payments_but_captures_none() -> None:
    whole: Provider = ALIPAY
    assert (whole.name, whole.currencies) == ("alipay", frozenset({"CNY"}))
    assert isinstance(whole, ClosingProvider)
    assert not isinstance(whole, CapturingProvider | CertificateSource | TokenSource)


def checked(query: str, form: bytes = b"", keys_: Any = None) -> protocol.SignedRequest:
    """The request as Alipay reads it after it has checked the signature."""
    return protocol.check(query, form, app_id=builders.APP_ID, keys=keys_ or APPS, now=AT + timedelta(hours=2))


def received(request: object) -> protocol.SignedRequest:
    """The request as Alipay receives it: aiohttp may escape the address in another way than we do."""
    assert isinstance(request, HttpRequest), request
    sent = URL(request.url)
    assert str(sent.with_query(None)) == GATEWAY
    assert request.method == "POST"
    assert set(urllib.parse.parse_qs(request.body.decode())) == {"biz_content"}
    return checked(sent.raw_query_string, request.body)


PAGES = [
    ("page", "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"), ("wap", "alipay.trade.wap.pay", "QUICK_WAP_WAY"),
]  # fmt: skip


@pytest.mark.parametrize(("scene", "method", "product"), PAGES)
def test_a_page_or_wap_payment_starts_with_a_signed_link(scene: str, method: str, product: str) -> None:
    ready = ALIPAY.start(builders.attempt(scene=scene), AT)
    assert isinstance(ready, ClientAction)
    assert ready.kind == "redirect"
    link, _, query = str(ready.url).partition("?")
    request = checked(query)
    assert (link, request.method) == (GATEWAY, method)
    assert request.fields["return_url"] == ATTEMPT.return_url
    assert request.fields["notify_url"] == "https://shop.example/notify/alipay"
    assert request.fields["timestamp"] == "2026-11-22 11:00:00"
    assert request.order == {
        "out_trade_no": ATTEMPT.out_trade_no,
        "total_amount": "88.88",
        "subject": ATTEMPT.subject,
        "product_code": product,
        "time_expire": "2026-11-22 11:30:00",
        **({"quit_url": ATTEMPT.return_url} if scene == "wap" else {}),
    }


def test_an_app_payment_starts_with_a_signed_order_string() -> None:
    ready = ALIPAY.start(builders.attempt(scene="app"), AT)
    assert isinstance(ready, ClientAction)
    assert (ready.kind, ready.url, list(ready.fields)) == ("app", None, ["order_string"])
    request = checked(ready.fields["order_string"])
    assert (request.method, request.order["product_code"]) == ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY")
    assert "return_url" not in request.fields


def test_a_qr_payment_starts_with_the_code_that_alipay_returns() -> None:
    qr = builders.attempt(scene="qr")
    request = received(ALIPAY.start(qr, AT))
    assert (request.method, request.order["product_code"]) == (PRECREATE, "QR_CODE_OFFLINE")
    code = {"out_trade_no": qr.out_trade_no, "qr_code": "https://qr.alipay.com/bavh4wjlxf12tper3a"}
    ready = ALIPAY.read_start(qr, builders.answer(PRECREATE, protocol.ok(**code)), AT)
    assert ready == ClientAction("qr", url="https://qr.alipay.com/bavh4wjlxf12tper3a")
    other = builders.answer(PRECREATE, protocol.ok(**{**code, "out_trade_no": "P1"}))
    assert isinstance(ALIPAY.read_start(qr, other, AT), UnknownOutcome)


@pytest.mark.parametrize("more", [{"scene": "jsapi"}, {"currency": "USD"}, {"amount": 0}, {"amount": -1}], ids=str)
def test_a_payment_that_alipay_cannot_take_is_refused_without_a_request(more: dict[str, Any]) -> None:
    assert isinstance(ALIPAY.start(builders.attempt(**more), AT), ProviderRefusal)


def test_a_subject_is_cut_and_loses_the_characters_that_alipay_refuses() -> None:
    ready = ALIPAY.start(builders.attempt(subject="茶/绿=1&" + "长" * 300), AT)
    subject = checked(str(ready.url).partition("?")[2]).order["subject"]  # type: ignore[union-attr]
    assert subject == ("茶 绿 1 " + "长" * 300)[:256]


def test_queries_closes_and_refunds_carry_our_numbers() -> None:
    assert received(ALIPAY.query(ATTEMPT, AT)).order == {"out_trade_no": ATTEMPT.out_trade_no}
    assert received(ALIPAY.query(ATTEMPT, AT)).method == QUERY
    assert received(ALIPAY.close(ATTEMPT, AT)).order == {"out_trade_no": ATTEMPT.out_trade_no}
    assert received(ALIPAY.refund(REFUND_ORDER, AT)).order == {
        "trade_no": REFUND_ORDER.trade_no,
        "refund_amount": "8.88",
        "out_request_no": REFUND_ORDER.refund_no,
        "refund_reason": "late",
    }
    assert received(ALIPAY.query_refund(REFUND_ORDER, AT)).order == {
        "trade_no": REFUND_ORDER.trade_no,
        "out_request_no": REFUND_ORDER.refund_no,
        "query_options": ["gmt_refund_pay"],
    }


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_any_text_is_signed_as_it_is_sent(text: str) -> None:
    assert received(ALIPAY.refund(replace(REFUND_ORDER, reason=text), AT)).order.get("refund_reason", "") == text
    ready = ALIPAY.start(builders.attempt(subject=text), AT)
    assert checked(URL(str(ready.url)).raw_query_string).fields["method"] == "alipay.trade.page.pay"  # type: ignore[union-attr]


def test_we_sign_with_the_first_of_our_keys() -> None:
    both = builders.provider(app_private_keys=(keys.private_pem("ours, next"), keys.private_pem("ours")))
    request = both.query(ATTEMPT, AT)
    query = request.url.partition("?")[2]
    checked(query, request.body, [keys.private("ours, next").public_key()])
    with pytest.raises(protocol.AlipayProtocolError):
        checked(query, request.body)


READERS: list[tuple[str, Callable[[Alipay, HttpResponse], object], str]] = [
    ("started", lambda alipay, response: alipay.read_start(ATTEMPT, response, AT), PRECREATE),
    ("paid", lambda alipay, response: alipay.read_payment(ATTEMPT, response, AT), QUERY),
    ("closed", lambda alipay, response: alipay.read_close(ATTEMPT, response, AT), CLOSE),
    ("refunded", lambda alipay, response: alipay.read_refund(REFUND_ORDER, response, QUERIED_AT), REFUND),
    (
        "refund_found",
        lambda alipay, response: alipay.read_refund_query(REFUND_ORDER, response, QUERIED_AT),
        REFUND_QUERY,
    ),
]
each_reader = pytest.mark.parametrize(("name", "read", "method"), READERS, ids=[name for name, _, _ in READERS])


QUERIES = ("paid", "refund_found")
"""A refused query either says that the trade does not exist, or it proves nothing."""


@each_reader
@pytest.mark.parametrize("code", ["ACQ.INVALID_PARAMETER", "ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.TRADE_NOT_EXIST"])
def test_a_signed_refusal_is_believed(name: str, read: Any, method: str, code: str) -> None:
    result = read(ALIPAY, builders.answer(method, protocol.failed(code, "不行")))
    known = name not in QUERIES or code == "ACQ.TRADE_NOT_EXIST"
    assert result == (ProviderRefusal(code, "不行") if known else UnknownOutcome(code))


AMBIGUOUS = [
    ("40004", "ACQ.SYSTEM_ERROR"), ("40004", "AQC.SYSTEM_ERROR"), ("40004", "aop.ACQ.SYSTEM_ERROR"),
    ("20000", "isp.unknow-error"), ("20000", "aop.unknow-error"), ("40005", "isv.app-call-limited"), ("20000", ""),
    ("10003", ""), ("40004", "ACQ.TRADE_HAS_SUCCESS"), ("40002", "isv.invalid-signature"),
]  # fmt: skip


@each_reader
@pytest.mark.parametrize(("code", "detail"), AMBIGUOUS)
def test_an_ambiguous_code_is_an_unknown_outcome(name: str, read: Any, method: str, code: str, detail: str) -> None:
    assert isinstance(read(ALIPAY, builders.answer(method, protocol.failed(detail, code=code))), UnknownOutcome)


@each_reader
def test_without_a_valid_signature_neither_success_nor_refusal_is_believed(name: str, read: Any, method: str) -> None:
    member = method.replace(".", "_") + "_response"
    refusal, success = protocol.failed("ACQ.INVALID_PARAMETER"), protocol.ok(out_trade_no=ATTEMPT.out_trade_no)
    for content in (refusal, success):
        for response in (
            HttpResponse(200, {}, json.dumps({member: content}).encode()),
            HttpResponse(200, {}, json.dumps({"error_response": content}).encode()),
            HttpResponse(200, {}, json.dumps({member: content, "sign": "QUJD"}).encode()),
            builders.answer(method, content, key="mallory"),
            builders.answer("alipay.trade.pay", content),
            replace(builders.answer(method, content), status=502),
            replace(builders.answer(method, content), headers={"content-encoding": "gzip"}),
            replace(
                builders.answer(method, content),
                body=builders.answer(method, content).body.replace(b'"msg":"', b'"msg":"x'),
            ),
        ):
            assert isinstance(read(ALIPAY, response), UnknownOutcome), response


@each_reader
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"{}", b"\xff", b"[" * 60_000, b'{"a":' * 2_000, b" " * 70_000]
)
def test_a_malformed_answer_is_an_unknown_outcome(name: str, read: Any, method: str, body: bytes) -> None:
    assert isinstance(read(ALIPAY, HttpResponse(200, {}, body)), UnknownOutcome)


@given(st.data())
def test_an_answer_with_any_byte_changed_is_not_believed(data: st.DataObject) -> None:
    response = builders.found()
    body = bytearray(response.body)
    index = data.draw(st.integers(0, len(body) - 1))
    body[index] = data.draw(st.integers(0, 255).filter(lambda byte: byte != response.body[index]))
    assert isinstance(ALIPAY.read_payment(ATTEMPT, replace(response, body=bytes(body)), AT), UnknownOutcome)


def test_an_answer_that_was_parsed_and_serialized_again_is_not_believed() -> None:
    response = builders.answer(
        PRECREATE, protocol.ok(out_trade_no=ATTEMPT.out_trade_no, qr_code="https://qr.alipay.com/b")
    )
    again = json.dumps(json.loads(response.body), separators=(",", ":")).encode()
    assert b"\\/" in response.body
    assert b"\\/" not in again
    assert isinstance(ALIPAY.read_start(ATTEMPT, replace(response, body=again), AT), UnknownOutcome)


def test_the_signed_member_is_found_at_any_place() -> None:
    body = builders.found().body.decode()
    member, sign = body[1:-1].split(',"sign"')
    assert isinstance(
        ALIPAY.read_payment(ATTEMPT, HttpResponse(200, {}, f'{{ "sign"{sign} ,\n{member}}} '.encode()), AT),
        PaymentReport,
    )
    forged = json.dumps({"note": member, "sign": json.loads(body)["sign"]})
    assert isinstance(ALIPAY.read_payment(ATTEMPT, HttpResponse(200, {}, forged.encode()), AT), UnknownOutcome)
    other = member.replace("88.88", "88.89")
    for both in (f"{member},{other}", f"{other},{member}"):
        twice = "{" + both + ',"sign"' + sign + "}"
        assert isinstance(ALIPAY.read_payment(ATTEMPT, HttpResponse(200, {}, twice.encode()), AT), UnknownOutcome)


def test_a_query_reports_the_state_of_the_payment() -> None:
    number = ATTEMPT.out_trade_no
    paid = PaymentReport(number, builders.TRADE_NO, ReportedPayment.CAPTURED, 8888, "CNY", AT)
    later = AT + timedelta(minutes=7)
    assert ALIPAY.read_payment(ATTEMPT, builders.found(), later) == paid
    assert ALIPAY.read_payment(ATTEMPT, builders.found(trade_status="TRADE_FINISHED"), later) == paid
    refunded = builders.found(trade_status="TRADE_CLOSED")
    assert ALIPAY.read_payment(ATTEMPT, refunded, later) == paid, "the trade was paid, then refunded in full"
    closed = builders.found(trade_status="TRADE_CLOSED", send_pay_date=None)
    assert ALIPAY.read_payment(ATTEMPT, closed, later) == replace(
        paid, status=ReportedPayment.CLOSED, occurred_at=later
    )
    waits = builders.found(trade_status="WAIT_BUYER_PAY", send_pay_date=None)
    assert ALIPAY.read_payment(ATTEMPT, waits, later) == replace(
        paid, status=ReportedPayment.PENDING, occurred_at=later
    )


WRONG_FIELDS: list[dict[str, Any]] = [
    {"out_trade_no": "P1"}, {"trade_status": "SOMETHING"}, {"total_amount": "0"}, {"total_amount": 88.88},
    {"total_amount": "88.888"}, {"trade_no": ""}, {"send_pay_date": "now"}, {"send_pay_date": None},
]  # fmt: skip


@pytest.mark.parametrize("other", WRONG_FIELDS, ids=str)
def test_an_answer_with_a_wrong_field_is_an_unknown_outcome(other: dict[str, Any]) -> None:
    assert isinstance(ALIPAY.read_payment(ATTEMPT, builders.found(**other), AT), UnknownOutcome)


def test_a_closed_trade_is_reported_as_closed() -> None:
    closed = PaymentReport(ATTEMPT.out_trade_no, ATTEMPT.out_trade_no, ReportedPayment.CLOSED, 8888, "CNY", AT)
    assert (
        ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, protocol.ok(out_trade_no=ATTEMPT.out_trade_no)), AT) == closed
    )
    assert ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, protocol.failed("ACQ.TRADE_HAS_CLOSE")), AT) == closed
    assert isinstance(
        ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, protocol.ok(out_trade_no="P1")), AT), UnknownOutcome
    )


@pytest.mark.parametrize(
    "code", ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"]
)
def test_a_trade_that_can_no_longer_be_closed_is_reported_as_pending(code: str) -> None:
    result = ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, protocol.failed(code)), AT)
    assert isinstance(result, PaymentReport)
    assert (result.status, result.reason) == ("pending", code)


def test_an_unopened_link_cannot_be_closed_because_it_is_valid_until_it_expires() -> None:
    not_found, refusal = (
        protocol.failed("ACQ.TRADE_NOT_EXIST", "交易不存在"),
        ProviderRefusal("ACQ.TRADE_NOT_EXIST", "交易不存在"),
    )
    assert ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, not_found), ATTEMPT.expire_at) == refusal
    assert ALIPAY.read_payment(ATTEMPT, builders.answer(QUERY, not_found), AT) == refusal


PUBLISHED = Path(__file__).parent / "published"


def test_the_published_answer_is_believed_and_an_altered_one_is_not() -> None:
    key = rsa.public_key((PUBLISHED / "alipay_answer_key.pem").read_text())
    body, member = (PUBLISHED / "alipay_answer.json").read_bytes(), "alipay_offline_material_image_upload_response"
    assert signing.read_response(body, member, [key]).text("image_id") == "akGwYYaFTai3r1uB0ww-1QAAACMAAQQD"
    with pytest.raises(FieldError, match="not signed by Alipay"):
        signing.read_response(body.replace(b"\\/", b"/"), member, [key])


DOCUMENTED = (
    'app_id=2014072300007148&biz_content={"button":[{"actionParam":"ZFB_HFCZ","actionType":"out","name":"话费充值"}]}'
    "&charset=GBK&method=alipay.mobile.public.menu.add&sign_type=RSA2&timestamp=2014-07-24 03:07:50&version=1.0"
)
"""The text that the documentation page 自行实现签名 signs (its menu is shortened here)."""


def test_the_text_to_sign_is_built_as_documented() -> None:
    fields = dict(pair.split("=", 1) for pair in reversed(DOCUMENTED.split("&"))) | {"empty": ""}
    signed = signing.signed(fields, keys.private("ours"))
    assert signed["sign"] == rsa.sign(keys.private("ours"), DOCUMENTED.encode())
    assert "empty" not in signed


SDK = import_module("alipay").AliPay(
    appid=builders.APP_ID,
    app_private_key_string=keys.private_pem("ours"),
    alipay_public_key_string=keys.public_pem("alipay"),
)


@pytest.mark.parametrize("scene", ["page", "wap", "app"])
def test_we_sign_byte_for_byte_like_the_sdk(scene: str) -> None:
    ready = ALIPAY.start(builders.attempt(scene=scene, subject="茶 100% + 1"), AT)
    assert isinstance(ready, ClientAction)
    query = ready.fields["order_string"] if scene == "app" else str(ready.url).partition("?")[2]
    fields = dict(urllib.parse.parse_qsl(query))
    del fields["sign"]
    assert query == SDK.sign_data(fields)


def test_the_sdk_and_our_adapter_believe_our_test_gateway() -> None:
    sent = dict(urllib.parse.parse_qsl(builders.notification(builders.trade()).body.decode(), keep_blank_values=True))
    signature = sent.pop("sign")
    assert SDK.verify(dict(sent), signature)
    assert not SDK.verify({**sent, "total_amount": "0.01"}, signature)
    response = builders.found()
    read = SDK._verify_and_return_sync_response(response.body.decode(), "alipay_trade_query_response")
    assert read["out_trade_no"] == ATTEMPT.out_trade_no
    assert isinstance(ALIPAY.read_payment(ATTEMPT, response, AT), PaymentReport)
