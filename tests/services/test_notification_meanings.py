"""What a verified notification means for its attempt or refund: the whole table, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.envelope import Envelope
from messages.payments import PaymentCallback
from tests.providers import alipay_builders, paypal_builders
from workers.domain.codes import Code
from workers.domain.payment_rules import AttemptState
from workers.providers.port import (
    ApprovalReport,
    IrrelevantNotification,
    PaymentReport,
    Provider,
    RefundReport,
    RejectedNotification,
    UnknownCertificate,
)
from workers.services.payment_notifications import (
    CERTIFICATE_NOT_NAMED,
    CERTIFICATE_TRIES,
    ApprovalReported,
    AttemptUnknown,
    ClosingReported,
    Meaning,
    NothingNew,
    PaymentReported,
    PaymentUnproven,
    ProviderNotConfigured,
    RefundReported,
    RefundUnproven,
    Verification,
    interpret,
)
from workers.store.attempts import Attempt

NOW = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
PROVIDERS: dict[str, Provider] = {"alipay": alipay_builders.provider(), "paypal": paypal_builders.provider()}
PROVES, PROVES_NOTHING = "alipay", "paypal"
REJECTED = RejectedNotification(Code.PAY_SIGNATURE_INVALID, "the signature is not Alipay's")
APPROVED = ApprovalReport("P1", "their-1")
LIVE = ("created", "requested", "unknown")
STATES = (*LIVE, "closing", "captured", "failed", "closed")


def paid(status: Any) -> PaymentReport:
    return PaymentReport("P1", "t1", status, 1000, "CNY", NOW, "NO_MONEY")


def refunded(status: Any) -> RefundReport:
    return RefundReport("R1", status, 1000, "CNY", NOW)


def attempt(provider: str, state: str) -> Attempt:
    return Attempt(
        id=1,
        out_trade_no="P1",
        intent_id=2,
        order_id=3,
        provider=provider,
        scene="page",
        amount=1000,
        currency="CNY",
        state=AttemptState(state),
        reference=None,
        trade_no=None,
        command=("scope", "key"),
        details={},
        started_at=NOW,
        expire_at=NOW + timedelta(minutes=30),
    )


def meaning_of(
    verdict: Verification, by: str = PROVES, state: str = "requested", of: str | None = None, tries: int = 0
) -> Meaning:
    """`by` is the provider that notifies, `of` the one that the attempt is at."""
    body = PaymentCallback(provider=by, headers={}, body="", received_at=NOW)
    item = Envelope(body, "m1", "c1", NOW, attempt=tries)
    return interpret(item, verdict, {"P1": attempt(of or by, state)}, PROVIDERS)


@pytest.mark.parametrize("verdict", [REJECTED, UnknownCertificate("5F1E"), ProviderNotConfigured("wechat")])
def test_what_cannot_be_verified_stays_what_it_is(verdict: Verification) -> None:
    assert meaning_of(verdict) is verdict


def test_a_certificate_that_is_not_named_in_time_is_a_rejection() -> None:
    assert meaning_of(UnknownCertificate("5F1E"), tries=CERTIFICATE_TRIES - 1) == UnknownCertificate("5F1E")
    assert meaning_of(UnknownCertificate("5F1E"), tries=CERTIFICATE_TRIES) is CERTIFICATE_NOT_NAMED


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ["captured", "failed"])
def test_a_proven_payment_is_a_result_in_any_state_of_the_attempt(kind: str, state: str) -> None:
    meaning = meaning_of(paid(kind), state=state)
    assert isinstance(meaning, PaymentReported)
    result = meaning.result
    assert (result.order_id, result.intent_id, result.provider, result.trade_no) == (3, 2, "alipay", "t1")
    assert (result.kind, result.amount, result.currency, result.reason_code) == (kind, 1000, "CNY", "NO_MONEY")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("status", ["captured", "failed", "closed", "pending"])
def test_a_payment_that_the_signature_does_not_prove_is_queried_until_it_is_captured(status: str, state: str) -> None:
    expected = NothingNew if state == "captured" else PaymentUnproven
    assert isinstance(meaning_of(paid(status), PROVES_NOTHING, state), expected)


@pytest.mark.parametrize("state", STATES)
def test_an_attempt_is_closed_once_and_never_after_a_capture(state: str) -> None:
    meaning = meaning_of(paid("closed"), state=state)
    if state in ("captured", "closed"):
        assert meaning == NothingNew()
    else:
        assert meaning == ClosingReported(attempt(PROVES, state), "NO_MONEY")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("state", STATES)
def test_an_approval_counts_while_the_attempt_is_live(state: str, provider: str) -> None:
    expected = ApprovalReported(attempt(provider, state), "their-1") if state in LIVE else NothingNew()
    assert meaning_of(APPROVED, provider, state) == expected


def test_a_number_belongs_to_an_attempt_of_the_same_provider_only() -> None:
    assert meaning_of(paid("captured"), "alipay", of="paypal") == AttemptUnknown("P1")
    assert meaning_of(APPROVED, "paypal", of="alipay") == AttemptUnknown("P1")
    assert meaning_of(ApprovalReport("P2", "their-2")) == AttemptUnknown("P2")


REFUNDS = [
    (PROVES, "succeeded", RefundReported(refunded("succeeded"))),
    (PROVES, "failed", RefundReported(refunded("failed"))),
    (PROVES, "processing", RefundUnproven(refunded("processing"))),
    (PROVES_NOTHING, "succeeded", RefundUnproven(refunded("succeeded"))),
    (PROVES_NOTHING, "failed", RefundUnproven(refunded("failed"))),
    (PROVES_NOTHING, "processing", RefundUnproven(refunded("processing"))),
]


@pytest.mark.parametrize(("provider", "status", "expected"), REFUNDS)
def test_a_refund_is_reported_when_it_is_proven_and_final(provider: str, status: str, expected: Meaning) -> None:
    assert meaning_of(refunded(status), provider) == expected


@pytest.mark.parametrize("verdict", [IrrelevantNotification("a contract"), paid("pending")])
def test_what_changes_nothing_is_nothing_new(verdict: Verification) -> None:
    assert meaning_of(verdict) == NothingNew()
