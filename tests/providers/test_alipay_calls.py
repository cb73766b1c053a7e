"""What is asked of Alipay, and how its answers are read: signed both ways, never guessed (S0-07, S0-10, S1-15)."""

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
from workers.providers.alipay import Alipay, signing
from workers.providers.parsing import FieldError
from workers.providers.port import (
    CapturingProvider,
    CertificateSource,
    ClientAction,
    ClosingProvider,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    ReportedPayment,
    TokenSource,
    UnknownOutcome,
)

ALIPAY = builders.provider()
APPS = [keys.private("ours").public_key()]
GATEWAY = "https://openapi.alipay.com/gateway.do"


def test_it_is_a_provider() -> None:
    whole: Provider = ALIPAY
    assert (whole.name, whole.currencies) == ("alipay", frozenset({"CNY"}))
    assert isinstance(whole, ClosingProvider)
    assert not isinstance(whole, CapturingProvider | CertificateSource | TokenSource)


def checked(query: str, form: bytes = b"", keys_: Any = None) -> protocol.SignedRequest:
    """What Alipay understands, once it has checked the signature."""
    return protocol.check(query, form, app_id=builders.APP_ID, keys=keys_ or APPS, now=AT + timedelta(hours=2))


def asked(request: object) -> protocol.SignedRequest:
    """The same of a request, as it leaves us: aiohttp may spell an address in another way."""
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
def test_a_link_to_follow(scene: str, method: str, product: str) -> None:
    ready = ALIPAY.start(builders.attempt(scene=scene), AT)
    assert isinstance(ready, ClientAction)
    assert ready.kind == "redirect"
    link, _, query = str(ready.url).partition("?")
    told = checked(query)
    assert (link, told.method) == (GATEWAY, method)
    assert told.fields["return_url"] == ATTEMPT.return_url
    assert told.fields["notify_url"] == "https://shop.example/notify/alipay"
    assert told.fields["timestamp"] == "2026-11-22 11:00:00"
    assert told.order == {
        "out_trade_no": ATTEMPT.out_trade_no,
        "total_amount": "88.88",
        "subject": ATTEMPT.subject,
        "product_code": product,
        "time_expire": "2026-11-22 11:30:00",
        **({"quit_url": ATTEMPT.return_url} if scene == "wap" else {}),
    }


def test_an_order_string_for_the_app() -> None:
    ready = ALIPAY.start(builders.attempt(scene="app"), AT)
    assert isinstance(ready, ClientAction)
    assert (ready.kind, ready.url, list(ready.fields)) == ("app", None, ["order_string"])
    told = checked(ready.fields["order_string"])
    assert (told.method, told.order["product_code"]) == ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY")
    assert "return_url" not in told.fields


def test_a_code_to_scan() -> None:
    qr = builders.attempt(scene="qr")
    told = asked(ALIPAY.start(qr, AT))
    assert (told.method, told.order["product_code"]) == (PRECREATE, "QR_CODE_OFFLINE")
    code = {"out_trade_no": qr.out_trade_no, "qr_code": "https://qr.alipay.com/bavh4wjlxf12tper3a"}
    ready = ALIPAY.read_start(qr, builders.answer(PRECREATE, protocol.ok(**code)), AT)
    assert ready == ClientAction("qr", url="https://qr.alipay.com/bavh4wjlxf12tper3a")
    other = builders.answer(PRECREATE, protocol.ok(**{**code, "out_trade_no": "P1"}))
    assert isinstance(ALIPAY.read_start(qr, other, AT), UnknownOutcome)


@pytest.mark.parametrize("more", [{"scene": "jsapi"}, {"currency": "USD"}, {"amount": 0}, {"amount": -1}], ids=str)
def test_what_alipay_cannot_do_is_never_requested(more: dict[str, Any]) -> None:
    assert isinstance(ALIPAY.start(builders.attempt(**more), AT), ProviderRefusal)


