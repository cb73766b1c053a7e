"""Our requests to WeChat Pay are signed as it expects; its answers are believed only when signed
(S0-07, S0-10, S1-15).
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from yarl import URL

from scripts.gateways import wechat_protocol as protocol
from tests.providers import keys
from tests.providers import wechat_builders as builders
from tests.providers.wechat_builders import (
    AT,
    ATTEMPT,
    OTHER_PLATFORM,
    OTHER_SERIAL,
    OUR_SERIAL,
    PLATFORM,
    PUBLIC_KEY_ID,
    REFUND_ORDER,
)
from workers.providers.abilities import CapturingProvider, CertificateSource, ClosingProvider, TokenSource
from workers.providers.port import (
    ClientAction,
    ForeignRefund,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundReport,
    ReportedPayment,
    UnknownOutcome,
)
from workers.providers.wechat import MerchantKey, WeChat

WECHAT = builders.provider()
MERCHANTS = {OUR_SERIAL: keys.private("ours").public_key()}


def test_wechat_pay_closes_payments_and_offers_certificates_but_captures_nothing() -> None:
    whole: Provider = WECHAT
    assert (whole.name, whole.currencies) == ("wechat", frozenset({"CNY"}))
    assert isinstance(whole, ClosingProvider)
    assert isinstance(whole, CertificateSource)
    assert not isinstance(whole, CapturingProvider | TokenSource)


def checked(request: object) -> Any:
    """The JSON of a request that WeChat Pay accepts as aiohttp sends it: it may escape the address in another way."""
    assert isinstance(request, HttpRequest), request
    sent = urlsplit(str(URL(request.url)))
    target = f"{sent.path}?{sent.query}" if sent.query else sent.path
    now = AT + timedelta(seconds=299)
    mchid = protocol.check_request(request.method, target, request.headers, request.body, merchants=MERCHANTS, now=now)
    assert mchid == builders.MCHID
    assert sent.scheme == "https"
    assert sent.netloc == "api.mch.weixin.qq.com"
    assert (request.method == "POST") == bool(request.body)
    return json.loads(request.body or "null")


def started(scene: str, content: dict[str, str], **more: Any) -> ClientAction:
    """The client's action after WeChat Pay answered with this content."""
    ready = WECHAT.read_start(builders.attempt(scene=scene, **more), builders.answer(content), AT)
    assert isinstance(ready, ClientAction), ready
    return ready


def test_a_qr_payment_starts_with_the_code_that_wechat_pay_returns() -> None:
    request = WECHAT.start(ATTEMPT, AT)
    assert checked(request) == {
        "appid": builders.APPID,
        "mchid": builders.MCHID,
        "description": ATTEMPT.subject,
        "out_trade_no": ATTEMPT.out_trade_no,
        "time_expire": "2026-11-22T11:30:00+08:00",
        "notify_url": "https://shop.example/notify/wechat",
        "amount": {"total": 8888, "currency": "CNY"},
    }
    assert request.url == "https://api.mch.weixin.qq.com/v3/pay/transactions/native"  # type: ignore[union-attr]
    content = {"code_url": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}
    assert started("qr", content) == ClientAction("qr", url="weixin://wxpay/bizpayurl?pr=p4lpSuKzz")


def test_a_jsapi_payment_starts_with_signed_fields_for_the_client() -> None:
    body = checked(WECHAT.start(builders.attempt(scene="jsapi", payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), AT))
    assert body["payer"] == {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}
    ready = started("jsapi", {"prepay_id": "wx201410272009395522657a690389285100"})
    assert (ready.kind, ready.reference) == ("app", "wx201410272009395522657a690389285100")
    assert set(ready.fields) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert ready.fields["package"] == "prepay_id=wx201410272009395522657a690389285100"
    protocol.check_client(ready.fields, MERCHANTS[OUR_SERIAL])


def test_an_app_payment_starts_with_signed_fields_for_the_app() -> None:
    body = checked(WECHAT.start(builders.attempt(scene="app", client_ip="10.0.0.7"), AT))
    assert body["appid"] == builders.APP_APPID
    assert body["scene_info"] == {"payer_client_ip": "10.0.0.7"}
    ready = started("app", {"prepay_id": "WX1217752501201407033233368018"})
    assert ready.fields["appid"] == builders.APP_APPID
    assert ready.fields["partnerid"] == builders.MCHID
    protocol.check_client(ready.fields, MERCHANTS[OUR_SERIAL])
    with pytest.raises(protocol.WeChatProtocolError):
        protocol.check_client({**ready.fields, "prepayid": "WX2"}, MERCHANTS[OUR_SERIAL])


