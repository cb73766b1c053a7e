"""The account of one application at Alipay: its keys, its configuration, and what Alipay signs for it."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from scripts.gateways import alipay_protocol as protocol
from scripts.gateways.authorities import new_key, private_pem, public_pem
from scripts.gateways.gateway import FileWriter
from scripts.gateways.keys import KeyRotation, same_each_time
from scripts.gateways.notifier import Copy, Write

APP_ID, SELLER_ID = "2014072300007148", "2088102146225135"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass(frozen=True, repr=False)
class AlipayKeys:
    """The key of the application, and two keys of Alipay for its rotation."""

    app: RSAPrivateKey = field(default_factory=new_key)
    first: RSAPrivateKey = field(default_factory=new_key)
    second: RSAPrivateKey = field(default_factory=new_key)


class AlipayAccount:
    """Signs and verifies for one application. That is configured with both Alipay keys, as no call returns them."""

    def __init__(self, keys: AlipayKeys, rotate_after: int | None) -> None:
        self._keys = keys
        self._rotation = KeyRotation(keys.first, keys.second, rotate_after)

    def configuration(self, gateway_url: str, notify_url: str, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side."""
        first, second = public_pem(self._rotation.first), public_pem(self._rotation.second)
        return {
            "gateway_url": gateway_url,
            "app_id": APP_ID,
            "seller_id": SELLER_ID,
            "notify_url": notify_url,
            "app_private_keys": [write_file("app_key.pem", private_pem(self._keys.app))],
            "alipay_public_keys": [write_file("alipay_key.pem", first), write_file("alipay_next_key.pem", second)],
        }

    def check(self, query: str, form: bytes, now: datetime) -> protocol.SignedRequest:
        """Verify and parse a request. Raises AlipayProtocolError, also if it is not a form, not JSON or incomplete."""
        try:
            return protocol.check(query, form, app_id=APP_ID, keys=[self._keys.app.public_key()], now=now)
        except (ValueError, KeyError) as error:
            raise protocol.AlipayProtocolError(f"isv.invalid-parameter: {type(error).__name__}") from error

    def answer(self, method: str, content: Mapping[str, Any]) -> web.Response:
        """Return a signed response."""
        body = protocol.answer(method, content, self._rotation.current)
        return web.Response(body=body, content_type="text/html", charset="utf-8")

    def notification(self, fields: Callable[[datetime, str], Mapping[str, str]]) -> Write:
        """Return the writer of a notification. All copies are the same, with the same id and time."""
        key, notify_id = self._rotation.next(), secrets.token_hex(17)
        return same_each_time(lambda at: Copy(FORM, protocol.notification(fields(at, notify_id), key)))


def acknowledged(status: int, body: bytes) -> bool:
    """Tell whether the response is `success` and nothing else."""
    return status == 200 and body == b"success"


def reserialised(copy: Copy) -> Copy:
    """Rewrite a copy as a form library does that drops empty fields."""
    return Copy(copy.headers, urlencode(parse_qsl(copy.body.decode())).encode())


def forged(copy: Copy) -> Copy:
    """Return the copy with a wrong signature."""
    fields = dict(parse_qsl(copy.body.decode(), keep_blank_values=True))
    first = "A" if fields["sign"][0] != "A" else "B"
    return Copy(copy.headers, urlencode({**fields, "sign": first + fields["sign"][1:]}).encode())
