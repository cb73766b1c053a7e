"""The disputes that buyers open at the PayPal test gateway, and what the merchant answers."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.ledger import Payment
from scripts.gateways.paypal_authorizations import Refused

NOTES_CHARS_MAX = 2000
ABSENT = "INVALID_RESOURCE_ID"


class PayPalDisputes:
    """By number. `say` tells the merchant about a dispute: (event, dispute)."""

    def __init__(self, say: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._say = say
        self._found: dict[str, dict[str, Any]] = {}

    def open(self, payment: Payment, amount: int, outcome: str | None) -> str:
        """Open a dispute, or resolve it with an outcome. Returns its number."""
        number, now = f"PP-D-{payment.trade_no}", datetime.now(UTC)
        money = protocol.money(amount, payment.currency)
        self._found[number] = protocol.dispute(number, payment.trade_no, money, at=now, outcome=outcome)
        event = "CUSTOMER.DISPUTE.RESOLVED" if outcome else "CUSTOMER.DISPUTE.CREATED"
        self._say(event, self._found[number])
        return number

    def find(self, number: str) -> dict[str, Any]:
        """Return a dispute. Raises Refused."""
        if number not in self._found:
            raise Refused(ABSENT)
        return self._found[number]

    def take_evidence(self, number: str, content: Any, now: datetime) -> dict[str, Any]:
        """Take evidence while the dispute waits for the merchant. Raises Refused."""
        found = self.find(number)
        if found["status"] != "OPEN":
            raise Refused("ACTION_NOT_ALLOWED_IN_CURRENT_DISPUTE_STATE")
        for one in content["evidences"]:
            if one["evidence_type"] not in {"PROOF_OF_FULFILLMENT", "OTHER"} or len(one["notes"]) > NOTES_CHARS_MAX:
                raise Refused("INVALID_EVIDENCE")
        found["evidences"] = content["evidences"]
        found["status"], found["update_time"] = "UNDER_REVIEW", protocol.moment(now)
        found.pop("seller_response_due_date", None)
        self._say("CUSTOMER.DISPUTE.UPDATED", found)
        return {"links": [{"rel": "self", "href": f"/v1/customer/disputes/{number}", "method": "GET"}]}
