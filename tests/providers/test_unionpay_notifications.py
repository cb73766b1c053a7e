"""Which notifications of UnionPay are believed, and what the adapter reads in them (S0-08, S0-09, S1-16)."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.authorities import ISSUING, Authority, pem
from tests.providers import keys
from tests.providers import unionpay_builders as builders
from tests.providers.unionpay_builders import AT, ATTEMPT, QUERY_ID, notification, payment, received, refund, signer
from workers.providers.port import (
    IrrelevantNotification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedPayment,
    ReportedRefund,
)
from workers.providers.unionpay import RETRY_SCHEDULE_SECONDS, SigningKey, UnionPay

PUBLISHED = Path(__file__).parent / "published"
PROVIDER = builders.provider()
BODY = notification(payment()).body
PAID = PaymentReport(ATTEMPT.out_trade_no, QUERY_ID, ReportedPayment.CAPTURED, 8888, "CNY", AT + timedelta(seconds=40))


def code_of(body: bytes, **headers: str) -> str:
    result = PROVIDER.verify(received(body, **headers))
    assert isinstance(result, RejectedNotification), result
    return result.code


def test_a_payment_is_reported_with_its_numbers_amount_and_time() -> None:
    assert PROVIDER.verify(received(BODY)) == PAID


def test_all_five_copies_are_the_same_report() -> None:
    assert len(RETRY_SCHEDULE_SECONDS) == 4
    copies = [
        replace(received(BODY), received_at=AT + timedelta(seconds=sum(RETRY_SCHEDULE_SECONDS[:n]))) for n in range(5)
    ]
    assert [PROVIDER.verify(copy) for copy in copies] == [PAID] * 5


def test_the_order_and_the_escaping_of_the_fields_do_not_matter() -> None:
    pairs = list(reversed(parse_qsl(BODY.decode())))
    assert (
        PROVIDER.verify(received("&".join(f"{name}={quote(value, safe='')}" for name, value in pairs).encode())) == PAID
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("00", "captured"),
        ("A6", "captured"),
        ("03", "pending"),
        ("04", "pending"),
        ("05", "pending"),
        ("42", "pending"),
        ("01", "pending"),
        ("64", "pending"),
    ],
)
def test_only_a_success_ends_a_payment_because_a_buyer_may_try_another_card(code: str, status: str) -> None:
    result = PROVIDER.verify(notification(payment(code=code)))
    assert isinstance(result, PaymentReport)
    assert (result.status, result.reason) == (status, None if code == "00" else code)


@pytest.mark.parametrize(
    ("code", "status"), [("00", "succeeded"), ("A6", "succeeded"), ("05", "processing"), ("35", "failed")]
)
def test_the_status_of_a_refund_is_reported(code: str, status: str) -> None:
    result = PROVIDER.verify(notification(refund(code=code)))
    expected = RefundReport(
        builders.REFUND_ORDER.refund_no,
        ReportedRefund.SUCCEEDED,
        88,
        "CNY",
        AT + timedelta(days=1),
        None if code == "00" else code,
        trade_no=builders.QUERY_ID,
    )
    assert result == replace(expected, status=status)  # type: ignore[arg-type]


def test_other_transactions_are_irrelevant() -> None:
    assert PROVIDER.verify(notification(payment(txnType="31"))) == IrrelevantNotification("txnType 31")


@pytest.mark.parametrize(
    ("sent", "traced", "happened"),
    [
        ("20261231235950", "0101000010", datetime(2027, 1, 1, 0, 0, 10)),
        ("20270101000010", "1231235950", datetime(2026, 12, 31, 23, 59, 50)),
        ("20280228120000", "0229000000", datetime(2028, 2, 29)),
    ],
)
def test_a_time_without_a_year_gets_the_nearest_year(sent: str, traced: str, happened: datetime) -> None:
    result = PROVIDER.verify(notification(payment(txnTime=sent, traceTime=traced)))
    assert isinstance(result, PaymentReport)
    assert result.occurred_at == (happened - timedelta(hours=8)).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(dict(parse_qsl(BODY.decode()))))
@pytest.mark.parametrize("change", ["altered", "missing", "empty"])
def test_a_notification_with_a_field_altered_or_missing_is_rejected(name: str, change: str) -> None:
    fields = dict(parse_qsl(BODY.decode()))
    value = fields.pop(name)
    if change != "missing":
        fields[name] = "" if change == "empty" else value[:-1] + chr(ord(value[-1]) ^ 1)
    assert code_of(protocol.notification(fields)) == "PAY_SIGNATURE_INVALID"


def test_a_notification_with_an_added_field_is_rejected() -> None:
    assert code_of(BODY + b"&txnAmt2=1") == "PAY_SIGNATURE_INVALID"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_rejected_unless_it_only_escapes_the_same_text_differently(place: int, bit: int) -> None:
    flipped = bytearray(BODY)
    flipped[place] ^= 1 << bit
    result = PROVIDER.verify(received(bytes(flipped)))
    assert result == PAID or isinstance(result, RejectedNotification)
    assert result != PAID or parse_qsl(bytes(flipped).decode()) == parse_qsl(BODY.decode())  # %2b is %2B


def test_a_signature_in_another_base64_spelling_is_rejected() -> None:
    fields = dict(parse_qsl(BODY.decode()))
    signature = fields["signature"]
    other = signature[:-3] + chr(ord(signature[-3]) + 1) + "=="
    if base64.b64decode(other) == base64.b64decode(signature):
        assert code_of(protocol.notification({**fields, "signature": other})) == "PAY_SIGNATURE_INVALID"
    assert code_of(protocol.notification({**fields, "signature": signature + "\n"})) == "PAY_SIGNATURE_INVALID"


def test_a_notification_for_another_merchant_is_rejected() -> None:
    assert code_of(notification(payment(merId="777290058167152")).body) == "PAY_MERCHANT_MISMATCH"


def merchant_as_issuer() -> protocol.UnionPaySigner:
    """A merchant with a certificate of the right issuer, who has issued a certificate in UnionPay's name with it."""
    own = builders.authority().certificate(
        keys.private("merchant").public_key(), "merchant", since=AT - timedelta(days=1), usage=ISSUING
    )
    below = replace(builders.authority(), issuer_key=keys.private("merchant"))
    forged = below.certificate(keys.private("forger").public_key(), protocol.HOLDER, since=AT - timedelta(days=1))
    return protocol.UnionPaySigner(keys.private("forger"), pem(forged) + pem(own))


