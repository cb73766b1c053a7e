"""PayPal's refunds and disputes that we did not begin: only PayPal's answer to a query counts (S0-08)."""

from dataclasses import replace
from typing import Any

import pytest

from scripts.gateways import paypal_protocol as protocol
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import AT, CAPTURE, REFUND_ID, answer
from workers.providers.abilities import DisputeSource, EvidenceTaker, ForeignRefundSource
from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.port import (
    DisputeReport,
    ForeignRefund,
    ProviderRefusal,
    RefundReport,
    RejectedNotification,
    ReportedDispute,
    UnknownOutcome,
)

PROVIDER = builders.provider()
NUMBER = "PP-D-27803"
MONEY = {"currency_code": "EUR", "value": "0.88"}
FOREIGN = ForeignRefund("P1", CAPTURE, REFUND_ID, reversal=True)
MISSING = answer(protocol.error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), 404)


def dispute(outcome: str | None = None, **changes: Any) -> dict[str, Any]:
    return protocol.dispute(NUMBER, CAPTURE, MONEY, at=AT, outcome=outcome) | changes


OUTCOMES = {
    None: "opened",
    "RESOLVED_SELLER_FAVOUR": "won",
    "CANCELED_BY_BUYER": "won",
    "DENIED": "won",
    "RESOLVED_BUYER_FAVOUR": "lost",
    "ACCEPTED": "lost",
    "RESOLVED_WITH_PAYOUT": "closed",
    "NONE": "closed",
}


@pytest.mark.parametrize(("outcome", "state"), OUTCOMES.items())
def test_a_dispute_is_read_from_its_notification_and_from_the_answer_to_a_query(
    outcome: str | None, state: str
) -> None:
    reason = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"
    due_at = AT + protocol.ANSWERED_WITHIN if state == "opened" else None
    expected = DisputeReport(NUMBER, CAPTURE, ReportedDispute(state), 88, "EUR", AT, reason, due_at)
    assert PROVIDER.read_dispute(NUMBER, answer(dispute(outcome)), AT) == expected
    for what in ("CREATED", "UPDATED", "RESOLVED"):
        assert PROVIDER.verify(builders.notification(f"CUSTOMER.DISPUTE.{what}", dispute(outcome))) == expected


def test_what_a_buyer_wrote_is_not_taken_from_a_dispute() -> None:
    report = PROVIDER.read_dispute(NUMBER, answer(dispute(reason="Call me: 13812345678")), AT)
    assert isinstance(report, DisputeReport)
    assert report.reason is None


WRONG: list[dict[str, Any]] = [
    {"disputed_transactions": []},
    {"disputed_transactions": [{}]},
    {"dispute_amount": {"currency_code": "EUR", "value": "-1.00"}},
    {"dispute_id": "../1"},
    {"status": None},
    {"update_time": "yesterday"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_malformed_dispute_is_rejected_and_in_an_answer_proves_nothing(wrong: dict[str, Any]) -> None:
    assert isinstance(PROVIDER.read_dispute(NUMBER, answer(dispute(**wrong)), AT), UnknownOutcome)
    rejected = PROVIDER.verify(builders.notification("CUSTOMER.DISPUTE.CREATED", dispute(**wrong)))
    assert isinstance(rejected, RejectedNotification)


def test_a_dispute_is_queried_by_its_number_and_another_one_in_the_answer_proves_nothing() -> None:
    assert isinstance(PROVIDER, DisputeSource)
    assert PROVIDER.query_dispute(NUMBER, AT).url.endswith(f"/v1/customer/disputes/{NUMBER}")
    assert isinstance(PROVIDER.read_dispute("PP-D-1", answer(dispute()), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_dispute(NUMBER, MISSING, AT), ProviderRefusal)


def test_evidence_names_the_parcels_and_is_one_form_field() -> None:
    assert isinstance(PROVIDER, EvidenceTaker)
    evidence = DisputeEvidence(NUMBER, 1, "signed by Ada ✓", (("sf", "T1"),))
    request = PROVIDER.give_evidence(evidence, AT)
    assert (request.method, request.bearer) == ("POST", True)
    assert request.url.endswith(f"/v1/customer/disputes/{NUMBER}/provide-evidence")
    [proof] = protocol.content(request.headers["content-type"], request.body)["evidences"]
    tracking = [{"carrier_name": "OTHER", "carrier_name_other": "sf", "tracking_number": "T1"}]
    assert proof == {
        "evidence_type": "PROOF_OF_FULFILLMENT",
        "evidence_info": {"tracking_info": tracking},
        "notes": "signed by Ada ✓",
    }
    words = PROVIDER.give_evidence(replace(evidence, parcels=()), AT)
    [words_alone] = protocol.content(words.headers["content-type"], words.body)["evidences"]
    assert words_alone == {"evidence_type": "OTHER", "notes": "signed by Ada ✓"}
    assert PROVIDER.read_evidence(evidence, answer({"links": []}), AT) == EvidenceReceipt(NUMBER)
    assert isinstance(PROVIDER.read_evidence(evidence, MISSING, AT), ProviderRefusal)
    assert isinstance(PROVIDER.read_evidence(evidence, answer({}, 500), AT), UnknownOutcome)


def test_a_refund_that_is_not_ours_is_queried_by_paypals_own_number() -> None:
    assert isinstance(PROVIDER, ForeignRefundSource)
    assert PROVIDER.query_foreign_refund(FOREIGN, AT).url.endswith(f"/v2/payments/refunds/{REFUND_ID}")
    report = PROVIDER.read_foreign_refund(FOREIGN, answer(builders.refund(invoice_id="P1")), AT)
    assert isinstance(report, RefundReport)
    assert (report.refund_no, report.provider_no, report.trade_no) == ("P1", REFUND_ID, CAPTURE)
    assert (report.status, report.amount, report.currency, report.reversal) == ("succeeded", 88, "EUR", True)


def test_an_answer_about_another_refund_or_capture_proves_nothing() -> None:
    for other in (replace(FOREIGN, provider_no="X"), replace(FOREIGN, trade_no="X")):
        assert isinstance(PROVIDER.read_foreign_refund(other, answer(builders.refund()), AT), UnknownOutcome)
    assert isinstance(PROVIDER.read_foreign_refund(FOREIGN, MISSING, AT), ProviderRefusal)
    assert isinstance(PROVIDER.read_foreign_refund(FOREIGN, answer({}, 500), AT), UnknownOutcome)