def test_an_h5_payment_starts_with_a_link() -> None:
    body = checked(WECHAT.start(builders.attempt(scene="h5", client_ip="2001:db8::7"), AT))
    assert body["scene_info"] == {"payer_client_ip": "2001:db8::7", "h5_info": {"type": "Wap"}}
    link = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=4043"
    assert started("h5", {"h5_url": link}) == ClientAction("redirect", url=link)
    back = started("h5", {"h5_url": link}, return_url="https://shop.example/?a=1&b=2")
    assert back.url == f"{link}&redirect_url=https%3A%2F%2Fshop.example%2F%3Fa%3D1%26b%3D2"


UNFIT = [{"scene": "page"}, {"currency": "USD"}, {"amount": 0}, {"amount": -1}, {"scene": "jsapi"}, {"scene": "h5"}]


@pytest.mark.parametrize("more", UNFIT, ids=str)
def test_a_payment_that_wechat_pay_cannot_take_is_refused_without_a_request(more: dict[str, Any]) -> None:
    assert isinstance(WECHAT.start(builders.attempt(**more), AT), ProviderRefusal)


def test_a_long_subject_is_cut() -> None:
    assert checked(WECHAT.start(builders.attempt(subject="长" * 200), AT))["description"] == "长" * 127


def test_different_requests_have_different_nonces() -> None:
    def nonce(request: object) -> str:
        return request.headers["authorization"].split('nonce_str="')[1].split('"')[0]  # type: ignore[attr-defined, no-any-return]

    requests = [
        WECHAT.query(ATTEMPT, AT),
        WECHAT.query(ATTEMPT, AT + timedelta(microseconds=1)),
        WECHAT.close(ATTEMPT, AT),
    ]
    assert len({nonce(request) for request in requests}) == 3
    assert nonce(requests[0]) == nonce(WECHAT.query(ATTEMPT, AT))


def test_queries_closes_and_refunds_carry_our_numbers() -> None:
    place = f"https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/{ATTEMPT.out_trade_no}"
    assert checked(WECHAT.query(ATTEMPT, AT)) is None
    assert WECHAT.query(ATTEMPT, AT).url == f"{place}?mchid={builders.MCHID}"
    assert checked(WECHAT.close(ATTEMPT, AT)) == {"mchid": builders.MCHID}
    assert WECHAT.close(ATTEMPT, AT).url == f"{place}/close"
    assert checked(WECHAT.query_refund(REFUND_ORDER, AT)) is None
    assert WECHAT.query_refund(REFUND_ORDER, AT).url.endswith(f"/v3/refund/domestic/refunds/{REFUND_ORDER.refund_no}")
    assert checked(WECHAT.refund(REFUND_ORDER, AT)) == {
        "transaction_id": REFUND_ORDER.trade_no,
        "out_refund_no": REFUND_ORDER.refund_no,
        "reason": "late",
        "notify_url": "https://shop.example/notify/wechat",
        "amount": {"refund": 888, "total": 8888, "currency": "CNY"},
    }


def test_every_legal_refund_number_is_signed_as_it_is_sent() -> None:
    checked(WECHAT.query_refund(replace(REFUND_ORDER, refund_no="late-1_2|3*4@5"), AT))


def test_we_sign_with_the_first_of_our_keys() -> None:
    ours = [
        MerchantKey(serial=s, private_key=SecretStr(keys.private_pem(name)))
        for s, name in (("AB12", "ours, next"), (OUR_SERIAL, "ours"))
    ]
    request = builders.provider(merchant_keys=tuple(ours)).query(ATTEMPT, AT)
    target = request.url.removeprefix("https://api.mch.weixin.qq.com")
    merchants = {"AB12": keys.private("ours, next").public_key()}
    protocol.check_request("GET", target, request.headers, b"", merchants=merchants, now=AT)
    with pytest.raises(protocol.WeChatProtocolError):
        protocol.check_request("GET", target, request.headers, b"", merchants=MERCHANTS, now=AT)