NOT_FOR_SIGNING = x509.KeyUsage(
    digital_signature=False,
    key_encipherment=True,
    key_cert_sign=False,
    content_commitment=False,
    crl_sign=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
FORGERS = {
    "another key than the certificate's": protocol.UnionPaySigner(keys.private("forger"), signer().certificate),
    "another issuer": signer("forger", issued_by="forged"),
    "another issuer of the same name": protocol.UnionPaySigner(
        keys.private("forger"),
        pem(
            replace(builders.authority(), issuer_key=keys.private("forger")).certificate(
                keys.private("forger").public_key(), protocol.HOLDER, since=AT
            )
        ),
    ),
    "another holder": signer("forger", common_name="041@8310000000083041@中国银行股份有限公司@00016495"),
    "a holder in the wrong place": signer("forger", common_name="中国银联股份有限公司"),
    "a certificate issued by a merchant": merchant_as_issuer(),
    "itself": protocol.UnionPaySigner(keys.private("merchant"), keys.certificate_pem(protocol.HOLDER, 1)),
    "a certificate for something else": signer(usage=NOT_FOR_SIGNING),
    "our own key": protocol.UnionPaySigner(keys.private("merchant"), keys.certificate_pem("merchant", builders.SERIAL)),
    "no certificate": protocol.UnionPaySigner(
        keys.private("unionpay"), "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"
    ),
}


@pytest.mark.parametrize("forger", FORGERS)
def test_a_signature_by_another_signer_is_rejected(forger: str) -> None:
    assert code_of(notification(payment(), FORGERS[forger]).body) == "PAY_SIGNATURE_INVALID"


def test_a_certificate_is_believed_only_while_it_is_valid() -> None:
    since = AT - timedelta(days=30)
    for moment, believed in (
        (since, True),
        (since - timedelta(microseconds=1), False),
        (since + timedelta(days=90), True),
        (since + timedelta(days=90, microseconds=1), False),
    ):
        assert (PROVIDER.verify(replace(received(BODY), received_at=moment)) == PAID) is believed


def test_a_certificate_is_not_believed_after_its_issuer_expired() -> None:
    late = keys.BEGINNING + timedelta(days=3650)
    late_notification = notification(payment(), signer(since=late - timedelta(days=1), days=30))
    assert isinstance(PROVIDER.verify(replace(late_notification, received_at=late)), PaymentReport)
    assert isinstance(
        PROVIDER.verify(replace(late_notification, received_at=late + timedelta(seconds=1))), RejectedNotification
    )


def test_a_pinned_certificate_that_may_not_issue_others_cannot_issue_one() -> None:
    shop = Authority("shop", keys.BEGINNING, keys.private("merchant"), keys.private("merchant"))
    own = builders.authority().certificate(keys.private("merchant").public_key(), "shop issuer", since=AT)
    careless = builders.provider(
        root_certificates=[pem(builders.authority().issuer)], intermediate_certificates=[pem(own)]
    )
    forged = shop.certificate(keys.private("forger").public_key(), protocol.HOLDER, since=AT)
    result = careless.verify(notification(payment(), protocol.UnionPaySigner(keys.private("forger"), pem(forged))))
    assert isinstance(result, RejectedNotification)


def test_while_unionpay_replaces_its_certificate_both_are_believed() -> None:
    new = notification(payment(), signer("unionpay's next"))
    assert [PROVIDER.verify(one) for one in (received(BODY), new)] == [PAID, PAID]


def test_while_the_issuer_is_replaced_certificates_of_both_are_believed() -> None:
    pinned = [builders.authority(), builders.authority("CFCA 2")]
    both = builders.provider(
        root_certificates=[pem(one.root) for one in pinned],
        intermediate_certificates=[pem(one.issuer) for one in pinned],
    )
    new = notification(payment(), signer(issued_by="CFCA 2"))
    assert [both.verify(one) for one in (received(BODY), new)] == [PAID, PAID]
    assert isinstance(PROVIDER.verify(new), RejectedNotification)


MALFORMED = {
    "nothing": b"", "no form": b"{}", "a name twice": BODY + b"&txnAmt=8888", "no name": b"=1&" + BODY,
    "no UTF-8": b"orderId=%ff&" + BODY, "a name that is no ASCII": b"%e9%93%b6=1&" + BODY,
    "too many fields": b"&".join(b"f%d=1" % n for n in range(101)), "too large": BODY + b"&x=" + b"1" * 65_536,
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_body_is_rejected(what: str) -> None:
    assert code_of(MALFORMED[what]) == "PAY_CALLBACK_INVALID"


def test_a_compressed_body_is_rejected_unread() -> None:
    assert code_of(BODY, **{"content-encoding": "gzip"}) == "PAY_CALLBACK_INVALID"
    assert PROVIDER.verify(received(BODY, **{"content-encoding": "identity"})) == PAID


@pytest.mark.parametrize("amount", ["0", "-1", "+1", "88.88", "1e3", " 88", "088", "", "1" * 13, "八", "1\n"])
def test_an_amount_that_is_not_a_positive_whole_number_of_fen_is_rejected(amount: str) -> None:
    assert code_of(notification(payment(txnAmt=amount)).body) == "PAY_CALLBACK_INVALID"


WRONG = {
    "currencyCode": ["840", "CNY"], "traceTime": ["1322105900", "112210590", "0230000000"], "txnTime": ["2026"],
    "respCode": ["000", "a6"], "txnType": ["1"], "orderId": ["P&1", "x" * 65], "queryId": ["1 2"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_signed_notification_with_a_malformed_field_is_rejected(name: str, value: str) -> None:
    assert code_of(notification(payment(**{name: value})).body) == "PAY_CALLBACK_INVALID"


@pytest.mark.parametrize(("name", "value"), [("version", "5.0.0"), ("signMethod", "11"), ("signMethod", "21")])
def test_other_signature_methods_are_rejected(name: str, value: str) -> None:
    fields = {**protocol.signed(payment(), signer()), name: value}
    signed = protocol.signed(fields, signer())
    assert code_of(protocol.notification({**signed, name: value})) == "PAY_SIGNATURE_INVALID"


def test_an_answer_that_is_sent_as_a_notification_is_rejected() -> None:
    accepted = protocol.answered(builders.refund_form(), txnAmt="88", queryId=QUERY_ID)
    queried = protocol.found(
        builders.read_form(PROVIDER.query(ATTEMPT, AT).body), builders.payment_form(), QUERY_ID, AT
    )
    assert [code_of(notification(fields).body) for fields in (accepted, queried)] == ["PAY_CALLBACK_INVALID"] * 2


def test_a_rejection_repeats_nothing_of_the_notification() -> None:
    bodies = [notification(payment(**{name: f"odd{value}odd"})).body for name in WRONG for value in WRONG[name]]
    results = [PROVIDER.verify(received(body)) for body in bodies]
    assert all(isinstance(result, RejectedNotification) and "odd" not in result.message for result in results)


def test_reprs_show_no_key() -> None:
    pem_line = keys.private_pem("merchant").splitlines()[1]
    for text in (repr(builders.settings()), str(builders.settings()), repr(PROVIDER), repr(vars(PROVIDER))):
        assert pem_line not in text


def test_a_certificate_of_another_key_is_rejected_without_showing_the_key() -> None:
    with pytest.raises(ValueError, match="not of this private key") as error:
        SigningKey(private_key=keys.private_pem("merchant"), certificate=keys.certificate_pem("forger", 1))
    assert keys.private_pem("merchant").splitlines()[1] not in str(error.value)


def test_an_intermediate_certificate_that_no_pinned_root_issued_is_rejected() -> None:
    with pytest.raises(ValueError, match="not issued by one that is pinned here"):
        builders.provider(intermediate_certificates=[pem(builders.authority("forged").issuer)])


def published(**more: object) -> UnionPay:
    """The adapter with the certificates of UnionPay's test environment, which are signed with SHA-1."""
    values: dict[str, object] = {
        "merchant_id": "777290058167151",
        "sha1_certificates": True,
        "root_certificates": [(PUBLISHED / "unionpay_test_root.pem").read_text()],
        "intermediate_certificates": [(PUBLISHED / "unionpay_test_middle.pem").read_text()],
    }
    return builders.provider(**{**values, **more})


PUBLISHED_AT = datetime(2022, 9, 8, 5, 22, 6, tzinfo=UTC)


def test_a_notification_that_unionpay_itself_signed_is_believed() -> None:
    body = (PUBLISHED / "unionpay_notification.txt").read_bytes()
    result = published().verify(replace(received(body), received_at=PUBLISHED_AT))
    assert result == PaymentReport(
        "yansongda20220908132206", "782209081322060674028", ReportedPayment.CAPTURED, 1, "CNY", PUBLISHED_AT
    )


def test_a_published_notification_is_rejected_when_altered_or_after_its_certificate_expired() -> None:
    body = (PUBLISHED / "unionpay_notification.txt").read_bytes()
    altered = body.replace(b"&txnAmt=1&", b"&txnAmt=2&")
    late = datetime(2025, 8, 1, tzinfo=UTC)
    for one, received_at in ((altered, PUBLISHED_AT), (body, late)):
        assert isinstance(published().verify(replace(received(one), received_at=received_at)), RejectedNotification)


def test_certificates_signed_with_sha1_are_believed_only_if_the_settings_allow_it() -> None:
    with pytest.raises(ValueError, match="hash that is not believed"):
        published(sha1_certificates=False)


WRONG_SETTINGS: dict[str, object] = {
    "merchant_id": "1", "signing_keys": [], "notify_url": "https://shop.example/?a=b", "other": 1
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_the_error_about_wrong_settings_names_the_field(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        builders.settings(**{name: WRONG_SETTINGS[name]})
