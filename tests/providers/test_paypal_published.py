"""PayPal's own published examples: notifications of its simulator, and the checksum in its documentation (S0-08)."""

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.gateways import paypal_protocol as protocol
from tests.providers import keys
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import (
    URL,
)
from workers.domain.codes import Code
from workers.providers import rsa
from workers.providers.paypal import PayPal
from workers.providers.port import (
    Notification,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    ReportedPayment,
    ReportedRefund,
)

PUBLISHED = Path(__file__).parent / "published"
PUBLISHED_AT = datetime(2024, 8, 2, 19, 36, tzinfo=UTC)
NOTIFICATIONS = json.loads((PUBLISHED / "paypal_notifications.json").read_text())
SIMULATED: dict[str, PaymentReport | RefundReport | str] = {
    "PAYMENT.CAPTURE.COMPLETED": PaymentReport(
        "5840243-146",
        "12A34567BC123456S",
        ReportedPayment.CAPTURED,
        3000,
        "USD",
        datetime(2022, 8, 23, 18, 29, 50, tzinfo=UTC),
        capture_no="5840243-146",
    ),
    "PAYMENT.CAPTURE.DECLINED": PaymentReport(
        "CUSTOMID-1001",
        "7U133281TB3277326",
        ReportedPayment.FAILED,
        18510,
        "USD",
        datetime(2022, 12, 13, 19, 13, tzinfo=UTC),
        capture_no="ARG0-2022-12-08T21:00:21.564Z-435",
    ),
    "PAYMENT.CAPTURE.PENDING": "invoice_id is missing or no number of ours or theirs",
    "PAYMENT.CAPTURE.REFUNDED": RefundReport(
        "1Y107995YT783435V",
        ReportedRefund.SUCCEEDED,
        99,
        "USD",
        datetime(2018, 8, 15, 19, 13, 29, tzinfo=UTC),
        trade_no="0JF852973C016714D",
        provider_no="1Y107995YT783435V",
    ),
}


def published() -> PayPal:
    """The adapter with the real PayPal's certificates, configured as the webhook of PayPal's simulator."""
    read = {
        name: (PUBLISHED / f"{name}.pem").read_text()
        for name in ("digicert_high_assurance_ev_root", "digicert_ev_server_ca", "paypal_certificate")
    }
    return builders.provider(
        webhook_ids=["WEBHOOK_ID"],
        root_certificates=[read["digicert_high_assurance_ev_root"]],
        intermediate_certificates=[read["digicert_ev_server_ca"]],
        certificates={URL: read["paypal_certificate"]},
    )


@pytest.mark.parametrize("simulated", NOTIFICATIONS, ids=lambda one: json.loads(one["body"])["event_type"])
def test_notifications_that_paypal_itself_signed_are_believed(simulated: dict[str, str]) -> None:
    named = {f"paypal-{name.replace('_', '-')}": value for name, value in simulated.items() if name != "body"}
    headers = {**named, "paypal-cert-url": URL, "paypal-auth-algo": "SHA256withRSA"}
    notification = Notification(headers, simulated["body"].encode(), PUBLISHED_AT)
    result = published().verify(notification)
    expected = SIMULATED[json.loads(simulated["body"])["event_type"]]
    assert result == (
        RejectedNotification(Code.PAY_CALLBACK_INVALID, expected) if isinstance(expected, str) else expected
    )
    rejected = published().verify(replace(notification, body=notification.body + b" "))
    assert isinstance(rejected, RejectedNotification)
    assert rejected.code == "PAY_SIGNATURE_INVALID"


def test_the_signed_checksum_is_the_one_of_paypals_documentation() -> None:
    body = (PUBLISHED / "paypal_documented_body.json").read_bytes()
    assert zlib.crc32(body) == 2771810304
    at = datetime(2015, 5, 18, 15, 45, 13, tzinfo=UTC)
    signer = protocol.PayPalSigner(keys.private("paypal"), URL)
    transmission = "dfb3be50-fd74-11e4-8bf3-77339302725b"
    headers = protocol.webhook_headers(
        body, signer, webhook_id="4JH86294D6297924G", transmission_id=transmission, at=at
    )
    documented = f"{transmission}|2015-05-18T15:45:13Z|4JH86294D6297924G|2771810304"
    assert headers["paypal-transmission-sig"] == rsa.sign(keys.private("paypal"), documented.encode())