def test_a_merchant_with_wechat_pays_public_key_requests_answers_signed_with_it() -> None:
    assert "wechatpay-serial" not in WECHAT.query(ATTEMPT, AT).headers
    named = builders.provider(platform_keys={PUBLIC_KEY_ID: keys.public_pem("wechat, next")})
    assert named.query(ATTEMPT, AT).headers["wechatpay-serial"] == PUBLIC_KEY_ID


READERS: list[tuple[str, Callable[[WeChat, HttpResponse], object], Any]] = [
    (
        "started",
        lambda wechat, response: wechat.read_start(ATTEMPT, response, AT),
        {"code_url": "weixin://wxpay/bizpayurl?pr=1"},
    ),
    ("paid", lambda wechat, response: wechat.read_payment(ATTEMPT, response, AT), builders.transaction()),
    ("closed", lambda wechat, response: wechat.read_close(ATTEMPT, response, AT), None),
    ("refunded", lambda wechat, response: wechat.read_refund(REFUND_ORDER, response, AT), None),
    ("refund_found", lambda wechat, response: wechat.read_refund_query(REFUND_ORDER, response, AT), None),
]
each_reader = pytest.mark.parametrize(("name", "read", "good"), READERS, ids=[name for name, _, _ in READERS])


NOT_FOUND_CODES = {"paid": "ORDER_NOT_EXIST", "refund_found": "RESOURCE_NOT_EXISTS"}
"""A refused query either says with this code that the payment or refund does not exist, or it proves nothing."""


@each_reader
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "PARAM_ERROR"), (403, "NOT_ENOUGH"), (404, "RESOURCE_NOT_EXISTS"), (404, "ORDER_NOT_EXIST")],
)
def test_a_signed_refusal_is_believed(name: str, read: Any, good: Any, status: int, code: str) -> None:
    result = read(WECHAT, builders.answer({"code": code, "message": "不行"}, status))
    assert result == (
        ProviderRefusal(code, "不行") if NOT_FOUND_CODES.get(name, code) == code else UnknownOutcome(code)
    )


AMBIGUOUS = [
    (500, "SYSTEM_ERROR"), (500, "SYSTEMERROR"), (502, ""), (503, "BANK_ERROR"), (429, "FREQUENCY_LIMITED"),
    (429, "RATELIMIT_EXCEEDED"), (401, "SIGN_ERROR"), (202, "USERPAYING"), (403, "RULE_LIMIT"), (400, "SYSTEM_ERROR"),
    (403, "FREQUENCY_LIMIT_EXCEED"), (301, ""), (206, ""), (418, "PARAM_ERROR"), (500, "PARAM_ERROR"),
    (401, "PARAM_ERROR"), (202, "PARAM_ERROR"),
]  # fmt: skip


@each_reader
@pytest.mark.parametrize(("status", "code"), AMBIGUOUS)
def test_an_ambiguous_code_is_an_unknown_outcome(name: str, read: Any, good: Any, status: int, code: str) -> None:
    assert isinstance(read(WECHAT, builders.answer({"code": code, "message": ""}, status)), UnknownOutcome)


@each_reader
@pytest.mark.parametrize("status", [200, 204, 400, 404])
def test_without_a_valid_signature_neither_success_nor_refusal_is_believed(
    name: str, read: Any, good: Any, status: int
) -> None:
    response = builders.answer({"code": "PARAM_ERROR"} if status >= 400 else good, status)
    unsigned = {key: value for key, value in response.headers.items() if not key.startswith("wechatpay")}
    assert isinstance(read(WECHAT, replace(response, headers=unsigned)), UnknownOutcome)
    forged = builders.answer(good, status, platform=replace(PLATFORM, key=keys.private("mallory")))
    assert isinstance(read(WECHAT, forged), UnknownOutcome)
    assert isinstance(read(WECHAT, builders.answer(good, status, at=AT - timedelta(minutes=6))), UnknownOutcome)
    assert isinstance(
        read(WECHAT, replace(response, headers={**response.headers, "content-encoding": "gzip"})), UnknownOutcome
    )


@each_reader
def test_an_answer_signed_with_an_unknown_certificate_reports_its_serial(name: str, read: Any, good: Any) -> None:
    result = read(WECHAT, builders.answer(good, platform=OTHER_PLATFORM))
    assert isinstance(result, UnknownOutcome)
    assert result.serial == OTHER_SERIAL


