"""Reads the status and the error of Stripe's responses."""

import re

from workers.providers.parsing import FieldError, Fields, json_fields, unreadable
from workers.providers.port import HttpResponse, ProviderRefusal, UnknownOutcome

REFUSAL_STATUSES = frozenset({400, 402, 404})
"""A wrong key (401), missing rights (403), a busy object or key (409), a limited rate (429) and 5xx prove nothing."""
ABSENT = frozenset({"resource_missing"})
UNCLEAR = frozenset(
    {
        "charge_already_captured",
        "charge_already_refunded",
        "idempotency_error",
        "idempotency_key_in_use",
        "lock_timeout",
        "payment_intent_unexpected_state",
        "rate_limit",
    }
)
"""Codes which mean that Stripe did it before or may do it later. Only a query can tell."""
REFUSING = frozenset({"card_error", "invalid_request_error"})
"""The types of errors that refuse for good. The others are api_error and idempotency_error."""
_CODE = re.compile(r"[a-z0-9_]{1,64}")


def read(response: HttpResponse) -> Fields | ProviderRefusal | UnknownOutcome:
    """Read the body of a response; a refusal or an unknown outcome if it is not a successful one."""
    if unreadable(response.headers, response.body) is not None:
        return UnknownOutcome("the answer is encoded or too large")
    try:
        if response.status == 200:
            return json_fields(response.body)
        if response.status in REFUSAL_STATUSES:
            return _error(json_fields(response.body).part("error"))
    except FieldError as error:
        return UnknownOutcome(f"HTTP {response.status}: {error}")
    return UnknownOutcome(f"HTTP {response.status}")


def is_replayed(response: HttpResponse) -> bool:
    """True if Stripe repeats an earlier answer to the same Idempotency-Key, which may be out of date."""
    return response.headers.get("idempotent-replayed", "").lower() == "true"


def _error(error: Fields) -> ProviderRefusal | UnknownOutcome:
    """Read an error. The code of a declined card says less than its decline_code; some errors have only a type."""
    kind, names = error.text("type", 64), ("decline_code", "code", "type")
    code = next((word for name in names if _CODE.fullmatch(word := error.excerpt(name))), "")
    if kind not in REFUSING or code in UNCLEAR or not code:
        return UnknownOutcome(code or "the answer gives no reason")
    return ProviderRefusal(code, error.excerpt("message")[:200])
