"""A merchant's application at Alipay, and what Alipay sends it.

`settings`, `provider`, `attempt` are ours; `trade`, `notification`, `answer`, `found` are Alipay's,
signed with its key.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import SecretStr

from scripts.gateways import alipay_protocol as protocol
from tests.providers import keys
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import HttpResponse, Notification, PaymentOrder, RefundOrder

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
APP_ID, SELLER_ID = "2021000122671234", "2088621956155678"
ATTEMPT = PaymentOrder(
    out_trade_no="P382808400870244771",
    amount=8888,
    currency="CNY",
    subject="Order 382808400870244771",
    scene="page",
    started_at=AT,
    expire_at=AT + timedelta(minutes=30),
    return_url="https://shop.example/done?order=1&x=a b",
)
TRADE_NO = "2026112222001468450509133591"
REFUND_ORDER = RefundOrder(
    refund_no="R382808400870244999",
    out_trade_no=ATTEMPT.out_trade_no,
    trade_no=TRADE_NO,
    amount=888,
    total=8888,
    currency="CNY",
    reason="late",
    captured_at=AT,
    requested_at=AT + timedelta(hours=1),
)
QUERIED_AT = REFUND_ORDER.requested_at + timedelta(seconds=1)
QUERY, CLOSE, PRECREATE = "alipay.trade.query", "alipay.trade.close", "alipay.trade.precreate"
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"


def settings(**more: Any) -> AlipaySettings:
    given: dict[str, Any] = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "notify_url": "https://shop.example/notify/alipay",
        "app_private_keys": (SecretStr(keys.private_pem("ours")),),
        "alipay_public_keys": (keys.public_pem("alipay"),),
    }
    return AlipaySettings.model_validate(given | more)


def provider(**more: Any) -> Alipay:
    """The provider under test."""
    return Alipay(settings(**more)) if more else default_provider()


@cache
def default_provider() -> Alipay:
    """The provider with the settings of most tests: reading its private key takes 70 ms."""
    return Alipay(settings())


def attempt(**more: Any) -> PaymentOrder:
    return replace(ATTEMPT, **more)


def trade(**more: Any) -> dict[str, str]:
    given: dict[str, Any] = {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "out_trade_no": ATTEMPT.out_trade_no,
        "trade_no": TRADE_NO,
        "total": ATTEMPT.amount,
        "at": AT,
        "notify_id": "2026112200222153759068450559621257",
    }
    return protocol.trade_notification(**given | more)


def notification(
    fields: Mapping[str, str], key: str = "alipay", charset: str = "utf-8", received_at: datetime = AT
) -> Notification:
    """A notification as Alipay posts it."""
    return Notification({}, protocol.notification(fields, keys.private(key), charset), received_at)


def answer(method: str, content: Mapping[str, Any], key: str = "alipay") -> HttpResponse:
    return HttpResponse(200, {}, protocol.answer(method, content, keys.private(key)))


def found(**more: Any) -> HttpResponse:
    """The answer to a query of a trade that was paid."""
    given = {
        "trade_no": TRADE_NO,
        "out_trade_no": ATTEMPT.out_trade_no,
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "88.88",
        "send_pay_date": "2026-11-22 11:00:00",
        "buyer_logon_id": "159****5620",
    }
    fields = {name: value for name, value in (given | more).items() if value is not None}
    return answer(QUERY, protocol.ok(**fields))
