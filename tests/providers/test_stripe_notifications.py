"""Stripe's webhooks: the signature over time and body, and what each event reports (S2-09, S0-08)."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.gateways import stripe_protocol as protocol
from tests.providers import stripe_builders as builders
from tests.providers.stripe_builders import (
    AT,
    ATTEMPT,
    CHARGE,
    DISPUTE,
    INTENT,
    NEXT_SECRET,
    REFUND_ID,
    REFUND_ORDER,
    SECRET,
    dispute,
    intent,
    notification,
    refund,
    session,
    signed_notification,
    succeeded,
)
from workers.providers.port import (
    DisputeReport,
    IrrelevantNotification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedDispute,
    ReportedPayment,
    ReportedRefund,
)
from workers.providers.stripe import RETRY_SCHEDULE_SECONDS

PROVIDER = builders.provider()
UNSIGNED, STALE, INVALID = "PAY_SIGNATURE_INVALID", "PAY_CALLBACK_STALE", "PAY_CALLBACK_INVALID"
BODY = succeeded().body


def assert_rejected(found: object, code: str) -> None:
    assert isinstance(found, RejectedNotification), found
    assert found.code == code


def test_a_signature_is_an_hmac_of_the_time_a_dot_and_the_body() -> None:
    """Computed here step by step, as Stripe's documentation says it."""
    time = "1795316370"
    text = time.encode() + b"." + BODY
    signature = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    received = replace(
        signed_notification(BODY, signature=f"t={time},v1={signature},v0=6ffbb59b2300aae63f272406069a9788"),
        received_at=datetime.fromtimestamp(int(time), UTC),
    )
    assert isinstance(PROVIDER.verify(received), PaymentReport)
    assert_rejected(PROVIDER.verify(replace(received, body=BODY + b" ")), UNSIGNED)


def test_while_a_secret_is_replaced_either_of_two_signatures_is_enough() -> None:
    both = succeeded(secrets=(NEXT_SECRET, SECRET))
    new, old = builders.provider(webhook_secrets=[NEXT_SECRET]), PROVIDER
    assert new.verify(both) == old.verify(both) == old.verify(succeeded())
    assert_rejected(new.verify(succeeded()), UNSIGNED)
    assert_rejected(old.verify(succeeded(secrets=("whsec_guessed",) * 20)), UNSIGNED)
    lists_both = builders.provider(webhook_secrets=[SECRET, NEXT_SECRET])
    assert isinstance(lists_both.verify(succeeded(secrets=(NEXT_SECRET,))), PaymentReport)


