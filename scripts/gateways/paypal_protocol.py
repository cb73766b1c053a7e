"""PayPal's protocol, from PayPal's side: responses, webhook signatures and settlement reports."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

HOLDER = "messageverificationcerts.paypal.com"
"""The name in the certificate that PayPal signs webhooks with."""
ANSWERED_WITHIN = timedelta(days=10)
"""A seller answers a dispute within this time."""
WHOLE = frozenset({"JPY", "HUF", "TWD"})  # currencies that PayPal takes without decimals
REPORT_COLUMNS = (
    "CH",
    "Transaction ID",
    "Invoice ID",
    "PayPal Reference ID",
    "PayPal Reference ID Type",
    "Transaction Event Code",
    "Transaction Initiation Date",
    "Transaction Completion Date",
    "Transaction  Debit or Credit",
    "Gross Transaction Amount",
    "Gross Transaction Currency",
    "Fee Debit or Credit",
    "Fee Amount",
    "Fee Currency",
    "Custom Field",
    "Consumer ID",
    "Payment Tracking ID",
    "Store ID",
    "Bank Reference ID",
    "Credit Transactional Fee",
    "Credit Promotional Fee",
    "Credit Term",
)


@dataclass(frozen=True)
class PayPalSigner:
    """PayPal's key, and the URL of its certificate."""

    key: RSAPrivateKey
    certificate_url: str