def test_a_subject_has_no_signs_that_alipay_refuses_and_is_cut() -> None:
    ready = ALIPAY.start(builders.attempt(subject="茶/绿=1&" + "长" * 300), AT)
    subject = checked(str(ready.url).partition("?")[2]).order["subject"]  # type: ignore[union-attr]
    assert subject == ("茶 绿 1 " + "长" * 300)[:256]


def test_questions_by_our_numbers() -> None:
    assert asked(ALIPAY.query(ATTEMPT, AT)).order == {"out_trade_no": ATTEMPT.out_trade_no}
    assert asked(ALIPAY.query(ATTEMPT, AT)).method == QUERY
    assert asked(ALIPAY.close(ATTEMPT, AT)).order == {"out_trade_no": ATTEMPT.out_trade_no}
    assert asked(ALIPAY.refund(REFUND_ORDER, AT)).order == {
        "trade_no": REFUND_ORDER.trade_no,
        "refund_amount": "8.88",
        "out_request_no": REFUND_ORDER.refund_no,
        "refund_reason": "late",
    }
    assert asked(ALIPAY.query_refund(REFUND_ORDER, AT)).order == {
        "trade_no": REFUND_ORDER.trade_no,
        "out_request_no": REFUND_ORDER.refund_no,
        "query_options": ["gmt_refund_pay"],
    }


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_any_text_is_signed_as_it_is_sent(text: str) -> None:
    assert asked(ALIPAY.refund(replace(REFUND_ORDER, reason=text), AT)).order.get("refund_reason", "") == text
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
    ("started", lambda alipay, told: alipay.read_start(ATTEMPT, told, AT), PRECREATE),
    ("paid", lambda alipay, told: alipay.read_payment(ATTEMPT, told, AT), QUERY),
    ("closed", lambda alipay, told: alipay.read_close(ATTEMPT, told, AT), CLOSE),
    ("refunded", lambda alipay, told: alipay.read_refund(REFUND_ORDER, told, QUERIED_AT), REFUND),
    ("refund_found", lambda alipay, told: alipay.read_refund_query(REFUND_ORDER, told, QUERIED_AT), REFUND_QUERY),
]
each_reader = pytest.mark.parametrize(("name", "read", "method"), READERS, ids=[name for name, _, _ in READERS])


QUESTIONS = ("paid", "refund_found")
"""What is refused to them tells that it is not there, or nothing."""


@each_reader
@pytest.mark.parametrize("code", ["ACQ.INVALID_PARAMETER", "ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.TRADE_NOT_EXIST"])
def test_a_signed_no_is_a_no(name: str, read: Any, method: str, code: str) -> None:
    said = read(ALIPAY, builders.answer(method, protocol.failed(code, "不行")))
    known = name not in QUESTIONS or code == "ACQ.TRADE_NOT_EXIST"
    assert said == (ProviderRefusal(code, "不行") if known else UnknownOutcome(code))


AMBIGUOUS = [
    ("40004", "ACQ.SYSTEM_ERROR"), ("40004", "AQC.SYSTEM_ERROR"), ("40004", "aop.ACQ.SYSTEM_ERROR"),
    ("20000", "isp.unknow-error"), ("20000", "aop.unknow-error"), ("40005", "isv.app-call-limited"), ("20000", ""),
    ("10003", ""), ("40004", "ACQ.TRADE_HAS_SUCCESS"), ("40002", "isv.invalid-signature"),
]  # fmt: skip


@each_reader
@pytest.mark.parametrize(("code", "detail"), AMBIGUOUS)
def test_what_leaves_it_open_is_unknown(name: str, read: Any, method: str, code: str, detail: str) -> None:
    assert isinstance(read(ALIPAY, builders.answer(method, protocol.failed(detail, code=code))), UnknownOutcome)