DIGEST = hmac.new(SECRET.encode(), f"{int(AT.timestamp())}.".encode() + BODY, hashlib.sha256).hexdigest()
HEADERS = [
    "", "t=,v1=", "v1=" + DIGEST, f"t={int(AT.timestamp())}", f"t={int(AT.timestamp())},v0={DIGEST}",
    f"t={int(AT.timestamp())},v1={DIGEST.upper()}", f"t={int(AT.timestamp())},v1={DIGEST[:-1]}",
    f"t=+{int(AT.timestamp())},v1={DIGEST}", f"t={int(AT.timestamp())}.0,v1={DIGEST}",
    f"t={int(AT.timestamp())},t={int(AT.timestamp()) + 1},v1={DIGEST}", f"t={'9' * 5000},v1={DIGEST}", "\xe9=1",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_malformed_signature_is_rejected(header: str) -> None:
    assert isinstance(PROVIDER.verify(signed_notification(BODY)), PaymentReport)
    assert_rejected(PROVIDER.verify(signed_notification(BODY, signature=header)), UNSIGNED)


@pytest.mark.parametrize(("late", "code"), [(-301, STALE), (-300, None), (300, None), (301, STALE)])
def test_a_notification_counts_for_five_minutes(late: int, code: str | None) -> None:
    found = PROVIDER.verify(replace(succeeded(), received_at=AT + timedelta(seconds=late)))
    assert found.code == code if isinstance(found, RejectedNotification) else code is None
    assert isinstance(
        builders.provider(signature_window_seconds=600).verify(
            replace(succeeded(), received_at=AT + timedelta(seconds=late))
        ),
        PaymentReport,
    )


def test_each_copy_is_signed_anew_so_that_it_counts_for_as_long_as_stripe_repeats_it() -> None:
    assert sum(RETRY_SCHEDULE_SECONDS) == 72 * 3600
    for after in RETRY_SCHEDULE_SECONDS:
        at = AT + timedelta(seconds=after)
        assert isinstance(PROVIDER.verify(replace(succeeded(at=at), received_at=at)), PaymentReport)


C = ReportedPayment
PAYMENTS: list[tuple[str, dict[str, Any], tuple[str, C, int, str | None]]] = [
    ("succeeded", intent(), (CHARGE, C.CAPTURED, 8888, None)),
    ("succeeded", intent(amount_received=800), (CHARGE, C.CAPTURED, 800, None)),
    ("amount_capturable_updated", intent("requires_capture"), (INTENT, C.AUTHORIZED, 8888, None)),
    ("canceled", intent("canceled", cancellation_reason="automatic"), (INTENT, C.CLOSED, 8888, "automatic")),
    ("payment_failed", intent("requires_payment_method", last_payment_error={"code": "card_declined"}),
     (INTENT, C.PENDING, 8888, "card_declined")),
    ("payment_failed", intent("requires_payment_method", last_payment_error={"code": "card_declined",
     "decline_code": "stolen_card", "message": "Call Ada, 13812345678"}), (INTENT, C.PENDING, 8888, "stolen_card")),
    ("payment_failed", intent("succeeded"), (CHARGE, C.CAPTURED, 8888, None)),
]  # fmt: skip


@pytest.mark.parametrize(("event", "resource", "expected"), PAYMENTS)
def test_a_payment_is_read_from_the_state_of_its_payment_intent(
    event: str, resource: dict[str, Any], expected: tuple[str, C, int, str | None]
) -> None:
    """A declined card is no end: the buyer tries another one on the same page."""
    report = PROVIDER.verify(notification(f"payment_intent.{event}", resource))
    assert isinstance(report, PaymentReport)
    assert (report.trade_no, report.status, report.amount, report.reason) == expected
    assert (report.out_trade_no, report.currency, report.occurred_at) == (ATTEMPT.out_trade_no, "EUR", AT)


def test_a_session_that_expired_closes_its_payment() -> None:
    report = PROVIDER.verify(notification("checkout.session.expired", session(status="expired")))
    assert isinstance(report, PaymentReport)
    assert (report.out_trade_no, report.status, report.amount) == (ATTEMPT.out_trade_no, C.CLOSED, 8888)


R = ReportedRefund
REFUNDS = {"succeeded": R.SUCCEEDED, "pending": R.PROCESSING, "requires_action": R.PROCESSING, "failed": R.FAILED,
           "canceled": R.FAILED}  # fmt: skip


@pytest.mark.parametrize(("status", "state"), REFUNDS.items())
def test_a_refund_is_read_from_its_events_and_from_a_charge_that_lists_it(status: str, state: R) -> None:
    why = "lost_or_stolen_card" if status == "failed" else None
    money = (88, "EUR", AT, why, CHARGE, REFUND_ID)
    expected = RefundReport(REFUND_ORDER.refund_no, state, *money)
    for event in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"):
        assert PROVIDER.verify(notification(event, refund(status=status))) == expected
    listed = {"object": "charge", "livemode": False, "refunds": {"data": [refund(status=status), refund(id="re_0")]}}
    assert PROVIDER.verify(notification("charge.refunded", listed)) == expected
    later = replace(expected, occurred_at=AT + timedelta(days=3))
    body = protocol.event("refund.failed", refund(status=status), event_id="evt_1", at=later.occurred_at)
    assert (
        PROVIDER.verify(replace(signed_notification(body, at=later.occurred_at), received_at=later.occurred_at))
        == later
    )
    by_itself = PROVIDER.verify(notification("refund.created", refund(status=status, metadata={})))
    assert by_itself == replace(expected, refund_no=REFUND_ID)


D = ReportedDispute
DISPUTES = {"warning_needs_response": D.OPENED, "warning_under_review": D.OPENED, "needs_response": D.OPENED,
            "under_review": D.OPENED, "warning_closed": D.CLOSED, "prevented": D.CLOSED, "won": D.WON,
            "lost": D.LOST}  # fmt: skip


@pytest.mark.parametrize(("status", "state"), DISPUTES.items())
def test_a_dispute_is_read_from_its_events(status: str, state: D) -> None:
    due_at = AT + timedelta(days=7) if status.endswith("needs_response") else None
    expected = DisputeReport(DISPUTE, CHARGE, state, 88, "EUR", AT, "product_not_received", due_at)
    for event in ("created", "updated", "closed", "funds_reinstated"):
        assert PROVIDER.verify(notification(f"charge.dispute.{event}", dispute(status))) == expected


def test_money_that_a_dispute_withdraws_is_a_reversal_of_the_charge() -> None:
    report = PROVIDER.verify(notification("charge.dispute.funds_withdrawn", dispute()))
    assert isinstance(report, RefundReport)
    assert (report.refund_no, report.provider_no, report.trade_no) == (DISPUTE, DISPUTE, CHARGE)
    assert (report.status, report.amount, report.reversal) == (R.SUCCEEDED, 88, True)


IRRELEVANT = [
    ("customer.created", {"id": "cus_1"}),
    ("payment_intent.succeeded", intent(metadata={})),
    ("checkout.session.completed", session(status="complete")),
    ("checkout.session.expired", session(status="expired", client_reference_id=None)),
    ("charge.refunded", {"object": "charge", "livemode": False, "amount_refunded": 88}),
    ("charge.dispute.funds_withdrawn", dispute("warning_needs_response")),
]


@pytest.mark.parametrize(("event", "resource"), IRRELEVANT)
def test_what_others_do_with_the_same_account_is_irrelevant(event: str, resource: dict[str, Any]) -> None:
    assert PROVIDER.verify(notification(event, resource)) == IrrelevantNotification(event)


def test_an_object_of_the_other_mode_or_of_a_connected_account_is_rejected() -> None:
    live = builders.provider(secret_key="rk_live_51hush")
    assert_rejected(live.verify(succeeded()), "PAY_MERCHANT_MISMATCH")
    assert_rejected(PROVIDER.verify(succeeded(intent(livemode=True))), "PAY_MERCHANT_MISMATCH")
    connected = signed_notification(BODY.replace(b'"object":"event"', b'"object":"event","account":"acct_1"'))
    assert_rejected(PROVIDER.verify(connected), "PAY_MERCHANT_MISMATCH")
    assert_rejected(live.verify(notification("refund.created", refund())), "PAY_MERCHANT_MISMATCH")  # without a mode
    switched = signed_notification(BODY.replace(b'"livemode":false', b'"livemode":true'))
    assert isinstance(live.verify(switched), PaymentReport)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("payment_intent.succeeded", intent(status="unheard_of")),
    ("payment_intent.succeeded", intent(latest_charge=None)),
    ("payment_intent.succeeded", intent(latest_charge={"id": "../1"})),
    ("payment_intent.succeeded", intent(currency="EURO")),
    ("payment_intent.succeeded", intent(amount_received=True)),
    ("payment_intent.succeeded", intent(metadata={"out_trade_no": "P1 OR 1=1"})),
    ("payment_intent.succeeded", intent(metadata=[])),
    ("payment_intent.succeeded", intent(livemode="no")),
    ("refund.updated", refund(charge=None)),
    ("refund.updated", refund(amount=10**16)),
    ("charge.dispute.created", dispute(status="sued")),
    ("charge.dispute.created", dispute(amount=-88)),
    ("Payment_intent.succeeded\n", intent()),
]


@pytest.mark.parametrize(("event", "resource"), WRONG)
def test_a_malformed_object_is_rejected(event: str, resource: dict[str, Any]) -> None:
    assert_rejected(PROVIDER.verify(notification(event, resource)), INVALID)