def webhook_headers(
    body: bytes, signer: PayPalSigner, *, webhook_id: str, transmission_id: str, at: datetime
) -> dict[str, str]:
    """Return the headers of a notification. All copies share them."""
    time = moment(at)
    checksum = binascii.crc32(body) & 0xFFFFFFFF
    text = "|".join([transmission_id, time, webhook_id, str(checksum)])
    signature = signer.key.sign(text.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
    return {
        "content-type": "application/json",
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-auth-version": "v2",
        "paypal-cert-url": signer.certificate_url,
        "paypal-transmission-id": transmission_id,
        "paypal-transmission-time": time,
        "paypal-transmission-sig": base64.b64encode(signature).decode("ascii"),
    }


def client(authorization: str) -> tuple[str, str] | None:
    """Return the (client id, secret) of a token request, or None."""
    scheme, _, coded = authorization.partition(" ")
    try:
        name, colon, secret = base64.b64decode(coded, validate=True).decode("ascii").partition(":")
    except ValueError:
        return None
    return (name, secret) if scheme == "Basic" and colon else None


def event(event_type: str, resource: Mapping[str, Any], *, event_id: str, at: datetime) -> bytes:
    """Return the body of a notification."""
    type_ = "checkout-order" if event_type.startswith("CHECKOUT") else "capture"
    type_ = "dispute" if event_type.startswith("CUSTOMER.DISPUTE") else type_
    event_body = {
        "id": event_id,
        "event_version": "1.0",
        "create_time": moment(at),
        "resource_type": type_,
        "resource_version": "2.0",
        "event_type": event_type,
        "summary": "Größe",
        "resource": resource,
    }
    return json.dumps(event_body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def order(
    order_id: str,
    status: str,
    request: Mapping[str, Any],
    *,
    site: str,
    captures: Sequence[Mapping[str, Any]] = (),
    authorizations: Sequence[Mapping[str, Any]] = (),
    refunds: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return an order; `request` is the body that created it, and `site` is where buyers approve it."""
    unit = {"reference_id": "default", **request["purchase_units"][0]}
    found = {"captures": captures, "authorizations": authorizations, "refunds": refunds}
    if any(found.values()):
        unit["payments"] = {name: list(rows) for name, rows in found.items() if rows}
    link = {"href": f"{site}/checkoutnow?token={order_id}", "rel": "payer-action", "method": "GET"}
    return {
        "id": order_id,
        "intent": request["intent"],
        "status": status,
        "purchase_units": [unit],
        "links": [{"href": f"{site}/v2/checkout/orders/{order_id}", "rel": "self", "method": "GET"}, link],
    }


def capture(
    capture_id: str,
    order_id: str,
    request: Mapping[str, Any],
    *,
    at: datetime,
    status: str = "COMPLETED",
    reason: str | None = None,
    amount: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the capture of an order that was created with `request`; `amount` replaces its amount."""
    unit = request["purchase_units"][0]
    return {
        "id": capture_id,
        "status": status,
        "amount": amount or unit["amount"],
        "final_capture": True,
        "custom_id": unit["custom_id"],
        "invoice_id": unit["invoice_id"],
        "payee": unit["payee"],
        **({"status_details": {"reason": reason}} if reason else {}),
        "supplementary_data": {"related_ids": {"order_id": order_id}},
        "create_time": moment(at),
        "update_time": moment(at),
    }


def refund(
    refund_id: str, request: Mapping[str, Any], capture_id: str, *, at: datetime, status: str = "COMPLETED"
) -> dict[str, Any]:
    """Return the refund of this capture that was requested with `request`."""
    site = "https://api.paypal.com/v2/payments"
    links = [
        {"href": f"{site}/refunds/{refund_id}", "rel": "self", "method": "GET"},
        {"href": f"{site}/captures/{capture_id}", "rel": "up", "method": "GET"},
    ]
    times = {"create_time": moment(at), "update_time": moment(at)}
    return {"id": refund_id, "status": status, **request, **times, "links": links}


def dispute(
    dispute_id: str, capture_id: str, amount: Mapping[str, str], *, at: datetime, outcome: str | None = None
) -> dict[str, Any]:
    """Return a buyer's dispute about a capture; with an outcome it is resolved."""
    waiting = {"seller_response_due_date": moment(at + ANSWERED_WITHIN)}
    resolved = {"dispute_outcome": {"outcome_code": outcome}} if outcome else waiting
    return {
        "dispute_id": dispute_id,
        "create_time": moment(at),
        "update_time": moment(at),
        "disputed_transactions": [{"seller_transaction_id": capture_id, "seller_protection_eligible": True}],
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": "RESOLVED" if outcome else "OPEN",
        "dispute_amount": amount,
        "dispute_life_cycle_stage": "CHARGEBACK",
        "messages": [{"posted_by": "BUYER", "content": "Nothing came."}],
        **resolved,
    }


def content(content_type: str, body: bytes) -> Any:
    """Read the JSON of a request, which is the field `input` if there is room for files beside it."""
    if content_type.startswith("multipart/"):
        whole = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in whole.walk()}
        sent = fields["input"].get_payload(decode=True)
        return json.loads(sent) if isinstance(sent, bytes) else {}
    return json.loads(body) if body else {}


def error(name: str, issue: str | None = None, description: str = "No.") -> dict[str, Any]:
    """Return the body of a refusal."""
    details = [{"issue": issue, "description": description}] if issue else []
    return {"name": name, "message": "It failed.", "debug_id": "90957fca61718", "details": details, "links": []}


def money(amount: int, currency: str) -> dict[str, str]:
    """Format an amount in minor units as PayPal writes it."""
    value = str(amount) if currency in WHOLE else f"{amount // 100}.{amount % 100:02d}"
    return {"currency_code": currency, "value": value}


def moment(at: datetime) -> str:
    """Format a time: 2026-11-22T10:59:00Z"""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class SettlementLine:
    """One line of a settlement report. `code` is T0006 for a payment, T1107 for a refund."""

    code: str
    transaction_id: str
    invoice_id: str
    amount: int
    currency: str
    custom: str = ""
    reference: str = ""


def settlement_report(day: date, merchant_id: str, moved: Iterable[SettlementLine]) -> bytes:
    """Return the report of a day: texts in quotes, amounts in minor units without a sign."""
    stamp = day.strftime("%Y/%m/%d")
    lines = [
        f'"RH",{stamp} 23:59:59 -0800,"A","{merchant_id}",9',
        '"FH",1',
        f'"SH",{stamp} 00:00:00 -0800,{stamp} 23:59:59 -0800,"{merchant_id}",""',
        ",".join(f'"{name}"' for name in REPORT_COLUMNS),
    ]
    body = [_report_line(one, stamp) for one in moved]
    lines += [*body, '"SF","USD",0,0,0,0', f'"SC",{len(body)}', '"RF","USD",0,0,0,0', f'"RC",{len(body)}', '"FF",1']
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode("utf-8")


def _report_line(one: SettlementLine, stamp: str) -> str:
    direction = "DR" if one.code.startswith(("T11", "T12")) else "CR"
    kind = '"TXN"' if one.reference else '""'
    return (
        f'"SB","{one.transaction_id}","{one.invoice_id}","{one.reference}",{kind},"{one.code}",'
        f'{stamp} 10:00:00 -0800,{stamp} 10:00:01 -0800,"{direction}",{one.amount},"{one.currency}","DR",0,'
        f'"{one.currency}","{one.custom}","7PC8LBX9","","","",0,0,""'
    )


def minor(amount: Mapping[str, str]) -> int:
    """Parse an amount: "1.23" EUR -> 123. Raises ValueError."""
    whole, point, part = amount["value"].partition(".")
    digits = 0 if amount["currency_code"] in WHOLE else 2
    if not whole.isdigit() or (point and not (part.isdigit() and len(part) <= digits)):
        raise ValueError("no amount")
    return int(whole + part.ljust(digits, "0"))
