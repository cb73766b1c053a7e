"""Stripe's protocol, from Stripe's side: objects, errors, webhook signatures and the itemised report."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

ANSWERED_WITHIN = timedelta(days=7)
"""A merchant answers a dispute within this time."""
HELD_FOR = timedelta(days=7)
"""A card's bank reserves money for this time."""
FIELDS_MAX = 100
UNIT_PRICE = "line_items[0][price_data]"
REPORT_COLUMNS = (
    "balance_transaction_id",
    "created_utc",
    "created",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "customer_facing_amount",
    "customer_facing_currency",
    "charge_id",
    "payment_intent_id",
    "payment_metadata[out_trade_no]",
    "refund_metadata[refund_no]",
)


def signature(body: bytes, secrets: Sequence[str], at: datetime) -> str:
    """Return the header stripe-signature: the time, and one signature with each secret."""
    time = str(int(at.timestamp()))
    text = time.encode("ascii") + b"." + body
    made = (hmac.new(secret.encode("ascii"), text, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={time}", *(f"v1={one}" for one in made)])


def event(about: str, resource: Mapping[str, Any], *, event_id: str, at: datetime) -> bytes:
    """Return the body of a notification."""
    content = {
        "id": event_id,
        "object": "event",
        "api_version": "2024-10-28.acacia",
        "created": int(at.timestamp()),
        "type": about,
        "livemode": False,
        "data": {"object": resource},
        "request": {"id": None, "idempotency_key": None},
        "pending_webhooks": 1,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def form(body: bytes) -> dict[str, str]:
    """Return the parameters of a request, none of which occurs twice. Raises ValueError."""
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS_MAX)
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a parameter stands twice")
    return dict(pairs)


def metadata(parameters: Mapping[str, str], prefix: str = "metadata") -> dict[str, str]:
    """Return the metadata among the parameters of a request."""
    head = f"{prefix}["
    return {name[len(head) : -1]: value for name, value in parameters.items() if name.startswith(head)}


def session(
    session_id: str,
    request: Mapping[str, str],
    *,
    site: str,
    status: str = "open",
    intent: Mapping[str, Any] | str | None = None,
) -> dict[str, Any]:
    """Return a session; `request` are the parameters that created it, and `site` is where buyers pay it."""
    amount = int(request[f"{UNIT_PRICE}[unit_amount]"]) * int(request["line_items[0][quantity]"])
    return {
        "id": session_id,
        "object": "checkout.session",
        "livemode": False,
        "mode": request["mode"],
        "status": status,
        "client_reference_id": request["client_reference_id"],
        "amount_total": amount,
        "currency": request[f"{UNIT_PRICE}[currency]"],
        "expires_at": int(request["expires_at"]),
        "payment_intent": intent,
        "payment_status": "unpaid" if status != "complete" else "paid",
        "metadata": {},
        "url": f"{site}/c/pay/{session_id}#fidkdWxOYHwnPyd1blpxYHZxWjA0" if status == "open" else None,
    }


def intent(intent_id: str, *, status: str, amount: int, currency: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Return a payment intent; `more` replaces its other fields."""
    return {
        "id": intent_id,
        "object": "payment_intent",
        "livemode": False,
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{intent_id}_secret_9J35eTzWlxVmfbbQ",
        "created": int(at.timestamp()),
        "currency": currency.lower(),
        "description": "Größe",
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": {},
        "status": status,
        **more,
    }


def charge(charge_id: str, *, at: datetime, captured: bool) -> dict[str, Any]:
    """Return a charge, as far as an expanded payment intent is read."""
    until = {} if captured else {"capture_before": int((at + HELD_FOR).timestamp())}
    details = {"type": "card", "card": {"brand": "visa", "last4": "4242", **until}}
    return {"id": charge_id, "object": "charge", "captured": captured, "payment_method_details": details}


def refund(
    refund_id: str,
    charge_id: str,
    *,
    amount: int,
    currency: str,
    at: datetime,
    status: str = "succeeded",
    numbers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a refund of this charge. One that was made at Stripe's page has no `numbers` of the merchant."""
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "charge": charge_id,
        "created": int(at.timestamp()),
        "currency": currency.lower(),
        "metadata": dict(numbers or {}),
        "reason": None,
        "status": status,
        **({"failure_reason": "lost_or_stolen_card"} if status == "failed" else {}),
    }


def dispute(
    dispute_id: str, charge_id: str, *, amount: int, currency: str, at: datetime, status: str = "needs_response"
) -> dict[str, Any]:
    """Return a buyer's dispute about a charge."""
    return {
        "id": dispute_id,
        "object": "dispute",
        "livemode": False,
        "amount": amount,
        "charge": charge_id,
        "created": int(at.timestamp()),
        "currency": currency.lower(),
        "evidence": {"customer_name": "Ada"},
        "evidence_details": {"due_by": int((at + ANSWERED_WITHIN).timestamp()), "has_evidence": False},
        "metadata": {},
        "reason": "product_not_received",
        "status": status,
    }


def error(type_: str, code: str | None = None, **more: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    named = {"code": code} if code else {}
    return {"error": {"type": type_, "message": "It failed.", **named, **more}}


@dataclass(frozen=True)
class BalanceLine:
    """One line of the itemised report. `category` is charge, refund, dispute or another reporting category."""

    category: str
    source_id: str
    charge_id: str
    amount: str
    currency: str
    number: str = ""


def report(day: date, lines: Iterable[BalanceLine]) -> bytes:
    """Return the report of a day. What left the balance has a minus sign; a dispute shows the buyer no amount."""
    table = [",".join(f'"{name}"' for name in REPORT_COLUMNS), *(_line(day, one) for one in lines)]
    return ("\n".join(table) + "\n").encode("utf-8")


def _line(day: date, one: BalanceLine) -> str:
    outward = one.category in ("refund", "dispute", "partial_capture_reversal")
    gross, time = f"{'-' if outward else ''}{one.amount}", f"{day} 10:00:00"
    facing = ("", "") if one.category == "dispute" else (gross, one.currency)
    numbers = ("", one.number) if one.category == "refund" else (one.number, "")
    row = ("txn_1", time, time, time, one.currency, gross, "0.00", gross, one.category, one.source_id, "茶, green")
    return ",".join(f'"{value}"' for value in (*row, *facing, one.charge_id, "pi_1", *numbers))


def decimal(amount: int) -> str:
    """Write an amount of a currency with two decimals, as the report does."""
    return f"{amount // 100}.{amount % 100:02d}"
