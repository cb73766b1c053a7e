"""A merchant at UnionPay, and what UnionPay sends it: it is signed with a certificate that the tests issue.

`settings`, `provider` are ours; `payment`, `refund` are the fields that `notification` and `answer` sign. `received`
takes any body.
`payment_form` and `refund_form` are our requests as UnionPay reads them.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.x509 import KeyUsage
from pydantic import SecretStr

from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.authorities import SIGNING, Authority, pem
from tests.providers import keys
from workers.providers.port import HttpRequest, HttpResponse, Notification, PaymentOrder, RefundOrder
from workers.providers.unionpay import SigningKey, UnionPay, UnionPaySettings

AT = datetime(2026, 11, 22, 2, 59, 30, tzinfo=UTC)  # 10:59:30 in Beijing
MERCHANT = "777290058167151"
SERIAL = 68_759_663_125
QUERY_ID = "782611221059306740028"
ATTEMPT = PaymentOrder(
    out_trade_no="P17325846012345678",
    amount=8888,
    currency="CNY",
    subject="Größe & 茶",
    scene="page",
    started_at=AT,
    expire_at=AT + timedelta(minutes=15),
    return_url="https://shop.example/back",
)
REFUND_ORDER = RefundOrder(
    refund_no="R17325846012345679",
    out_trade_no=ATTEMPT.out_trade_no,
    trade_no=QUERY_ID,
    amount=88,
    total=8888,
    currency="CNY",
    reason="late",
    captured_at=AT,
    requested_at=AT + timedelta(hours=1),
)


@cache
def authority(name: str = "CFCA") -> Authority:
    """An authority that issues certificates."""
    return Authority(name, keys.BEGINNING, keys.private(f"{name} root"), keys.private(f"{name} issuer"))


@cache
def signer(
    key: str = "unionpay",
    *,
    issued_by: str = "CFCA",
    common_name: str = protocol.HOLDER,
    since: datetime = AT - timedelta(days=30),
    days: int = 90,
    usage: KeyUsage = SIGNING,
) -> protocol.UnionPaySigner:
    """The signing key of UnionPay, by default with its proper certificate."""
    own = keys.private(key)
    above = authority(issued_by)
    made = above.certificate(own.public_key(), common_name, since=since, days=days, usage=usage)
    return protocol.UnionPaySigner(own, pem(made))


def settings(**more: Any) -> UnionPaySettings:
    """Settings of the provider."""
    values: dict[str, Any] = {
        "merchant_id": MERCHANT,
        "signing_keys": [signing_key("merchant", SERIAL)],
        "root_certificates": [pem(authority().root)],
        "intermediate_certificates": [pem(authority().issuer)],
        "notify_url": "https://shop.example/unionpay",
        "return_url": "https://shop.example/",
    }
    return UnionPaySettings(**{**values, **more})


@cache
def signing_key(name: str, serial: int) -> SigningKey:
    """A signing key of ours; reading one takes a tenth of a second."""
    return SigningKey(private_key=SecretStr(keys.private_pem(name)), certificate=keys.certificate_pem(name, serial))


def provider(**more: Any) -> UnionPay:
    """The provider under test."""
    return UnionPay(settings(**more)) if more else default_provider()


@cache
def default_provider() -> UnionPay:
    """The provider with the settings of most tests."""
    return UnionPay(settings())


def read_form(form: bytes) -> dict[str, str]:
    """Check and read a form that we post, as UnionPay does."""
    known = {str(SERIAL): keys.private("merchant").public_key()}
    return protocol.check(form, merchant_id=MERCHANT, keys=known)


def payment_form(**more: Any) -> dict[str, str]:
    """The form of an attempt, as UnionPay reads it."""
    ready = provider().start(replace(ATTEMPT, **more), AT)
    assert not isinstance(ready, HttpRequest)
    return read_form(protocol.notification(ready.fields))  # type: ignore[union-attr]


def refund_form() -> dict[str, str]:
    """The form of a refund, as UnionPay reads it."""
    return read_form(provider().refund(REFUND_ORDER, AT).body)


def notification(fields: Mapping[str, str], by: protocol.UnionPaySigner | None = None) -> Notification:
    """A signed notification of these fields."""
    return received(protocol.notification(protocol.signed(fields, by or signer())))


def received(body: bytes, **headers: str) -> Notification:
    """A notification with this body, received at once."""
    return Notification({"content-type": "application/x-www-form-urlencoded;charset=UTF-8", **headers}, body, AT)


def payment(**more: str) -> dict[str, str]:
    """The fields of a notification about the attempt; None leaves one out."""
    fields = protocol.happened(payment_form(), QUERY_ID, AT + timedelta(seconds=40), more.pop("code", "00"))
    return {name: value for name, value in {**fields, **more}.items() if value is not None}


def refund(**more: str) -> dict[str, str]:
    """The fields of a notification about the refund."""
    fields = protocol.happened(refund_form(), QUERY_ID[::-1], AT + timedelta(days=1), more.pop("code", "00"))
    return {**fields, **more}


def answer(fields: Mapping[str, str], by: protocol.UnionPaySigner | None = None, status: int = 200) -> HttpResponse:
    """A signed answer of these fields."""
    return HttpResponse(status, {}, protocol.answer(protocol.signed(fields, by or signer())))
