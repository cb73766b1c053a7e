"""What the merchant says against a dispute at Stripe, and which providers take such evidence from us."""

from scripts.gateways import stripe_protocol as protocol
from tests.providers import stripe_builders as builders
from tests.providers.stripe_builders import AT, answer, form, refused
from workers.providers.abilities import TAKES_EVIDENCE, EvidenceTaker
from workers.providers.configuration import KINDS
from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.port import DisputeReport, ProviderRefusal, UnknownOutcome

PROVIDER = builders.provider()
EVIDENCE = DisputeEvidence("du_1", 2, "signed by Ada", (("sf", "T1"), ("sf", "T2")))


def test_evidence_is_submitted_once_under_a_key_of_ours() -> None:
    assert isinstance(PROVIDER, EvidenceTaker)
    request = PROVIDER.give_evidence(EVIDENCE, AT)
    assert (request.method, request.headers["idempotency-key"]) == ("POST", "du_1-evidence-2")
    assert request.url.endswith("/v1/disputes/du_1")
    assert form(request) == {
        "evidence[uncategorized_text]": "signed by Ada",
        "evidence[shipping_carrier]": "sf",
        "evidence[shipping_tracking_number]": "T1, T2",
        "submit": "true",
    }
    assert PROVIDER.read_evidence(EVIDENCE, answer({"id": "du_1"}), AT) == EvidenceReceipt("du_1")
    assert isinstance(PROVIDER.read_evidence(EVIDENCE, answer({"id": "du_2"}), AT), UnknownOutcome)
    assert isinstance(
        PROVIDER.read_evidence(EVIDENCE, refused("invalid_request_error", "resource_missing"), AT), ProviderRefusal
    )


def test_a_dispute_is_to_be_answered_until_its_evidence_is_there() -> None:
    for status, waits in (("needs_response", True), ("under_review", False)):
        found = protocol.dispute("du_1", "ch_1", amount=100, currency="USD", at=AT, status=status)
        report = PROVIDER.read_dispute("du_1", answer(found), AT)
        assert isinstance(report, DisputeReport)
        assert (report.state, report.due_at is not None) == ("opened", waits)


def test_the_providers_that_take_evidence_are_those_of_the_list() -> None:
    assert {name for name, (_, kind) in KINDS.items() if hasattr(kind, "give_evidence")} == TAKES_EVIDENCE
