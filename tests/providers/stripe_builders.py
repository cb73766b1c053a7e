"""A merchant at Stripe, and what Stripe sends it.

`settings`, `provider` are ours; `session`, `intent`, `refund`, `dispute`, `notification`, `answer` are Stripe's.
`signed_notification` signs any bytes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.gateways import stripe_protocol as protocol
from workers.providers.port import (
    AuthorizedPayment,
    HttpRequest,
    HttpResponse,
    Notification,
    PaymentOrder,
    RefundOrder,
)
from workers.providers.stripe import Stripe, StripeSettings

AT = datetime(2026, 11, 22, 2, 59, 30, tzinfo=UTC)
SESSION = "cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u"
INTENT, CHARGE, REFUND_ID, DISPUTE = "pi_3MtwBwLkdIwHu7ix28", "ch_3MmlLrLkdIwHu7ix0s", "re_1Nispe2eZvKYlo2C", "du_1MtJU"
SECRET, NEXT_SECRET = "whsec_of-the-webhook", "whsec_of-the-webhook-next"
KEY = "sk_test_51hush"
ATTEMPT = PaymentOrder(
    out_trade_no="P17325846012345678",
    amount=8888,
    currency="EUR",
    subject="Größe & 茶",
    scene="page",
    started_at=AT,
    expire_at=AT + timedelta(hours=2),
    return_url="https://shop.example/back",
    reference=SESSION,
)
REFUND_ORDER = RefundOrder(
    refund_no="R17325846012345679",
    out_trade_no=ATTEMPT.out_trade_no,
    trade_no=CHARGE,
    amount=88,
    total=8888,
    currency="EUR",
    reason="late",
    captured_at=AT,
    requested_at=AT + timedelta(hours=1),
)
NUMBERS = {"refund_no": REFUND_ORDER.refund_no, "out_trade_no": ATTEMPT.out_trade_no}
AUTHORIZED = AuthorizedPayment(ATTEMPT.out_trade_no, INTENT, SESSION, 800, "EUR", f"{ATTEMPT.out_trade_no}-taken-1")


def settings(**more: Any) -> StripeSettings:
    """Settings of the provider."""
    values: dict[str, Any] = {
        "secret_key": KEY,
        "webhook_secrets": [SECRET],
        "return_url": "https://shop.example/",
        "cancel_url": "https://shop.example/cart",
    }
    return StripeSettings(**{**values, **more})


def provider(**more: Any) -> Stripe:
    """The provider under test."""
    return Stripe(settings(**more))


def form(request: object) -> dict[str, str]:
    """The parameters of one of our requests, as Stripe reads them."""
    assert isinstance(request, HttpRequest)
    return protocol.form(request.body)


def session(**more: Any) -> dict[str, Any]:
    """The session of the attempt."""
    about = {name: more.pop(name) for name in ("status", "intent") if name in more}
    created = form(provider().start(ATTEMPT, AT))
    return protocol.session(SESSION, created, site="https://checkout.stripe.com", **about) | more


def intent(status: str = "succeeded", **more: Any) -> dict[str, Any]:
    """The payment intent of the attempt, paid as a whole by default."""
    taken: dict[str, Any] = {"amount_received": 8888, "latest_charge": CHARGE} if status == "succeeded" else {}
    held: dict[str, Any] = {"amount_capturable": 8888, "latest_charge": CHARGE} if status == "requires_capture" else {}
    about: dict[str, Any] = {
        "amount": 8888,
        "currency": "EUR",
        "at": AT,
        "metadata": {"out_trade_no": ATTEMPT.out_trade_no},
    }
    return protocol.intent(INTENT, status=status, **about, **taken | held) | more


def refund(**more: Any) -> dict[str, Any]:
    """The refund that REFUND_ORDER requests."""
    about: dict[str, Any] = {"amount": 88, "currency": "EUR", "at": AT, "numbers": NUMBERS}
    return protocol.refund(REFUND_ID, CHARGE, **about, status=more.pop("status", "succeeded")) | more


def dispute(status: str = "needs_response", **more: Any) -> dict[str, Any]:
    """A dispute about the charge of the attempt."""
    return protocol.dispute(DISPUTE, CHARGE, amount=88, currency="EUR", at=AT, status=status) | more


def notification(about: str, resource: Mapping[str, Any], **more: Any) -> Notification:
    """A notification of this event."""
    return signed_notification(protocol.event(about, resource, event_id="evt_1NG8Du2eZvKYlo2C", at=AT), **more)


def succeeded(resource: Mapping[str, Any] | None = None, **more: Any) -> Notification:
    """A notification that a payment intent succeeded, by default that of the attempt."""
    return notification("payment_intent.succeeded", resource or intent(), **more)


def signed_notification(
    body: bytes, *, secrets: Sequence[str] = (SECRET,), at: datetime = AT, signature: str | None = None
) -> Notification:
    """A notification with this body, signed as Stripe does."""
    header = protocol.signature(body, secrets, at) if signature is None else signature
    return Notification({"content-type": "application/json", "stripe-signature": header}, body, AT)


def answer(content: object, status: int = 200, **headers: str) -> HttpResponse:
    """An HTTP response of Stripe."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def refused(type_: str, code: str | None = None, status: int = 400, **more: str) -> HttpResponse:
    """An error of Stripe."""
    return answer(protocol.error(type_, code, **more), status)