@given(st.integers(0, 400), st.integers(1, 255))
def test_an_answer_with_any_byte_changed_is_not_believed(index: int, change: int) -> None:
    response = builders.answer(builders.transaction())
    body = bytearray(response.body)
    body[index % len(body)] ^= change
    assert isinstance(WECHAT.read_payment(ATTEMPT, replace(response, body=bytes(body)), AT), UnknownOutcome)


@each_reader
@pytest.mark.parametrize("content", [[], "x", {"code": 1}, {"code": ""}, {"unrelated": True}, {"amount": 3}])
def test_a_malformed_answer_is_an_unknown_outcome(name: str, read: Any, good: Any, content: Any) -> None:
    assert isinstance(read(WECHAT, builders.answer(content, 400)), UnknownOutcome)
    if name != "closed" or not isinstance(content, dict):
        assert isinstance(read(WECHAT, builders.answer(content, 200)), UnknownOutcome)


STATES = [
    ("SUCCESS", "captured"), ("REFUND", "captured"), ("NOTPAY", "pending"), ("USERPAYING", "pending"),
    ("ACCEPT", "pending"), ("CLOSED", "closed"), ("REVOKED", "closed"), ("PAYERROR", "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "status"), STATES)
def test_a_query_reports_the_state_of_the_payment(state: str, status: str) -> None:
    result = WECHAT.read_payment(ATTEMPT, builders.answer(builders.transaction(state=state)), AT + timedelta(seconds=9))
    assert isinstance(result, PaymentReport)
    assert (result.status, result.amount, result.currency) == (status, 8888, "CNY")
    assert result.trade_no == (builders.TRADE_NO if status == "captured" else ATTEMPT.out_trade_no)
    assert result.occurred_at == (AT if status == "captured" else AT + timedelta(seconds=9))


def test_an_unpaid_transaction_may_have_no_amount() -> None:
    content = builders.transaction(state="CLOSED")
    del content["amount"]
    assert isinstance(WECHAT.read_payment(ATTEMPT, builders.answer(content), AT), PaymentReport)


WRONG_FIELDS: list[dict[str, Any]] = [
    {"out_trade_no": "P1"}, {"mchid": "1900000110"}, {"appid": "wx1"}, {"state": "SOMETHING"}, {"total": 0},
]  # fmt: skip


@pytest.mark.parametrize("other", WRONG_FIELDS, ids=str)
def test_an_answer_with_a_wrong_field_is_an_unknown_outcome(other: dict[str, Any]) -> None:
    assert isinstance(WECHAT.read_payment(ATTEMPT, builders.answer(builders.transaction(**other)), AT), UnknownOutcome)


def test_a_closed_order_is_reported_as_closed() -> None:
    closed = PaymentReport(ATTEMPT.out_trade_no, ATTEMPT.out_trade_no, ReportedPayment.CLOSED, 8888, "CNY", AT)
    assert WECHAT.read_close(ATTEMPT, builders.answer(None, 204), AT) == closed
    assert WECHAT.read_close(ATTEMPT, builders.answer({"code": "ORDER_CLOSED", "message": ""}, 400), AT) == closed
    not_found = builders.answer({"code": "ORDER_NOT_EXIST"}, 404)
    assert WECHAT.read_close(ATTEMPT, not_found, AT) == ProviderRefusal("ORDER_NOT_EXIST", "ORDER_NOT_EXIST")


@pytest.mark.parametrize("code", ["ORDERPAID", "ORDER_PAID"])
def test_an_order_that_was_paid_meanwhile_is_reported_as_pending(code: str) -> None:
    response = builders.answer({"code": code, "message": "订单已支付"}, 400)
    closed = WECHAT.read_close(ATTEMPT, response, AT)
    assert isinstance(closed, PaymentReport)
    assert (closed.status, closed.reason) == ("pending", "ORDERPAID")
    assert isinstance(WECHAT.read_start(ATTEMPT, response, AT), UnknownOutcome)


def refund_answer(**more: Any) -> HttpResponse:
    given: dict[str, Any] = {
        "out_trade_no": REFUND_ORDER.out_trade_no,
        "transaction_id": REFUND_ORDER.trade_no,
        "out_refund_no": REFUND_ORDER.refund_no,
        "refund_id": "50000000382019052709732678859",
        "refund": 888,
        "total": 8888,
        "at": AT,
    }
    return builders.answer(protocol.refund_answer(**given | more))


def test_a_refund_of_the_merchant_platform_is_queried_by_its_number_and_must_be_of_the_transaction() -> None:
    foreign = ForeignRefund("F1", REFUND_ORDER.trade_no)
    assert WECHAT.query_foreign_refund(foreign, AT).url.endswith("/v3/refund/domestic/refunds/F1")
    report = WECHAT.read_foreign_refund(foreign, refund_answer(out_refund_no="F1"), AT)
    assert isinstance(report, RefundReport)
    assert (report.refund_no, report.trade_no, report.amount) == ("F1", REFUND_ORDER.trade_no, 888)
    for other in ({"out_refund_no": "F2"}, {"out_refund_no": "F1", "transaction_id": "42"}):
        assert isinstance(WECHAT.read_foreign_refund(foreign, refund_answer(**other), AT), UnknownOutcome)


REFUNDS = [("PROCESSING", "processing"), ("SUCCESS", "succeeded"), ("CLOSED", "failed"), ("ABNORMAL", "failed")]


@pytest.mark.parametrize(("state", "status"), REFUNDS)
def test_a_refund_query_reports_the_state_of_the_refund(state: str, status: Any) -> None:
    response, reason = refund_answer(state=state), state if status == "failed" else None
    expected = RefundReport(REFUND_ORDER.refund_no, status, 888, "CNY", AT, reason, trade_no=builders.TRADE_NO)
    assert (
        WECHAT.read_refund(REFUND_ORDER, response, AT)
        == WECHAT.read_refund_query(REFUND_ORDER, response, AT)
        == expected
    )


@pytest.mark.parametrize("other", [{"out_refund_no": "R1"}, {"refund": 889}, {"state": "SOMETHING"}], ids=str)
def test_an_answer_about_another_refund_is_an_unknown_outcome(other: dict[str, Any]) -> None:
    assert isinstance(WECHAT.read_refund(REFUND_ORDER, refund_answer(**other), AT), UnknownOutcome)


NEXT = {OTHER_SERIAL: builders.certificate("wechat, next", OTHER_SERIAL)}


def certificates(pems: dict[str, str], platform: protocol.Platform = PLATFORM) -> HttpResponse:
    body = platform.certificates(pems, AT)
    return HttpResponse(200, builders.lowered(platform.headers(body, AT, "0123456789")), body)


def test_certificates_are_requested_but_public_keys_are_not() -> None:
    checked(WECHAT.certificates(AT, OTHER_SERIAL))
    assert WECHAT.certificates(AT, PUBLIC_KEY_ID) is None


@pytest.mark.parametrize("platform", [PLATFORM, OTHER_PLATFORM], ids=["a known certificate", "the new certificate"])
def test_new_certificates_are_believed_if_a_known_or_an_included_certificate_signed_them(
    platform: protocol.Platform,
) -> None:
    assert WECHAT.read_certificates(certificates(NEXT, platform), AT) == NEXT


def test_the_first_certificate_may_verify_its_own_download_because_it_is_encrypted_with_our_key() -> None:
    bare = builders.provider(platform_keys={})
    assert bare.read_certificates(certificates(NEXT, OTHER_PLATFORM), AT) == NEXT
    assert isinstance(bare.read_certificates(certificates(NEXT, PLATFORM), AT), UnknownOutcome)


def test_an_expired_certificate_is_left_out() -> None:
    old = builders.certificate("wechat, next", OTHER_SERIAL, since=AT - timedelta(days=400), days=300)
    assert WECHAT.read_certificates(certificates({OTHER_SERIAL: old}), AT) == {}


INVALID_CERTIFICATES = [
    certificates({builders.SERIAL: NEXT[OTHER_SERIAL]}), certificates({OTHER_SERIAL: "no PEM"}),
    certificates(NEXT, replace(PLATFORM, apiv3_key=builders.OTHER_APIV3_KEY.encode())),
    certificates(NEXT, replace(PLATFORM, key=keys.private("mallory"))),
    replace(certificates(NEXT), status=500), replace(certificates(NEXT), body=b"{}"), builders.answer({"data": [1]}),
    certificates({OTHER_SERIAL: keys.public_pem("wechat, next")}),
]  # fmt: skip


@pytest.mark.parametrize("response", INVALID_CERTIFICATES, ids=range(len(INVALID_CERTIFICATES)))
def test_certificates_that_are_not_wechat_pays_are_not_believed(response: HttpResponse) -> None:
    assert isinstance(WECHAT.read_certificates(response, AT), UnknownOutcome)
