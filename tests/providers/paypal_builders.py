"""A merchant at PayPal, and what PayPal sends it: it is signed with a certificate that the tests issue.

`settings`, `provider` are ours; `order`, `capture`, `refund`, `notification`, `answer` are PayPal's.
`signed_notification` signs any bytes.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.authorities import SIGNING, Authority, pem
from tests.providers import keys
from workers.providers.paypal import PayPal, PayPalSettings
from workers.providers.port import HttpRequest, HttpResponse, Notification, PaymentOrder, RefundOrder

AT = datetime(2026, 11, 22, 2, 59, 30, tzinfo=UTC)
MERCHANT = "3SQBR4YEWZ4BA"
WEBHOOK = "1JE4291016473214C"
URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1a5f47cb"
NEXT_URL = URL[:-1] + "c"
SITE = "https://www.paypal.com"
ORDER = "5O190127TN364715T"
CAPTURE = "3C679366HH908993F"
TRANSMISSION = "69cd13f0-d67a-11e5-baa3-778b53f4ae55"
ATTEMPT = PaymentOrder(
    out_trade_no="P17325846012345678",
    amount=8888,
    currency="EUR",
    subject="Größe & 茶",
    scene="page",
    started_at=AT,
    expire_at=AT + timedelta(minutes=15),
    return_url="https://shop.example/back",
    reference=ORDER,
)
REFUND_ORDER = RefundOrder(
    refund_no="R17325846012345679",
    out_trade_no=ATTEMPT.out_trade_no,
    trade_no=CAPTURE,
    amount=88,
    total=8888,
    currency="EUR",
    reason="late",
    captured_at=AT,
    requested_at=AT + timedelta(hours=1),
    reference=ORDER,
)


@cache
def authority(name: str = "DigiCert") -> Authority:
    """An authority that issues certificates."""
    return Authority(name, keys.BEGINNING, keys.private(f"{name} root"), keys.private(f"{name} issuer"))


@cache
def certificate(
    key: str = "paypal",
    *,
    issued_by: str = "DigiCert",
    name: str = protocol.HOLDER,
    since: datetime = AT - timedelta(days=30),
    days: int = 90,
) -> str:
    """The certificate at PayPal's address."""
    above = authority(issued_by)
    own = keys.private(key).public_key()
    return pem(above.certificate(own, name, dns=name, since=since, days=days, usage=SIGNING))


def settings(**more: Any) -> PayPalSettings:
    """Settings of the provider."""
    values: dict[str, Any] = {
        "merchant_id": MERCHANT,
        "client_id": "shop",
        "client_secrets": ["hush-hush", "hush-2"],
        "webhook_ids": [WEBHOOK],
        "root_certificates": [pem(authority().root)],
        "intermediate_certificates": [pem(authority().issuer)],
        "certificates": {URL: certificate()},
        "return_url": "https://shop.example/",
        "cancel_url": "https://shop.example/cart",
    }
    return PayPalSettings(**{**values, **more})


def provider(**more: Any) -> PayPal:
    """The provider under test."""
    return PayPal(settings(**more))


def created() -> Any:
    """Our order as PayPal reads it."""
    request = provider().start(ATTEMPT, AT)
    assert isinstance(request, HttpRequest)
    return json.loads(request.body)


def capture(**more: Any) -> dict[str, Any]:
    """The capture of the attempt."""
    made = protocol.capture(
        CAPTURE, ORDER, created(), at=AT + timedelta(seconds=40), status=more.pop("status", "COMPLETED")
    )
    return {**made, **more}


REFUND_ID = "1JU08902781691411"
"""PayPal's own number of the refund."""


def refund(**more: Any) -> dict[str, Any]:
    """The refund that REFUND_ORDER requests."""
    request = json.loads(provider().refund(REFUND_ORDER, AT).body)
    made = protocol.refund(
        REFUND_ID, request, CAPTURE, at=AT + timedelta(hours=1), status=more.pop("status", "COMPLETED")
    )
    return {**made, **more}


def order(status: str, **more: Any) -> dict[str, Any]:
    """The order as PayPal answers with it."""
    return protocol.order(ORDER, status, created(), site=SITE, **more)


def notification(event_type: str, resource: Mapping[str, Any], **more: Any) -> Notification:
    """A notification of this event."""
    return signed_notification(protocol.event(event_type, resource, event_id="WH-2WR32451HC0233532", at=AT), **more)


def completed(resource: Mapping[str, Any] | None = None, **more: Any) -> Notification:
    """A notification that a capture is completed, by default the capture of the attempt."""
    return notification("PAYMENT.CAPTURE.COMPLETED", resource or capture(), **more)


def signed_notification(
    body: bytes, *, key: str = "paypal", url: str = URL, webhook_id: str = WEBHOOK, at: datetime = AT, **headers: str
) -> Notification:
    """A notification with this body, signed as PayPal does."""
    signer = protocol.PayPalSigner(keys.private(key), url)
    made = protocol.webhook_headers(body, signer, webhook_id=webhook_id, transmission_id=TRANSMISSION, at=at)
    return Notification({**made, **{name.replace("_", "-"): value for name, value in headers.items()}}, body, AT)


def answer(content: object, status: int = 200, **headers: str) -> HttpResponse:
    """An HTTP response of PayPal."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
