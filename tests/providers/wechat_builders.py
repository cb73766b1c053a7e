"""A merchant of WeChat Pay, and what WeChat Pay sends it, signed with the platform's key.

`settings`, `provider`, `attempt` are ours; `transaction`, `refund` are the contents of `notification` and `answer`.
`signed_notification` signs any bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import SecretStr

from scripts.gateways import wechat_protocol as protocol
from scripts.gateways.wechat_protocol import Platform
from tests.providers import keys
from workers.providers.port import HttpResponse, Notification, PaymentOrder, RefundOrder
from workers.providers.wechat import MerchantKey, WeChat, WeChatSettings

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
MCHID, APPID, APP_APPID = "1900000109", "wx8888888888888888", "wxd930ea5d5a258f4f"
SERIAL, OTHER_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "7132D72A03E93CDDF8C03BBD1F37EEDF3EF2B4D5"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001092024110100351200000001"
APIV3_KEY, OTHER_APIV3_KEY = "0123456789abcdef0123456789ABCDEF", "fedcba9876543210FEDCBA9876543210"
OUR_SERIAL, OUR_NEXT_SERIAL = "3775B6A45ACD588826D15E583A95F5DD1C1A3C0B", "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
PLATFORM = Platform(SERIAL, keys.private("wechat"), APIV3_KEY.encode())
OTHER_PLATFORM = Platform(OTHER_SERIAL, keys.private("wechat, next"), APIV3_KEY.encode())
ATTEMPT = PaymentOrder(
    out_trade_no="P382808400870244771",
    amount=8888,
    currency="CNY",
    subject="Order 382808400870244771",
    scene="qr",
    started_at=AT,
    expire_at=AT + timedelta(minutes=30),
)
TRADE_NO = "4200000925202101284997714292"
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


def certificate(name: str = "wechat", serial: str = SERIAL, **more: Any) -> str:
    return keys.certificate_pem(name, int(serial, 16), **more)


def settings(**more: Any) -> WeChatSettings:
    given: dict[str, Any] = {
        "mchid": MCHID,
        "appid": APPID,
        "app_appid": APP_APPID,
        "notify_url": "https://shop.example/notify/wechat",
        "merchant_keys": (MerchantKey(serial=OUR_SERIAL, private_key=SecretStr(keys.private_pem("ours"))),),
        "apiv3_keys": (APIV3_KEY,),
        "platform_keys": {SERIAL: certificate()},
    }
    return WeChatSettings.model_validate(given | more)


def provider(**more: Any) -> WeChat:
    """The provider under test."""
    return WeChat(settings(**more)) if more else default_provider()


@cache
def default_provider() -> WeChat:
    """The provider with the settings of most tests: reading its private key takes 70 ms."""
    return WeChat(settings())


def attempt(**more: Any) -> PaymentOrder:
    return replace(ATTEMPT, **more)


def transaction(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "mchid": MCHID,
        "appid": APPID,
        "out_trade_no": ATTEMPT.out_trade_no,
        "transaction_id": TRADE_NO,
        "total": ATTEMPT.amount,
        "at": AT,
    }
    return protocol.transaction(**given | more)


def refund(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "mchid": MCHID,
        "out_trade_no": REFUND_ORDER.out_trade_no,
        "transaction_id": TRADE_NO,
        "out_refund_no": REFUND_ORDER.refund_no,
        "refund_id": "50000000382019052709732678859",
        "refund": REFUND_ORDER.amount,
        "total": REFUND_ORDER.total,
        "at": AT,
    }
    return protocol.refund_notification(**given | more)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def signed_notification(
    body: bytes, at: datetime = AT, platform: Platform = PLATFORM, received_at: datetime | None = None
) -> Notification:
    """Any bytes as a notification with a valid signature."""
    headers = platform.headers(body, at, "c5ac7061fccab6bf3e254dcf98995b8c")
    return Notification(lowered(headers), body, received_at or at)


def notification(
    resource: Mapping[str, Any],
    event: str = "TRANSACTION.SUCCESS",
    at: datetime = AT,
    platform: Platform = PLATFORM,
    nonce: str = "fdasflkja484",
) -> Notification:
    """A notification as WeChat Pay sends it."""
    return signed_notification(
        platform.notification(event, resource, AT, "EV-2018022511223320873", nonce), at, platform
    )


def answer(content: Any, status: int = 200, at: datetime = AT, platform: Platform = PLATFORM) -> HttpResponse:
    """An answer with a valid signature; None has no body."""
    body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
    return HttpResponse(status, lowered(platform.headers(body, at, "0123456789")), body)
