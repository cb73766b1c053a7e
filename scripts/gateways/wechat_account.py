"""The account of one merchant at WeChat Pay: its keys, its configuration, and what WeChat Pay signs for it."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from scripts.gateways import wechat_protocol as protocol
from scripts.gateways.authorities import Authority, new_key, pem, private_pem
from scripts.gateways.gateway import FileWriter
from scripts.gateways.keys import KeyRotation
from scripts.gateways.notifier import Copy, Write

MCHID, APPID = "1900000109", "wx8888888888888888"
PROBE = "WECHATPAY/SIGNTEST/"
"""The signature of a probe begins so: WeChat Pay sends probes to see whether a merchant verifies at all."""


@dataclass(frozen=True, repr=False)
class WeChatKeys:
    """The keys of the merchant, and two keys of WeChat Pay for its rotation."""

    merchant: RSAPrivateKey = field(default_factory=new_key)
    first: RSAPrivateKey = field(default_factory=new_key)
    second: RSAPrivateKey = field(default_factory=new_key)
    apiv3: str = field(default_factory=lambda: secrets.token_hex(16))
    merchant_serial: str = field(default_factory=lambda: secrets.token_hex(20).upper())


@dataclass(frozen=True, repr=False)
class Certified:
    """A platform key with its certificate."""

    platform: protocol.Platform
    certificate: str

    @classmethod
    def of(cls, key: RSAPrivateKey, apiv3: str) -> "Certified":
        """Make a certificate for the key, valid since yesterday."""
        issuer = Authority("Tenpay.com", datetime.now(UTC) - timedelta(days=1), key, key)
        certificate = issuer.certificate(key.public_key(), "Tenpay.com sign")
        serial = f"{certificate.serial_number:X}"
        return cls(protocol.Platform(serial, key, apiv3.encode()), pem(certificate))


class WeChatAccount:
    """Signs and verifies for one merchant.

    That is configured with the first platform certificate and must download the second.
    """

    def __init__(self, keys: WeChatKeys, rotate_after: int | None) -> None:
        self._keys = keys
        first, second = (Certified.of(key, keys.apiv3) for key in (keys.first, keys.second))
        self._rotation = KeyRotation(first, second, rotate_after)
        self._answers_with = first.platform

    def configuration(self, origin: str, notify_url: str, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side."""
        first, key = self._rotation.first, private_pem(self._keys.merchant)
        return {
            "base_url": origin,
            "mchid": MCHID,
            "appid": APPID,
            "notify_url": notify_url,
            "merchant_keys": [
                {"serial": self._keys.merchant_serial, "private_key": write_file("merchant_key.pem", key)}
            ],
            "apiv3_keys": [write_file("apiv3_key", self._keys.apiv3)],
            "platform_keys": {first.platform.serial: write_file("platform_certificate.pem", first.certificate)},
        }

    def check(self, request: web.Request, body: bytes, now: datetime) -> str:
        """Verify a request and return its mchid. Raises WeChatProtocolError."""
        merchants = {self._keys.merchant_serial: self._keys.merchant.public_key()}
        return protocol.check_request(
            request.method, request.raw_path, request.headers, body, merchants=merchants, now=now
        )

    def check_client(self, fields: Mapping[str, str]) -> str:
        """Verify the fields that open the cashier; return the prepay_id.

        Raises WeChatProtocolError, KeyError, ValueError.
        """
        protocol.check_client(fields, self._keys.merchant.public_key())
        return fields.get("prepayid") or fields["package"].removeprefix("prepay_id=")

    def certificates(self, now: datetime) -> bytes:
        """Return the certificates, both after the rotation. From then on, all responses are signed with the new key."""
        first, current = self._rotation.first, self._rotation.current
        self._answers_with = current.platform
        valid = {one.platform.serial: one.certificate for one in (first, current)}
        return current.platform.certificates(valid, now)

    def answer(self, status: int, response: Any, now: datetime) -> web.Response:
        """Return a signed response. `content` is an object for JSON, or bytes, or nothing."""
        text = (
            response
            if isinstance(response, bytes)
            else json.dumps(response, ensure_ascii=False).encode()
            if response
            else b""
        )
        headers = self._answers_with.headers(text, now, secrets.token_hex(16))
        return web.Response(status=status, body=text or None, headers=headers)

    def notification(self, event: str, resource: Callable[[datetime], Mapping[str, Any]]) -> Write:
        """Return the writer of a notification. Copies share the body; each has a signature of its own."""
        platform, notification_id = self._rotation.next().platform, secrets.token_hex(16)
        bodies: list[bytes] = []

        def write(at: datetime) -> Copy:
            if not bodies:
                bodies.append(platform.notification(event, resource(at), at, notification_id, secrets.token_hex(6)))
            return Copy(platform.headers(bodies[0], at, secrets.token_hex(16)), bodies[0])

        return write


def acknowledged(status: int, body: bytes) -> bool:
    """Tell whether the response is 200 or 204, without a body or with the code SUCCESS."""
    if status not in (200, 204):
        return False
    try:
        return not body or json.loads(body).get("code") == "SUCCESS"
    except (ValueError, AttributeError):
        return False


def reserialised(copy: Copy) -> Copy:
    """Rewrite a copy as a JSON library does by default, with spaces."""
    return Copy(copy.headers, json.dumps(json.loads(copy.body)).encode())


def forged(copy: Copy) -> Copy:
    """Return the copy as one of WeChat Pay's probes."""
    signature = PROBE + copy.headers["Wechatpay-Signature"][len(PROBE) :]
    return Copy({**copy.headers, "Wechatpay-Signature": signature}, copy.body)
