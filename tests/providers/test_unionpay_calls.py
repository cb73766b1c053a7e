"""Our requests to UnionPay, and how the adapter reads its answers (S0-07, S0-10, R-14)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scripts.gateways import unionpay_protocol as protocol
from tests.providers import keys
from tests.providers import unionpay_builders as builders
from tests.providers.unionpay_builders import AT, ATTEMPT, QUERY_ID, REFUND_ORDER, answer, read_form, signer
from workers.providers.abilities import (
    CapturingProvider,
    CertificateSource,
    ClosingProvider,
    TokenSource,
    with_certificates,
)
from workers.providers.port import (
    ClientAction,
    HttpRequest,
    HttpResponse,
    PaymentReport,
    Provider,
    ProviderRefusal,
    RefundReport,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)
from workers.providers.unionpay import UnionPay

PROVIDER = builders.provider()
LATE = ATTEMPT.expire_at + timedelta(minutes=5)
EARLY = LATE - timedelta(microseconds=1)


def posted(request: object) -> dict[str, str]:
    """The form of a request, as UnionPay reads it after it has checked the signature."""
    assert isinstance(request, HttpRequest)
    assert (request.method, request.bearer) == ("POST", False)
    assert request.headers == {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
    return read_form(request.body)


@pytest.mark.parametrize(("scene", "channel_type"), [("page", "07"), ("wap", "08")])
def test_a_page_or_wap_payment_starts_with_a_signed_form_for_the_browser(scene: str, channel_type: str) -> None:
    ready = PROVIDER.start(replace(ATTEMPT, scene=scene), AT)
    assert isinstance(ready, ClientAction)
    assert (ready.kind, ready.url) == ("form", "https://gateway.95516.com/gateway/api/frontTransReq.do")
    fields = read_form(protocol.notification(ready.fields))
    expected = {
        "txnType": "01",
        "txnSubType": "01",
        "bizType": "000201",
        "channelType": channel_type,
        "txnAmt": "8888",
        "currencyCode": "156",
        "orderId": ATTEMPT.out_trade_no,
        "txnTime": "20261122105930",
        "payTimeout": "20261122111430",
        "frontUrl": "https://shop.example/back",
        "backUrl": "https://shop.example/unionpay",
    }
    assert {name: fields[name] for name in expected} == expected


def test_a_buyer_returns_to_the_configured_page_if_the_attempt_has_none() -> None:
    assert builders.payment_form(return_url=None)["frontUrl"] == "https://shop.example/"


def test_an_app_payment_starts_with_the_number_that_unionpay_returns() -> None:
    attempt = replace(ATTEMPT, scene="app")
    request = PROVIDER.start(attempt, AT)
    fields = posted(request)
    assert (fields["channelType"], fields["orderId"]) == ("08", ATTEMPT.out_trade_no)
    assert isinstance(request, HttpRequest)
    assert request.url.endswith("/gateway/api/appTransReq.do")
    ready = PROVIDER.read_start(attempt, answer(protocol.answered(fields, tn="774211221059306740028")), AT)
    assert ready == ClientAction("app", fields={"tn": "774211221059306740028"}, reference="774211221059306740028")


UNFIT: list[dict[str, Any]] = [
    {"scene": "qr"}, {"currency": "USD"}, {"amount": 0}, {"amount": 10**12}, {"out_trade_no": "P123456"},
    {"out_trade_no": "P1234567-1"}, {"expire_at": AT},
]  # fmt: skip


@pytest.mark.parametrize("more", UNFIT)
def test_a_payment_that_unionpay_cannot_take_is_refused_without_a_request(more: dict[str, Any]) -> None:
    refused = PROVIDER.start(replace(ATTEMPT, **more), AT)
    assert isinstance(refused, ProviderRefusal)
    assert refused.code == "PAY_PARAM_INVALID"


def test_the_first_of_two_keys_signs() -> None:
    for first, second in (("merchant", "merchant 2"), ("merchant 2", "merchant")):
        serials = {"merchant": 11, "merchant 2": 22}
        ring = [builders.signing_key(name, serials[name]) for name in (first, second)]
        ready = builders.provider(signing_keys=ring).start(ATTEMPT, AT)
        assert isinstance(ready, ClientAction)
        only = {str(serials[first]): keys.private(first).public_key()}
        assert protocol.check(protocol.notification(ready.fields), merchant_id=builders.MERCHANT, keys=only)


def test_the_same_request_always_has_the_same_bytes() -> None:
    another = UnionPay(builders.settings())
    assert PROVIDER.query(ATTEMPT, AT) == another.query(ATTEMPT, AT + timedelta(days=1))


def about_attempt(fields: Mapping[str, str]) -> dict[str, str]:
    return protocol.found(fields, builders.payment_form(), QUERY_ID, AT + timedelta(seconds=40))


def about_refund(fields: Mapping[str, str]) -> dict[str, str]:
    return protocol.found(fields, builders.refund_form(), QUERY_ID, AT + timedelta(days=1))


Reader = Callable[[UnionPay, HttpResponse], object]
CALLS: dict[str, tuple[Callable[[], object], Callable[[Mapping[str, str]], dict[str, str]], Reader]] = {
    "started": (
        lambda: PROVIDER.start(replace(ATTEMPT, scene="app"), AT),
        lambda request: protocol.answered(request, tn="1"),
        lambda provider, response: provider.read_start(ATTEMPT, response, AT),
    ),
    "paid": (
        lambda: PROVIDER.query(ATTEMPT, AT),
        about_attempt,
        lambda provider, response: provider.read_payment(ATTEMPT, response, AT),
    ),
    "refunded": (
        lambda: PROVIDER.refund(REFUND_ORDER, AT),
        protocol.answered,
        lambda provider, response: provider.read_refund(REFUND_ORDER, response, AT),
    ),
    "refund_found": (
        lambda: PROVIDER.query_refund(REFUND_ORDER, AT),
        about_refund,
        lambda provider, response: provider.read_refund_query(REFUND_ORDER, response, AT),
    ),
}
INVALID_ANSWERS: dict[str, Callable[[dict[str, str]], HttpResponse]] = {
    "another key": lambda fields: answer(fields, protocol.UnionPaySigner(keys.private("forger"), signer().certificate)),
    "another issuer": lambda fields: answer(fields, signer("forger", issued_by="forged")),
    "no signature": lambda fields: HttpResponse(200, {}, protocol.answer(fields)),
    "an altered field": lambda fields: HttpResponse(
        200, {}, answer(fields).body.replace(b"respMsg=", b"respMsg=x")
    ),
    "a field twice": lambda fields: HttpResponse(200, {}, answer(fields).body + b"&respCode=00"),
    "another merchant": lambda fields: answer({**fields, "merId": "777290058167152"}),
    "another order": lambda fields: answer({**fields, "orderId": "P17325846012345679x"}),
    "another time": lambda fields: answer({**fields, "txnTime": "20261122105931"}),
    "no code": lambda fields: answer({name: value for name, value in fields.items() if name != "respCode"}),
    "a code that is none": lambda fields: answer({**fields, "respCode": "0000"}),
    "HTTP 500": lambda fields: answer(fields, status=500),
    "a redirect": lambda fields: answer(fields, status=302),
    "nothing": lambda _: HttpResponse(200, {}, b""),
    "a page": lambda _: HttpResponse(200, {}, b"<html>&nbsp;</html>"),
    "no UTF-8": lambda fields: HttpResponse(200, {}, answer(fields).body + b"&x=\xff"),
    "too much": lambda fields: HttpResponse(200, {}, answer(fields).body + b"&x=" + b"1" * 65_536),
    "compressed": lambda fields: replace(answer(fields), headers={"content-encoding": "gzip"}),
    "too many fields": lambda fields: answer({**fields, **{f"f{n}": "1" for n in range(100)}}),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_a_valid_answer_is_believed(call: str) -> None:
    build, reply, read = CALLS[call]
    assert not isinstance(read(PROVIDER, answer(reply(posted(build())))), UnknownOutcome)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", INVALID_ANSWERS)
def test_an_answer_that_fails_verification_is_an_unknown_outcome(call: str, what: str) -> None:
    build, reply, read = CALLS[call]
    assert isinstance(read(PROVIDER, INVALID_ANSWERS[what](reply(posted(build())))), UnknownOutcome)


def test_an_answer_is_not_believed_after_its_certificate_expired() -> None:
    response = answer(about_attempt(posted(PROVIDER.query(ATTEMPT, AT))))
    assert isinstance(PROVIDER.read_payment(ATTEMPT, response, AT + timedelta(days=61)), UnknownOutcome)


def test_a_value_in_braces_may_contain_the_text_of_other_fields() -> None:
    more = {"accSplitData": "{accSplitType=1&respCode=99&accSplitMchts=[{a=1}]}", "reserved": "{a=1&b=2}"}
    fields = about_attempt(posted(PROVIDER.query(ATTEMPT, AT))) | more
    assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(dict(sorted(fields.items()))), AT), PaymentReport)


AMBIGUOUS = ["01", "02", "03", "04", "05", "06", "11", "12", "34", "37", "39", "60", "99"]
REFUSALS = ["10", "13", "30", "31", "32", "33", "35", "36", "38", "40", "45", "61", "98", "ZZ"]


@pytest.mark.parametrize("call", ["started", "refunded"])
@pytest.mark.parametrize("code", [*AMBIGUOUS, *REFUSALS])
def test_a_code_is_a_refusal_or_an_unknown_outcome(call: str, code: str) -> None:
    build, _, read = CALLS[call]
    result = read(PROVIDER, answer(protocol.answered(posted(build()), code, "不行[4000000]")))
    assert result == (
        UnknownOutcome(f"respCode {code}") if code in AMBIGUOUS else ProviderRefusal(code, "不行[4000000]")
    )


def test_an_accepted_start_without_a_number_is_an_unknown_outcome() -> None:
    fields = posted(PROVIDER.start(replace(ATTEMPT, scene="app"), AT))
    assert isinstance(PROVIDER.read_start(ATTEMPT, answer(protocol.answered(fields)), AT), UnknownOutcome)


@pytest.mark.parametrize("code", ["00", "A6"])
@pytest.mark.parametrize("at", [AT, LATE + timedelta(days=9)])
def test_a_success_is_captured_at_any_time(code: str, at: datetime) -> None:
    fields = protocol.found(posted(PROVIDER.query(ATTEMPT, AT)), builders.payment_form(), QUERY_ID, AT, code)
    by = signer(since=AT - timedelta(days=1), days=90)
    paid = PROVIDER.read_payment(ATTEMPT, answer(fields, by), at)
    reason = None if code == "00" else code
    assert paid == PaymentReport(ATTEMPT.out_trade_no, QUERY_ID, ReportedPayment.CAPTURED, 8888, "CNY", AT, reason)


def test_the_reported_amount_is_the_paid_one_and_not_the_requested_one() -> None:
    fields = about_attempt(posted(PROVIDER.query(ATTEMPT, AT))) | {"txnAmt": "1"}
    paid = PROVIDER.read_payment(ATTEMPT, answer(fields), AT)
    assert isinstance(paid, PaymentReport)
    assert paid.amount == 1


@pytest.mark.parametrize("code", ["05", "03", "64", "42", "01", "34"])
def test_every_other_state_is_pending_until_the_buyer_can_no_longer_pay(code: str) -> None:
    request = posted(PROVIDER.query(ATTEMPT, AT))
    fields = (
        protocol.absent(request)
        if code == "34"
        else protocol.found(request, builders.payment_form(), QUERY_ID, AT, code)
    )
    found = [PROVIDER.read_payment(ATTEMPT, answer(fields), at) for at in (AT, EARLY, LATE)]
    assert [one.status for one in found if isinstance(one, PaymentReport)] == ["pending", "pending", "closed"]
    assert {(one.trade_no, one.amount, one.reason) for one in found if isinstance(one, PaymentReport)} == {
        ("", 8888, code)
    }


def test_a_shorter_grace_period_closes_a_payment_sooner() -> None:
    request, same_clock = posted(PROVIDER.query(ATTEMPT, AT)), builders.provider(grace_seconds=2)
    end = ATTEMPT.expire_at + timedelta(seconds=2)
    found = [
        same_clock.read_payment(ATTEMPT, answer(protocol.absent(request)), at)
        for at in (end - timedelta(microseconds=1), end)
    ]
    assert [one.status for one in found if isinstance(one, PaymentReport)] == ["pending", "closed"]


@pytest.mark.parametrize("code", ["03", "06", "10", "11", "37", "99"])
def test_a_query_that_unionpay_could_not_answer_is_an_unknown_outcome(code: str) -> None:
    fields = protocol.answered(posted(PROVIDER.query(ATTEMPT, AT)), code)
    assert PROVIDER.read_payment(ATTEMPT, answer(fields), LATE) == UnknownOutcome(f"respCode {code}")


@pytest.mark.parametrize("missing", ["txnAmt", "currencyCode", "queryId", "traceTime", "origRespCode"])
def test_a_success_with_a_missing_field_is_an_unknown_outcome(missing: str) -> None:
    fields = about_attempt(posted(PROVIDER.query(ATTEMPT, AT)))
    del fields[missing]
    assert isinstance(PROVIDER.read_payment(ATTEMPT, answer(fields), LATE), UnknownOutcome)


def test_a_refund_names_the_payment_and_a_second_request_is_the_same() -> None:
    first, again = PROVIDER.refund(REFUND_ORDER, AT), PROVIDER.refund(REFUND_ORDER, AT + timedelta(hours=3))
    assert first == again
    fields = posted(first)
    expected = {"txnType": "04", "orderId": REFUND_ORDER.refund_no, "origQryId": QUERY_ID, "txnAmt": "88"}
    assert {name: fields[name] for name in expected} == expected
    assert fields["txnTime"] == "20261122115930"


def test_an_accepted_refund_is_processing() -> None:
    at = AT + timedelta(hours=1)
    result = PROVIDER.read_refund(
        REFUND_ORDER, answer(protocol.answered(posted(PROVIDER.refund(REFUND_ORDER, at)))), at
    )
    assert result == RefundReport(REFUND_ORDER.refund_no, ReportedRefund.PROCESSING, 88, "CNY", at)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("00", "succeeded"),
        ("A6", "succeeded"),
        ("03", "processing"),
        ("05", "processing"),
        ("35", "failed"),
        ("01", "failed"),
    ],
)
def test_a_refund_query_reports_the_state_of_the_refund(code: str, status: str) -> None:
    request = posted(PROVIDER.query_refund(REFUND_ORDER, AT))
    assert (request["orderId"], request["txnTime"]) == (REFUND_ORDER.refund_no, "20261122115930")
    fields = protocol.found(request, builders.refund_form(), QUERY_ID, AT + timedelta(days=1), code)
    result = PROVIDER.read_refund_query(REFUND_ORDER, answer(fields), AT)
    assert isinstance(result, RefundReport)
    assert (result.refund_no, result.status, result.amount) == (REFUND_ORDER.refund_no, status, 88)
    assert result.reason == (None if code == "00" else code)


def test_a_refund_that_unionpay_does_not_know_is_a_refusal() -> None:
    fields = protocol.absent(posted(PROVIDER.query_refund(REFUND_ORDER, AT)))
    assert isinstance(PROVIDER.read_refund_query(REFUND_ORDER, answer(fields), AT), ProviderRefusal)


def test_unionpay_closes_captures_and_fetches_nothing() -> None:
    port: Provider = PROVIDER
    assert not isinstance(port, ClosingProvider | CapturingProvider | CertificateSource | TokenSource)
    assert with_certificates(port, {"a": "b"}) is port