@each_reader
def test_without_a_signature_neither_yes_nor_no_is_believed(name: str, read: Any, method: str) -> None:
    member = method.replace(".", "_") + "_response"
    no, yes = protocol.failed("ACQ.INVALID_PARAMETER"), protocol.ok(out_trade_no=ATTEMPT.out_trade_no)
    for said in (no, yes):
        for told in (
            HttpResponse(200, {}, json.dumps({member: said}).encode()),
            HttpResponse(200, {}, json.dumps({"error_response": said}).encode()),
            HttpResponse(200, {}, json.dumps({member: said, "sign": "QUJD"}).encode()),
            builders.answer(method, said, key="mallory"),
            builders.answer("alipay.trade.pay", said),
            replace(builders.answer(method, said), status=502),
            replace(builders.answer(method, said), headers={"content-encoding": "gzip"}),
            replace(
                builders.answer(method, said), body=builders.answer(method, said).body.replace(b'"msg":"', b'"msg":"x')
            ),
        ):
            assert isinstance(read(ALIPAY, told), UnknownOutcome), told


@each_reader
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"{}", b"\xff", b"[" * 60_000, b'{"a":' * 2_000, b" " * 70_000]
)
def test_what_is_no_answer_is_unknown(name: str, read: Any, method: str, body: bytes) -> None:
    assert isinstance(read(ALIPAY, HttpResponse(200, {}, body)), UnknownOutcome)


@given(st.data())
def test_another_byte_is_not_believed_or_says_the_same(data: st.DataObject) -> None:
    told = builders.found()
    body = bytearray(told.body)
    index = data.draw(st.integers(0, len(body) - 1))
    body[index] = data.draw(st.integers(0, 255).filter(lambda byte: byte != told.body[index]))
    assert isinstance(ALIPAY.read_payment(ATTEMPT, replace(told, body=bytes(body)), AT), UnknownOutcome)


def test_an_answer_that_was_parsed_and_written_again_is_another_answer() -> None:
    told = builders.answer(PRECREATE, protocol.ok(out_trade_no=ATTEMPT.out_trade_no, qr_code="https://qr.alipay.com/b"))
    again = json.dumps(json.loads(told.body), separators=(",", ":")).encode()
    assert b"\\/" in told.body
    assert b"\\/" not in again
    assert isinstance(ALIPAY.read_start(ATTEMPT, replace(told, body=again), AT), UnknownOutcome)


def test_the_signed_member_is_found_wherever_it_stands() -> None:
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


def test_how_an_attempt_stands() -> None:
    number = ATTEMPT.out_trade_no
    paid = PaymentReport(number, builders.TRADE_NO, ReportedPayment.CAPTURED, 8888, "CNY", AT)
    later = AT + timedelta(minutes=7)
    assert ALIPAY.read_payment(ATTEMPT, builders.found(), later) == paid
    assert ALIPAY.read_payment(ATTEMPT, builders.found(trade_status="TRADE_FINISHED"), later) == paid
    given_back = builders.found(trade_status="TRADE_CLOSED")
    assert ALIPAY.read_payment(ATTEMPT, given_back, later) == paid, "it was paid, then given back whole"
    closed = builders.found(trade_status="TRADE_CLOSED", send_pay_date=None)
    assert ALIPAY.read_payment(ATTEMPT, closed, later) == replace(
        paid, status=ReportedPayment.CLOSED, occurred_at=later
    )
    waits = builders.found(trade_status="WAIT_BUYER_PAY", send_pay_date=None)
    assert ALIPAY.read_payment(ATTEMPT, waits, later) == replace(
        paid, status=ReportedPayment.PENDING, occurred_at=later
    )


ELSE: list[dict[str, Any]] = [
    {"out_trade_no": "P1"}, {"trade_status": "SOMETHING"}, {"total_amount": "0"}, {"total_amount": 88.88},
    {"total_amount": "88.888"}, {"trade_no": ""}, {"send_pay_date": "now"}, {"send_pay_date": None},
]  # fmt: skip


