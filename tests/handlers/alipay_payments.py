"""Payments at Alipay: the merchant, the command that starts an attempt, the notification that pays it.

Alipay's page needs no call, so an attempt is open as soon as payment.start is handled.
"""

import base64
from datetime import UTC, datetime
from typing import Any

from messages.payments import PaymentCallback, PaymentStart
from scripts.gateways import alipay_protocol
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness
from tests.providers.keys import private, private_pem, public_pem

APP, SELLER = "2014072300007148", "2088101106499364"
MERCHANT = {
    "app_id": APP, "seller_id": SELLER, "notify_url": "https://shop.example/notify/alipay",
    "app_private_keys": (private_pem("app"),), "alipay_public_keys": (public_pem("alipay"),),
}  # fmt: skip


def start(order_id: int, amount: int, request_id: str = "pay-1", **changes: Any) -> PaymentStart:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "actor": user(),
        "order_id": order_id,
        "provider": "alipay",
        "scene": "page",
        "amount": amount,
        "currency": "CNY",
    }
    return PaymentStart(**fields | changes)


def notified(started: dict[str, Any], trade_no: str = "2026012122001", **changes: str) -> PaymentCallback:
    """The notification that Alipay posts when the buyer has paid."""
    cents = int(started["amount"])
    fields = {
        "notify_time": "2026-01-21 10:00:00",
        "notify_type": "trade_status_sync",
        "notify_id": f"n-{trade_no}",
        "app_id": APP,
        "seller_id": SELLER,
        "version": "1.0",
        "trade_no": trade_no,
        "out_trade_no": started["out_trade_no"],
        "trade_status": "TRADE_SUCCESS",
        "total_amount": f"{cents // 100}.{cents % 100:02d}",
        "gmt_payment": "2026-01-21 10:00:00",
    } | changes
    return callback(alipay_protocol.notification(fields, private("alipay")))


def callback(body: bytes) -> PaymentCallback:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    encoded = base64.b64encode(body).decode()
    return PaymentCallback(provider="alipay", headers=headers, body=encoded, received_at=datetime.now(UTC))


async def opened(harness: HandlerHarness) -> tuple[int, dict[str, Any]]:
    """Place an order and start an attempt: the order id, and the payment.started event."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000))
    [started] = harness.events_of("payment.started")
    return order_id, started
