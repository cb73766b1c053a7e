"""Stripe's disputes: what buyers claim at their banks, and what the merchant answers.

Stripe passes evidence on to the bank once for a dispute, with all that it says. Our number of the submission is the key
of the request, so that a repeated one gets the first answer again, and no refusal because the evidence is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.parsing import FieldError, Fields, keep_not_found
from workers.providers.port import DisputeReport, HttpRequest, HttpResponse, ProviderRefusal, UnknownOutcome
from workers.providers.stripe import mapping, responses


class StripeDisputes(ABC):
    """The part of Stripe's adapter that is about disputes."""

    @abstractmethod
    def _get(self, path: str, query: Mapping[str, str] | None = None) -> HttpRequest:
        """A request to this path of Stripe's API."""

    @abstractmethod
    def _post(self, path: str, form: Mapping[str, str], key: str | None = None) -> HttpRequest:
        """A request with this form, which Stripe answers once for each key."""

    def query_dispute(self, dispute_no: str, at: datetime) -> HttpRequest:
        """Fetch the dispute."""
        return self._get(f"/v1/disputes/{quote(dispute_no, safe='')}")

    def read_dispute(
        self, dispute_no: str, response: HttpResponse, at: datetime
    ) -> DisputeReport | ProviderRefusal | UnknownOutcome:
        """Read the dispute."""
        fields = responses.read(response)
        if not isinstance(fields, Fields):
            return keep_not_found(fields, responses.ABSENT)
        try:
            report = mapping.read_dispute(fields, at)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return report if report.dispute_no == dispute_no else UnknownOutcome("the answer is about something else")

    def give_evidence(self, evidence: DisputeEvidence, at: datetime) -> HttpRequest:
        """Give the bank what the merchant says, by Stripe."""
        form = {"evidence[uncategorized_text]": evidence.text, "submit": "true"}
        if evidence.parcels:
            carriers, numbers = zip(*evidence.parcels, strict=True)
            form["evidence[shipping_carrier]"] = ", ".join(dict.fromkeys(carriers))
            form["evidence[shipping_tracking_number]"] = ", ".join(numbers)
        key = f"{evidence.dispute_no}-evidence-{evidence.number}"
        return self._post(f"/v1/disputes/{quote(evidence.dispute_no, safe='')}", form, key)

    def read_evidence(
        self, evidence: DisputeEvidence, response: HttpResponse, at: datetime
    ) -> EvidenceReceipt | ProviderRefusal | UnknownOutcome:
        """Read the dispute, which Stripe answers with."""
        fields = responses.read(response)
        if not isinstance(fields, Fields):
            return fields
        try:
            same = fields.number("id") == evidence.dispute_no
        except FieldError as error:
            return UnknownOutcome(str(error))
        return EvidenceReceipt(evidence.dispute_no) if same else UnknownOutcome("the answer is about something else")