@pytest.mark.parametrize("other", ELSE, ids=str)
def test_an_answer_about_something_else_is_unknown(other: dict[str, Any]) -> None:
    assert isinstance(ALIPAY.read_payment(ATTEMPT, builders.found(**other), AT), UnknownOutcome)


def test_closing() -> None:
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
def test_a_trade_that_does_not_wait_any_more_is_queried(code: str) -> None:
    said = ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, protocol.failed(code)), AT)
    assert isinstance(said, PaymentReport)
    assert (said.status, said.reason) == ("pending", code)


def test_a_link_that_nobody_followed_is_not_closed_because_it_is_good_until_it_expires() -> None:
    never, unheard = (
        protocol.failed("ACQ.TRADE_NOT_EXIST", "交易不存在"),
        ProviderRefusal("ACQ.TRADE_NOT_EXIST", "交易不存在"),
    )
    assert ALIPAY.read_close(ATTEMPT, builders.answer(CLOSE, never), ATTEMPT.expire_at) == unheard
    assert ALIPAY.read_payment(ATTEMPT, builders.answer(QUERY, never), AT) == unheard


PUBLISHED = Path(__file__).parent / "published"


def test_the_published_answer_is_believed_and_no_other() -> None:
    key = rsa.public_key((PUBLISHED / "alipay_answer_key.pem").read_text())
    body, member = (PUBLISHED / "alipay_answer.json").read_bytes(), "alipay_offline_material_image_upload_response"
    assert signing.read_response(body, member, [key]).text("image_id") == "akGwYYaFTai3r1uB0ww-1QAAACMAAQQD"
    with pytest.raises(FieldError, match="not signed by Alipay"):
        signing.read_response(body.replace(b"\\/", b"/"), member, [key])


DOCUMENTED = (
    'app_id=2014072300007148&biz_content={"button":[{"actionParam":"ZFB_HFCZ","actionType":"out","name":"话费充值"}]}'
    "&charset=GBK&method=alipay.mobile.public.menu.add&sign_type=RSA2&timestamp=2014-07-24 03:07:50&version=1.0"
)
"""What the page 自行实现签名 signs (its menu shortened)."""


def test_what_is_signed_is_built_as_documented() -> None:
    fields = dict(pair.split("=", 1) for pair in reversed(DOCUMENTED.split("&"))) | {"empty": ""}
    told = signing.signed(fields, keys.private("ours"))
    assert told["sign"] == rsa.sign(keys.private("ours"), DOCUMENTED.encode())
    assert "empty" not in told


SDK = import_module("alipay").AliPay(
    appid=builders.APP_ID,
    app_private_key_string=keys.private_pem("ours"),
    alipay_public_key_string=keys.public_pem("alipay"),
)


@pytest.mark.parametrize("scene", ["page", "wap", "app"])
def test_we_sign_byte_for_byte_as_the_sdk(scene: str) -> None:
    ready = ALIPAY.start(builders.attempt(scene=scene, subject="茶 100% + 1"), AT)
    assert isinstance(ready, ClientAction)
    query = ready.fields["order_string"] if scene == "app" else str(ready.url).partition("?")[2]
    fields = dict(urllib.parse.parse_qsl(query))
    del fields["sign"]
    assert query == SDK.sign_data(fields)


def test_the_sdk_believes_what_our_gateways_say_and_so_do_we() -> None:
    sent = dict(urllib.parse.parse_qsl(builders.notification(builders.trade()).body.decode(), keep_blank_values=True))
    signature = sent.pop("sign")
    assert SDK.verify(dict(sent), signature)
    assert not SDK.verify({**sent, "total_amount": "0.01"}, signature)
    told = builders.found()
    read = SDK._verify_and_return_sync_response(told.body.decode(), "alipay_trade_query_response")
    assert read["out_trade_no"] == ATTEMPT.out_trade_no
    assert isinstance(ALIPAY.read_payment(ATTEMPT, told, AT), PaymentReport)
