"""PayPal's disputes: what buyers claim at PayPal, and what the merchant answers (the Disputes API).

Evidence is one form field of JSON, `input`, beside which files could be uploaded. The app needs the rights to read and
to answer disputes.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import orjson

from workers.providers.evidence import DisputeEvidence, EvidenceReceipt
from workers.providers.parsing import FieldError, Fields, keep_not_found
from workers.providers.paypal import mapping
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.port import DisputeReport, HttpRequest, HttpResponse, ProviderRefusal, UnknownOutcome

JSON = {"content-type": "application/json", "accept": "application/json"}


class PayPalDisputes:
    """The part of PayPal's adapter that is about disputes."""

    _settings: PayPalSettings

    def query_dispute(self, dispute_no: str, at: datetime) -> HttpRequest:
        """Fetch the dispute. The app needs the right to read disputes."""
        return HttpRequest("GET", self._dispute(dispute_no), JSON, bearer=True)

    def read_dispute(
        self, dispute_no: str, response: HttpResponse, at: datetime
    ) -> DisputeReport | ProviderRefusal | UnknownOutcome:
        """Read the dispute."""
        fields = mapping.read_response(response)
        if not isinstance(fields, Fields):
            return keep_not_found(fields, mapping.ABSENT)
        try:
            report = mapping.read_dispute(fields)
        except FieldError as error:
            return UnknownOutcome(str(error))
        return report if report.dispute_no == dispute_no else UnknownOutcome("the answer is about something else")

    def give_evidence(self, evidence: DisputeEvidence, at: datetime) -> HttpRequest:
        """Give PayPal what the merchant says, as a proof of fulfilment if parcels have left."""
        content = orjson.dumps({"evidences": [_item(evidence)]})
        boundary = blake2b(content, digest_size=16).hexdigest()
        head = 'content-disposition: form-data; name="input"\r\ncontent-type: application/json\r\n\r\n'
        body = f"--{boundary}\r\n{head}".encode() + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={boundary}", "accept": "application/json"}
        return HttpRequest("POST", f"{self._dispute(evidence.dispute_no)}/provide-evidence", headers, body, bearer=True)

    def read_evidence(
        self, evidence: DisputeEvidence, response: HttpResponse, at: datetime
    ) -> EvidenceReceipt | ProviderRefusal | UnknownOutcome:
        """Read the response, which says nothing but that PayPal accepted the evidence."""
        fields = mapping.read_response(response)
        return EvidenceReceipt(evidence.dispute_no) if isinstance(fields, Fields) else fields

    def _dispute(self, dispute_no: str) -> str:
        return f"{self._settings.api_url.rstrip('/')}/v1/customer/disputes/{quote(dispute_no, safe='')}"


def _item(evidence: DisputeEvidence) -> dict[str, Any]:
    """PayPal knows some carriers by names of its own, and takes every other one's name as a text."""
    if not evidence.parcels:
        return {"evidence_type": "OTHER", "notes": evidence.text}
    tracking = [
        {"carrier_name": "OTHER", "carrier_name_other": carrier, "tracking_number": number}
        for carrier, number in evidence.parcels
    ]
    about = {"evidence_info": {"tracking_info": tracking}, "notes": evidence.text}
    return {"evidence_type": "PROOF_OF_FULFILLMENT", **about}
